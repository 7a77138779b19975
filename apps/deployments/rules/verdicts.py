"""What the measurements of a check amount to. No data, stopped early and only errors are never a pass. Pure.

That a check has a condition at all is seen to where settings are written."""

from collections import Counter
from collections.abc import Iterable, Sequence
from enum import StrEnum

from apps.catalog.settings_body import Check, OnNoData


class Sample(StrEnum):
    """One answer to a health question."""

    PASS = "PASS"  # noqa: S105 - an answer
    FAIL = "FAIL"
    NO_DATA = "NO_DATA"
    ERROR = "ERROR"


class Answer(StrEnum):
    """What a check, or all checks of a deployment, have shown so far."""

    PASS = "PASS"  # noqa: S105 - an answer
    WAITING = "WAITING"
    INCONCLUSIVE = "INCONCLUSIVE"
    FAIL = "FAIL"


# What decides first: one failure outweighs all others; as long as one is measured, it may still fail; a pass needs every one.
WORST = (Answer.FAIL, Answer.WAITING, Answer.INCONCLUSIVE, Answer.PASS)


def check_verdict(measurements: Sequence[Sample], check: Check, *, stopped: bool = False) -> Answer:
    """Judge one check by its measurements in the order they were taken; `stopped` says that no more will come."""
    seen = Counter(measurements)
    if seen[Sample.FAIL] > check.failure_limit:
        return Answer.FAIL
    if seen[Sample.NO_DATA] + seen[Sample.ERROR] > check.no_data_limit:
        return _silence(check, seen)
    if len(measurements) < check.count:
        return Answer.INCONCLUSIVE if stopped else Answer.WAITING
    return Answer.PASS if seen[Sample.PASS] else Answer.INCONCLUSIVE


def _silence(check: Check, seen: Counter[Sample]) -> Answer:
    """Silence fails only where the settings say so; that we could not ask is our fault and never fails a version."""
    told = seen[Sample.NO_DATA] > check.no_data_limit
    return Answer.FAIL if told and check.on_no_data is OnNoData.FAIL else Answer.INCONCLUSIVE


def worst_of(answers: Iterable[tuple[Check, Answer]]) -> Answer:
    """The verdict over all critical checks; without any, the read-back alone is the proof."""
    critical = {answer for check, answer in answers if check.critical}
    return next((answer for answer in WORST if answer in critical), Answer.PASS)
