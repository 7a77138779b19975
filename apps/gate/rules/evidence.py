"""What was shown for the version: reports of its tests and of scanners, as they were counted when they were brought."""

from collections.abc import Iterable

from apps.gate.rules.cases import Case
from apps.gate.rules.findings import Finding, block, warn
from apps.gate.rules.shapes import EvidenceFacts

REQUESTER = "the requester"
TESTS = "JUNIT"


def is_shown(case: Case) -> Iterable[Finding]:
    """Where the policy asks for it, a test report without failures was shown for this version; no report shown for it is bad.

    Of several reports by one name the newest counts."""
    leg = case.leg
    if leg is None or not case.needs_change:
        return
    shown = _newest(one for one in leg.evidence if not one.identities.isdisjoint(leg.identities))
    bad = [one for one in shown if one.bad_count]
    policy = leg.quorum.policy
    is_asked = case.needs_approval and policy is not None and policy.require_evidence
    if is_asked and policy is not None and (bad or not any(_is_good(one) for one in shown)):
        said = f"The policy {policy.name} asks for a test report without failures, and {leg.ref} shows {'a bad one' if bad else 'none'}."
        yield block("evidence_missing", said, "Show the report of this version, in the plan or at the place.", who=REQUESTER)
    for one in bad:
        said = f"{one.name}, shown with {leg.ref}, counts {_many(one)}."
        yield warn("evidence_bad", said, "Look at it, then show the report of a run that went well.", who=REQUESTER)


def _newest(reports: Iterable[EvidenceFacts]) -> list[EvidenceFacts]:
    by_name: dict[str, EvidenceFacts] = {}
    for one in reports:
        by_name.setdefault(one.name, one)
    return [*by_name.values()]


def _is_good(one: EvidenceFacts) -> bool:
    return one.kind == TESTS and one.good_count > 0 and not one.bad_count


def _many(one: EvidenceFacts) -> str:
    word = "failed test" if one.kind == TESTS else "error of a scanner"
    words = "failed tests" if one.kind == TESTS else "errors of a scanner"
    return f"{one.bad_count} {word if one.bad_count == 1 else words}"
