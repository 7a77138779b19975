"""Exceptions of two people: what they let pass here and now, and what is told of them."""

from collections.abc import Iterable
from dataclasses import replace

from apps.approvals.rules import ExceptedLeg, ExceptionFacts, counts, void_words, why_void
from apps.gate.rules.cases import Case
from apps.gate.rules.findings import Effect, Finding, warn

# No exception makes up for it: without a policy nobody knows what is stood in for.
NEVER = frozenset({"no_policy"})


def excepted_leg(case: Case) -> ExceptedLeg:
    """The leg as exceptions are bound to it; everything from the signed bytes."""
    leg = case.leg
    assert leg is not None  # noqa: S101 - the caller has looked
    return ExceptedLeg(
        ref=leg.ref,
        change_state=leg.change_state,
        kind=leg.kind,
        opened_at=None,
        place=f"{case.service.name} in {case.environment.name}",
        is_current=bool(leg.identities),
        leg_state=leg.state,
        failures_count=leg.failures,
        digests=leg.quorum.digests,
        settings=case.target.settings_digest,
        identities=tuple(sorted(leg.identities)),
        team="",
    )


def lifted(case: Case, rule: str, found: list[Finding]) -> list[Finding]:
    """What a rule found, as warnings where an exception passes the rule; each says whose, and until when."""
    if not found or case.leg is None or case.is_rollback:
        return found
    one = next((one for one in case.leg.exceptions if rule in one.rules and counts(one, leg=excepted_leg(case), now=case.now)), None)
    return [_passed(case, finding, one) for finding in found] if one else found


def _passed(case: Case, finding: Finding, one: ExceptionFacts) -> Finding:
    if finding.effect is Effect.WARN or finding.code in NEVER or one.ends_at is None:
        return finding
    said = f"{finding.message} {one.ref} of {one.names} passes it until {case.say(one.ends_at)}."
    # Its cure and who can act stay: when the exception ends it is in the way again.
    return replace(finding, effect=Effect.WARN, final=False, message=said, until=one.ends_at, lifted_until=one.ends_at)


def in_force(case: Case) -> Iterable[Finding]:
    """Every exception that was agreed to for this leg is told: what counts, what does not and why, what is owed."""
    if case.leg is None or not case.leg.exceptions or case.is_rollback:
        return
    leg = excepted_leg(case)
    for one in case.leg.exceptions:
        if code := why_void(one, leg=leg, now=case.now):
            said, cure = void_words(one, code)
            yield warn("exception_void", f"{one.ref} of {one.names} does not count: {said}.", cure, who="a release manager")
        elif counts(one, leg=leg, now=case.now) and one.ends_at is not None:
            said = f"{one.ref}, asked for and agreed to by {one.names}, is in force until {case.say(one.ends_at)}."
            yield warn("exception_in_force", said, "Its review is owed within 72 hours.", who="the team", until=one.ends_at)
        for debt in one.debts:
            said = f"The review of {debt.ref} is overdue since {case.say(debt.due_at)}."
            yield warn("review_overdue", said, f"Write the review of {debt.ref}.", who="the team")
