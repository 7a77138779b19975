"""The fast ways through the canonical form give the same bytes as the slow ones."""

import unicodedata

import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from apps.core.canonical import LARGEST, canonical_bytes, canonical_data, canonical_text

TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))
ASCII = st.text(alphabet=st.characters(max_codepoint=127, exclude_characters="\x00"))
LEAVES = st.none() | st.booleans() | st.integers(-LARGEST, LARGEST) | TEXT | ASCII
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(ASCII | TEXT, inner), max_leaves=20)


@given(VALUES)
def test_bytes_are_those_of_the_library(value):
    assert canonical_bytes(value) == rfc8785.dumps(canonical_data(value))


@given(ASCII | TEXT)
def test_text_is_what_the_definition_says(text):
    lines = unicodedata.normalize("NFC", text).replace("\r\n", "\n").replace("\r", "\n").split("\n")

    assert canonical_text(text) == "\n".join(line.rstrip() for line in lines).strip("\n")
