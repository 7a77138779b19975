"""The judge: facts in, verdict out. The same facts always give the same verdict."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from apps.gate.rules.cases import NO, Case
from apps.gate.rules.exceptions import lifted
from apps.gate.rules.findings import Answer, Effect, Finding, Mode, Verdict
from apps.gate.rules.shapes import Action, Facts
from apps.gate.rules.table import FIRST, RULES, Rule

VERSION = 1  # of the judge; recorded with every verdict
BEST = {Answer.ALLOW: 2, Answer.PENDING: 1, Answer.DENY: 0}
WORST_FIRST = {effect: place for place, effect in enumerate(Effect)}
LATER = tuple(rule for rule in RULES if rule not in FIRST)


def judge(facts: Facts) -> Verdict:
    """Answer the question. Who asks and where comes first; then the best verdict of the legs that name the version."""
    return max(verdicts(facts), key=lambda verdict: BEST[verdict.verdict])  # of equals the first: the oldest change


def verdicts(facts: Facts) -> list[Verdict]:
    """One verdict for each leg that could be meant; where who asks or the place is in the way, that alone."""
    opening = Case(facts)
    for rule in FIRST:
        if found := applied(rule, opening):
            return [_verdict(opening, found, ())]
    return [_judged(case) for case in cases(facts)]


def cases(facts: Facts) -> list[Case]:
    """One case per leg that could be meant, matching ones first; a closed leg or none where no open leg is."""
    asked = frozenset(facts.question.identities)
    legs = [] if facts.question.action is Action.ROLLBACK else sorted(facts.legs, key=lambda leg: leg.pk)
    legs.sort(key=lambda leg: not (leg.identities and asked.issuperset(leg.identities)))
    if legs and facts.environment is not None and facts.environment.change_required != NO:
        return [Case(facts, leg) for leg in legs]
    if same := [leg for leg in legs if asked == set(leg.identities)]:  # no change is needed: one of this very version is named
        return [Case(facts, same[0])]
    if facts.environment is None or facts.environment.change_required == NO or facts.question.action is Action.ROLLBACK:
        return [Case(facts)]
    over = [one for one in facts.closed if one.identities and asked.issuperset(one.identities)]
    over.sort(key=lambda one: one.state != "DONE")  # what used it up says more than a draft beside it
    return [Case(facts, closed=over[0] if over else None)]


def _judged(case: Case) -> Verdict:
    findings: list[Finding] = []
    passed = [rule.name for rule in FIRST]
    modes = case.facts.modes
    for rule in LATER:
        found = [] if modes and _is_off(rule, case) else [*rule.check(case)]
        if found:  # of most rules nothing, most often
            findings += _as_applied(rule, case, found)
        elif not modes or modes.get(rule.name) != Mode.OFF:
            passed.append(rule.name)
    return _verdict(case, findings, passed)


def applied(rule: Rule, case: Case) -> list[Finding]:
    """What a rule finds here, as the environment applies it."""
    found = [] if _is_off(rule, case) else list(rule.check(case))
    return _as_applied(rule, case, found) if found else found


def _is_off(rule: Rule, case: Case) -> bool:
    modes = case.facts.modes
    return bool(modes) and rule.can_be_off and modes.get(rule.name) == Mode.OFF


def _as_applied(rule: Rule, case: Case, found: list[Finding]) -> list[Finding]:
    found = [finding.of(rule.name) for finding in found]
    if rule.can_be_off and case.facts.modes.get(rule.name) == Mode.WARN_ONLY:
        return [replace(finding, effect=Effect.WARN, final=False) for finding in found]
    return lifted(case, rule.name, found)


def _verdict(case: Case, findings: Iterable[Finding], passed: Iterable[str]) -> Verdict:
    found = tuple(sorted(findings, key=lambda finding: WORST_FIRST[finding.effect]))
    effects = {finding.effect for finding in found}
    answer = Answer.DENY if Effect.BLOCK in effects else Answer.PENDING if Effect.WAIT in effects else Answer.ALLOW
    return Verdict(
        verdict=answer,
        findings=found,
        final=any(finding.final and finding.effect is Effect.BLOCK for finding in found),
        earliest=_earliest(case.now, found, answer),
        passed=tuple(passed),
        leg_id=case.leg.id if case.leg else None,
    )


def _earliest(now: datetime, found: tuple[Finding, ...], answer: Answer) -> datetime | None:
    if answer is Answer.ALLOW:
        return now
    return max((finding.until for finding in found if finding.until is not None and finding.effect is not Effect.WARN), default=None)
