"""What a change in a list waits for, told from what its row holds already."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from apps.changes.models import Change, Leg
from apps.changes.states import LegState, State


@dataclass(frozen=True, slots=True)
class Awaited:
    """Words, and the moment they speak of."""

    words: str
    at: datetime | None = None
    is_late: bool = False


def awaited(change: Change, legs: Iterable[Leg], *, starts_at: datetime | None, now: datetime) -> Awaited | None:
    """What comes next; None for what is over."""
    if change.is_open and change.not_after is not None and change.not_after <= now:
        return Awaited("Its period ended", change.not_after, is_late=True)
    match change.state:
        case State.DRAFT:
            return Awaited("Waits to be submitted")
        case State.IN_REVIEW:
            return Awaited("Waits for sign-offs since", change.submitted_at)
        case State.POST_REVIEW:
            return Awaited("Waits for its review")
        case State.APPROVED | State.IN_PROGRESS:
            return _next(legs, starts_at=starts_at, now=now)
    return None


def _next(legs: Iterable[Leg], *, starts_at: datetime | None, now: datetime) -> Awaited | None:
    """The place that is on its way, or the lowest one that can still go."""
    open_now = [leg for leg in legs if leg.is_open]
    if started := [leg for leg in open_now if leg.state == LegState.STARTED]:
        return Awaited(f"On its way to {started[0].environment.name}")
    if starts_at is not None and starts_at > now:
        return Awaited("Planned to begin", starts_at)
    if starts_at is not None:
        return Awaited("Was to begin", starts_at, is_late=True)
    return Awaited(f"Next is {open_now[0].environment.name}, not planned") if open_now else None
