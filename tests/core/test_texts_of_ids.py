"""Ids and moments are written as the standard library writes them, only sooner."""

from datetime import UTC, datetime, timedelta, timezone
from uuid import RFC_4122, UUID

from hypothesis import given
from hypothesis import strategies as st

from apps.core.canonical import utc_microseconds, utc_seconds, utc_text
from apps.core.ids import id_at, id_text, moment_in

ZONES = st.just(UTC) | st.integers(-(23 * 60), 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
OURS = st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(2500, 1, 1), timezones=st.just(UTC))
MOMENTS = st.datetimes(min_value=datetime(1, 1, 3), max_value=datetime(9999, 12, 29), timezones=ZONES)


@given(st.integers(0, 2**128 - 1).map(lambda number: UUID(int=number)))
def test_an_id_is_its_text(public_id):
    assert id_text(public_id) == str(public_id)


@given(MOMENTS | MOMENTS.map(lambda moment: moment.replace(microsecond=0)))
def test_a_moment_is_its_text(moment):
    plain = moment.astimezone(UTC).replace(tzinfo=None)

    assert utc_text(moment) == moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
    assert utc_seconds(moment) == f"{plain.isoformat(timespec='seconds')}Z"
    assert utc_microseconds(moment) == f"{plain.isoformat(timespec='microseconds')}Z"


@given(OURS)
def test_an_id_carries_its_moment_however_many_are_made_of_it(moment):
    made = [id_at(moment) for _ in range(5)]

    assert {moment_in(one) for one in made} == {moment.replace(microsecond=moment.microsecond // 1000 * 1000)}
    assert len(set(made)) == 5
    assert {(one.version, one.variant) for one in made} == {(7, RFC_4122)}
