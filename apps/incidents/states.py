"""The life of an incident."""

from enum import StrEnum


class State(StrEnum):
    """Where an incident stands."""

    OPEN = "OPEN"
    RECOVERED = "RECOVERED"
    RESOLVED = "RESOLVED"


class Owner(StrEnum):
    """Whose turn it is."""

    OPERATOR = "OPERATOR"
    NOBODY = "NOBODY"


MOVES: dict[State, frozenset[State]] = {
    State.OPEN: frozenset({State.RECOVERED, State.RESOLVED}),
    State.RECOVERED: frozenset({State.OPEN, State.RESOLVED}),
    State.RESOLVED: frozenset(),
}

OWNERS: dict[State, Owner] = {State.OPEN: Owner.OPERATOR, State.RECOVERED: Owner.OPERATOR, State.RESOLVED: Owner.NOBODY}
