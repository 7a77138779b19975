"""How a value is written for the wire: by its very type, or told apart by what it descends from, the bytes are the same."""

from datetime import UTC, datetime, timedelta, timezone
from enum import IntEnum, StrEnum
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.gate.wire import ENCODED, _encoded

ZONES = st.just(UTC) | st.integers(-(23 * 60), 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"]))
PLAIN = TEXT | st.binary() | st.integers() | st.booleans() | st.uuids() | st.datetimes(timezones=st.none() | ZONES)


class Word(StrEnum):
    ONE = "one"


class Number(IntEnum):
    ONE = 1


@given(PLAIN | st.lists(PLAIN | st.none()) | st.lists(PLAIN).map(tuple))
def test_every_type_is_written_alike(value):
    assert ENCODED[type(value)](value) == _encoded(value)


@given(st.datetimes(timezones=st.none() | ZONES), st.uuids())
def test_moments_and_ids_are_written_as_the_standard_library_writes_them(moment, public_id):
    assert ENCODED[datetime](moment) == moment.isoformat().encode()
    assert ENCODED[UUID](public_id) == str(public_id).encode()


@pytest.mark.parametrize(
    ("value", "written"), [(Word.ONE, b"one"), (Number.ONE, b"1"), ([Word.ONE], b'{"one"}')], ids=["text", "number", "list"]
)
def test_what_descends_from_a_type_is_written_as_that(value, written):
    assert ENCODED.get(type(value), _encoded)(value) == written
