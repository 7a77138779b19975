"""The queries that build facts about walls, slots and reservations, for rules and for pages."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet

from apps.accounts.models import Person, Team
from apps.catalog.grants import Grants, grants_of, roles_among
from apps.catalog.models import SCOPE_KINDS, Environment, Service, Target, scope_number
from apps.changes.facts import person_id
from apps.changes.models import Change, Leg
from apps.changes.states import LegState, State
from apps.core.references import Reference
from apps.core.together import read_together
from apps.schedule.models import CalendarRule, Hold, Reservation, RuleKind, Slot
from apps.schedule.rules import FOR_GOOD, Mover, SlotFacts, WallFacts
from apps.schedule.stretches import Stretch

SCOPE_SIZE = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Scope:
    """What a wall covers: the number the gate compares, and how people name it."""

    number: int
    kind: str
    name: str
    reference: Reference | None = None
    within: Team | Service | None = None  # whose roles reach it, where it is no more than one of these


@dataclass(frozen=True, slots=True)
class Conflict:
    """Something else that has the service at that time: a running deployment's reach, or another slot."""

    kind: str  # RESERVATION or SLOT
    starts_at: datetime
    ends_at: datetime
    place: str
    ref: str  # CHG-7 for a slot; empty for a reservation, which names its deployment
    held_for: UUID | None = None


@dataclass(frozen=True, slots=True)
class Met:
    """A freeze that a planned time runs into; for a WINDOW that none is open at its start, with the next one where there is one."""

    kind: str  # FREEZE or WINDOW
    title: str
    place: str
    starts_at: datetime | None
    ends_at: datetime | None


class Roles:
    """The roles of one person, read once: for everything, for each team's services and for single services."""

    def __init__(self, person: Person, grants: Grants | None = None) -> None:
        self._id = person_id(person)
        self._grants = grants_of(person.pk) if grants is None else grants

    def mover(self, within: Team | Service | None) -> Mover:
        """The person with what they may do to a wall that covers this service or this team's services alone, or (None) more."""
        if isinstance(within, Service):
            return Mover(self._id, roles_among(self._grants, within))
        scopes = {(None, None), (within.pk if within else None, None)}
        return Mover(self._id, frozenset(role for role, *scope in self._grants if tuple(scope) in scopes))

    def anywhere(self) -> Mover:
        """The person with every role they have for anything: whether a form is worth showing."""
        return Mover(self._id, frozenset(role for role, *_ in self._grants))


def mover_of(person: Person, within: Team | Service | None) -> Mover:
    """A person and the roles they have for everything, for this team's services or for this service."""
    return Roles(person).mover(within)


def everything() -> Scope:
    """The scope of all services in all environments."""
    return Scope(scope_number("EVERYTHING"), "EVERYTHING", "Everything")


def scope_of(row: Environment | Team | Service | Target) -> Scope:
    """The scope that a row stands for."""
    match row:
        case Environment():
            return Scope(scope_number("ENVIRONMENT", row.pk), "ENVIRONMENT", row.name, row.reference)
        case Team():
            return Scope(scope_number("TEAM", row.pk), "TEAM", f"Team {row.name}", row.reference, row)
        case Service():
            return Scope(scope_number("SERVICE", row.pk), "SERVICE", row.name, row.reference, row)
        case Target():
            name = f"{row.service.name} in {row.environment.name}"
            return Scope(scope_number("TARGET", row.pk), "TARGET", name, row.reference, row.service)


def tier_scope(tier: int) -> Scope:
    """The scope of all services of one tier."""
    return Scope(scope_number("TIER", tier), "TIER", f"Tier {tier}")


def scope_numbers_of(target: Target) -> list[int]:
    """Every scope a target lies in, widest first: what the gate looks walls up by."""
    return [
        scope_number("EVERYTHING"),
        scope_number("ENVIRONMENT", target.environment_id),
        scope_number("TIER", target.service.tier),
        scope_number("TEAM", target.service.team_id),
        scope_number("SERVICE", target.service_id),
        scope_number("TARGET", target.pk),
    ]


def scopes_named(numbers: Iterable[int]) -> dict[int, Scope]:
    """Scopes by number, in at most one statement per kind."""
    wanted: dict[str, list[int]] = {kind: [] for kind in SCOPE_KINDS}
    for number in set(numbers):
        kind, pk = divmod(number, SCOPE_SIZE)
        wanted[SCOPE_KINDS[kind]].append(pk)
    found = [everything(), *(tier_scope(tier) for tier in wanted["TIER"])]
    if wanted["ENVIRONMENT"]:
        found += map(scope_of, Environment.objects.filter(pk__in=wanted["ENVIRONMENT"]))
    if wanted["TEAM"]:
        found += map(scope_of, Team.objects.filter(pk__in=wanted["TEAM"]))
    if wanted["SERVICE"]:
        found += map(scope_of, Service.objects.filter(pk__in=wanted["SERVICE"]).select_related("team"))
    if wanted["TARGET"]:
        found += map(scope_of, Target.objects.filter(pk__in=wanted["TARGET"]).select_related("service__team", "environment"))
    return {scope.number: scope for scope in found}


