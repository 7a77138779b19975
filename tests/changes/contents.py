"""Hypothesis strategies for contents that can be kept: all of it within the limits, with the characters people paste."""

from datetime import UTC, datetime, timedelta

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from apps.changes.content import (
    Aspect,
    Content,
    EnvironmentRef,
    Evidence,
    ItemContent,
    Period,
    Plan,
    Rollback,
    Scope,
    Step,
    StepBy,
    Story,
    Strategy,
)
from apps.core.texts import TURNING, UNSEEN

# A busy machine makes drawing slow; that says nothing about the content.
STEADY = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
ANY = st.characters(exclude_categories=("Cc", "Cs", "Cn"))
TEXT = st.text(st.one_of(ANY, st.sampled_from("\n\té\u0065\u0301\u202e")), max_size=20)
SAID = TEXT.filter(lambda text: bool(text.strip()))
HIDING = TURNING | UNSEEN  # no line but a title holds them
LINE = st.text(st.characters(exclude_categories=("Cc", "Cs", "Cn", "Zl", "Zp"), exclude_characters=HIDING), max_size=12)
NAMED = LINE.filter(lambda text: bool(text.strip()))
HEX64 = st.text("0123456789abcdef", min_size=64, max_size=64)
MOMENT = st.datetimes(datetime(2001, 1, 1), datetime(2190, 1, 1), timezones=st.just(UTC))
SECONDS = st.one_of(st.none(), st.integers(0, 3600))
STEPS = st.lists(st.builds(Step, SAID, st.sampled_from(StepBy), SECONDS, TEXT), max_size=4).map(tuple)


@st.composite
def items(draw) -> tuple[ItemContent, ...]:
    found = []
    for service_id in draw(st.lists(st.uuids(), max_size=3, unique=True)):
        identities = draw(st.lists(HEX64.map("sha256:{}".format), max_size=3, unique=True))
        environments = draw(st.lists(st.builds(EnvironmentRef, st.uuids(), NAMED), max_size=3, unique_by=lambda each: each.id))
        found.append(ItemContent(service_id, draw(NAMED), draw(LINE), tuple(identities), draw(LINE), tuple(environments)))
    return tuple(found)


@st.composite
def contents(draw) -> Content:
    steps = draw(STEPS)
    end = draw(MOMENT)
    begin = draw(st.one_of(st.none(), st.integers(1, 10**6).map(lambda seconds: end - timedelta(seconds=seconds))))
    return Content(
        scope=Scope(draw(items()), draw(st.frozensets(st.sampled_from(Aspect))), draw(TEXT), draw(TEXT)),
        plan=Plan(steps, tuple(draw(st.lists(st.builds(Evidence, NAMED, HEX64, LINE), max_size=3)))),
        rollback=Rollback(
            strategy=draw(st.one_of(st.none(), st.sampled_from(Strategy))),
            steps=draw(STEPS),
            trigger=draw(TEXT),
            seconds_to_restore=draw(SECONDS),
            irreversible=tuple(draw(st.lists(SAID, max_size=2))),
            data_strategy=draw(TEXT),
            reason=draw(TEXT),
            point_of_no_return=draw(st.one_of(st.none(), st.integers(1, len(steps)))) if steps else None,
        ),
        period=Period(begin, end, draw(st.sampled_from(["UTC", "Europe/Berlin", "America/New_York"]))),
        story=Story(draw(NAMED), tuple(draw(st.lists(NAMED, max_size=3))), tuple(draw(st.lists(NAMED, max_size=3))), draw(TEXT)),
    )
