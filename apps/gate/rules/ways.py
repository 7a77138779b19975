"""What would change the answer: the smallest set of steps after which the same question is a yes. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from apps.gate.rules.cases import Case
from apps.gate.rules.findings import Answer, Effect, Finding, Mode, Verdict
from apps.gate.rules.judging import applied, verdicts
from apps.gate.rules.shapes import Action, Facts
from apps.gate.rules.table import FIRST, RULES

OPENING = frozenset(rule.name for rule in FIRST)
PERIOD = next(rule for rule in RULES if rule.name == "period")
# They end by themselves; where nobody knows when, the step has no `until`.
PASSING = frozenset(("period_not_begun", "outside_window", "before_slot", "frozen", "reserved", "occupied", "leg_started"))
UNTIMED = frozenset(("occupied", "leg_started"))
SAME_ACT = frozenset(("calendar_behind",))  # however many rules find it, one act clears it
# Behind these lies more that nobody can tell yet: what is asked for first is judged once it is there.
OPENS_MORE = frozenset(("no_change", "not_submitted", "too_many_changes", "no_policy", "leg_started", "digest_required"))
# Their cure is a new change or a new revision: what else was found about this one is not worth a step.
BEGINS_ANEW = frozenset(("failed_too_often", "rolled_back", "not_in_revision", "content_differs"))
OF_THE_PLACE = frozenset(("window", "freeze", "hold", "lock", "free", "reservation", "promotion"))


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do, or one wait for all that ends by itself; `findings` are what it clears."""

    cure: str
    who: str
    findings: tuple[Finding, ...]
    is_wait: bool = False
    until: datetime | None = None  # of a wait; None where nobody knows when

    @property
    def codes(self) -> tuple[str, ...]:
        """What it clears, sorted."""
        return tuple(sorted({finding.code for finding in self.findings}))


@dataclass(frozen=True, slots=True)
class Way:
    """The steps to a yes. Without `is_possible` none leads there with this question; without `is_whole` more may follow them."""

    steps: tuple[Step, ...]
    is_possible: bool = True
    is_whole: bool = True
    leg_id: UUID | None = None

    @property
    def wait(self) -> Step | None:
        """The wait among the steps."""
        return next((step for step in self.steps if step.is_wait), None)

    @property
    def acts(self) -> tuple[Step, ...]:
        """What people do."""
        return tuple(step for step in self.steps if not step.is_wait)


def way_to_yes(facts: Facts, verdict: Verdict | None = None) -> Way:
    """The smallest set of steps over everything the question could be judged by; a yes needs none.

    VERDICT is the answer, where it is known already: with one leg or none there is nothing else to judge."""
    if verdict is not None and len(facts.legs) < 2:
        return _way(verdict, facts)
    ways = [_way(one, facts) for one in verdicts(facts)]
    return min(ways, key=_length)  # of equals the first: the oldest change


def _length(way: Way) -> tuple[bool, int, bool, int]:
    return not way.is_possible, len(way.steps), not way.is_whole, len(way.acts)


def _way(verdict: Verdict, facts: Facts) -> Way:
    if verdict.verdict is Answer.ALLOW:
        return Way((), leg_id=verdict.leg_id)
    found = [finding for finding in verdict.findings if finding.effect is not Effect.WARN]
    begins_anew = any(finding.code in BEGINS_ANEW for finding in found)
    if begins_anew:
        found = [finding for finding in found if finding.code in BEGINS_ANEW or finding.rule in OF_THE_PLACE]
    waits = _waits(finding for finding in found if _passes(finding))
    until = waits[0].until if waits else None
    acts = _acts([*(finding for finding in found if not _passes(finding)), *([] if begins_anew else _ended_by(until, facts, verdict))])
    opens_more = begins_anew or any(finding.rule in OPENING or finding.code in OPENS_MORE for finding in found)
    is_whole = not (opens_more or _may_be_shut_at(until, facts) or _is_passed_no_more_at(until, verdict))
    return Way((*acts, *waits), is_possible=not verdict.final, is_whole=is_whole, leg_id=verdict.leg_id)


def _ended_by(until: datetime | None, facts: Facts, verdict: Verdict) -> list[Finding]:
    """What was signed ends while it is waited: then waiting alone leads nowhere."""
    leg = next((leg for leg in facts.legs if leg.id == verdict.leg_id), None)
    if until is None or leg is None or leg.period.not_after <= facts.now:
        return []
    case = Case(replace(facts, now=until), leg)
    said = f"The period of {leg.ref} ends {case.say(leg.period.not_after, zone=leg.period.zone)}, before the wait does."
    return [replace(finding, message=said) for finding in applied(PERIOD, case) if finding.effect is Effect.BLOCK]


def _may_be_shut_at(until: datetime | None, facts: Facts) -> bool:
    """Whether windows are declared and none of them is known to be open when the wait is over."""
    if until is None or facts.question.action is Action.ROLLBACK or facts.modes.get("window", Mode.ENFORCED) != Mode.ENFORCED:
        return False
    windows = [one for one in facts.calendar if one.kind == "WINDOW"]
    known = (one for one in windows if one.covers_now or one.starts_at is not None)
    return bool(windows) and not any(
        (one.starts_at is None or one.starts_at <= until) and (one.ends_at is None or until < one.ends_at) for one in known
    )


def _is_passed_no_more_at(until: datetime | None, verdict: Verdict) -> bool:
    """Whether an exception that passes something now has ended when the wait is over."""
    return until is not None and any(finding.lifted_until is not None and finding.lifted_until <= until for finding in verdict.findings)


def _passes(finding: Finding) -> bool:
    """Whether it ends by itself: at a known moment, or with a deployment that is under way."""
    return finding.code in PASSING and (finding.until is not None or finding.code in UNTIMED)


def _acts(found: Iterable[Finding]) -> list[Step]:
    """One step per finding: two rules that each wait for a signature of the same group wait for two people."""
    steps: dict[object, list[Finding]] = {}
    for place, finding in enumerate(found):
        steps.setdefault(finding.code if finding.code in SAME_ACT else place, []).append(finding)
    return [Step(same[0].cure, same[0].who, tuple(same)) for same in steps.values()]


def _waits(passing: Iterable[Finding]) -> list[Step]:
    found = tuple(passing)
    if not found:
        return []
    moments = [finding.until for finding in found]
    until = None if None in moments else max(moment for moment in moments if moment is not None)
    return [Step("Wait.", "nobody", found, is_wait=True, until=until)]
