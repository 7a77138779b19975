"""Which content cannot be kept at all, which cannot be submitted yet, and what is worth a warning. Pure; fields are dotted paths."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import chain

from apps.catalog.versions import read_identities
from apps.changes.content.parts import (
    AUTOMATIC,
    Aspect,
    Content,
    Evidence,
    ItemContent,
    Period,
    Plan,
    Rollback,
    Scope,
    Step,
    Story,
    Strategy,
)
from apps.core.refusals import BadContent
from apps.core.texts import TURNING, why_not_line, why_not_text
from apps.core.zones import zone_named

TITLE, LINE, TEXT, REPOSITORY, ADDRESS = 200, 120, 10_000, 400, 254
MOST_ITEMS, MOST_STEPS, MOST_ENVIRONMENTS, MOST_EVIDENCE, MOST_LABELS, MOST_TOLD, MOST_IDENTITIES = 20, 50, 20, 50, 20, 50, 20
LONGEST_STEP = 31 * 24 * 3600
FIRST_YEAR, LAST_YEAR = 2000, 2199
DEFAULT_PERIOD = timedelta(days=14)
SHA256 = re.compile(r"[0-9a-f]{64}")

Said = Iterator[tuple[str, str]]


def why_not_content(content: Content) -> dict[str, list[str]]:
    """What no draft may hold: too long, unreadable or contradicting itself; field to sentences."""
    return _by_field(
        _scope(content.scope),
        _plan(content.plan),
        _rollback(content.rollback, plan=content.plan),
        _period(content.period),
        _story(content.story),
    )


def why_not_complete(content: Content, *, now: datetime) -> dict[str, list[str]]:
    """What is missing before it can be submitted; field to sentences. Asked of content that `why_not_content` lets pass."""
    return _by_field(_scope_gaps(content.scope), _rollback_gaps(content), _period_gaps(content.period, now=now))


def warnings_about(content: Content) -> dict[str, list[str]]:
    """What stops nobody but should be seen; field to sentences."""
    return _by_field(_way_back_warnings(content), _hidden_text_warnings(content))


def default_period(*, now: datetime, zone: str = "UTC", days: int | None = None) -> Period:
    """From now on, for fourteen days unless a change model says how many."""
    return Period(not_before=None, not_after=now + (DEFAULT_PERIOD if days is None else timedelta(days=days)), zone=zone)


def _by_field(*groups: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for field, sentence in chain(*groups):
        found.setdefault(field, []).append(sentence)
    return found


def _text(field: str, text: str, *, longest: int = TEXT) -> Said:
    if said := why_not_text(_unified(text), longest=longest):
        yield field, said


def _line(field: str, text: str, *, longest: int = LINE, empty: str = "", may_hide: bool = False) -> Said:
    text = _unified(text).strip()
    if len(text.splitlines()) > 1:
        yield field, "This is one line. Remove the line breaks."
    elif said := why_not_text(text, longest=longest) if may_hide else why_not_line(text, longest=longest, empty=True):
        yield field, said
    elif empty and not text:
        yield field, empty


def _unified(text: str) -> str:
    """As it will be stored, so that lengths are counted there."""
    return unicodedata.normalize("NFC", text.replace("\r\n", "\n"))


def _count(field: str, things: Iterable[object], *, most: int, word: str) -> Said:
    count = len(list(things))
    if count > most:
        yield field, f"There are {count} {word}. {most} fit."


def _scope(scope: Scope) -> Said:
    yield from _text("scope.reason", scope.reason)
    yield from _text("scope.impact", scope.impact)
    yield from _count("scope.items", scope.items, most=MOST_ITEMS, word="services")
    seen = set()
    for at, item in enumerate(scope.items):
        if item.service_id in seen:
            yield f"scope.items.{at}.service", "This service is asked for twice. A change holds one version of each."
        seen.add(item.service_id)
        yield from _item(f"scope.items.{at}", item)


def _item(field: str, item: ItemContent) -> Said:
    yield from _line(f"{field}.service", item.service_name, may_hide=True)  # as the catalogue has it
    yield from _line(f"{field}.label", item.label)
    yield from _line(f"{field}.repository", item.repository, longest=REPOSITORY)
    yield from _count(f"{field}.environments", item.environments, most=MOST_ENVIRONMENTS, word="environments")
    yield from _count(f"{field}.identities", item.identities, most=MOST_IDENTITIES, word="identities")
    for environment in item.environments:
        yield from _line(f"{field}.environments", environment.name, may_hide=True)
    if item.identities:
        yield from _identities(f"{field}.identities", item.identities)


def _identities(field: str, identities: tuple[str, ...]) -> Said:
    try:
        read = read_identities(((kind, value) for kind, _, value in (text.partition(":") for text in identities)), field)
    except BadContent as error:
        for sentence in error.errors[field]:
            yield field, sentence
        return
    if not set(identities) <= set(read):
        yield field, "An identity is written in small letters without blanks."


def _steps(field: str, steps: tuple[Step, ...]) -> Said:
    yield from _count(field, steps, most=MOST_STEPS, word="steps")
    for at, step in enumerate(steps):
        yield from _text(f"{field}.{at}.what", step.what)
        if not step.what.strip():
            yield f"{field}.{at}.what", "This step says nothing. Write what is done, or remove it."
        yield from _text(f"{field}.{at}.verify", step.verify)
        yield from _seconds(f"{field}.{at}.expected_seconds", step.expected_seconds)


def _seconds(field: str, seconds: int | None) -> Said:
    if seconds is not None and not 0 <= seconds <= LONGEST_STEP:
        yield field, "Give seconds between 0 and 31 days."


def _plan(plan: Plan) -> Said:
    yield from _steps("plan.steps", plan.steps)
    yield from _count("plan.evidence", plan.evidence, most=MOST_EVIDENCE, word="pieces of evidence")
    for at, evidence in enumerate(plan.evidence):
        yield from _evidence(f"plan.evidence.{at}", evidence)


def _evidence(field: str, evidence: Evidence) -> Said:
    yield from _line(f"{field}.name", evidence.name, empty="Name what was shown.")
    yield from _line(f"{field}.kind", evidence.kind)
    if not SHA256.fullmatch(evidence.sha256):
        yield f"{field}.sha256", "A digest is 64 hexadecimal digits in small letters."


def _rollback(rollback: Rollback, *, plan: Plan) -> Said:
    yield from _steps("rollback.steps", rollback.steps)
    yield from _text("rollback.trigger", rollback.trigger)
    yield from _text("rollback.data_strategy", rollback.data_strategy)
    yield from _text("rollback.reason", rollback.reason)
    yield from _seconds("rollback.seconds_to_restore", rollback.seconds_to_restore)
    yield from _count("rollback.irreversible", rollback.irreversible, most=MOST_STEPS, word="irreversible parts")
    for at, text in enumerate(rollback.irreversible):
        yield from _text(f"rollback.irreversible.{at}", text)
        if not text.strip():
            yield f"rollback.irreversible.{at}", "This says nothing. Write what cannot be undone, or remove it."
    point = rollback.point_of_no_return
    if point is not None and not 1 <= point <= len(plan.steps):
        yield "rollback.point_of_no_return", f"The plan has {len(plan.steps)} steps. Name one of them, or leave this empty."


def _period(period: Period) -> Said:
    if zone_named(period.zone) is None:
        yield "period.zone", "There is no such time zone. Use an IANA name such as Europe/Berlin or UTC."
    late = [*_moment("period.not_before", period.not_before), *_moment("period.not_after", period.not_after)]
    yield from late
    if not late and period.not_before is not None and period.not_before >= period.not_after:
        yield "period.not_after", "The period ends before it begins. Choose a later end."


def _moment(field: str, moment: datetime | None) -> Said:
    if moment is None:
        return
    if moment.tzinfo is None:
        yield field, "This moment has no time zone. Say which one."
    elif not FIRST_YEAR <= moment.year <= LAST_YEAR:
        yield field, f"Choose a moment between {FIRST_YEAR} and {LAST_YEAR}."


def _story(story: Story) -> Said:
    yield from _line("story.title", story.title, longest=TITLE, empty="The title is empty. Say in one line what changes.", may_hide=True)
    yield from _text("story.description", story.description)
    yield from _count("story.labels", story.labels, most=MOST_LABELS, word="labels")
    yield from _count("story.told", story.told, most=MOST_TOLD, word="names")
    for at, label in enumerate(story.labels):
        yield from _line(f"story.labels.{at}", label, longest=LINE, empty="This label is empty. Remove it.")
    for at, name in enumerate(story.told):
        yield from _line(f"story.told.{at}", name, longest=ADDRESS, empty="This line is empty. Remove it.")


def _scope_gaps(scope: Scope) -> Said:
    if not scope.items:
        yield "scope.items", "No service is named. Choose at least one."
    if not scope.reason.strip():
        yield "scope.reason", "The reason is missing. Say in one or two sentences why now."
    for at, item in enumerate(scope.items):
        if not item.label.strip():
            yield f"scope.items.{at}.label", "The version has no name. Write the one people use, such as 3.18.1."
        if not item.identities:
            yield f"scope.items.{at}.identities", "Nothing says which version. Give a full commit id, a sha256 digest or a config digest."
        if not item.environments:
            yield f"scope.items.{at}.environments", "Nothing says where to. Choose at least one environment."


def _rollback_gaps(content: Content) -> Said:
    rollback = content.rollback
    if rollback.strategy is None:
        yield "rollback.strategy", "There is no rollback plan. Say how to get back; a first deployment writes how it would fix forward."
        return
    if rollback.way_back_seconds == 0 and rollback.strategy is not Strategy.FIX_FORWARD:
        yield "rollback.seconds_to_restore", "Nobody said how long the way back takes. Give seconds; the calendar keeps them free."
    if Aspect.DATA in content.scope.aspects and not rollback.data_strategy.strip():
        yield "rollback.data_strategy", "Data is changed. Say what happens to it on the way back."
    if rollback.strategy in AUTOMATIC:
        return
    if not rollback.steps:
        yield "rollback.steps", "People carry out this strategy. Write at least one step: what, who, how long, how it is proved."
    if not rollback.reason.strip():
        yield "rollback.reason", _why_a_reason(rollback.strategy)


def _why_a_reason(strategy: Strategy) -> str:
    if strategy is Strategy.FIX_FORWARD:
        return "Fixing forward leaves no way back. Say why nothing else is possible."
    return "This strategy does not run by itself. Say why the previous release cannot come back."


def _period_gaps(period: Period, *, now: datetime) -> Said:
    if period.not_after <= now:
        yield "period.not_after", "The period is over. Choose a later end."


def _way_back_warnings(content: Content) -> Said:
    period, rollback = content.period, content.rollback
    if period.not_before is not None and rollback.way_back_seconds > (period.not_after - period.not_before).total_seconds():
        yield "rollback.seconds_to_restore", "The way back is longer than the period. A late failure is undone after it ends."
    steps = sum(step.expected_seconds or 0 for step in rollback.steps)
    if rollback.way_back_seconds and rollback.seconds_to_restore is not None and steps > rollback.seconds_to_restore:
        said = f"The steps of the way back take {steps} seconds together, and {rollback.seconds_to_restore} are said. The longer time is kept free."
        yield "rollback.seconds_to_restore", said
    if rollback.strategy in AUTOMATIC and not rollback.runs_by_itself:
        yield "rollback.irreversible", "Parts of it cannot be undone, so the way back waits for a person."


def _hidden_text_warnings(content: Content) -> Said:
    texts = [
        ("story.title", "title", content.story.title),
        ("story.description", "description", content.story.description),
        ("scope.reason", "reason", content.scope.reason),
        ("scope.impact", "impact", content.scope.impact),
        *((f"plan.steps.{at}.what", f"plan's step {at + 1}", step.what) for at, step in enumerate(content.plan.steps)),
        *((f"rollback.steps.{at}.what", f"rollback's step {at + 1}", step.what) for at, step in enumerate(content.rollback.steps)),
    ]
    for field, word, text in texts:
        if TURNING & set(text):
            yield field, f"The {word} holds characters that turn the writing direction. They are shown as marks wherever it is signed."
