"""What an observation of a target means: that what we know is so, that it settles what nobody knew, or that nobody declared it. Pure."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from apps.core.refusals import Refusal, not_allowed, not_now
from apps.deployments.states import State

MOST_OPEN = 20  # different versions that wait on one target for somebody to say what they are
MOST_SOURCES = 100  # different ones that see one version there
UNSEEN = timedelta(days=7)  # nobody saw it for so long: whether it ran there meanwhile, nobody can say
DOUBTFUL = frozenset({State.UNKNOWN, State.NEEDS_HUMAN})


class Meaning(StrEnum):
    """What an observation means."""

    KNOWN = "KNOWN"  # it runs what we know to run there
    NEW_RUNS = "NEW_RUNS"  # it settles a deployment of CI that nobody knew the end of
    OLD_RUNS = "OLD_RUNS"
    ON_ITS_WAY = "ON_ITS_WAY"  # it runs the old or the new version of what is being deployed; which, nobody can tell yet
    UNDECLARED = "UNDECLARED"


@dataclass(frozen=True, slots=True)
class Occupant:
    """The deployment that has the target."""

    state: State
    is_external: bool
    wanted: tuple[str, ...]
    previous: tuple[str, ...]


def is_same(seen: Iterable[str], known: Iterable[str]) -> bool:
    """Whether both name one version: they share an identity, and none of a kind that both name contradicts it."""
    ours, theirs = set(seen), set(known)
    kinds = {_kind(one) for one in theirs}
    return bool(ours & theirs) and all(one in theirs for one in ours if _kind(one) in kinds)


def fits_both(seen: Collection[str], new: Collection[str], old: Collection[str]) -> bool:
    """Whether it tells neither: two settings of one commit are told apart by those who see the settings."""
    return set(new) != set(old) and is_same(seen, new) and is_same(seen, old)


def meaning_of(seen: tuple[str, ...], *, running: tuple[str, ...], occupant: Occupant | None) -> Meaning:
    """What it means that this was seen there."""
    if occupant is None:
        return Meaning.KNOWN if is_same(seen, running) else Meaning.UNDECLARED
    is_new, is_old = is_same(seen, occupant.wanted), is_same(seen, occupant.previous)
    if not (is_new or is_old):
        return Meaning.UNDECLARED
    if not (occupant.is_external and occupant.state in DOUBTFUL) or fits_both(seen, occupant.wanted, occupant.previous):
        return Meaning.ON_ITS_WAY
    return Meaning.NEW_RUNS if is_new else Meaning.OLD_RUNS


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a person said of a version that runs undeclared, and what was seen since."""

    last_seen_at: datetime
    is_followed: bool  # another version came to the target since


def holds(explanation: Explanation, *, now: datetime) -> bool:
    """Whether what is seen now is the very thing that was explained, or came again."""
    return not explanation.is_followed and now - explanation.last_seen_at <= UNSEEN


def why_not_note(target: str, *, waiting: int) -> Refusal | None:
    """Refuse one more version that nobody declared: a probe that names another one each time would fill every list."""
    if waiting < MOST_OPEN:
        return None
    said = f"{waiting} undeclared versions of {target} wait for somebody already."
    return not_now("too_many_undeclared", said, "An operator adopts or explains them; then send what runs there now.")


def why_not_settle_undeclared(*, operates: bool, is_settled: bool, is_occupied: bool, adopts: bool) -> Refusal | None:
    """Refuse to say what became of something undeclared."""
    if not operates:
        return not_allowed(
            "not_operating", "You are no operator or release manager of this service.", "An operator or a release manager can."
        )
    if is_settled:
        return not_now("already_settled", "Somebody has settled this already.", "Nothing is left to do here.")
    if adopts and is_occupied:
        return not_now("occupied", "A deployment is on the target now.", "Wait until it has ended, then look again what runs.")
    return None


def _kind(identity: str) -> str:
    return identity.partition(":")[0]
