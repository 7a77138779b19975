"""The only way a view or a verb gets a wall or a scope; walls of services a person may not see stay unseen."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.http import Http404

from apps.accounts.models import Person, Team
from apps.catalog.access import environments_in_order, services_for, targets_for
from apps.catalog.models import Environment, Service, Target, scope_number
from apps.core.refusals import BadContent
from apps.schedule.facts import Scope, everything, scope_of, scopes_named, tier_scope
from apps.schedule.models import CalendarRule, Hold
from apps.schedule.stretches import Stretch

TIERS = range(1, 5)
NO_SUCH_SCOPE = {"scope": ["There is nothing of this name. Choose what it covers from the list."]}


@dataclass(frozen=True, slots=True)
class Wall:
    """A freeze, a window or a hold as a page shows it."""

    id: UUID
    kind: str  # FREEZE, WINDOW or HOLD
    title: str
    reason: str
    scope: Scope
    stretch: Stretch | None  # a hold has no end of its own
    time_zone: str
    placed_at: datetime
    placed_by: str
    source: str = "PERSON"
    source_ref: str = ""
    lifted_at: datetime | None = None
    lifted_by: str = ""
    shuts: bool = False  # a window that is over, and the last of its scope


@dataclass(frozen=True, slots=True)
class Calendar:
    """Everything that stands, comes or has been, the soonest change first."""

    standing: tuple[Wall, ...]
    coming: tuple[Wall, ...]
    past: tuple[Wall, ...]


def get_rule(person: Person, public_id: UUID, *, kind: str) -> CalendarRule:
    """A freeze or window by public id; 404 when there is none that this person may see."""
    rule = CalendarRule.objects.filter(public_id=public_id, kind=kind).first()
    if rule is None or scope_seen_by(person, rule.scope) is None:
        raise Http404
    return rule


def get_hold(person: Person, public_id: UUID) -> Hold:
    """A hold by public id; 404 when there is none that this person may see."""
    hold = Hold.objects.filter(public_id=public_id).first()
    if hold is None or scope_seen_by(person, hold.scope) is None:
        raise Http404
    return hold


def scope_seen_by(person: Person, number: int) -> Scope | None:
    """A scope by number, or None where this person may not see it."""
    return _seen(person, scopes_named([number])).get(number)


def scopes_hidden_from(person: Person) -> frozenset[int]:
    """The scopes of restricted services, and of their targets, that are not this person's to see."""
    hidden = Service.objects.filter(is_restricted=True).exclude(pk__in=services_for(person).values("pk"))
    targets = Target.objects.filter(service__in=hidden).values_list("pk", flat=True)
    services = hidden.values_list("pk", flat=True)
    return frozenset([*(scope_number("SERVICE", pk) for pk in services), *(scope_number("TARGET", pk) for pk in targets)])


def find_scope(person: Person, kind: str, scope_id: UUID | str | int | None) -> Scope:
    """A scope by kind and public id (for a tier its number); raises BadContent for what is not there or not theirs to see."""
    found: Scope | None = None
    try:
        match kind:
            case "EVERYTHING":
                found = everything()
            case "TIER":
                found = tier_scope(int(str(scope_id))) if int(str(scope_id)) in TIERS else None
            case _:
                found = _scope_of_row(person, kind, UUID(str(scope_id)))
    except ValueError as error:
        raise BadContent(NO_SUCH_SCOPE) from error
    if found is None:
        raise BadContent(NO_SUCH_SCOPE)
    return found


def scope_choices(person: Person) -> list[tuple[str, list[tuple[str, str]]]]:
    """What a wall can cover, grouped, for a list: ("SERVICE:<public id>", name)."""
    services = services_for(person).filter(retired_at__isnull=True)
    return [
        ("Everything", [("EVERYTHING:", "Everything")]),
        ("Environments", [(f"ENVIRONMENT:{row.public_id}", row.name) for row in environments_in_order()]),
        ("Teams", [(f"TEAM:{row.public_id}", row.name) for row in Team.objects.open_now().order_by("name")]),
        ("Tiers", [(f"TIER:{tier}", f"Tier {tier}") for tier in TIERS]),
        ("Services", [(f"SERVICE:{row.public_id}", row.name) for row in services]),
    ]


