"""When something is told, by clocks that jump; when it is tried again; what may be chosen."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.core.zones import zone_names
from apps.notifications.kinds import TOPICS, Kind, Relation, Timing, timing_of
from apps.notifications.rules import (
    MOST_TRIES,
    WAITS,
    next_digest,
    wait_after,
    why_not_choices,
    why_not_hour,
    why_not_retry,
)
from apps.notifications.states import State

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = sorted(zone_names())
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


# The digest


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("2026-11-20T06:59:59+00:00", "2026-11-20T07:00:00+00:00"),
        ("2026-11-20T07:00:00+00:00", "2026-11-21T07:00:00+00:00"),
        ("2026-11-20T23:30:00+00:00", "2026-11-21T07:00:00+00:00"),
        ("2026-03-28T07:30:00+00:00", "2026-03-29T06:00:00+00:00"),  # summer time began in the night
        ("2026-10-24T07:30:00+00:00", "2026-10-25T07:00:00+00:00"),  # and ended
    ],
)
def test_digest_comes_at_the_hour_of_the_readers_clock(now, expected):
    assert next_digest(at(now), hour=8, zone=BERLIN) == at(expected)


def test_hour_that_a_clock_change_skips_is_not_lost():
    moment = next_digest(at("2026-03-28T12:00:00+00:00"), hour=2, zone=BERLIN)

    assert moment == at("2026-03-29T01:00:00+00:00")


def test_hour_that_a_clock_change_repeats_comes_once():
    first = next_digest(at("2026-10-24T12:00:00+00:00"), hour=2, zone=BERLIN)

    assert first == at("2026-10-25T00:00:00+00:00")
    assert next_digest(first, hour=2, zone=BERLIN) == at("2026-10-26T01:00:00+00:00")


@given(MOMENTS, st.integers(0, 23), st.sampled_from(ZONES))
def test_digest_lies_ahead_within_little_more_than_a_day(now, hour, zone):
    moment = next_digest(now, hour=hour, zone=ZoneInfo(zone))

    assert timedelta() < moment - now <= timedelta(hours=49), "a zone may leave out a whole day when it crosses the date line"


# Trying again


def test_waits_grow_and_end():
    assert [wait_after(tries) for tries in range(1, MOST_TRIES)] == list(WAITS)
    assert sorted(WAITS) == list(WAITS)
    assert wait_after(MOST_TRIES) is wait_after(0) is None


@pytest.mark.parametrize("state", sorted(State))
@pytest.mark.parametrize("is_administrator", [False, True])
def test_only_administrators_try_again_and_only_what_failed(state, is_administrator):
    refusal = why_not_retry(state, is_administrator=is_administrator)

    if not is_administrator:
        assert refusal is not None
        assert refusal.code == "not_an_administrator"
    elif state is State.FAILED:
        assert refusal is None
    else:
        assert refusal is not None
        assert refusal.code == "not_failed"


# Choices


def test_every_kind_has_its_topic_and_every_relation_its_words():
    assert TOPICS.keys() == set(Kind)
    assert all(relation.words for relation in Relation)
    assert all(timing.label for timing in Timing)


@pytest.mark.parametrize("kind", sorted(Kind))
@pytest.mark.parametrize("timing", sorted(Timing))
def test_where_work_waits_never_is_no_choice(kind, timing):
    errors = why_not_choices({kind: timing})

    assert bool(errors) is (timing not in TOPICS[kind].choices)
    assert timing_of(kind, timing) == (TOPICS[kind].usual if errors else timing)


def test_what_was_never_chosen_or_cannot_be_is_as_usual():
    assert timing_of(Kind.COMMENTED, None) is timing_of(Kind.COMMENTED, "LATER") is Timing.DIGEST


def test_unknown_kinds_and_hours_are_refused():
    assert why_not_choices({"GOSSIP": "NOW"})
    assert why_not_choices({Kind.COMMENTED: "LATER"})
    assert why_not_hour(24)
    assert why_not_hour(-1)
    assert why_not_hour(0) is why_not_hour(23) is None
