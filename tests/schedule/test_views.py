"""The page of walls and its forms, as people with and without the roles use them."""

from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from django.urls import reverse

from apps.accounts.roles import Role
from apps.core.actors import system
from apps.core.locks import database_now
from apps.schedule.facts import scope_of
from apps.schedule.models import CalendarRule, Hold, HoldSource, RuleKind
from apps.schedule.steps import place_hold_step
from tests.factories.accounts import TeamFactory, give_team_role, make_person
from tests.factories.catalog import ServiceFactory, make_target
from tests.factories.schedule import CalendarRuleFactory, HoldFactory, make_freeze

pytestmark = pytest.mark.django_db
WALLS = "/calendar/"
HOUR = timedelta(hours=1)


@pytest.fixture
def manager(client):
    person = make_person(Role.RELEASE_MANAGER, name="Rita Rand", time_zone="Europe/Berlin")
    client.force_login(person)
    return person


@pytest.fixture
def soon():
    now = database_now()
    return {"starts_at": now - HOUR, "ends_at": now + 5 * HOUR}


def sheet(**more):
    start = database_now() + timedelta(days=1)
    times = {"starts_at": f"{start:%Y-%m-%dT%H:%M}", "ends_at": f"{start + 2 * HOUR:%Y-%m-%dT%H:%M}"}
    return {"title": "Evening departures", "scope": "EVERYTHING:", "time_zone": "Europe/Berlin", "reason": "", **times, **more}


def test_the_page_tells_what_stands_comes_and_has_been(client, manager, soon):
    make_freeze(**soon)
    place_hold_step(
        make_target(),
        source=HoldSource.ROLLBACK,
        source_ref="deployment:1",
        reason="Checks failed.",
        by=system("runner"),
        at=database_now(),
    )
    CalendarRuleFactory(kind=RuleKind.WINDOW, title="Morning", starts_at=soon["ends_at"], ends_at=soon["ends_at"] + HOUR)
    HoldFactory(reason="Disk full.", lifted_at=database_now(), lifted_by=f"PERSON:{manager.public_id}", lift_reason="Cleaned.")

    page = client.get(WALLS).content.decode()

    for said in ("Standing now", "Checks failed.", "Placed by a rollback", "Morning", "lifted by Rita Rand", "Cleaned.", "New freeze"):
        assert said in page


def test_an_empty_page_teaches(client, manager):
    page = client.get(WALLS).content.decode()

    assert "Nothing stands in the way" in page
    assert "Without any, every time is allowed." in page


@pytest.mark.parametrize(("kind", "name"), [(RuleKind.FREEZE, "new_freeze"), (RuleKind.WINDOW, "new_window")])
def test_a_wall_is_declared_by_the_form(client, manager, kind, name):
    service = ServiceFactory(name="Checkout web")

    shown = client.get(reverse(f"schedule:{name}"))
    answer = client.post(reverse(f"schedule:{name}"), sheet(scope=f"SERVICE:{service.public_id}"), follow=True)

    rule = CalendarRule.objects.get()
    assert shown.status_code == 200
    assert "Europe/Berlin" in shown.content.decode()
    assert (rule.kind, rule.scope, rule.time_zone) == (kind, scope_of(service).number, "Europe/Berlin")
    assert urlsplit(answer.redirect_chain[-1][0]).path == WALLS
    assert "Checkout web" in answer.content.decode()


BAD = {
    "nothing": {"title": "", "scope": "", "starts_at": "", "ends_at": "", "time_zone": ""},
    "title too long": {"title": "x" * 121},
    "title that turns": {"title": "a\u202eb"},
    "title with a control character": {"title": "a\x07b"},
    "title with NUL": {"title": "a\x00b"},
    "unknown scope": {"scope": "SERVICE:00000000-0000-0000-0000-000000000001"},
    "scope that is none": {"scope": "\x00"},
    "no moment": {"starts_at": "tomorrow"},
    "moment with a zone": {"starts_at": "2026-11-20T18:00Z"},
    "year nobody sees": {"ends_at": "9999-12-31T23:59"},
    "backwards": {"starts_at": "2030-01-02T00:00", "ends_at": "2030-01-01T00:00"},
    "a time that is jumped over": {"starts_at": "2027-03-28T02:30", "ends_at": "2027-03-28T05:00"},
    "unknown zone": {"time_zone": "Mars/Olympus"},
    "reason too long": {"reason": "x" * 301},
    "reason with NUL": {"reason": "\x00"},
}


@pytest.mark.parametrize("case", BAD)
def test_a_form_that_cannot_be_read_says_where(client, manager, case):
    answer = client.post(reverse("schedule:new_freeze"), sheet(**BAD[case]))

    assert answer.status_code == 422
    assert answer.context["form"].errors
    assert not CalendarRule.objects.exists()


