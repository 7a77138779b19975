"""Everything a person needs to decide on a change, as sections of a mail."""

from collections.abc import Iterable
from datetime import datetime

from django.db.models import Q

from apps.approvals.facts import review_facts
from apps.approvals.rules import QuorumFacts, RuleAnswer, forecast, own_sign_offs, quorum
from apps.catalog.models import Target
from apps.changes.content import Content, Step, StepBy, Strategy
from apps.changes.diff import differences
from apps.changes.facts import content_of, current_legs
from apps.changes.models import Change, Leg, Revision
from apps.changes.states import LegState
from apps.notifications.letters.shape import Reader, Section, listing, seconds_words, section
from apps.notifications.letters.weighing import (
    brings_section,
    evidence_section,
    failures_section,
    findings_section,
    risk_section,
    signing_section,
)
from apps.schedule.facts import scope_numbers_of, slots_of
from apps.schedule.models import CalendarRule, Hold, RuleKind, Slot

NOTHING = "nothing"
ASKED = frozenset({LegState.WAITING, LegState.FAILED, LegState.STARTED})  # where the gate has something to say
WITH = ("service__team", "target__service", "target__environment", "target__settings")
LONGEST_TEXT = 1200
MOST_DIFFERENCES = 20
WAYS = {
    Strategy.PREVIOUS_RELEASE: "back to the previous release",
    Strategy.TRAFFIC_SWITCH: "traffic is switched back",
    Strategy.REVERT_COMMIT: "the commit is reverted and deployed again",
    Strategy.RESTORE_BACKUP: "a backup is restored",
    Strategy.FIX_FORWARD: "there is none: it is fixed forward",
}


def deciding_sections(change: Change, *, reader: Reader) -> tuple[Section, ...]:
    """What one signs, what changes, why, how, the way back, when, what speaks against it, what is in the way, and who else agrees."""
    assert change.revision is not None  # noqa: S101 - what is decided on was submitted
    content = content_of(change.revision)
    legs = [*current_legs(change).select_related(*WITH)]
    for leg in legs:
        leg.change = change
    slots = slots_of(change)
    return (
        signing_section(change, reader=reader),
        section("What changes", *((place_of(leg), passage(leg)) for leg in legs), *identities(content)),
        section(
            "Why",
            ("Reason", cut(content.scope.reason)),
            ("What users notice", cut(content.scope.impact)),
            ("Touches", ", ".join(sorted(aspect.value.lower() for aspect in content.scope.aspects))),
        ),
        listing("Plan", step_lines(content.plan.steps)),
        risk_section(content, reader=reader),
        brings_section(change, legs),
        evidence_section(change, content),
        way_back_section(content),
        section("When", ("Authorised", period_words(content, reader)), *slot_pairs(legs, slots.values(), reader=reader)),
        listing("In the way", walls(legs, slots.values(), until=content.period.not_after, reader=reader)),
        findings_section([leg for leg in legs if leg.state in ASKED], reader=reader),
        failures_section(legs, reader=reader),
        listing("Who agrees", agreement_lines(change)),
    )


def since_signed(change: Change, *, reader: Reader) -> Section:
    """What differs from the revision this person signed last."""
    own = next(iter(own_sign_offs(review_facts(change), by=reader.person.public_id)), None)
    older = Revision.objects.filter(change=change, number=own.revision).first() if own else None
    if older is None or change.revision is None:
        return listing("What changed since you signed", [])
    found = differences(content_of(older), content_of(change.revision))
    lines = [f"{one.label}: {cut(one.old or NOTHING, 200)} → {cut(one.new or NOTHING, 200)}" for one in found[:MOST_DIFFERENCES]]
    more = [f"and {len(found) - MOST_DIFFERENCES} more on the page"] if len(found) > MOST_DIFFERENCES else []
    return listing("What changed since you signed", lines + more)


def place_of(leg: Leg) -> str:
    """`payments in Production`."""
    return f"{leg.service.name} in {leg.environment.name}"


def passage(leg: Leg) -> str:
    """What it replaces and what is asked for."""
    return f"{leg.before['label'] or NOTHING} → {leg.item.label}"


def identities(content: Content) -> list[tuple[str, str]]:
    """What machines compare; it tells two versions of one label apart."""
    return [(f"Version of {item.service_name}", identity) for item in content.scope.items for identity in item.identities]


def step_lines(steps: Iterable[Step]) -> list[str]:
    """Numbered steps: what, who, how long, how it is verified."""
    return [_step(number, step) for number, step in enumerate(steps, start=1)]


