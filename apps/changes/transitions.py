"""The only writers of the state of a change and of a leg. They decide nothing: the caller holds the lock and asked the rules."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from django.db.models import Max

from apps.audit.names import actor_text
from apps.audit.record import record
from apps.audit.vocabulary import Event
from apps.changes.facts import change_facts, references_of
from apps.changes.models import Change, Leg, LegIdentity, Move
from apps.changes.rules import outcome_of
from apps.changes.states import ENDED, LEG_MOVES, LEG_OPEN, MOVES, OPEN, LegState, State
from apps.core.actors import Actor
from apps.core.refusals import Refused, not_now

EVENTS: Final[Mapping[State, Event]] = {
    State.DRAFT: Event.CHANGE_SENT_BACK,
    State.APPROVED: Event.CHANGE_APPROVED,
    State.IN_PROGRESS: Event.CHANGE_STARTED,
    State.POST_REVIEW: Event.CHANGE_FINISHED,
    State.CLOSED: Event.CHANGE_CLOSED,
    State.REJECTED: Event.CHANGE_REJECTED,
    State.WITHDRAWN: Event.CHANGE_WITHDRAWN,
    State.EXPIRED: Event.CHANGE_EXPIRED,
}
LEG_EVENTS: Final[Mapping[LegState, Event]] = {
    LegState.WAITING: Event.LEG_REOPENED,
    LegState.STARTED: Event.LEG_STARTED,
    LegState.DONE: Event.LEG_DONE,
    LegState.FAILED: Event.LEG_FAILED,
    LegState.ROLLED_BACK: Event.LEG_ROLLED_BACK,
    LegState.SKIPPED: Event.LEG_SKIPPED,
}
LONGEST_REASON = 300


def move(change: Change, goal: State, *, by: Actor, at: datetime, reason: str = "") -> None:
    """Move a locked change; an ended one gets its outcome, and its legs are open or shut with it.

    Raises Refused for a move the table does not hold."""
    start = State(change.state)
    if goal not in MOVES[start]:
        raise Refused(not_now("no_such_move", f"{change.ref} is {_word(start)} and cannot become {_word(goal)}."), about=change.reference)
    change.state = goal
    if goal is State.IN_REVIEW and change.submitted_at is None:
        change.submitted_at = at
    if goal in ENDED and goal is not State.CLOSED:
        change.outcome = outcome_of(change_facts(change).legs)
    change.save(update_fields=["state", "submitted_at", "outcome"])
    if (start in OPEN) is not (goal in OPEN):
        keep_open_flags(change)
    _note_move(change, None, start=start, goal=goal, by=by, at=at, reason=reason)
    record(
        _event(start, goal),
        subject=change,
        by=by,
        at=at,
        refs=references_of(change),
        data={"start": start, "goal": goal, "outcome": change.outcome or None, **_bound(change)},
        details={"title": change.title, "reason": reason},
    )


def move_leg(leg: Leg, goal: LegState, *, by: Actor, at: datetime, reason: str = "") -> None:
    """Move a leg whose change is locked. Raises Refused for a move the table does not hold."""
    start, change = LegState(leg.state), leg.change
    if goal not in LEG_MOVES[start]:
        said = f"{leg.service} in {leg.environment} is {_word(start)} and cannot become {_word(goal)}."
        raise Refused(not_now("no_such_move", said), about=change.reference)
    leg.state = goal
    if goal is LegState.FAILED:
        leg.failures_count += 1
    if goal is LegState.ROLLED_BACK:
        leg.rolled_back_revision = change.revision.number if change.revision else 0
    leg.is_open = leg.is_current and change.is_open and goal in LEG_OPEN
    leg.save(update_fields=["state", "failures_count", "rolled_back_revision", "is_open"])
    leg.identities.exclude(is_open=leg.is_open).update(is_open=leg.is_open)
    _note_move(change, leg, start=start, goal=goal, by=by, at=at, reason=reason)
    record(
        LEG_EVENTS[goal],
        subject=leg,
        by=by,
        at=at,
        refs=[change.reference, leg.service.reference, leg.environment.reference, leg.target.reference],
        data={"start": start, "goal": goal, "failures": leg.failures_count, **_bound(change)},
        details={"title": change.title, "reason": reason},
    )


def keep_open_flags(change: Change) -> None:
    """Write the gate's flags anew from what they repeat: the states of the change and of each leg."""
    legs = change.legs.all()
    should_be_open = legs.filter(is_current=True, state__in=LEG_OPEN) if change.is_open else legs.none()
    legs.filter(is_open=True).exclude(pk__in=should_be_open.values("pk")).update(is_open=False)
    should_be_open.filter(is_open=False).update(is_open=True)
    identities = LegIdentity.objects.filter(leg__change=change)
    identities.filter(is_open=True, leg__is_open=False).update(is_open=False)
    identities.filter(is_open=False, leg__is_open=True).update(is_open=True)


def _event(start: State, goal: State) -> Event:
    if goal is State.IN_REVIEW:
        return Event.CHANGE_SUBMITTED if start is State.DRAFT else Event.CHANGE_REOPENED
    return EVENTS[goal]


def _note_move(change: Change, leg: Leg | None, *, start: str, goal: str, by: Actor, at: datetime, reason: str) -> None:
    """Number the move. The change's lock makes the next number certain; the constraint would catch who forgot it."""
    last = change.moves.aggregate(last=Max("seq"))["last"] or 0
    Move.objects.create(
        change=change, leg=leg, seq=last + 1, start=start, goal=goal, at=at, by=actor_text(by), reason=reason[:LONGEST_REASON]
    )


def _bound(change: Change) -> dict[str, object]:
    """Which content the entry speaks of."""
    return {"revision": change.revision.number, "digest": change.revision.digest} if change.revision else {}


def _word(state: str) -> str:
    return state.lower().replace("_", " ")
