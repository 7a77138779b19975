"""What each kind of exception would pass of what stands in the way now, and what would stay there."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from apps.approvals.rules import LIFTABLE, ExceptionKind, lifted_by
from apps.changes.models import Leg
from apps.changes.states import Kind
from apps.core.refusals import Refusal, not_now
from apps.gate.rules import Effect, Finding, Verdict
from apps.gate.rules.exceptions import NEVER


@dataclass(frozen=True, slots=True)
class Way:
    """One kind as it would help now."""

    kind: ExceptionKind
    passes: list[Finding]
    stays: list[Finding]
    why_not: str  # why it is not offered
    waits: str = ""  # one of this kind that waits for its second person

    @property
    def is_offered(self) -> bool:
        """Whether somebody may choose it."""
        return not self.why_not

    @property
    def label(self) -> str:
        """The kind, what it does, and what that means now."""
        what = f"{self.kind.label}: {self.kind.text}"
        if self.why_not:
            return f"{what} {self.why_not}"
        return f"{what} {left_words(self.stays)}"


def in_the_way(verdict: Verdict) -> list[Finding]:
    """What stands in the way now."""
    return [one for one in verdict.findings if one.effect is not Effect.WARN]


def passed_by(finding: Finding, rules: Collection[str]) -> bool:
    """Whether an exception that passes these rules passes this."""
    return finding.rule in rules and finding.code not in NEVER


def stays_after(verdict: Verdict, *, kind: str, lifts: Collection[str]) -> list[Finding]:
    """What an exception would leave in the way."""
    rules = lifted_by(kind, lifts)
    return [one for one in in_the_way(verdict) if not passed_by(one, rules)]


def ways_of(leg: Leg, verdict: Verdict, *, waiting: Mapping[str, str]) -> list[Way]:
    """Each kind, with why it is not offered: it would pass nothing, or one of it waits."""
    return [_way(kind, leg, verdict, waiting=waiting.get(kind, "")) for kind in ExceptionKind]


def why_no_way(leg: Leg, ways: Collection[Way]) -> Refusal | None:
    """Why nobody asks for an exception here, or None: what no exception passes is not asked to be passed."""
    if any(way.is_offered for way in ways):
        return None
    if not any(way.passes or way.stays for way in ways):
        return not_now("nothing_in_the_way", "Nothing that an exception passes is in the way now.", "Deploy it; the gate lets it through.")
    if waits := next((way for way in ways if way.waits), None):
        return not_now("already_asked", f"{waits.waits} waits for its second person.", "Have it decided, or withdraw it.")
    said = f"No exception passes what is in the way of {leg.change.ref} here."
    return not_now("nothing_passed", said, "Do what the findings say; each of them names its cure.")


def left_words(stays: Collection[Finding]) -> str:
    """What stays in the way, by the titles of its rules."""
    if not stays:
        return "Nothing stays in the way after it."
    return f"It leaves in the way: {', '.join(dict.fromkeys(one.message for one in stays))}"


def _way(kind: ExceptionKind, leg: Leg, verdict: Verdict, *, waiting: str) -> Way:
    # For the gate's rules the best that can be named: everything of them that is in the way.
    rules = lifted_by(kind, LIFTABLE)
    found = in_the_way(verdict)
    passes = [one for one in found if passed_by(one, rules)]
    return Way(kind, passes, [one for one in found if one not in passes], _why_not(kind, leg, passes, waiting=waiting), waiting)


def _why_not(kind: ExceptionKind, leg: Leg, passes: list[Finding], *, waiting: str) -> str:
    if waiting:
        return f"Not offered: {waiting} of this kind waits for its second person."
    if kind is ExceptionKind.EMERGENCY and leg.change.kind != Kind.EMERGENCY:
        return f"Not offered: {leg.change.ref} is no emergency change."
    return "" if passes else "Not offered: nothing that it passes is in the way now."