def wall_facts(row: CalendarRule | Hold) -> WallFacts:
    """What the rules ask about a wall."""
    if isinstance(row, Hold):
        return WallFacts("hold", row.reason, None, is_lifted=row.lifted_at is not None)
    return WallFacts(row.kind.lower(), row.title, row.live_until, is_lifted=row.lifted_at is not None)


def last_window(scope: int) -> CalendarRule | None:
    """The window of a scope that shuts it after its end; the caller has the guard."""
    return CalendarRule.objects.filter(scope=scope, kind=RuleKind.WINDOW, lifted_at__isnull=True, live_until=FOR_GOOD).first()


def window_before(lifted: CalendarRule) -> CalendarRule | None:
    """The window that shut the scope before this one did, whether it is over or not."""
    others = CalendarRule.objects.filter(scope=lifted.scope, kind=RuleKind.WINDOW, lifted_at__isnull=True).exclude(pk=lifted.pk)
    return others.order_by("-live_until", "-pk").first()


def slot_facts(change: Change, leg: Leg) -> SlotFacts:
    """What the rules ask about planning a leg."""
    return SlotFacts(
        ref=change.ref,
        place=f"{leg.service.name} in {leg.environment.name}",
        change=State(change.state),
        leg=LegState(leg.state),
        is_current=leg.is_current,
        requester_id=person_id(change.requester),
        not_before=change.not_before,
        not_after=change.not_after,
    )


def slots_of(change: Change) -> dict[UUID, Slot]:
    """The slots of a change, by the public id of the leg."""
    slots = Slot.objects.filter(leg__change=change, leg__is_current=True).select_related("leg")
    return {slot.leg.public_id: slot for slot in slots}


def conflicts_of(service: Service, *, starts_at: datetime, until: datetime, besides: Change | None = None) -> list[Conflict]:
    """What else has this service between two moments: standing reservations, and slots of other open changes."""
    rows = conflict_rows(service, starts_at=starts_at, until=until, besides=besides)
    read_together(*rows)
    return conflicts_in(*rows)


def conflict_rows(
    service: Service, *, starts_at: datetime, until: datetime, besides: Change | None = None
) -> tuple[QuerySet[Reservation], QuerySet[Slot]]:
    """The same as rows that nobody has read yet, for a page that reads them together with others."""
    reserved = Reservation.objects.filter(service=service, released_at__isnull=True, starts_at__lt=until, reserved_until__gt=starts_at)
    slots = Slot.objects.filter(leg__service=service, leg__is_open=True, starts_at__lt=until, ends_at__gt=starts_at)
    if besides is not None:
        slots = slots.exclude(leg__change=besides)
    return (
        reserved.select_related("target__service__team", "target__environment"),
        slots.select_related("leg__change", "leg__target__service__team", "leg__target__environment"),
    )


def conflicts_in(reserved: Iterable[Reservation], slots: Iterable[Slot]) -> list[Conflict]:
    """What such rows say, the earliest first."""
    found = [Conflict("RESERVATION", row.starts_at, row.reserved_until, scope_of(row.target).name, "", row.held_for) for row in reserved]
    found += [Conflict("SLOT", row.starts_at, row.ends_at, scope_of(row.leg.target).name, row.leg.change.ref) for row in slots]
    return sorted(found, key=lambda conflict: (conflict.starts_at, conflict.kind, conflict.place))


def wall_rows(targets: Iterable[Target], *, since: datetime) -> QuerySet[CalendarRule]:
    """The freezes and windows over any of these targets that are not lifted and not over by then; nobody has read them yet."""
    numbers = {number for target in targets for number in scope_numbers_of(target)}
    return CalendarRule.objects.filter(scope__in=sorted(numbers), lifted_at__isnull=True, live_until__gt=since).order_by("live_until", "pk")


def walls_met(rows: Iterable[CalendarRule], target: Target, *, planned: Stretch) -> list[Met]:
    """What of such rows stands in the way of a planned time at a target: freezes it runs into, windows that are not open when it starts."""
    numbers, place = {*scope_numbers_of(target)}, scope_of(target).name
    over = [rule for rule in rows if rule.scope in numbers]
    found = [
        Met("FREEZE", rule.title, place, stretch.starts_at, stretch.ends_at)
        for rule in over
        if rule.kind == RuleKind.FREEZE
        for stretch in rule.covers
        if stretch.overlaps(planned)
    ]
    open_then = sorted((stretch, rule.title) for rule in over if rule.kind == RuleKind.WINDOW for stretch in rule.covers)
    if open_then and not any(stretch.holds(planned.starts_at) for stretch, _ in open_then):
        after = next(((stretch, title) for stretch, title in open_then if stretch.starts_at > planned.starts_at), None)
        found.append(
            Met("WINDOW", after[1], place, after[0].starts_at, after[0].ends_at) if after else Met("WINDOW", "", place, None, None)
        )
    return found
