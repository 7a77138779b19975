"""What people read in place of references and codes."""

from datetime import UTC, datetime

import pytest
from django.utils import timezone

from apps.home.facts.naming import in_local_words


@pytest.mark.parametrize("given", ["tomorrow", "2026-11-20", "2026-11-20T10:00:00", "", 7, None])
def test_what_is_no_moment_of_ours_is_shown_as_it_stands(given):
    assert in_local_words({"starts_at": given, "code": "x"}) == {"starts_at": given, "code": "x"}


def test_moment_is_told_by_the_readers_clock():
    with timezone.override("Europe/Berlin"):
        said = in_local_words({"until": datetime(2026, 11, 20, 10, tzinfo=UTC).isoformat()})["until"]

    assert "11:00" in said
