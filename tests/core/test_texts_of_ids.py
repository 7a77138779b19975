"""Ids and moments are written as the standard library writes them, only sooner."""

from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from apps.core.canonical import utc_microseconds, utc_seconds, utc_text
from apps.core.ids import id_text

ZONES = st.just(UTC) | st.integers(-(23 * 60), 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
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
