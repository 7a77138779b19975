"""JSON that two readers could take for different things is none."""

import pytest

from apps.core.strict_json import read_json


def test_a_document_is_read():
    assert read_json('{"a": [1, null, {"b": "x"}], "c": {"b": 1.5}}') == {"a": [1, None, {"b": "x"}], "c": {"b": 1.5}}


@pytest.mark.parametrize(
    "text", ["", "{", '{"a": 1, "a": 1}', '[{"b": {"a": 1, "\\u0061": 2}}]', "NaN", "[-Infinity]", "\ufeff{}", "9" * 5000]
)
def test_what_can_be_taken_in_two_ways_is_refused(text):
    with pytest.raises(ValueError, match=r"."):
        read_json(text)
