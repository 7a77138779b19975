"""Who is told of a change: by @, address, name or team; whom nobody here is called is told by hand."""

import pytest

from apps.changes.mentions import called_rows
from tests.factories.accounts import PersonFactory, TeamFactory

pytestmark = pytest.mark.django_db


def test_words_mean_one_person_or_a_team(django_assert_num_queries):
    bram, other = PersonFactory(name="Bram Business", email="bram@example.org"), PersonFactory(name="Bo", email="bo@example.org")
    PersonFactory(name="Bo", email="second@example.org")
    team = TeamFactory(name="Payments team")
    words = ["@bram", "BRAM@example.org", "bram business", "payments TEAM", "Bo", "@nobody", "Customers at the desk", "@bo"]

    rows = called_rows(words)

    with django_assert_num_queries(2):
        assert [rows.meant(word) for word in words] == [([bram], [])] * 3 + [([], [team])] + [([], [])] * 3 + [([other], [])]
    assert [word for word in words if rows.is_nobody(word)] == ["Bo", "@nobody", "Customers at the desk"]


def test_no_words_mean_nobody():
    assert called_rows([]).is_nobody("Bram")
