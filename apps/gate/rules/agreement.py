"""Whether the people who must agree have agreed, provably, to this content and to these deployment settings."""

from collections.abc import Iterable
from dataclasses import replace

from apps.approvals.rules import RuleAnswer, RuleState, group_words, quorum
from apps.gate.rules.cases import Case
from apps.gate.rules.findings import Finding, block, wait, warn


def agreed(case: Case) -> Iterable[Finding]:
    """The leg's own quorum is met, by the policy in force now."""
    if case.leg is None or not case.needs_approval:
        return
    answer = quorum(case.leg.quorum)
    if answer.met:
        return
    where = f"{case.service.name} in {case.environment.name}"
    beforehand = case.leg.quorum.pre_approval
    if beforehand is not None:
        said = f"The model {beforehand.model} does not approve {where} beforehand. {' '.join(beforehand.doubts)}"
        yield warn("not_beforehand", said, beforehand.cure, who="the requester")
    if not answer.rules:
        yield block("no_policy", f"No policy says who agrees to {where}.", "Write a policy for it.", who="an administrator")
    for rule in answer.rules:
        if rule.state is not RuleState.AGREED:
            yield _missing(case, rule)


def _missing(case: Case, answer: RuleAnswer) -> Finding:
    leg, rule = case.leg, answer.rule
    assert leg is not None  # noqa: S101 - the caller has looked
    who = group_words(rule.group, service=case.service.name)
    act = f"{answer.missing} × {who}" if answer.missing > 1 else who
    match answer.state:
        case RuleState.LAPSED:
            said = f"“{rule.label}” waits for {act}: a sign-off lapsed with revision {leg.revision} of {leg.ref}."
            return wait("sign_off_lapsed", said, "Read the difference and re-affirm.", who=act)
        case RuleState.LATER:
            said = f"“{rule.label}” comes after an earlier stage that is not agreed."
            return wait("sign_off_later", said, "The earlier stage signs first.", who=act)
        case _:
            said = f"“{rule.label}” waits for {act}."
            return wait("sign_off_missing", said, f"Sign revision {leg.revision} of {leg.ref}.", who=act)


def signed(case: Case) -> Iterable[Finding]:
    """The content is the one that was digested, and every standing statement carries its signature."""
    leg = case.leg
    if leg is None or not case.needs_change:
        return
    if not leg.is_intact:
        said = f"The stored content of {leg.ref}, revision {leg.revision}, does not have the digest it was stored with."
        yield block("content_differs", said, "Run the audit verifier, then revise the change.", who="an administrator")
    if case.needs_approval and any(one.signature_ok is not True for one in leg.quorum.sign_offs):
        said = f"A sign-off of {leg.ref} does not carry a signature that we can verify."
        yield block("signature_differs", said, "Run the audit verifier, then have the change signed again.", who="an administrator")


def settings_as_signed(case: Case) -> Iterable[Finding]:
    """The deployment settings are those that the approvers were shown."""
    leg = case.leg
    if leg is None or not case.needs_approval:
        return
    target, now = str(case.target.id), case.target.settings_digest
    saw_these = tuple(one for one in leg.quorum.sign_offs if one.settings.get(target, "") == now)
    if len(saw_these) < len(leg.quorum.sign_offs) and quorum(leg.quorum).met and not quorum(replace(leg.quorum, sign_offs=saw_these)).met:
        said = f"The deployment settings of {case.service.name} in {case.environment.name} changed after {leg.ref} was signed."
        yield block("settings_changed", said, "Read the difference and re-affirm.", who="the approvers")