def test_a_freeze_is_lifted_by_its_button(client, manager, soon):
    rule = make_freeze(**soon)
    lifting = reverse("schedule:freeze_lifting", args=[rule.public_id])
    assert lifting in client.get(WALLS).content.decode()

    answer = client.post(lifting, follow=True)
    again = client.post(lifting)

    assert f"{rule.title} is lifted." in answer.content.decode()
    assert again.status_code == 409
    assert "This freeze is lifted already." in again.content.decode()


def test_a_window_is_taken_back_by_its_button(client, manager, soon):
    rule = CalendarRuleFactory(kind=RuleKind.WINDOW, **soon)

    client.post(reverse("schedule:window_lifting", args=[rule.public_id]))

    assert CalendarRule.objects.get().lifted_by == f"PERSON:{manager.public_id}"


def test_a_hold_is_placed_and_lifted_by_its_forms(client, manager):
    target = make_target()

    client.get(reverse("schedule:new_hold"))
    client.post(reverse("schedule:new_hold"), {"scope": f"TARGET:{target.public_id}", "reason": "Disk full."})
    hold = Hold.objects.get()
    lifting = reverse("schedule:hold_lifting", args=[hold.public_id])
    shown = client.get(lifting).content.decode()
    refused = client.post(lifting, {"reason": " "})
    client.post(lifting, {"reason": "Cleaned."})

    hold.refresh_from_db()
    assert "Disk full." in shown
    assert refused.status_code == 422
    assert (hold.scope, hold.lift_reason) == (scope_of(target).number, "Cleaned.")
    assert "This hold is lifted already." in client.get(lifting).content.decode()


@pytest.mark.parametrize(
    "fields", [{"scope": "", "reason": ""}, {"scope": "EVERYTHING:", "reason": "x" * 301}, {"scope": "TIER:9", "reason": "x"}]
)
def test_a_hold_that_cannot_be_read_says_where(client, manager, fields):
    answer = client.post(reverse("schedule:new_hold"), fields)

    assert answer.status_code == 422
    assert not Hold.objects.exists()


@pytest.mark.parametrize("role", [None, *Role])
def test_each_role_sees_its_buttons_and_is_refused_the_others(client, role, soon):
    client.force_login(make_person(*[role] if role else []))
    rule, hold = make_freeze(**soon), HoldFactory()
    walls, holds = role is Role.RELEASE_MANAGER, role in {Role.RELEASE_MANAGER, Role.OPERATOR}

    page = client.get(WALLS).content.decode()
    answers = {
        "freeze": client.post(reverse("schedule:new_freeze"), sheet()).status_code,
        "window": client.post(reverse("schedule:new_window"), sheet()).status_code,
        "lift": client.post(reverse("schedule:freeze_lifting", args=[rule.public_id])).status_code,
        "hold": client.post(reverse("schedule:new_hold"), {"scope": "EVERYTHING:", "reason": "Look."}).status_code,
        "lift hold": client.post(reverse("schedule:hold_lifting", args=[hold.public_id]), {"reason": "Fine."}).status_code,
    }

    assert (reverse("schedule:new_freeze") in page, reverse("schedule:new_hold") in page) == (walls, holds)
    assert answers == {verb: 302 if (holds if "hold" in verb else walls) else 403 for verb in answers}


def test_a_teams_release_manager_is_offered_what_they_may_lift(client, soon):
    team = TeamFactory()
    person = make_person()
    give_team_role(person, Role.RELEASE_MANAGER, team)
    client.force_login(person)
    mine, other = make_freeze(make_target(ServiceFactory(team=team)), **soon), make_freeze(make_target(), **soon)

    page = client.get(WALLS).content.decode()

    assert reverse("schedule:freeze_lifting", args=[mine.public_id]) in page
    assert reverse("schedule:freeze_lifting", args=[other.public_id]) not in page


@pytest.mark.parametrize("name", ["walls", "new_freeze", "new_window", "new_hold"])
def test_nobody_is_let_in_without_signing_in(client, name):
    answer = client.get(reverse(f"schedule:{name}"))

    assert answer.status_code == 302
    assert answer["Location"].startswith("/accounts/login/")


@pytest.mark.parametrize("name", ["freeze_lifting", "window_lifting"])
def test_a_get_lifts_nothing_and_unknown_walls_are_not_found(client, manager, soon, name):
    rule = make_freeze(**soon)
    unknown = "00000000-0000-0000-0000-000000000001"

    assert client.get(reverse(f"schedule:{name}", args=[rule.public_id])).status_code == 405
    assert client.post(reverse(f"schedule:{name}", args=[unknown])).status_code == 404


def test_the_page_has_a_query_budget(client, manager, soon, django_assert_max_num_queries):
    for _ in range(5):
        make_freeze(make_target(), **soon)
        HoldFactory(scope=scope_of(make_target()).number)

    with django_assert_max_num_queries(30):
        assert client.get(WALLS).status_code == 200
