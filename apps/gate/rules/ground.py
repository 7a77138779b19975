"""The place itself: stops, locks, who is on the target and what is reserved there."""

from collections.abc import Iterable

from apps.gate.rules.cases import Case
from apps.gate.rules.findings import Finding, block, wait

OPERATOR = "an operator or a release manager"


def not_held(case: Case) -> Iterable[Finding]:
    """No hold stands here."""
    for hold in () if case.is_rollback else case.facts.holds:
        by = {"PERSON": "A person", "INCIDENT": "An incident", "CHECK": "A failed check", "ROLLBACK": "A rollback"}[hold.source]
        said = f"{by} placed a hold {case.say(hold.placed_at)}: {hold.reason}"
        yield block("held", said, "Clear up the reason, then lift the hold.", who=OPERATOR)


def not_locked(case: Case) -> Iterable[Finding]:
    """The target is not locked."""
    if case.target.locked_at is not None:
        said = f"The target is locked since {case.say(case.target.locked_at)}: {case.target.lock_reason}"
        yield block("locked", said, "Unlock the target.", who=OPERATOR)


def is_free(case: Case) -> Iterable[Finding]:
    """No other deployment is on the target."""
    if case.target.occupied_since is not None and not case.is_own:
        said = f"Another deployment is on the target since {case.say(case.target.occupied_since)}."
        yield wait("occupied", said, "Wait until it has ended.", who="nobody")


def not_reserved(case: Case) -> Iterable[Finding]:
    """No other deployment here may still have to go back."""
    others = [one for one in case.facts.reservations if one.held_for != case.facts.question.deployment]
    if others and not case.is_rollback:
        until = max(one.until for one in others)
        said = f"It would take away the way back of the deployment before, open until {case.say(until)}."
        yield wait("reserved", said, "Wait until that way back has closed.", who="nobody", until=until)
