"""Text that people type: kept in one form, or refused with a sentence."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.core.canonical import canonical_bytes
from apps.core.refusals import BadContent
from apps.core.texts import read_line, read_slug, read_text, read_zone

NAMES = ["Ada Lovelace", "Gülşen Öz", "王小明", "علي", "O’Brien-Müller", "👩‍👩‍👧 team", "Zoë", "क्ष"]
BAD_LINES = [
    "",
    " ",
    "\x00",
    "a\x00b",
    "a\nb",
    "a\tb",
    "a\u2028b",
    "\x1b[0m",
    "a\u202eb",
    "a\u2066b",
    "a\u200bb",
    "\ufeffa",
    "a\u00adb",
    "a\u200fb",
    "a\u2063b",
    "a\u3164b",
    "\ud800",
    "\u0378",
    "\uffff",
    "x" * 121,
]


@pytest.mark.parametrize("name", NAMES)
def test_names_of_people_are_kept(name):
    assert read_line(f"  {name} ", field="name", longest=120) == name


@pytest.mark.parametrize("text", BAD_LINES)
def test_lines_that_hide_or_break_are_refused_on_their_field(text):
    with pytest.raises(BadContent) as caught:
        read_line(text, field="name", longest=120)

    assert [*caught.value.errors] == ["name"]


def test_a_line_may_be_empty_where_that_is_said():
    assert read_line(" ", field="x", longest=5, empty=True) == ""


def test_text_is_kept_with_its_lines_in_one_form():
    assert read_text("e\u0301 \r\nb\rc\n\n", field="x", longest=50) == "é\nb\nc"
    assert read_text("\u202e is shown, not refused", field="x", longest=50).startswith("\u202e")
    for text in ("\x00", "\x07", "x" * 51, "\ud800", "\u0378"):
        with pytest.raises(BadContent):
            read_text(text, field="x", longest=50)
    with pytest.raises(BadContent):
        read_text(" \n", field="x", longest=50, empty=False)


@given(st.text(alphabet=st.characters(codec=None), max_size=60))
def test_whatever_is_kept_can_be_recorded_stored_and_is_kept_the_same_again(text):
    for read in (read_line, read_text):
        try:
            kept = read(text, field="x", longest=50)
        except BadContent:
            continue
        canonical_bytes({"x": kept})
        kept.encode()
        assert read(kept, field="x", longest=60, **({"empty": True} if not kept else {})) == kept


@pytest.mark.parametrize("slug", ["a", "shop-2", "0", "x" * 60])
def test_short_names_are_taken(slug):
    assert read_slug(f" {slug} ") == slug


@pytest.mark.parametrize("slug", ["", "A", "a_b", "-a", "a-", "a--b", "a b", "é", "x" * 61, "a\x00", "a\n"])
def test_other_short_names_are_refused(slug):
    if slug.strip() != slug:
        assert read_slug(slug) == slug.strip()
        return
    with pytest.raises(BadContent):
        read_slug(slug)


def test_zones_are_taken_by_name():
    assert read_zone("Europe/Berlin") == "Europe/Berlin"
    for zone in ("", "localtime", "Mars/Olympus", "../etc/passwd", "\x00"):
        with pytest.raises(BadContent) as caught:
            read_zone(zone)
        assert [*caught.value.errors] == ["time_zone"]
