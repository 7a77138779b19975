"""What a model approves beforehand: for which services and where, and what of it may not be written otherwise. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any
from uuid import UUID

from apps.changes.content.parts import Plan, Rollback, Scope, Step

MOST_COVERED = 200
# The steps of the plan and the way back are fixed always; these where a model says so.
FIXABLE = ("aspects", "reason", "impact")
WORDS = {"strategy": "its kind", "seconds_to_restore": "the time to restore", "irreversible": "what cannot be undone"}


@dataclass(frozen=True, slots=True, order=True)
class Named:
    """Something by public id, with its name as shown."""

    id: UUID
    name: str


@dataclass(frozen=True, slots=True)
class Coverage:
    """Where a model speaks for everybody who would have to sign: services, or all services of a team, in environments."""

    services: tuple[Named, ...] = ()
    teams: tuple[Named, ...] = ()
    environments: tuple[Named, ...] = ()
    fixed: frozenset[str] = frozenset()

    def reaches(self, *, service_id: UUID, team_id: UUID, environment_id: UUID) -> bool:
        """Whether one service in one environment is covered, by the team it belongs to now."""
        of_service = service_id in {one.id for one in self.services} or team_id in {one.id for one in self.teams}
        return of_service and environment_id in {one.id for one in self.environments}


def why_not_coverage(coverage: Coverage) -> Iterator[tuple[str, str]]:
    """What no model may approve beforehand; field and sentence."""
    if not coverage.services and not coverage.teams:
        yield "covered_services", "Name the services that it approves, or a team whose services it approves."
    if not coverage.environments:
        yield "covered_environments", "Name the environments that it approves."
    for name in ("services", "teams", "environments"):
        if (count := len(getattr(coverage, name))) > MOST_COVERED:
            yield f"covered_{name}", f"There are {count}. {MOST_COVERED} fit; a team stands for all its services."
    if unknown := sorted(coverage.fixed - {*FIXABLE}):
        yield "fixed", f"{', '.join(unknown)} cannot be fixed. Choose from {', '.join(FIXABLE)}."


def coverage_body(coverage: Coverage) -> dict[str, object]:
    """The members of a coverage, for canonical bytes."""
    lists: dict[str, tuple[Named, ...]] = {name: getattr(coverage, name) for name in ("services", "teams", "environments")}
    return {name: [{"id": one.id, "name": one.name} for one in sorted(set(rows))] for name, rows in lists.items()} | {
        "fixed": coverage.fixed
    }


def read_coverage(body: Mapping[str, Any]) -> Coverage:
    """A coverage read back."""

    def named(rows: Iterable[Mapping[str, str]]) -> tuple[Named, ...]:
        return tuple(Named(UUID(one["id"]), one["name"]) for one in rows)

    return Coverage(named(body["services"]), named(body["teams"]), named(body["environments"]), frozenset(body["fixed"]))


def departures(model: tuple[Scope, Plan, Rollback], written: tuple[Scope, Plan, Rollback], *, fixed: Iterable[str]) -> list[str]:
    """Where something that is written departs from what a model fixes, in sentences; both are read from canonical bytes.

    How long the way back takes is left open where the model leaves it open: deployment settings fill it in."""
    (scope, plan, rollback), (now_scope, now_plan, now_rollback) = model, written
    said = [_steps_words("plan", plan.steps, now_plan.steps)] if plan.steps != now_plan.steps else []
    if other := _other_fields(rollback, now_rollback):
        said.append(f"The way back is not the model's: {', '.join(other)}.")
    if "aspects" in fixed and (more := sorted(now_scope.aspects - scope.aspects)):
        said.append(f"It touches {', '.join(more).lower()}, which the model does not.")
    texts = ((name, getattr(scope, name), getattr(now_scope, name)) for name in ("reason", "impact") if name in fixed)
    return said + [f"The {name} is not the model's." for name, was, now in texts if was != now]


def _steps_words(where: str, was: tuple[Step, ...], now: tuple[Step, ...]) -> str:
    if len(was) != len(now):
        return f"The {where} has {_count(now)} and the model's has {_count(was)}."
    at = next(at for at, (one, other) in enumerate(zip(was, now, strict=True), start=1) if one != other)
    return f"Step {at} of the {where} is not the model's."


def _count(steps: tuple[Step, ...]) -> str:
    return f"{len(steps)} {'step' if len(steps) == 1 else 'steps'}"


def _other_fields(was: Rollback, now: Rollback) -> list[str]:
    names = [one.name for one in fields(Rollback) if one.name != "seconds_to_restore" or was.seconds_to_restore is not None]
    return [WORDS.get(name, f"its {name.replace('_', ' ')}") for name in names if getattr(was, name) != getattr(now, name)]
