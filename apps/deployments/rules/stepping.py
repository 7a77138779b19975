"""What the runner does next, and what a lost deployment turns out to be. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from apps.deployments.states import FINAL, State


class Safety(StrEnum):
    """What may be done after a driver was interrupted."""

    IDEMPOTENT = "IDEMPOTENT"  # the same again does no harm
    QUERYABLE = "QUERYABLE"  # the target can be asked what is true
    ONCE = "ONCE"  # neither: a person looks


class Step(StrEnum):
    """One bounded piece of work."""

    NOTHING = "NOTHING"
    BEGIN = "BEGIN"
    START = "START"
    POLL = "POLL"
    VERIFY = "VERIFY"
    CANCEL = "CANCEL"
    RECONCILE = "RECONCILE"


@dataclass(frozen=True, slots=True)
class StepFacts:
    """Where a deployment stands, for the choice of the next step."""

    state: State
    is_started: bool = False
    is_due: bool = True
    is_leased: bool = False


def next_step(facts: StepFacts) -> Step:
    """Choose the next step; nothing while it is leased, not due, over or a person's turn."""
    if facts.is_leased or not facts.is_due or facts.state in FINAL:
        return Step.NOTHING
    match facts.state:
        case State.QUEUED:
            return Step.BEGIN
        case State.RUNNING:
            return Step.POLL if facts.is_started else Step.START
        case State.VERIFYING:
            return Step.VERIFY
        case State.ABORTING:
            return Step.CANCEL
        case State.UNKNOWN | State.RECONCILING:
            return Step.RECONCILE
        case _:
            return Step.NOTHING


@dataclass(frozen=True, slots=True)
class LostFacts:
    """A lost deployment and what the target says. `runs` and `points_to` are identities, None for nothing, known is False for no answer."""

    safety: Safety
    wanted: frozenset[str]
    previous: frozenset[str]
    is_known: bool
    runs: str | None = None
    points_to: str | None = None
    was_aborting: bool = False
    tries: int = 0


RECONCILE_TRIES = 20  # losses, silences and looks without any real progress between them


def after_loss(facts: LostFacts) -> State:
    """Where a lost deployment goes once the target was asked; RECONCILING means: ask again."""
    # A target that answers and then fails the same way again goes round for ever, as one that never answers does.
    if facts.safety is Safety.ONCE or is_worn_out(facts.tries):
        return State.NEEDS_HUMAN
    if not facts.is_known:
        return State.RECONCILING
    if facts.was_aborting:
        return State.ABORTING
    if facts.runs in facts.wanted and facts.points_to in facts.wanted:
        return State.VERIFYING
    return State.RUNNING if _is_ours(facts) else State.NEEDS_HUMAN


def is_worn_out(tries: int) -> bool:
    """Whether it was tried so often without getting on that a person looks."""
    return tries >= RECONCILE_TRIES


def _is_ours(facts: LostFacts) -> bool:
    """Whether everything seen there is the old or the wanted version, or nothing: going on harms nobody else's work."""
    known: Iterable[str | None] = {*facts.wanted, *facts.previous, None}
    return facts.runs in known and facts.points_to in known
