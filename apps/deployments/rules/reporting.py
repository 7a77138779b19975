"""What a report of CI does to a deployment, and which it cannot do any more. Pure."""

from dataclasses import dataclass
from enum import StrEnum

from apps.core.refusals import Refusal, not_now
from apps.deployments.rules.orders import STANDINGS
from apps.deployments.states import FINAL, State

MOST_REPORTS = 1000
LARGEST_SEQUENCE = 2**53 - 1
# As many such leaps as a deployment takes reports stay below the largest number: there is always a next one for its end.
LONGEST_LEAP = 2**43


class Kind(StrEnum):
    """What CI says of its work."""

    STARTED = "STARTED"
    PROGRESS = "PROGRESS"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    ROLLED_BACK = "ROLLED_BACK"


class Effect(StrEnum):
    """What a report did."""

    HEARD = "HEARD"  # it lives, and its patience begins anew
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    WENT_BACK = "WENT_BACK"
    NEEDS_HUMAN = "NEEDS_HUMAN"
    NONE = "NONE"  # recorded, and nothing else: it comes late or says what is known


LIVELY = frozenset({Kind.STARTED, Kind.PROGRESS})
# What may still follow where a deployment has ended or waits for a person, without contradicting it.
AGREES = {State.SUCCEEDED: Kind.SUCCEEDED, State.FAILED: Kind.FAILED, State.NEEDS_HUMAN: Kind.FAILED}


@dataclass(frozen=True, slots=True)
class ReportFacts:
    """A report and what it is about."""

    ref: str
    state: State
    kind: Kind
    sequence: int
    newest: int = 0  # the highest sequence number taken so far
    taken: int = 0  # how many reports were taken
    is_external: bool = True
    is_way_back: bool = False
    has_switched: bool = False  # as the reporter says: users saw the new version
    is_overtaken: bool = False  # it began while we were away, and another one on the target after it


def why_not_report(facts: ReportFacts) -> Refusal | None:
    """Refuse what contradicts what is known, or cannot be put in order. Whatever only comes late is taken and does nothing."""
    if not facts.is_external:
        return not_now("not_external", f"{facts.ref} is carried out by our own workers.", "They say themselves what becomes of it.")
    if facts.sequence - facts.newest > LONGEST_LEAP:
        said = f"The last report of {facts.ref} was number {facts.newest}; {facts.sequence} is more than {LONGEST_LEAP} further."
        return not_now("leaps", said, f"Send it with the number {facts.newest + 1}, and count on from there.")
    if facts.kind in LIVELY:
        return _too_many(facts)
    if facts.kind is Kind.ROLLED_BACK and facts.is_way_back:
        return not_now("way_back", f"{facts.ref} is itself a way back.", "Report that it succeeded, or that it failed.")
    if _contradicts(facts):
        return not_now("contradicts", f"{facts.ref} {STANDINGS[facts.state]}; this report says something else.", _cure(facts))
    if facts.sequence < facts.newest and facts.state not in FINAL:
        said = f"Report {facts.newest} of {facts.ref} was taken already; this one says it ended at {facts.sequence}."
        return not_now("out_of_order", said, f"Send it with a number above {facts.newest}, if it still holds.")
    # What ends something is taken however many came before; the same end again and again is not.
    return _too_many(facts) if effect_of(facts) is Effect.NONE else None


def effect_of(facts: ReportFacts) -> Effect:
    """What a report that is taken does."""
    if facts.state in FINAL or (facts.kind in LIVELY and (facts.sequence < facts.newest or facts.state is State.NEEDS_HUMAN)):
        return Effect.NONE
    match facts.kind:
        case Kind.STARTED | Kind.PROGRESS:
            return Effect.HEARD
        case Kind.SUCCEEDED:
            return Effect.NEEDS_HUMAN if facts.is_overtaken else Effect.SUCCEEDED
        case Kind.ROLLED_BACK:
            return Effect.WENT_BACK
        case Kind.FAILED:
            return _failure(facts)


def _failure(facts: ReportFacts) -> Effect:
    if facts.state is State.NEEDS_HUMAN:
        return Effect.NONE
    return Effect.NEEDS_HUMAN if facts.has_switched or facts.is_way_back else Effect.FAILED


def _too_many(facts: ReportFacts) -> Refusal | None:
    if facts.taken < MOST_REPORTS:
        return None
    return not_now("too_many_reports", f"{facts.ref} has {facts.taken} reports.", "Report the end, and progress more rarely.")


def _contradicts(facts: ReportFacts) -> bool:
    agrees = AGREES.get(facts.state)
    if agrees is None or facts.kind is agrees:
        return False
    # That it was taken back again says the same of what runs as a failure does, and settles what waits for a person.
    return not (facts.kind is Kind.ROLLED_BACK and facts.state is not State.SUCCEEDED)


def _cure(facts: ReportFacts) -> str:
    if facts.state is State.SUCCEEDED:
        return "Begin the way back with its rollback ticket, or open an incident."
    if facts.state is State.FAILED:
        return "Send what runs there as an observation; a person looks at it."
    return "An operator says on its page what is true."
