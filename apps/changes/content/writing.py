"""Content to canonical bytes, schema 1. These bytes are signed: the golden file in the tests pins them for ever."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final, TypeVar
from uuid import UUID

from apps.changes.content.parts import PARTS, Content, EnvironmentRef, Evidence, ItemContent, Period, Plan, Rollback, Scope, Step, Story
from apps.core.canonical import canonical_bytes, canonical_text, digest

# By part, so that a new form of one part leaves the bytes and the digests of the others as they are.
SCHEMAS: Final = {"scope": 1, "plan": 1, "rollback": 1, "period": 1, "story": 1}
REVISION_SCHEMA = 1
T = TypeVar("T")


def part_bytes(content: Content) -> dict[str, bytes]:
    """The canonical bytes of each part, by name; raises NotCanonical for what `why_not_content` would have refused."""
    content = normal(content)
    bodies: dict[str, Mapping[str, object]] = {
        "scope": _scope(content.scope),
        "plan": _plan(content.plan),
        "rollback": _rollback(content.rollback),
        "period": _period(content.period),
        "story": _story(content.story),
    }
    return {part: canonical_bytes({"schema": SCHEMAS[part], **body}) for part, body in bodies.items()}


def kept_bytes(content: Content, *, stored: Mapping[str, bytes], read: Content) -> dict[str, bytes]:
    """The bytes of an edit. A part that says what STORED said, which was read as READ, keeps its bytes: a newer form of
    writing the same is no edit, so it lapses no sign-off."""
    now, before, made = normal(content), normal(read), part_bytes(content)
    return {part: stored[part] if getattr(now, part) == getattr(before, part) else made[part] for part in PARTS}


def part_digests(parts: Mapping[str, bytes]) -> dict[str, str]:
    """SHA-256 of each part's bytes, by name."""
    return {part: digest(bytes(body)) for part, body in parts.items()}


@dataclass(frozen=True, slots=True)
class ModelRef:
    """The version of a model that a STANDARD change began from."""

    id: UUID
    number: int
    digest: str


@dataclass(frozen=True, slots=True)
class Bound:
    """What a revision is bound to beside its parts: which change and what kind, which number, and by whom, as they were
    known that day. The kind picks the policy, and who asked and who edited may not agree. A STANDARD change is bound to its
    model too, which may speak for everybody who would have to sign."""

    change_id: UUID
    kind: str
    requester_id: UUID
    number: int
    author_id: UUID
    model: ModelRef | None = None


def revision_digest(bound: Bound, *, part_digests: Mapping[str, str]) -> str:
    """The one digest that binds a revision: everything that agreement to it depends on."""
    body = {
        "schema": REVISION_SCHEMA,
        "change": bound.change_id,
        "kind": bound.kind,
        "requester": bound.requester_id,
        "number": bound.number,
        "author": bound.author_id,
        "parts": part_digests,
        "model": {"id": bound.model.id, "number": bound.model.number, "digest": bound.model.digest} if bound.model else None,
    }
    return digest(canonical_bytes(body))


def normal(content: Content) -> Content:
    """The same content in the one form it is stored in: texts canonical, sets sorted without twins, moments in UTC seconds."""
    return Content(
        scope=replace(
            content.scope,
            items=tuple(_normal_item(item) for item in content.scope.items),
            reason=canonical_text(content.scope.reason),
            impact=canonical_text(content.scope.impact),
        ),
        plan=Plan(
            steps=tuple(_normal_step(step) for step in content.plan.steps),
            evidence=_as_set(Evidence(_line(each.name), each.sha256, _line(each.kind)) for each in content.plan.evidence),
        ),
        rollback=replace(
            content.rollback,
            steps=tuple(_normal_step(step) for step in content.rollback.steps),
            trigger=canonical_text(content.rollback.trigger),
            irreversible=tuple(canonical_text(text) for text in content.rollback.irreversible),
            data_strategy=canonical_text(content.rollback.data_strategy),
            reason=canonical_text(content.rollback.reason),
        ),
        period=Period(_second(content.period.not_before), whole_second(content.period.not_after), content.period.zone),
        story=Story(
            title=_line(content.story.title),
            labels=_as_set(_line(label) for label in content.story.labels),
            told=_as_set(_line(name) for name in content.story.told),
            description=canonical_text(content.story.description),
        ),
    )


def whole_second(moment: datetime) -> datetime:
    """The moment in UTC, without fractions of a second."""
    return moment.astimezone(UTC).replace(microsecond=0)


def _second(moment: datetime | None) -> datetime | None:
    return None if moment is None else whole_second(moment)


def _line(text: str) -> str:
    return canonical_text(text).strip()


def _normal_item(item: ItemContent) -> ItemContent:
    environments = {each.id: EnvironmentRef(each.id, _line(each.name)) for each in item.environments}
    return ItemContent(
        service_id=item.service_id,
        service_name=_line(item.service_name),
        label=_line(item.label),
        identities=_as_set(item.identities),
        repository=_line(item.repository),
        environments=tuple(environments[key] for key in sorted(environments)),
    )


def _normal_step(step: Step) -> Step:
    return replace(step, what=canonical_text(step.what), verify=canonical_text(step.verify))


def _as_set(values: Iterable[T]) -> tuple[T, ...]:
    """Sorted by canonical bytes, as `core.canonical` sorts a set; texts that are the same after normalising are one."""
    return tuple(sorted(dict.fromkeys(values), key=_sort_key))


def _sort_key(value: object) -> bytes:
    return canonical_bytes(_evidence(value) if isinstance(value, Evidence) else value)


def _scope(scope: Scope) -> dict[str, object]:
    return {
        "items": [
            {
                "service": {"id": item.service_id, "name": item.service_name},
                "version": {"label": item.label, "identities": item.identities, "repository": item.repository},
                "environments": [{"id": each.id, "name": each.name} for each in item.environments],
            }
            for item in scope.items
        ],
        "aspects": scope.aspects,
        "reason": scope.reason,
        "impact": scope.impact,
    }


def _plan(plan: Plan) -> dict[str, object]:
    return {"steps": [_step(step) for step in plan.steps], "evidence": [_evidence(each) for each in plan.evidence]}


def _step(step: Step) -> dict[str, object]:
    return {"what": step.what, "by": step.by, "expected_seconds": step.expected_seconds, "verify": step.verify}


def _evidence(evidence: Evidence) -> dict[str, object]:
    return {"name": evidence.name, "sha256": evidence.sha256, "kind": evidence.kind}


def _rollback(rollback: Rollback) -> dict[str, object]:
    return {
        "strategy": rollback.strategy,
        "steps": [_step(step) for step in rollback.steps],
        "trigger": rollback.trigger,
        "seconds_to_restore": rollback.seconds_to_restore,
        "irreversible": rollback.irreversible,
        "data_strategy": rollback.data_strategy,
        "reason": rollback.reason,
        "point_of_no_return": rollback.point_of_no_return,
    }


def _period(period: Period) -> dict[str, object]:
    return {"not_before": period.not_before, "not_after": period.not_after, "zone": period.zone}


def _story(story: Story) -> dict[str, object]:
    return {"title": story.title, "labels": story.labels, "told": story.told, "description": story.description}
