"""Who may open, recover and resolve an incident, and when. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from apps.core.refusals import Refusal, not_allowed, not_now
from apps.incidents.states import MOVES, State

LEADING = frozenset({"OPERATOR", "RELEASE_MANAGER"})
FUTURE = timedelta(minutes=1)  # clocks differ a little
PAST = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class IncidentFacts:
    """What the verbs on one incident depend on."""

    roles: frozenset[str]
    ref: str
    state: State


def why_not_open(roles: frozenset[str], *, standing: str, hold: bool) -> Refusal | None:
    """Anybody who sees a service may say that something is wrong with it; one incident at a time per target."""
    if standing:
        return not_now("already_open", f"{standing} is open for this target.", "Write what you know on its timeline.")
    return why_not_stop(roles) if hold else None


def why_not_stop(roles: frozenset[str]) -> Refusal | None:
    """Stopping deployments with an incident is a hold, and asks for the same role as one placed by hand."""
    if roles & LEADING:
        return None
    return not_allowed(
        "not_yours_to_stop",
        "You are no operator or release manager of this service.",
        "Open the incident without stopping deployments; one of them places the hold.",
    )


def why_not_recover(facts: IncidentFacts) -> Refusal | None:
    """Users are well again: said by those who lead incidents."""
    return _why_not_lead(facts) or _why_not_move(facts, State.RECOVERED)


def why_not_resolve(facts: IncidentFacts) -> Refusal | None:
    """It is over: said by those who lead incidents, never by us."""
    return _why_not_lead(facts) or _why_not_move(facts, State.RESOLVED)


def why_not_correct(*, superseded: bool, is_theirs: bool, leads: bool) -> Refusal | None:
    """Correct one's own note, or lead; what was corrected is corrected at its correction."""
    if not (is_theirs or leads):
        return not_allowed("not_yours", "Somebody else wrote this.", "They correct it, or an operator or a release manager does.")
    if superseded:
        return not_now("already_corrected", "This is corrected already.", "Correct the newer entry.")
    return None


def why_not_moment(occurred_at: datetime, *, now: datetime) -> str | None:
    """The sentence to show beside a moment that cannot be, or None."""
    if occurred_at > now + FUTURE:
        return "This lies in the future. Write when it happened."
    if occurred_at < now - PAST:
        return "This lies more than 30 days back. Write when it happened."
    return None


def _why_not_lead(facts: IncidentFacts) -> Refusal | None:
    if facts.roles & LEADING:
        return None
    return not_allowed("not_leading", "You are no operator or release manager of this service.", "One of them leads incidents.")


def _why_not_move(facts: IncidentFacts, goal: State) -> Refusal | None:
    if goal in MOVES[facts.state]:
        return None
    return not_now("not_now", f"{facts.ref} is {facts.state.lower()}.", "")
