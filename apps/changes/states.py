"""The life of a change and of a leg: states, moves and who owns each state."""

from collections.abc import Iterable
from enum import StrEnum


class State(StrEnum):
    """Where a change stands."""

    DRAFT = "DRAFT"
    IN_REVIEW = "IN_REVIEW"
    APPROVED = "APPROVED"
    IN_PROGRESS = "IN_PROGRESS"
    POST_REVIEW = "POST_REVIEW"
    CLOSED = "CLOSED"
    REJECTED = "REJECTED"
    WITHDRAWN = "WITHDRAWN"
    EXPIRED = "EXPIRED"


class LegState(StrEnum):
    """Where one service in one environment of a change stands."""

    WAITING = "WAITING"
    STARTED = "STARTED"
    DONE = "DONE"
    FAILED = "FAILED"
    ROLLED_BACK = "ROLLED_BACK"
    SKIPPED = "SKIPPED"


class Kind(StrEnum):
    """What kind of change it is."""

    STANDARD = "STANDARD"
    NORMAL = "NORMAL"
    EMERGENCY = "EMERGENCY"


class Outcome(StrEnum):
    """What became of a change, computed from its legs."""

    SUCCESSFUL = "SUCCESSFUL"
    SUCCESSFUL_WITH_ISSUES = "SUCCESSFUL_WITH_ISSUES"
    ROLLED_BACK = "ROLLED_BACK"
    FAILED = "FAILED"
    NOT_DEPLOYED = "NOT_DEPLOYED"


class Owner(StrEnum):
    """Whose turn it is."""

    REQUESTER = "REQUESTER"
    APPROVERS = "APPROVERS"
    OPERATORS = "OPERATORS"
    SYSTEM = "SYSTEM"
    NOBODY = "NOBODY"


MOVES: dict[State, frozenset[State]] = {
    # A started change is never a draft again: what was deployed is not unsaid.
    State.DRAFT: frozenset({State.IN_REVIEW, State.WITHDRAWN}),
    # A leg may start on its own quorum before the others have theirs; when all legs have ended, review is what is left.
    State.IN_REVIEW: frozenset({State.DRAFT, State.APPROVED, State.POST_REVIEW, State.REJECTED, State.WITHDRAWN, State.EXPIRED}),
    # A leg that started before the others had their quorum may be the only one, and end while the change is APPROVED.
    State.APPROVED: frozenset({State.IN_REVIEW, State.IN_PROGRESS, State.POST_REVIEW, State.REJECTED, State.WITHDRAWN, State.EXPIRED}),
    # Something was deployed: whatever ends it, a review is owed, so it neither expires nor is withdrawn or rejected.
    State.IN_PROGRESS: frozenset({State.IN_REVIEW, State.POST_REVIEW}),
    State.POST_REVIEW: frozenset({State.CLOSED}),
    State.CLOSED: frozenset(),
    State.REJECTED: frozenset(),
    State.WITHDRAWN: frozenset(),
    State.EXPIRED: frozenset(),
}

LEG_MOVES: dict[LegState, frozenset[LegState]] = {
    LegState.WAITING: frozenset({LegState.STARTED, LegState.SKIPPED}),
    LegState.STARTED: frozenset({LegState.DONE, LegState.FAILED, LegState.ROLLED_BACK}),
    LegState.DONE: frozenset({LegState.ROLLED_BACK}),
    LegState.FAILED: frozenset({LegState.STARTED, LegState.SKIPPED, LegState.ROLLED_BACK}),
    LegState.ROLLED_BACK: frozenset({LegState.WAITING, LegState.SKIPPED}),
    LegState.SKIPPED: frozenset(),
}

OWNERS: dict[State, Owner] = {
    State.DRAFT: Owner.REQUESTER,
    State.IN_REVIEW: Owner.APPROVERS,
    State.APPROVED: Owner.OPERATORS,
    State.IN_PROGRESS: Owner.SYSTEM,
    State.POST_REVIEW: Owner.REQUESTER,
    State.CLOSED: Owner.NOBODY,
    State.REJECTED: Owner.NOBODY,
    State.WITHDRAWN: Owner.NOBODY,
    State.EXPIRED: Owner.NOBODY,
}

LEG_OWNERS: dict[LegState, Owner] = {
    LegState.WAITING: Owner.OPERATORS,
    LegState.STARTED: Owner.SYSTEM,
    LegState.DONE: Owner.NOBODY,
    LegState.FAILED: Owner.OPERATORS,
    LegState.ROLLED_BACK: Owner.REQUESTER,
    LegState.SKIPPED: Owner.NOBODY,
}

# In these the gate may say yes to a leg; DRAFT is not submitted, the others are over.
OPEN = frozenset({State.IN_REVIEW, State.APPROVED, State.IN_PROGRESS})
ENDED = frozenset({State.POST_REVIEW, State.CLOSED, State.REJECTED, State.WITHDRAWN, State.EXPIRED})
EDITABLE = frozenset({State.DRAFT, State.IN_REVIEW, State.APPROVED, State.IN_PROGRESS})
LEG_OPEN = frozenset({LegState.WAITING, LegState.STARTED, LegState.FAILED})
LEG_AHEAD = frozenset({LegState.WAITING, LegState.FAILED})  # it is still to bring something there, as long as its change is not over
LEG_UNTOUCHED = frozenset({LegState.WAITING, LegState.SKIPPED})  # in the others something was, or may have been, deployed
LARGEST_FAILURES = 3  # a leg that failed this often is not started again


def values(states: Iterable[StrEnum]) -> list[str]:
    """The plain texts of some states, in order: what constraints and queries hold."""
    return sorted(state.value for state in states)