def _step(number: int, step: Step) -> str:
    who = "automatic" if step.by is StepBy.AUTOMATION else "a person"
    about = ", ".join(part for part in (who, seconds_words(step.expected_seconds or 0)) if part)
    return f"{number}. {cut(step.what, 300)} ({about})" + (f"; verified by: {cut(step.verify, 200)}" if step.verify else "")


def way_back_section(content: Content) -> Section:
    """How to get back, how long it takes, and what cannot be undone."""
    plan = content.rollback
    return section(
        "Way back",
        ("How", WAYS[plan.strategy] if plan.strategy else ""),
        ("Takes", seconds_words(plan.way_back_seconds)),
        ("When", cut(plan.trigger)),
        ("Why so", cut(plan.reason)),
        ("Cannot be undone", cut("; ".join(plan.irreversible))),
        ("Data", cut(plan.data_strategy)),
        ("No way back after step", str(plan.point_of_no_return or "")),
        *((" ".join(("Step", line.partition(". ")[0])), line.partition(". ")[2]) for line in step_lines(plan.steps)),
    )


def period_words(content: Content, reader: Reader) -> str:
    """From when to when it may be deployed once it is agreed to."""
    period = content.period
    begins = f"not before {reader.moment(period.not_before)}" if period.not_before else "from now on"
    return f"{begins}, not after {reader.moment(period.not_after)}"


def slot_pairs(legs: Iterable[Leg], slots: Iterable[Slot], *, reader: Reader) -> list[tuple[str, str]]:
    """When each place is planned; a slot may move inside the period."""
    planned = {slot.leg_id: slot for slot in slots}
    return [
        (
            f"Planned for {place_of(leg)}",
            f"{reader.moment(slot.starts_at)}, for {seconds_words(max(1, int((slot.ends_at - slot.starts_at).total_seconds())))}",
        )
        for leg in legs
        if (slot := planned.get(leg.pk))
    ]


def walls(legs: Iterable[Leg], slots: Iterable[Slot], *, until: datetime, reader: Reader) -> list[str]:
    """Freezes and holds that meet the slot, or the period where nothing is planned."""
    planned = {slot.leg_id: slot for slot in slots}
    found: list[str] = []
    for leg in legs:
        slot = planned.get(leg.pk)
        begins, ends = (slot.starts_at, slot.ends_at) if slot else (reader.now, until)
        found += [f"{place_of(leg)}: {said}" for said in walls_of(leg.target, begins=begins, ends=ends, reader=reader)]
    return list(dict.fromkeys(found))


def walls_of(target: Target, *, begins: datetime, ends: datetime, reader: Reader) -> list[str]:
    """The walls of one place between two moments."""
    there = Q(scope__in=scope_numbers_of(target), lifted_at__isnull=True)
    holds = [f"on hold, {cut(hold.reason, 200)}" for hold in Hold.objects.filter(there).order_by("placed_at")]
    freezes = CalendarRule.objects.filter(there, kind=RuleKind.FREEZE, live_until__gt=begins).order_by("live_until")
    return holds + [
        f"frozen from {reader.moment(stretch.starts_at)} to {reader.moment(stretch.ends_at)}, {freeze.title}"
        for freeze in freezes
        for stretch in freeze.covers
        if stretch.starts_at < ends and stretch.ends_at > begins
    ]


def agreement_lines(change: Change) -> list[str]:
    """Each rule: who agreed, who still can."""
    return [
        f"{leg.service} in {leg.environment}: {answer.rule.label}, {who_words(leg, answer)}"
        for leg in review_facts(change).legs
        for answer in quorum(leg).rules
    ]


def who_words(leg: QuorumFacts, answer: RuleAnswer) -> str:
    """How far one rule is."""
    agreed = f"agreed by {names(person.name for person in answer.by)}" if answer.by else ""
    if not answer.missing:
        return agreed or "agreed"
    able = next((one.candidates for one in forecast(leg).rules if one.rule.key == answer.rule.key), ())
    open_to = [person.name for person in able if person not in answer.by]
    wanted = f"{answer.missing} more needed" + (f"; {names(open_to)} can" if open_to else "; nobody can")
    return f"{agreed}, {wanted}" if agreed else wanted


def names(people: Iterable[str]) -> str:
    """`Ada, Bob and 3 more`: a mail is no list of members."""
    known = sorted(set(people))
    if len(known) > 5:
        return f"{', '.join(known[:4])} and {len(known) - 4} more"
    return " and ".join([", ".join(known[:-1]), known[-1]]) if len(known) > 1 else known[0]


def cut(text: str, longest: int = LONGEST_TEXT) -> str:
    """The beginning of a long text; the page has all of it."""
    text = text.strip()
    return text if len(text) <= longest else f"{text[:longest].rstrip()} … (the page has the rest)"
