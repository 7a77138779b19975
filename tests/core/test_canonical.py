"""Canonical bytes."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.core.canonical import NotCanonical, canonical_bytes, canonical_text


def test_canonical_bytes_are_pinned():
    value = {"b": {3, 1, 2}, "a": "e\u0301 \r\nx\n\n", "when": datetime(2026, 1, 2, 3, 4, 5, 999, tzinfo=UTC), "gone": None, "kept": ""}

    assert canonical_bytes(value) == '{"a":"é\\nx","b":[1,2,3],"kept":"","when":"2026-01-02T03:04:05Z"}'.encode()


@pytest.mark.parametrize("value", [1.5, float("nan"), "a\x00b", 2**53, object(), datetime(2026, 1, 1)])
def test_canonical_bytes_refuse_what_has_no_form(value):
    with pytest.raises(NotCanonical):
        canonical_bytes({"x": value})


@given(st.text(alphabet=st.characters(exclude_characters="\x00", exclude_categories=["Cs"])))
def test_canonical_text_is_idempotent(text):
    once = canonical_text(text)

    assert canonical_text(once) == once


@given(st.dictionaries(st.text(min_size=1, alphabet="abcdef"), st.integers(-(2**53) + 1, 2**53 - 1)))
def test_canonical_bytes_do_not_depend_on_order(data):
    assert canonical_bytes(data) == canonical_bytes(dict(reversed(data.items())))
