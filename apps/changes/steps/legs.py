"""What becomes of a leg, as deployments tell it. Each locks the change, moves the leg, then the change where that follows."""

from datetime import datetime

from apps.changes.facts import change_facts
from apps.changes.models import Change, Leg
from apps.changes.rules import is_finished, outcome_of, why_not_start_leg
from apps.changes.states import ENDED, OPEN, LegState, State
from apps.changes.transitions import move, move_leg
from apps.core.actors import Actor
from apps.core.refusals import Refused


def leg_started(leg: Leg, *, by: Actor, at: datetime) -> None:
    """A deployment of this leg has begun. Raises Refused where the states of the change and the leg do not allow it."""
    change = _lock(leg, at)
    refusal = why_not_start_leg(change=State(change.state), leg=LegState(leg.state), failures_count=leg.failures_count)
    if refusal:
        raise Refused(refusal, about=change.reference)
    move_leg(leg, LegState.STARTED, by=by, at=at)
    if change.state == State.APPROVED:
        move(change, State.IN_PROGRESS, by=by, at=at)


def leg_done(leg: Leg, *, by: Actor, at: datetime) -> None:
    """The version runs there and was checked: this leg is used up."""
    _end(leg, LegState.DONE, by=by, at=at)


def leg_failed(leg: Leg, *, by: Actor, at: datetime, reason: str = "") -> None:
    """It did not get there, and what ran before still runs."""
    _end(leg, LegState.FAILED, by=by, at=at, reason=reason)


def leg_rolled_back(leg: Leg, *, by: Actor, at: datetime, reason: str = "") -> None:
    """It was there and was taken back; a newer revision opens the leg again."""
    _end(leg, LegState.ROLLED_BACK, by=by, at=at, reason=reason)


def leg_skipped(leg: Leg, *, by: Actor, at: datetime, reason: str) -> None:
    """It will not be done."""
    _end(leg, LegState.SKIPPED, by=by, at=at, reason=reason)


def _end(leg: Leg, goal: LegState, *, by: Actor, at: datetime, reason: str = "") -> None:
    change = _lock(leg, at)
    move_leg(leg, goal, by=by, at=at, reason=reason)
    legs = change_facts(change).legs
    if change.state in OPEN and is_finished(legs):
        move(change, State.POST_REVIEW, by=by, at=at)
    elif change.state in ENDED:
        change.outcome = outcome_of(legs)  # a deployment that was on its way, or a way back taken later
        change.save(update_fields=["outcome"])


def _lock(leg: Leg, at: datetime) -> Change:
    """Lock the change, which guards its legs, and read the leg anew behind that lock."""
    change, _ = Change.objects.lock(leg.change_id, at)
    leg.refresh_from_db()
    leg.change = change
    return change
