"""Local times on the nights the clocks change, and stretches that touch."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.core.refusals import BadContent
from apps.core.zones import zone_named, zone_names
from apps.schedule.rules import read_stretch
from apps.schedule.stretches import NoSuchTime, Stretch, moment_of

BERLIN, LORD_HOWE = ZoneInfo("Europe/Berlin"), ZoneInfo("Australia/Lord_Howe")
NAIVE = st.datetimes(datetime(2001, 1, 1), datetime(2098, 12, 31))


def utc(*parts):
    return datetime(*parts, tzinfo=UTC)


def test_a_time_the_clock_shows_twice_is_the_earlier_to_start_and_the_later_to_end():
    twice = datetime(2026, 10, 25, 2, 30)

    assert moment_of(twice, zone=BERLIN, later=False) == utc(2026, 10, 25, 0, 30)
    assert moment_of(twice, zone=BERLIN, later=True) == utc(2026, 10, 25, 1, 30)
    assert read_stretch(twice, twice + timedelta(minutes=10), time_zone="Europe/Berlin") == Stretch(
        utc(2026, 10, 25, 0, 30), utc(2026, 10, 25, 1, 40)
    )


@pytest.mark.parametrize(
    ("local", "zone", "said"),
    [
        (datetime(2026, 3, 29, 2, 30), BERLIN, "jumps over 02:30 that night. Choose a time 1 h earlier or later."),
        (datetime(2026, 10, 4, 2, 10), LORD_HOWE, "jumps over 02:10 that night. Choose a time 30 min earlier or later."),
    ],
)
def test_a_time_the_clock_jumps_over_is_refused_with_a_way_out(local, zone, said):
    with pytest.raises(NoSuchTime, match=said):
        moment_of(local, zone=zone, later=False)


@pytest.mark.parametrize("field", ["starts_at", "ends_at"])
def test_a_jumped_time_is_refused_on_its_field(field):
    times = {"starts_at": datetime(2026, 3, 29, 1, 0), "ends_at": datetime(2026, 3, 29, 4, 0)} | {field: datetime(2026, 3, 29, 2, 30)}

    with pytest.raises(BadContent) as refused:
        read_stretch(**times, time_zone="Europe/Berlin")

    assert [*refused.value.errors] == [field]
    assert "jumps over 02:30" in refused.value.errors[field][0]


@settings(deadline=None)
@given(NAIVE, st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"]), st.booleans())
def test_every_other_local_time_is_what_the_clock_shows(local, name, later):
    zone = ZoneInfo(name)
    try:
        moment = moment_of(local, zone=zone, later=later)
    except NoSuchTime:
        return

    assert moment.astimezone(zone).replace(tzinfo=None) == local
    assert moment_of(local, zone=zone, later=False) <= moment_of(local, zone=zone, later=True)


def test_a_moment_with_a_zone_is_taken_as_it_is():
    start = utc(2026, 11, 20, 12)

    assert read_stretch(start, start + timedelta(hours=1), time_zone="Asia/Tokyo").starts_at == start


@pytest.mark.parametrize(
    ("start", "end", "zone", "field"),
    [
        (datetime(2026, 1, 1), datetime(2026, 1, 1), "UTC", "ends_at"),
        (datetime(2026, 1, 2), datetime(2026, 1, 1), "UTC", "ends_at"),
        (datetime(1999, 1, 2), datetime(2026, 1, 1), "UTC", "starts_at"),
        (datetime(2026, 1, 2), datetime(9999, 12, 31), "America/New_York", "ends_at"),
        (datetime(2026, 1, 1), datetime(2026, 1, 2), "Europe/Atlantis", "time_zone"),
        (datetime(2026, 1, 1), datetime(2026, 1, 2), "../UTC", "time_zone"),
        (datetime(2026, 1, 1), datetime(2026, 1, 2), "\x00", "time_zone"),
        (datetime(2026, 1, 1), datetime(2026, 1, 2), "", "time_zone"),
    ],
)
def test_what_is_no_stretch_is_refused_by_field(start, end, zone, field):
    with pytest.raises(BadContent) as refused:
        read_stretch(start, end, time_zone=zone)

    assert [*refused.value.errors] == [field]


def test_stretches_hold_their_start_and_not_their_end():
    stretch = Stretch(utc(2026, 1, 1), utc(2026, 1, 2))

    assert stretch.holds(utc(2026, 1, 1))
    assert not stretch.holds(utc(2026, 1, 2))
    assert not stretch.overlaps(Stretch(utc(2026, 1, 2), utc(2026, 1, 3)))
    assert stretch.overlaps(Stretch(utc(2026, 1, 1, 23), utc(2026, 1, 3)))


def test_zones_are_iana_names():
    assert {"UTC", "Europe/Berlin", "America/Argentina/Ushuaia"} <= zone_names()
    assert zone_named("Europe/Berlin") == BERLIN
    assert zone_named("localtime") is zone_named("posixrules") is zone_named("/etc/localtime") is None
