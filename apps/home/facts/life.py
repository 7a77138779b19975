"""Where in its life a change stands, as the stepper shows it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from apps.changes.models import Change, Move
from apps.changes.states import State
from apps.core.badges import badge_for

PATH = (State.DRAFT, State.IN_REVIEW, State.APPROVED, State.IN_PROGRESS, State.POST_REVIEW, State.CLOSED)
AHEAD = {
    State.IN_REVIEW: "when it is submitted",
    State.APPROVED: "when everybody agreed",
    State.IN_PROGRESS: "when a deployment starts",
    State.POST_REVIEW: "when the last one ended",
    State.CLOSED: "with an outcome",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One state of the stepper: been there, here, or ahead."""

    word: str
    icon: str
    mark: str  # "is-done", "is-here" or ""
    at: datetime | None  # since when, or when it was entered
    note: str


def life_of(change: Change, moves: Iterable[Move], *, missing_count: int, planned_at: datetime | None) -> list[Step]:
    """The states of the usual path; a change that ended aside shows where it went instead."""
    entered = {State.DRAFT: change.created_at} | {State(move.goal): move.at for move in moves}
    here = State(change.state)
    path = PATH if here in PATH else (*(state for state in PATH if state in entered), here)
    ahead = AHEAD | notes(missing_count, planned_at)
    return [
        step(state, here=here, passed=path.index(state) < path.index(here), at=entered.get(state), note=ahead.get(state, ""))
        for state in path
    ]


def moves_of(change: Change) -> QuerySet[Move]:
    """The change's own moves, the oldest first; a state entered twice counts from the last time."""
    return change.moves.filter(leg__isnull=True).order_by("seq")


def notes(missing_count: int, planned_at: datetime | None) -> dict[State, str]:
    """What is known about the states ahead."""
    said = {}
    if missing_count:
        said[State.APPROVED] = f"{missing_count} rule{'s' if missing_count > 1 else ''} away"
    if planned_at:
        said[State.IN_PROGRESS] = "planned"
    return said


def step(state: State, *, here: State, passed: bool, at: datetime | None, note: str) -> Step:
    """One state, with the icon of what it is or a tick for what is past."""
    badge = badge_for("change", state=state)
    if state is here:
        return Step(badge.word, badge.icon, "is-here", at, "")
    if passed and at:
        return Step(badge.word, "check", "is-done", at, "")
    return Step(badge.word, "circle-dashed" if not passed else "minus", "", None, note if not passed else "passed over")
