"""The first page: what waits, what moves, what stands in the way, and nothing of what is not the reader's to see."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from apps.accounts.roles import Role
from apps.home.facts.lamps import SHOWN, walls_now
from apps.schedule.facts import scope_of
from tests.factories.accounts import TeamFactory, make_person
from tests.factories.catalog import ServiceFactory, make_target
from tests.factories.schedule import HoldFactory, make_freeze
from tests.home.pages import get, text_of

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


def freeze(target=None, *, begins=-HOUR, title="", **more):
    """A freeze from some time from now on, for an hour and a half."""
    starts_at = timezone.now() + begins
    rule = make_freeze(target, starts_at=starts_at, ends_at=starts_at + 1.5 * HOUR)
    rule.title = title or rule.title
    rule.save()
    return rule


@pytest.fixture
def secret():
    """Something that runs for one team alone, frozen as a service and held in one place."""
    target = make_target(ServiceFactory(is_restricted=True, team=TeamFactory(), name="Secret ledger"))
    freeze(target, title="Quarter end of the ledger")
    HoldFactory(scope=scope_of(target.service).number, reason="The ledger is being audited.")
    return target


def test_walls_of_a_restricted_service_are_shown_to_its_team_alone(client, secret):
    member, other = make_person(team=secret.service.team), make_person(Role.RELEASE_MANAGER)

    seen, unseen = (text_of(get(client, person, "home:home")) for person in (member, other))

    for words in ("Quarter end of the ledger", "The ledger is being audited.", "Secret ledger"):
        assert words in seen
        assert words not in unseen
    assert "No freeze and no hold" in unseen


def test_walls_that_are_unseen_take_nobodys_place(secret):
    for _ in range(SHOWN):
        freeze(secret)
        HoldFactory(scope=scope_of(secret).number)
    mine = make_target()
    freeze(mine, begins=HOUR, title="Black week")
    held = HoldFactory(scope=scope_of(mine).number, placed_at=timezone.now() - 30 * HOUR)

    assert [wall.title for wall in walls_now(make_person())] == [held.reason, "Black week"]


def test_a_freeze_of_next_month_takes_no_place_of_one_that_runs():
    for _ in range(SHOWN):
        freeze(begins=30 * 24 * HOUR, title="Far away")
    rule = freeze(title="Long one")
    rule.covers = [type(rule.covers[0])(rule.covers[0].starts_at, timezone.now() + 60 * 24 * HOUR)]
    rule.live_until = rule.covers[0].ends_at
    rule.save()

    assert [wall.title for wall in walls_now(make_person())] == ["Long one"]


def test_first_page_is_read_in_a_fixed_number_of_statements(client):
    person, counts = make_person(), []
    client.force_login(person)
    for _ in range(2):
        for _ in range(3):
            freeze(make_target())
            HoldFactory(scope=scope_of(make_target()).number)
        with CaptureQueriesContext(connection) as seen:
            assert client.get(reverse("home:home")).status_code == 200
        counts.append(len(seen))

    assert counts[0] == counts[1]


def test_first_page_says_which_freeze_is_coming_and_which_stands(client):
    freeze(begins=HOUR, title="Black week")
    client.force_login(make_person())

    coming = text_of(client.get(reverse("home:home")))
    assert "Coming Black week" in coming
    assert "Frozen Black week" not in coming

    freeze(title="Ledger")
    assert "Frozen Ledger" in text_of(client.get(reverse("home:home")))
