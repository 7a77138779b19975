"""The life of a notification: states, moves and who owns each state."""

from enum import StrEnum


class State(StrEnum):
    """Where a notification stands. Superseded: no longer true when it would have been sent; suppressed: not to be sent at all."""

    QUEUED = "QUEUED"
    SENT = "SENT"
    FAILED = "FAILED"
    SUPERSEDED = "SUPERSEDED"
    SUPPRESSED = "SUPPRESSED"


class Owner(StrEnum):
    """Whose turn it is."""

    WORKER = "WORKER"
    ADMINISTRATOR = "ADMINISTRATOR"
    NOBODY = "NOBODY"


MOVES: dict[State, frozenset[State]] = {
    State.QUEUED: frozenset({State.SENT, State.FAILED, State.SUPERSEDED, State.SUPPRESSED}),
    State.SENT: frozenset(),
    State.FAILED: frozenset({State.QUEUED}),
    State.SUPERSEDED: frozenset(),
    State.SUPPRESSED: frozenset(),
}

OWNERS: dict[State, Owner] = {
    State.QUEUED: Owner.WORKER,
    State.SENT: Owner.NOBODY,
    State.FAILED: Owner.ADMINISTRATOR,
    State.SUPERSEDED: Owner.NOBODY,
    State.SUPPRESSED: Owner.NOBODY,
}