def target_choices(person: Person) -> tuple[str, list[tuple[str, str]]]:
    """The targets a hold can stop, as one more group for the list."""
    return "Service in environment", [(f"TARGET:{row.public_id}", scope_of(row).name) for row in targets_for(person)]


def calendar_view(person: Person, *, now: datetime, limit: int = 100) -> Calendar:
    """The walls this person may see: all that stand or come (capped), the newest of what has been."""
    hidden = scopes_hidden_from(person)  # taken out before the cap: what is unseen takes nobody's place
    rules, holds = CalendarRule.objects.exclude(scope__in=hidden), Hold.objects.exclude(scope__in=hidden)
    standing = rules.filter(lifted_at__isnull=True, live_until__gt=now)
    live: list[CalendarRule | Hold] = [
        *standing.order_by("live_until")[:limit],
        *holds.filter(lifted_at__isnull=True).order_by("-placed_at")[:limit],
    ]
    over = rules.exclude(pk__in=standing.values("pk")).order_by("-live_until")[:limit]
    past: list[CalendarRule | Hold] = [*over, *holds.filter(lifted_at__isnull=False).order_by("-lifted_at")[:limit]]
    scopes = scopes_named(row.scope for row in (*live, *past))
    walls = [_wall(row, scopes[row.scope], now) for row in live]
    gone = [_wall(row, scopes[row.scope], now) for row in past]
    return Calendar(
        standing=tuple(wall for wall in walls if _stands(wall, now)),
        coming=tuple(sorted((wall for wall in walls if not _stands(wall, now)), key=_begins)),
        past=tuple(sorted(gone, key=_ended, reverse=True)[:limit]),
    )


def _scope_of_row(person: Person, kind: str, public_id: UUID) -> Scope | None:
    row: Environment | Team | Service | Target | None = None
    match kind:
        case "ENVIRONMENT":
            row = Environment.objects.open_now().filter(public_id=public_id).first()
        case "TEAM":
            row = Team.objects.open_now().filter(public_id=public_id).first()
        case "SERVICE":
            row = services_for(person).filter(public_id=public_id, retired_at__isnull=True).first()
        case "TARGET":
            row = targets_for(person).filter(public_id=public_id).first()
    return scope_of(row) if row is not None else None


def _seen(person: Person, scopes: dict[int, Scope]) -> dict[int, Scope]:
    """Without the scopes of restricted services that are not this person's to see."""
    hidden = scopes_hidden_from(person) if any(scope.kind in {"SERVICE", "TARGET"} for scope in scopes.values()) else frozenset()
    return {number: scope for number, scope in scopes.items() if number not in hidden}


def _wall(row: CalendarRule | Hold, scope: Scope, now: datetime) -> Wall:
    if isinstance(row, Hold):
        return Wall(
            id=row.public_id,
            kind="HOLD",
            title=row.reason,
            reason=row.lift_reason,
            scope=scope,
            stretch=None,
            time_zone="UTC",
            placed_at=row.placed_at,
            placed_by=row.placed_by,
            source=row.source,
            source_ref=row.source_ref,
            lifted_at=row.lifted_at,
            lifted_by=row.lifted_by,
        )
    stretch = _next_stretch(row, now)
    return Wall(
        id=row.public_id,
        kind=row.kind,
        title=row.title,
        reason=row.reason,
        scope=scope,
        stretch=stretch,
        time_zone=row.time_zone,
        placed_at=row.declared_at,
        placed_by=row.declared_by,
        lifted_at=row.lifted_at,
        lifted_by=row.lifted_by,
        shuts=row.lifted_at is None and stretch.ends_at <= now < row.live_until,
    )


def _next_stretch(rule: CalendarRule, now: datetime) -> Stretch:
    """The stretch that holds now, else the next one, else the last."""
    covers: tuple[Stretch, ...] = rule.covers
    return next((stretch for stretch in covers if stretch.ends_at > now), covers[-1])


def _stands(wall: Wall, now: datetime) -> bool:
    return wall.stretch is None or wall.shuts or wall.stretch.holds(now)


def _begins(wall: Wall) -> datetime:
    return wall.stretch.starts_at if wall.stretch else wall.placed_at


def _ended(wall: Wall) -> datetime:
    if wall.lifted_at is not None:
        return wall.lifted_at
    return wall.stretch.ends_at if wall.stretch else wall.placed_at
