"""What recorded answers would have been, were a rule applied otherwise. Pure; what the record does not say is not guessed."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from apps.gate.rules.findings import Answer, Effect, Mode
from apps.gate.rules.relaxing import REQUIRED
from apps.gate.rules.table import FIRST, RULES

OPENING = frozenset(rule.name for rule in FIRST)
LIFTED = " passes it until "  # how a finding reads that an exception made a warning of
MARKS = {"(waits)": Effect.WAIT, "(warns)": Effect.WARN}
# What is asked only where people must have agreed, and only where a change is needed at all: whole rules, and single codes.
APPROVAL_RULES, APPROVAL_CODES = (
    frozenset({"approval", "settings"}),
    frozenset({"digest_required", "signature_differs", "evidence_missing"}),
)
CHANGE_RULES = APPROVAL_RULES | {"used_up", "signature", "period", "slot", "promotion", "evidence", "way_back", "room"}
CHANGE_CODES = APPROVAL_CODES | {
    "no_change", "too_many_changes", "not_in_revision", "identity_differs", "identity_missing", "identity_extra",
}  # fmt: skip
ASKED_FOR = {"RECORDED": (APPROVAL_RULES, APPROVAL_CODES), "NO": (CHANGE_RULES, CHANGE_CODES)}
JOB_CODES = frozenset({"merge_request", "ref_not_protected"})  # of the rule that answers alone: nothing behind them was looked at

Record = Mapping[str, Any]


def enforced_effect(rule: str, code: str) -> Effect:
    """What a code does where its rule is enforced."""
    said = next((one.codes.get(code, "") for one in RULES if one.name == rule), "")
    return next((effect for mark, effect in MARKS.items() if said.endswith(mark)), Effect.BLOCK)


def redecided(record: Record, *, rule: str, after: str) -> Answer | None:
    """The answer with RULE applied as AFTER, or where a change needs AFTER; None where the record does not say."""
    findings = record["findings"]
    before = Answer(record["verdict"])
    if OPENING.intersection(one["rule"] for one in findings):
        is_told = rule != REQUIRED or not JOB_CODES.intersection(one["code"] for one in findings)
        return before if is_told else None
    if rule == REQUIRED:
        return _required(findings, before, after)
    if after == Mode.ENFORCED:
        return _enforced(record, before, rule)
    left = [one for one in findings if one["rule"] != rule]
    return _answer(one["effect"] for one in left)


def _required(findings: Iterable[Record], before: Answer, after: str) -> Answer | None:
    if after not in ASKED_FOR:  # more would be looked at than was: what blocks already goes on blocking
        return before if before is Answer.DENY else None
    rules, codes = ASKED_FOR[after]
    return _answer(one["effect"] for one in findings if one["rule"] not in rules and one["code"] not in codes)


def _enforced(record: Record, before: Answer, rule: str) -> Answer | None:
    findings = record["findings"]
    if rule not in record["passed"] and not any(one["rule"] == rule for one in findings):
        return before if before is Answer.DENY else None  # it was off, so nobody looked
    return _answer(_effect(one) if one["rule"] == rule else one["effect"] for one in findings)


def _effect(finding: Record) -> str:
    if finding["effect"] == Effect.WARN and LIFTED in finding["message"]:
        return Effect.WARN
    return enforced_effect(finding["rule"], finding["code"])


def _answer(effects: Iterable[str]) -> Answer:
    there = {*effects}
    return Answer.DENY if Effect.BLOCK in there else Answer.PENDING if Effect.WAIT in there else Answer.ALLOW


@dataclass(frozen=True, slots=True)
class Trial:
    """What a mode would have done to recorded answers: how many there were, and from which answer to which they went."""

    count: int
    moves: Mapping[tuple[Answer, Answer], int]
    unknown_count: int

    @property
    def changed_count(self) -> int:
        """How many would have been answered otherwise."""
        return sum(self.moves.values())


def tried(records: Iterable[Record], *, rule: str, after: str) -> Trial:
    """Judge recorded answers under another mode."""
    moves: Counter[tuple[Answer, Answer]] = Counter()
    count = unknown = 0
    for record in records:
        then = redecided(record, rule=rule, after=after)
        count += 1
        if then is None:
            unknown += 1
        elif then != record["verdict"]:
            moves[Answer(record["verdict"]), then] += 1
    return Trial(count, dict(moves), unknown)
