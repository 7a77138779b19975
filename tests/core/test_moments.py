"""Moments that rules wrote in UTC, told to a reader elsewhere."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from django.template import engines
from django.utils import timezone

from apps.core.moments import full_words, told_in, utc_words

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 19, 13, 20, 6, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("It is on until Thu 19 Nov 2026, 15:30 UTC.", "It is on until Thu 19 Nov 2026, 16:30 CET."),
        ("You agreed on 19 Nov 23:30 UTC, and more.", "You agreed on Fri 20 Nov 2026, 00:30 CET, and more."),
        ("Planned for 01 Jan 00:00 UTC.", "Planned for Fri 1 Jan 2027, 01:00 CET."),
        ("Until Thu 31 Feb 2026, 15:30 UTC.", "Until Thu 31 Feb 2026, 15:30 UTC."),
        ("Since 29 Feb 10:00 UTC.", "Since 29 Feb 10:00 UTC."),
        ("Until Thu 19 Nov 2026, 15:30 EST.", "Until Thu 19 Nov 2026, 15:30 EST."),
        ("Deploy it to Staging first.", "Deploy it to Staging first."),
    ],
)
def test_a_sentence_of_a_rule_is_told_in_the_readers_zone(text, said):
    assert told_in(text, zone=BERLIN, now=NOW) == said


def test_what_rules_write_is_what_is_read_back():
    at = datetime(2026, 11, 3, 8, 5, tzinfo=UTC)

    for words in (full_words(at, zone=UTC), utc_words(at)):
        assert told_in(f"On {words}.", zone=BERLIN, now=NOW) == "On Tue 3 Nov 2026, 09:05 CET."


def test_what_hides_in_a_sentence_is_marked_and_its_moment_told():
    with timezone.override(BERLIN):
        said = engines["django"].from_string("{{ text|told }}").render({"text": "<b>\u202e until Thu 19 Nov 2026, 15:30 UTC"})

    assert "16:30 CET" in said
    assert "&lt;b&gt;" in said
    assert "U+202E" in said
