"""Who may move the walls and the slots, and when; what a wall must say. Pure answers over frozen facts."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from apps.accounts.roles import Role
from apps.changes.states import EDITABLE, LEG_OPEN, LegState, State
from apps.core.refusals import BadContent, Refusal, not_allowed, not_now
from apps.core.zones import zone_named
from apps.schedule.stretches import NoSuchTime, Stretch, moment_of

FIRST_YEAR, LAST_YEAR = 2000, 2199
LONGEST_WALL = timedelta(days=400)
FOR_GOOD = datetime(9000, 1, 1, tzinfo=UTC)  # how long the last window of a scope is read: what it shuts stays shut after it
WALL_ROLES = frozenset({Role.RELEASE_MANAGER})
HOLD_ROLES = frozenset({Role.OPERATOR, Role.RELEASE_MANAGER})


@dataclass(frozen=True, slots=True)
class Mover:
    """Who asks, and the roles they have for everything the wall covers."""

    id: UUID
    roles: frozenset[str]


@dataclass(frozen=True, slots=True)
class WallFacts:
    """A freeze, a window or a hold that stands or stood; a hold has no end of its own."""

    word: str  # "freeze", "window", "hold"
    title: str
    ends_at: datetime | None
    is_lifted: bool


@dataclass(frozen=True, slots=True)
class SlotFacts:
    """What booking a slot depends on."""

    ref: str
    place: str
    change: State
    leg: LegState
    is_current: bool
    requester_id: UUID
    not_before: datetime | None
    not_after: datetime | None


def why_not_declare(word: str, *, by: Mover) -> Refusal | None:
    """Freezes and windows are the release managers'."""
    if WALL_ROLES & by.roles:
        return None
    return not_allowed("not_release_manager", f"Only a release manager declares or lifts a {word}.", "Ask one of them.")


def why_not_lift(wall: WallFacts, *, by: Mover, now: datetime) -> Refusal | None:
    """What is lifted or over is not lifted again."""
    refusal = why_not_place_hold(by=by) if wall.word == "hold" else why_not_declare(wall.word, by=by)
    if refusal:
        return refusal
    if wall.is_lifted:
        return not_now("already_lifted", f"This {wall.word} is lifted already.")
    if wall.ends_at is not None and wall.ends_at <= now:
        return not_now("is_over", f"{wall.title} is over.", "Nothing stands in the way any more.")
    return None


def why_not_place_hold(*, by: Mover) -> Refusal | None:
    """Holds are the operators' and the release managers'."""
    if HOLD_ROLES & by.roles:
        return None
    return not_allowed("not_operator", "Only an operator or a release manager places or lifts a hold.", "Ask one of them.")


def why_not_move_slot(facts: SlotFacts, *, by: Mover) -> Refusal | None:
    """A slot is planned by who asked for the change, or by a release manager, until the leg is used up."""
    if by.id != facts.requester_id and Role.RELEASE_MANAGER not in by.roles:
        return not_allowed("not_yours", f"{facts.ref} is not yours to plan.", "Ask the requester or a release manager.")
    if facts.change not in EDITABLE:
        return not_now("change_is_over", f"{facts.ref} is over.", "Copy it to plan again.")
    if not facts.is_current or facts.leg not in LEG_OPEN | {LegState.ROLLED_BACK}:
        return not_now("leg_not_open", f"{facts.place} is no longer to be done.", "Plan another one.")
    if facts.leg is LegState.STARTED:
        return not_now("leg_in_flight", f"{facts.place} is being deployed.", "Wait until it ends.")
    return None


def why_not_slot(slot: Stretch, *, facts: SlotFacts, now: datetime) -> dict[str, list[str]]:
    """A slot lies ahead and inside the period that was signed; field to sentences."""
    if slot.ends_at <= now:
        return {"ends_at": ["This slot is over. Choose a later one."]}
    if facts.not_before is not None and slot.starts_at < facts.not_before:
        return {"starts_at": ["The slot begins before the period does. Choose a later start, or edit the period."]}
    if facts.not_after is not None and slot.ends_at > facts.not_after:
        return {"ends_at": ["The slot ends after the period does. Choose an earlier end, or edit the period."]}
    return {}


def why_not_wall(stretch: Stretch, *, now: datetime) -> dict[str, list[str]]:
    """A wall is not over already and does not stand for ever; field to sentences."""
    if stretch.ends_at <= now:
        return {"ends_at": ["This is over already. Choose a later end."]}
    if stretch.ends_at - stretch.starts_at > LONGEST_WALL:
        return {"ends_at": [f"This is longer than {LONGEST_WALL.days} days. Choose an earlier end."]}
    return {}


def read_stretch(starts_at: datetime, ends_at: datetime, *, time_zone: str) -> Stretch:
    """A stretch from two moments; one without a zone is what the clock in TIME_ZONE shows, the longer reading where it shows it twice.

    Raises BadContent naming starts_at, ends_at or time_zone."""
    zone = zone_named(time_zone)
    if zone is None:
        raise BadContent({"time_zone": ["No zone has this name. Write one like Europe/Berlin, or UTC."]})
    start = _read_moment("starts_at", starts_at, zone=zone, later=False)
    end = _read_moment("ends_at", ends_at, zone=zone, later=True)
    if end <= start:
        raise BadContent({"ends_at": ["The end is not after the start. Choose a later end."]})
    return Stretch(start, end)


def _read_moment(field: str, moment: datetime, *, zone: ZoneInfo, later: bool) -> datetime:
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise BadContent({field: [f"Choose a moment between {FIRST_YEAR} and {LAST_YEAR}."]})
    if moment.tzinfo is not None:
        return moment
    try:
        return moment_of(moment, zone=zone, later=later)
    except NoSuchTime as error:
        raise BadContent({field: [str(error)]}) from error
