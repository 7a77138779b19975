"""Working hours: the wall clock counts, on days on which it jumps too."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from apps.accounts.actions import set_working_hours
from apps.accounts.facts import hours_of, hours_of_people
from apps.accounts.hours import Hours, after_working, is_working, next_working, read_hours
from apps.audit.stream import entries_about
from apps.audit.vocabulary import Event
from apps.core.refusals import BadContent
from tests.factories.accounts import make_person

LONDON = Hours(zone="Europe/London")
MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC))
ZONES = st.sampled_from(["UTC", "Europe/London", "Asia/Kolkata", "Pacific/Apia", "America/St_Johns", "Australia/Lord_Howe"])


@st.composite
def hours(draw) -> Hours:
    begins, ends = draw(st.lists(st.times(), min_size=2, max_size=2, unique=True))
    return Hours(draw(st.frozensets(st.integers(0, 6), min_size=1)), begins, ends, draw(ZONES))


@given(hours(), MOMENTS)
def test_next_working_moment_is_the_first_one(working, after):
    found = next_working(working, after)

    assert found >= after
    if is_working(working, after):
        assert found == after
    assert found - after <= timedelta(days=9)


@given(hours().filter(lambda one: one.pass_midnight or (one.ends > time(1) and one.begins < time(23))), MOMENTS, st.integers(1, 600))
def test_working_time_passes_only_while_somebody_works(working, start, minutes):
    length = timedelta(minutes=minutes)

    assert after_working(working, start, length=length) - next_working(working, start) >= length


def test_eight_hours_from_friday_noon_end_on_monday():
    friday = datetime(2026, 11, 20, 12, tzinfo=ZoneInfo("Europe/London"))

    assert after_working(LONDON, friday, length=timedelta(hours=8)) == datetime(2026, 11, 23, 12, tzinfo=ZoneInfo("Europe/London"))


NIGHT = Hours(frozenset({0, 4}), time(22), time(6), "Europe/London")  # from Monday to Tuesday, from Friday to Saturday


@pytest.mark.parametrize(
    ("at", "there"),
    [
        ("23T21:59", False),
        ("23T22:00", True),
        ("24T05:59", True),
        ("24T06:00", False),
        ("24T22:30", False),
        ("23T03:00", False),
        ("28T03:00", True),
    ],
)
def test_hours_past_midnight_belong_to_the_day_on_which_they_begin(at, there):
    moment = datetime.fromisoformat(f"2026-11-{at}").replace(tzinfo=ZoneInfo("Europe/London"))

    assert is_working(NIGHT, moment) is there
    assert (next_working(NIGHT, moment) == moment) is there


def test_time_past_midnight_counts_on():
    late, early = (datetime(2026, 11, day, hour, tzinfo=ZoneInfo("Europe/London")) for day, hour in ((23, 23), (24, 3)))

    assert after_working(NIGHT, late, length=timedelta(hours=5)) == datetime(2026, 11, 24, 4, tzinfo=ZoneInfo("Europe/London"))
    assert after_working(NIGHT, early, length=timedelta(hours=4)) == datetime(2026, 11, 27, 23, tzinfo=ZoneInfo("Europe/London"))
    assert str(NIGHT) == "Mon, Fri, 22:00 to 06:00 the next day"


def test_a_night_on_which_the_clocks_jump_is_longer_or_shorter():
    every = Hours(frozenset(range(7)), time(22), time(6), "Europe/London")
    autumn, spring = (datetime(2026, month, day, 22, tzinfo=ZoneInfo("Europe/London")) for month, day in ((10, 24), (3, 28)))

    for night, hours_long in ((autumn, 9), (spring, 7)):
        # In real hours: the last minute of the night, and the first of the next one.
        assert (
            after_working(every, night.astimezone(UTC), length=timedelta(hours=hours_long)) - night.astimezone(UTC)
        ).seconds == hours_long * 3600


def test_hours_move_with_the_clocks():
    winter, summer = datetime(2026, 10, 23, 20, tzinfo=UTC), datetime(2026, 3, 27, 20, tzinfo=UTC)

    assert next_working(LONDON, winter) == datetime(2026, 10, 26, 9, tzinfo=UTC)
    assert next_working(LONDON, summer) == datetime(2026, 3, 30, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    ("days", "begins", "ends", "field"),
    [
        ([], time(9), time(17), "days"),
        ([7], time(9), time(17), "days"),
        ([0], time(9), time(9, 0, 59), "ends"),
    ],
)
def test_hours_that_are_none_are_told(days, begins, ends, field):
    with pytest.raises(BadContent) as caught:
        read_hours(days, begins, ends)

    assert list(caught.value.errors) == [field]


@pytest.mark.django_db
def test_hours_are_kept_and_recorded_once():
    person, other = make_person(time_zone="Asia/Tokyo"), make_person()
    assert str(hours_of(person)) == "Mon, Tue, Wed, Thu, Fri, 09:00 to 17:00"

    for _ in range(2):
        set_working_hours(person.pk, days=[6, 0, 0], begins=time(8, 30), ends=time(12), by=person.actor)

    assert hours_of(person) == Hours(frozenset({0, 6}), time(8, 30), time(12), "Asia/Tokyo")
    assert hours_of_people([person, other]) == {person.pk: hours_of(person), other.pk: Hours()}
    (entry,) = entries_about(person.reference, limit=5)
    assert (entry.event, entry.data) == (Event.PERSON_HOURS_CHANGED, {"days": [0, 6], "begins": "08:30", "ends": "12:00"})


@pytest.mark.django_db
def test_profile_page_takes_hours_and_says_what_is_wrong(client):
    person = make_person()
    client.force_login(person)

    good = client.post(reverse("accounts:hours"), {"days": ["0", "1"], "begins": "07:00", "ends": "15:00"})
    bad = client.post(reverse("accounts:hours"), {"days": ["0"], "begins": "15:00", "ends": "15:00"})

    assert good.status_code == 302
    assert bad.status_code == 422
    assert b"They begin at 15:00 too." in bad.content
    assert hours_of(person).days == {0, 1}


@pytest.mark.django_db
def test_hours_past_midnight_are_kept():
    person = make_person()

    set_working_hours(person.pk, days=[0], begins=time(22), ends=time(6), by=person.actor)

    assert str(hours_of(person)) == "Mon, 22:00 to 06:00 the next day"
    with pytest.raises(BadContent):
        set_working_hours(person.pk, days=[0], begins=time(22), ends=time(22), by=person.actor)
