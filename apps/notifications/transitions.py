"""The only writer of a notification's state. It decides nothing: the caller holds the row."""

from datetime import datetime

from apps.notifications.models import Mail
from apps.notifications.states import MOVES, State

LONGEST_SAID = 400


class IllegalMove(Exception):
    """A move that the table does not have: a mistake in the program, never of a person."""


def move(mail: Mail, goal: State, *, at: datetime, said: str = "") -> None:
    """Move a locked row and give its lease back; one that is queued again starts its tries anew."""
    start = State(mail.state)
    if goal not in MOVES[start]:
        raise IllegalMove(f"{mail.reference} does not go from {start} to {goal}.")
    mail.state, mail.said = goal, said[:LONGEST_SAID]
    mail.holder, mail.lease_expires_at = "", None
    mail.ended_at = None if goal is State.QUEUED else at
    if goal is State.QUEUED:
        mail.tries, mail.wake_at = 0, at
    mail.save()
