"""Compact JSON is, byte for byte, what the standard library writes."""

import json
from enum import StrEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.core.compact_json import ascii_json, sorted_ascii_json, sorted_json

TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"]))
CONTROL = st.text(alphabet=st.characters(max_codepoint=0x9F))
HALVES = st.text(alphabet=st.characters(categories=["Cs", "Lu"]))
LEAVES = st.none() | st.booleans() | st.integers() | TEXT | CONTROL
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(TEXT | CONTROL, inner), max_leaves=20)
WRITERS = {
    sorted_json: json.JSONEncoder(separators=(",", ":"), sort_keys=True, ensure_ascii=False),
    sorted_ascii_json: json.JSONEncoder(separators=(",", ":"), sort_keys=True),
    ascii_json: json.JSONEncoder(separators=(",", ":")),
}
PINNED = ("\x7f", '\x00\x1f\\"\b\t\n\f\r/', "é\u2028", "\U0001f512", 2**64, -(2**63) - 1, {"\uffff": 1, "\U00010000": 2, "a": ()})
EVERY = pytest.mark.parametrize("write", WRITERS, ids=lambda write: write.__name__)


class Word(StrEnum):
    ONE = "one"


@EVERY
@given(VALUES)
def test_bytes_are_those_of_the_standard_library(write, value):
    assert write(value) == WRITERS[write].encode(value).encode()


@EVERY
@pytest.mark.parametrize("value", PINNED, ids=range(len(PINNED)))
def test_what_two_writers_may_write_differently_is_written_as_ever(write, value):
    assert write(value) == WRITERS[write].encode(value).encode()


@EVERY
def test_words_of_a_list_and_deep_data_are_written_alike(write):
    deep: list[object] = []
    for _ in range(300):  # deeper than orjson goes
        deep = [deep]

    for value in ({"word": Word.ONE}, {Word.ONE: 1}, {1: 2}, deep):
        assert write(value) == WRITERS[write].encode(value).encode()


@given(HALVES)
def test_half_a_surrogate_pair_is_escaped_or_refused_as_ever(text):
    assert ascii_json(text) == WRITERS[ascii_json].encode(text).encode()
    if any("\ud800" <= one <= "\udfff" for one in text):
        with pytest.raises(UnicodeEncodeError):
            sorted_json(text)
