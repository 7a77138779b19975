"""What makes an environment ask for less, and who may do that alone or with another. Pure."""

from dataclasses import dataclass
from uuid import UUID

from apps.catalog.rules import LONGEST_GRACE, REQUIRED_ORDER, PersonFacts, asks_less
from apps.core.refusals import Refusal, not_allowed, not_now
from apps.gate.rules.findings import Mode
from apps.gate.rules.tokens import why_not_mode

MODE_ORDER = (Mode.OFF.value, Mode.WARN_ONLY.value, Mode.ENFORCED.value)  # the strictest last
REQUIRED = ""  # stands for the rule where it is about what a change needs there
GRACE = "offline_grace"  # and where it is about a yes that nobody asks again, while this installation is away
NO_GRACE = f"A whole number of minutes from 0 to {LONGEST_GRACE}."


@dataclass(frozen=True, slots=True)
class RelaxationFacts:
    """What one administrator proposed."""

    proposed_by: UUID  # the person they stand as
    proposer: str
    is_proposer_administrator: bool
    is_decided: bool
    is_outdated: bool  # it is not any more as it was when this was written


def weakens(rule: str, before: str, after: str) -> bool:
    """Whether the environment would be less strict."""
    if rule == REQUIRED:
        return asks_less(before, after)
    if rule == GRACE:
        return int(after) > int(before)
    return MODE_ORDER.index(after) < MODE_ORDER.index(before)


def errors_of(rule: str, after: str) -> dict[str, list[str]]:
    """What to show beside the field where the two do not fit."""
    if rule == REQUIRED:
        return {} if after in REQUIRED_ORDER else {"after": ["A change needs to be approved, to be recorded, or nothing."]}
    if rule == GRACE:
        return {} if after in {str(minutes) for minutes in range(LONGEST_GRACE + 1)} else {"after": [NO_GRACE]}
    return {} if after in MODE_ORDER else {"after": ["A rule of the gate is enforced, warns only, or is off."]}


def why_not_weaken(*, are_two: bool, is_weaker: bool) -> Refusal | None:
    """With two administrators nobody weakens a rule alone."""
    if not are_two or not is_weaker:
        return None
    said = "Another administrator is active, so weakening a rule of the gate takes two."
    return not_now("takes_two", said, "Propose it on the environment's page of how strict it is; another administrator confirms it.")


def why_not_propose_relaxation(rule: str, *, before: str, after: str, waiting_by: str) -> Refusal | None:
    """One proposal at a time about each thing, and only of what would be less strict."""
    if rule not in (REQUIRED, GRACE) and (refusal := why_not_mode(rule)):
        return refusal
    if not weakens(rule, before, after):
        return not_now("no_relaxation", f"It is {before} now, so this would not ask for less.", "Set it as it is: that takes nobody else.")
    if waiting_by:
        return not_now("already_proposed", f"A proposal by {waiting_by} waits already.", "Confirm or end that one first.")
    return None


def why_not_confirm_relaxation(person: PersonFacts, *, relaxation: RelaxationFacts) -> Refusal | None:
    """Two different administrators, both active at this moment, and nothing in between."""
    if refusal := why_not_end_relaxation(person, relaxation=relaxation):
        return refusal
    if person.canonical_id == relaxation.proposed_by:
        return not_allowed("own_proposal", "You proposed this yourself.", "Another administrator confirms it.")
    if not relaxation.is_proposer_administrator:
        said = f"{relaxation.proposer} is no active administrator any more, so one person alone would decide."
        return not_now("proposer_gone", said, "End this proposal and propose it yourself.")
    if relaxation.is_outdated:
        return not_now("outdated", "It was changed after this was proposed.", "End this proposal and propose it anew.")
    return None


def why_not_end_relaxation(person: PersonFacts, *, relaxation: RelaxationFacts) -> Refusal | None:
    """Whoever proposed takes it back; another administrator refuses it."""
    if not person.is_active or not person.is_administrator:
        return not_allowed("not_administrator", "Only an administrator changes this.", "Ask an administrator; the people page names them.")
    return not_now("already_decided", "This proposal is decided.", "Nothing is left to do here.") if relaxation.is_decided else None
