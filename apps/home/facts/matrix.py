"""Services by environments: what runs, since when, and what is unusual there."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from apps.accounts.models import Person
from apps.catalog.access import environments_in_order, targets_for
from apps.catalog.models import Environment, Service, Target, scope_number
from apps.changes.models import Leg
from apps.schedule.models import Hold


@dataclass(frozen=True, slots=True)
class Cell:
    """One target as the matrix shows it."""

    environment: str
    target: Target | None
    badge: tuple[str, str, str] | None  # tone, icon, words
    is_flag: bool = False

    @property
    def label(self) -> str:
        """What runs, in a word."""
        return self.target.running_label if self.target else ""

    @property
    def since(self) -> datetime | None:
        """Since when it runs."""
        return self.target.running_since if self.target else None


@dataclass(frozen=True, slots=True)
class Row:
    """One service."""

    service: Service
    cells: list[Cell]


@dataclass(frozen=True, slots=True)
class Matrix:
    """The whole table, by tier."""

    environments: list[Environment]
    tiers: list[tuple[int, list[Row]]]
    services_count: int
    targets_count: int
    running_count: int
    held_count: int


def matrix_for(person: Person, *, text: str = "") -> Matrix:
    """The services a person may see whose name or team holds `text`; three statements whatever their number."""
    environments = list(environments_in_order())
    found = [target for target in targets_for(person) if matches(target, text)]
    held = set(Hold.objects.filter(lifted_at__isnull=True).values_list("scope", flat=True))
    asked = {leg.target_id: leg for leg in Leg.objects.filter(is_open=True, target__in=found).select_related("item").order_by("pk")}
    by_service: dict[Service, dict[int, Target]] = defaultdict(dict)
    for target in found:
        by_service[target.service][target.environment_id] = target
    tiers: dict[int, list[Row]] = defaultdict(list)
    for service, targets in by_service.items():
        cells = [cell(environment, targets.get(environment.pk), held, asked) for environment in environments]
        tiers[service.tier].append(Row(service, cells))
    return Matrix(
        environments=environments,
        tiers=sorted(tiers.items()),
        services_count=len(by_service),
        targets_count=len(found),
        running_count=sum(target.occupied_by is not None for target in found),
        held_count=sum(is_held(target, held) for target in found),
    )


def matches(target: Target, text: str) -> bool:
    """Whether the service's name, slug or team holds the text."""
    wanted = text.casefold()
    return any(wanted in word.casefold() for word in (target.service.name, target.service.slug, target.service.team.name))


def is_held(target: Target, held: Iterable[int]) -> bool:
    """Whether a standing hold covers the target by any of its six scopes."""
    service = target.service
    scopes = {
        scope_number("EVERYTHING"),
        scope_number("ENVIRONMENT", target.environment_id),
        scope_number("TIER", service.tier),
        scope_number("TEAM", service.team_id),
        scope_number("SERVICE", service.pk),
        scope_number("TARGET", target.pk),
    }
    return not scopes.isdisjoint(held)


def cell(environment: Environment, target: Target | None, held: set[int], asked: dict[int, Leg]) -> Cell:
    """One cell; the most pressing fact is its badge."""
    if target is None:
        return Cell(environment.name, None, None)
    leg = asked.get(target.pk)
    if is_held(target, held):
        return Cell(environment.name, target, ("stop", "hand-stop", "On hold"), is_flag=True)
    if target.locked_at:
        return Cell(environment.name, target, ("stop", "lock", "Locked"), is_flag=True)
    if target.occupied_by:
        return Cell(environment.name, target, ("ink", "progress", "Deploying"))
    if leg:
        return Cell(environment.name, target, ("wait", "circle-half-2", f"{leg.item.label} asked for"))
    return Cell(environment.name, target, None)
