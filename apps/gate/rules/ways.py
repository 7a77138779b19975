"""What would change the answer: the smallest set of steps after which the same question is a yes. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from apps.gate.rules.findings import Answer, Effect, Finding, Verdict
from apps.gate.rules.judging import verdicts
from apps.gate.rules.shapes import Facts
from apps.gate.rules.table import FIRST

OPENING = frozenset(rule.name for rule in FIRST)
# They end by themselves; where nobody knows when, the step has no `until`.
PASSING = frozenset(("period_not_begun", "outside_window", "before_slot", "frozen", "reserved", "occupied", "leg_started"))
UNTIMED = frozenset(("occupied", "leg_started"))
SAME_ACT = frozenset(("calendar_behind",))  # however many rules find it, one act clears it
# Behind these lies more that nobody can tell yet: what is asked for first is judged once it is there.
OPENS_MORE = frozenset(("no_change", "not_submitted", "too_many_changes", "not_in_revision", "rolled_back", "no_policy", "leg_started"))


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
        return _way(verdict)
    ways = [_way(one) for one in verdicts(facts)]
    return min(ways, key=_length)  # of equals the first: the oldest change


def _length(way: Way) -> tuple[bool, int, bool, int]:
    return not way.is_possible, len(way.steps), not way.is_whole, len(way.acts)


def _way(verdict: Verdict) -> Way:
    if verdict.verdict is Answer.ALLOW:
        return Way((), leg_id=verdict.leg_id)
    found = [finding for finding in verdict.findings if finding.effect is not Effect.WARN]
    acts = _acts(finding for finding in found if not _passes(finding))
    waits = [finding for finding in found if _passes(finding)]
    is_whole = not any(finding.rule in OPENING or finding.code in OPENS_MORE for finding in found)
    return Way((*acts, *_waits(waits)), is_possible=not verdict.final, is_whole=is_whole, leg_id=verdict.leg_id)


def _passes(finding: Finding) -> bool:
    """Whether it ends by itself: at a known moment, or with a deployment that is under way."""
    return finding.code in PASSING and (finding.until is not None or finding.code in UNTIMED)


def _acts(found: Iterable[Finding]) -> list[Step]:
    """One step per finding: two rules that each wait for a signature of the same group wait for two people."""
    steps: dict[object, list[Finding]] = {}
    for place, finding in enumerate(found):
        steps.setdefault(finding.code if finding.code in SAME_ACT else place, []).append(finding)
    return [Step(same[0].cure, same[0].who, tuple(same)) for same in steps.values()]


def _waits(found: list[Finding]) -> list[Step]:
    if not found:
        return []
    moments = [finding.until for finding in found]
    until = None if None in moments else max(moment for moment in moments if moment is not None)
    return [Step("Wait.", "nobody", tuple(found), is_wait=True, until=until)]
