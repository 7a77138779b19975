"""When it could be a yes: the question judged again at each moment when something in its way ends by itself. Nothing is recorded."""

from dataclasses import dataclass
from datetime import datetime

from apps.gate.gather import gather
from apps.gate.rules import Answer, Facts, Question, Step, Verdict, Way, judge, way_to_yes

ROUNDS = 4  # moments that are looked ahead to
NOT_WRITTEN = "calendar_behind"  # said of a moment ahead, it means that the calendar is not written out that far


@dataclass(frozen=True, slots=True)
class Foresight:
    """What the gate says now, what would change it, and from when on it could be a yes if people do their part."""

    facts: Facts
    verdict: Verdict
    way: Way
    earliest: datetime | None = None  # None where nobody can tell, or no step leads there
    way_then: Way | None = None  # what still has to be done until then

    @property
    def later_acts(self) -> tuple[Step, ...]:
        """What people have to do by then beside what stands in the way now."""
        known = {step.codes for step in self.way.acts}
        return tuple(step for step in self.way_then.acts if step.codes not in known) if self.way_then else ()

    @property
    def is_yes(self) -> bool:
        """Whether it is a yes already."""
        return self.verdict.verdict is Answer.ALLOW


def foresee(question: Question, *, now: datetime | None = None) -> Foresight:
    """Judge a question now and at the moments ahead that would change the answer; one statement for each."""
    facts = gather(question, now=now).facts
    verdict = judge(facts)
    way = then = way_to_yes(facts, verdict)
    at: datetime | None = facts.now
    for _ in range(ROUNDS):
        ahead = then.wait.until if then.wait else None
        if not then.is_possible or then.wait is None or ahead is None:
            break
        at, then = ahead, way_to_yes(gather(question, now=ahead).facts)
    if not then.is_possible or then.wait is not None or _is_beyond(then, way):
        at = None
    return Foresight(facts, verdict, way, earliest=at, way_then=then if at else None)


def _is_beyond(then: Way, way: Way) -> bool:
    codes = {code for step in then.steps for code in step.codes}
    return NOT_WRITTEN in codes and not any(NOT_WRITTEN in step.codes for step in way.steps)
