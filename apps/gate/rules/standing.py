"""Whether a place is open as it stands, whatever the version: what a badge says. Pure; what is not known is never green."""

from dataclasses import dataclass

from apps.gate.rules.cases import Case
from apps.gate.rules.findings import Effect
from apps.gate.rules.judging import applied
from apps.gate.rules.shapes import Facts
from apps.gate.rules.table import FIRST, RULES

PLACE_RULES = tuple(rule for rule in RULES if rule.name in {"window", "freeze", "hold", "lock", "free", "reservation"})
# The most pressing first; each with its tone.
SAID = {
    "calendar_behind": ("could not tell", "unknown"),
    "held": ("on hold", "stop"),
    "locked": ("locked", "stop"),
    "frozen": ("frozen", "freeze"),
    "outside_window": ("outside its window", "wait"),
    "occupied": ("deploying", "wait"),
    "reserved": ("way back open", "wait"),
}


@dataclass(frozen=True, slots=True)
class Standing:
    """One word for the place, and the tone it is said in."""

    word: str
    tone: str


OPEN, RETIRED, UNKNOWN = Standing("open", "go"), Standing("retired", "mute"), Standing("could not tell", "unknown")


def standing(facts: Facts) -> Standing:
    """What stands in the way of whatever would go there now."""
    opening = Case(facts)
    for rule in FIRST:
        if found := applied(rule, opening):
            return RETIRED if found[0].code == "retired" else UNKNOWN
    there = {finding.code for rule in PLACE_RULES for finding in applied(rule, opening) if finding.effect is not Effect.WARN}
    if not there:
        return OPEN
    return next((Standing(*SAID[code]) for code in SAID if code in there), UNKNOWN)
