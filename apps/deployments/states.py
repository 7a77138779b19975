"""The life of a deployment: states, moves and who owns each state."""

from enum import StrEnum


class State(StrEnum):
    """Where a deployment stands. A lost worker is UNKNOWN, never FAILED."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    VERIFYING = "VERIFYING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    ABORTING = "ABORTING"
    ABORTED = "ABORTED"
    UNKNOWN = "UNKNOWN"
    RECONCILING = "RECONCILING"
    NEEDS_HUMAN = "NEEDS_HUMAN"


class Owner(StrEnum):
    """Whose turn it is."""

    WORKER = "WORKER"
    OPERATOR = "OPERATOR"
    NOBODY = "NOBODY"


MOVES: dict[State, frozenset[State]] = {
    State.QUEUED: frozenset({State.RUNNING, State.FAILED, State.ABORTED}),
    State.RUNNING: frozenset({State.VERIFYING, State.FAILED, State.ABORTING, State.UNKNOWN, State.NEEDS_HUMAN}),
    State.VERIFYING: frozenset({State.SUCCEEDED, State.FAILED, State.UNKNOWN, State.NEEDS_HUMAN}),
    State.ABORTING: frozenset({State.ABORTED, State.UNKNOWN, State.NEEDS_HUMAN}),
    State.UNKNOWN: frozenset({State.RECONCILING}),
    State.RECONCILING: frozenset({State.RUNNING, State.VERIFYING, State.ABORTING, State.UNKNOWN, State.NEEDS_HUMAN}),
    State.NEEDS_HUMAN: frozenset({State.SUCCEEDED, State.FAILED, State.RECONCILING}),
    State.SUCCEEDED: frozenset(),
    State.FAILED: frozenset(),
    State.ABORTED: frozenset(),
}

OWNERS: dict[State, Owner] = {
    State.QUEUED: Owner.WORKER,
    State.RUNNING: Owner.WORKER,
    State.VERIFYING: Owner.WORKER,
    State.ABORTING: Owner.WORKER,
    State.UNKNOWN: Owner.WORKER,
    State.RECONCILING: Owner.WORKER,
    State.NEEDS_HUMAN: Owner.OPERATOR,
    State.SUCCEEDED: Owner.NOBODY,
    State.FAILED: Owner.NOBODY,
    State.ABORTED: Owner.NOBODY,
}

# The life of a deployment that CI carries out: it begins with a ticket, lives by reports, and silence is UNKNOWN. We can neither ask
# nor stop it, so its success is what was reported, until something sees it.
MOVES_OF_CI: dict[State, frozenset[State]] = {
    State.QUEUED: frozenset({State.RUNNING}),
    State.RUNNING: frozenset({State.SUCCEEDED, State.FAILED, State.UNKNOWN, State.NEEDS_HUMAN}),
    State.UNKNOWN: frozenset({State.RUNNING, State.SUCCEEDED, State.FAILED, State.NEEDS_HUMAN}),
    State.NEEDS_HUMAN: frozenset({State.SUCCEEDED, State.FAILED}),
    State.SUCCEEDED: frozenset(),
    State.FAILED: frozenset(),
}

FINAL = frozenset(state for state, goals in MOVES.items() if not goals)

# In these a worker is, or was, touching the target: nothing else may begin there.
IN_FLIGHT = frozenset(State) - FINAL - {State.QUEUED}
# What the sweeper looks after: everything open that does not wait for a person.
WORKED_ON = frozenset(state for state, owner in OWNERS.items() if owner is Owner.WORKER)
