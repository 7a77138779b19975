"""When: the period that was signed, the windows, the planned slot and the freezes."""

from collections.abc import Iterable

from apps.gate.rules.cases import Case
from apps.gate.rules.findings import Finding, block, wait, warn
from apps.gate.rules.shapes import CalendarFacts

REQUESTER, RELEASE_MANAGER = "the requester", "a release manager"


def in_period(case: Case) -> Iterable[Finding]:
    """Now is inside the period that was signed."""
    if case.leg is None or not case.needs_change:
        return
    period, ref = case.leg.period, case.leg.ref
    if period.not_before is not None and case.now < period.not_before:
        said = f"The period of {ref} begins {case.say(period.not_before, zone=period.zone)}."
        yield wait("period_not_begun", said, "Wait, or revise the period.", who=REQUESTER, until=period.not_before)
    elif case.now >= period.not_after:
        said = f"The period of {ref} ended {case.say(period.not_after, zone=period.zone)}."
        yield block("period_over", said, "Revise the period and have it signed again.", who=REQUESTER)


def in_window(case: Case) -> Iterable[Finding]:
    """Where windows are declared, one is open now, and after the last one none is; without any, it is always open."""
    windows = [] if case.is_rollback else _of_kind(case, "WINDOW")
    if not windows or any(_covers(case, one) for one in windows):
        return
    behind = [one for one in windows if _is_behind(case, one)]
    if behind:
        yield _behind(behind[0])
        return
    opens = min((one.starts_at for one in windows if one.starts_at is not None), default=None)
    when = f"The next one opens {case.say(opens)}." if opens else "No further one is declared."
    cure = "Wait, or declare a window." if opens else "Declare the next one, or lift the last one: then every time is allowed."
    yield wait("outside_window", f"No window is open. {when}", cure, who=RELEASE_MANAGER, until=opens)


def in_slot(case: Case) -> Iterable[Finding]:
    """The planned slot has begun."""
    if case.leg is None or case.leg.slot is None or not case.needs_change:
        return
    slot, ref = case.leg.slot, case.leg.ref
    if case.now < slot.starts_at:
        said = f"{ref} is planned for {case.say(slot.starts_at)}."
        yield wait("before_slot", said, "Wait, or move the slot; that lapses no sign-off.", who=REQUESTER, until=slot.starts_at)
    elif case.now >= slot.ends_at:
        yield warn("after_slot", f"The slot of {ref} ended {case.say(slot.ends_at)}.", "Move the slot.", who=REQUESTER)


def not_frozen(case: Case) -> Iterable[Finding]:
    """No freeze covers this moment, and every freeze is written out far enough to say so."""
    for rule in () if case.is_rollback else _of_kind(case, "FREEZE"):
        if rule.covers_now:
            ends = f"until {case.say(rule.ends_at, zone=rule.zone)}" if rule.ends_at else "without an end"
            cure = "Wait for its end, or have it lifted."
            yield wait("frozen", f"{rule.title} is on {ends}.", cure, who=RELEASE_MANAGER, until=rule.ends_at)
        elif _is_behind(case, rule):
            yield _behind(rule)


def _of_kind(case: Case, kind: str) -> list[CalendarFacts]:
    return [rule for rule in case.facts.calendar if rule.kind == kind]


def _covers(case: Case, rule: CalendarFacts) -> bool:
    return rule.covers_now and not _is_behind(case, rule)


def _is_behind(case: Case, rule: CalendarFacts) -> bool:
    return rule.expanded_until is not None and rule.expanded_until <= case.now


def _behind(rule: CalendarFacts) -> Finding:
    said = f"{rule.title} is not written out up to now, so nobody knows whether it is on."
    return block("calendar_behind", said, "Start the beat process; it writes the calendar out.", who="an administrator")
