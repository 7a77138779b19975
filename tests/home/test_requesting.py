"""Asking for a change: what is offered, rows without scripts, typed text that is never lost, and what stands beside the form."""

import json
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from apps.accounts.roles import Role
from apps.approvals.actions import revise_change
from apps.catalog.models import ChangeRequired
from apps.changes.actions import keep_draft_input
from apps.changes.content import Strategy
from apps.changes.facts import content_of
from apps.changes.models import Change, DraftInput
from apps.changes.states import State
from apps.core.refusals import Refused
from apps.home.planning import planned_start
from tests.factories.accounts import TeamFactory, give_team_role, make_person
from tests.factories.approvals import make_change, make_place, newest
from tests.factories.catalog import EnvironmentFactory, make_service, make_target
from tests.factories.changes import make_item
from tests.home.pages import get, marks_of, nothing_written, post, text_of
from tests.home.test_editing import COMMIT, fields_of, sheet

pytestmark = pytest.mark.django_db
NEW = "home:new_change"


@pytest.fixture
def place():
    return make_place()


@pytest.fixture
def requester():
    return make_person(Role.REQUESTER)


def second(place, **more):
    """A form with a second service beside the first."""
    row = {
        "items-TOTAL_FORMS": "2",
        "items-1-service": place.service.slug,
        "items-1-label": "7.0",
        "items-1-commit": COMMIT,
        "items-1-environments": [place.environment.slug],
    }
    return row | more


def keep(client, person, address, **data):
    """What a script sends while somebody types."""
    client.force_login(person)
    return client.post(address, {"do": "keep", **data}, headers={"HX-Request": "true"})


# What is offered


def test_only_services_one_may_ask_for_are_offered(client, place):
    team = TeamFactory()
    person, own = make_person(team=team), make_service(team=team)
    give_team_role(person, Role.REQUESTER, team)

    source = marks_of(get(client, person, NEW))

    assert f'value="{own.slug}"' in source
    assert f'value="{place.service.slug}"' not in source


def test_an_edit_does_not_reach_services_one_may_not_ask_for(place):
    team = TeamFactory()
    person, own = make_person(team=team), make_target(make_service(team=team), place.environment)
    own.running_identities, own.running_label, own.running_since = ["git:" + "1" * 40], "1", timezone.now()
    own.save()
    give_team_role(person, Role.REQUESTER, team)
    change = make_change(State.DRAFT, targets=(own,), requester=person)
    content = content_of(newest(change))
    wider = replace(content, scope=replace(content.scope, items=(*content.scope.items, make_item(place.service, (place.environment,)))))

    with pytest.raises(Refused) as refused:
        revise_change(change_id=change.pk, content=wider, by=person.actor)

    assert refused.value.refusal.code == "not_a_requester"


def test_the_only_service_and_where_it_can_go_are_chosen_already(client, requester, place):
    source = marks_of(get(client, requester, NEW))

    assert f'value="{place.service.slug}" selected' in source
    assert f'value="{place.environment.slug}" id="id_items-0-environments_0" checked' in source
    assert f"runs {place.running_label}" in text_of(get(client, requester, NEW))


def test_three_fields_and_a_service_are_enough_to_submit(client, requester, place):
    page = get(client, requester, NEW)
    sent = all_fields(page) | {
        "items-0-label": "2.4.1",
        "items-0-commit": COMMIT,
        "reason": "Banks switch the old one off.",
        "aspects": ["CODE"],  # no repository says it
        "do": "submit",
    }

    response = client.post(reverse(NEW), sent)

    change = Change.objects.get()
    content = content_of(change.revision)
    assert response.status_code == 302, text_of(response)
    assert change.state == State.IN_REVIEW
    assert content.story.title == f"{place.service.name} 2.4.1"
    assert content.rollback.strategy is Strategy.PREVIOUS_RELEASE
    assert content.rollback.seconds_to_restore == 600  # what its deployment settings let expect


def all_fields(response):
    """What the browser sends of the page as it stands."""
    context, sent = response.context, {}
    rows = (form for name in ("items", "plan", "rollback") for form in (context[name].management_form, *context[name]))
    for form in (context["form"], *rows):
        sent |= {field.html_name: value for field in form if (value := field.value()) is not None}
    return sent


# Several services


def test_a_change_of_two_services_is_one_change(client, requester, place):
    other = make_place(environment=place.environment)

    response = post(client, requester, NEW, **sheet(place, **second(other)))

    items = content_of(Change.objects.get().revision).scope.items
    assert response.status_code == 302, text_of(response)
    assert {item.service_name for item in items} == {place.service.name, other.service.name}
    assert Change.objects.get().legs.count() == 2


def test_what_is_wrong_with_the_second_service_is_said_on_its_row(client, requester, place):
    other = make_place(environment=place.environment)

    response = post(client, requester, NEW, **sheet(place, **second(other, **{"items-1-commit": ""})))

    source = marks_of(response)
    assert response.status_code == 422
    assert 'id="id_items-1-commit_error"' in source
    assert 'id="id_items-0-commit_error"' not in source


def test_a_change_of_two_services_is_edited_without_losing_one(client, place):
    other = make_place(environment=place.environment)
    change = make_change(State.IN_REVIEW, targets=(place, other))
    sent = fields_of(get(client, change.requester, "home:edit_change", change.ref)) | {"reason": "The bank moved its date."}

    response = client.post(reverse("home:edit_change", args=[change.ref]), sent)

    assert response.status_code == 302, text_of(response)
    assert len(content_of(newest(change)).scope.items) == 2
    assert newest(change).number == 2


# Rows


@pytest.mark.parametrize(
    ("do", "expected"),
    [
        ("add:plan", ["one", "two", ""]),
        ("drop:plan:0", ["two"]),
        ("up:plan:1", ["two", "one"]),
        ("down:plan:0", ["two", "one"]),
        ("up:plan:0", ["one", "two"]),
        ("down:plan:1", ["one", "two"]),
        ("drop:plan:99", ["one", "two"]),
    ],
)
def test_rows_are_added_moved_and_removed_without_a_script(client, requester, place, do, expected):
    rows = {"plan-TOTAL_FORMS": "2", "plan-0-what": "one", "plan-1-what": "two"}

    response = post(client, requester, NEW, **sheet(place, **rows, do=do))

    assert response.status_code == 200
    assert [row["what"].value() or "" for row in response.context["plan"]] == expected
    assert "Banks switch off the old protocol." in text_of(response)
    assert not Change.objects.exists()


def test_a_row_is_swapped_alone_where_a_script_asks(client, requester, place):
    client.force_login(requester)

    response = client.post(reverse(NEW), {**sheet(place), "do": "add:items"}, headers={"HX-Request": "true"})

    assert response.status_code == 200
    assert marks_of(response).lstrip().startswith('<div class="rows" id="rows-items"')
    assert "items-1-service" in marks_of(response)


def test_choosing_a_service_offers_the_places_where_it_can_go(client, requester, place):
    elsewhere = EnvironmentFactory(name="Elsewhere")
    make_service()

    response = post(client, requester, NEW, **sheet(place, do="show:items", **{"items-0-environments": [elsewhere.slug]}))

    (row,) = response.context["items"]
    assert row["environments"].value() == [place.environment.slug]
    assert [box.data["value"] for box, _ in row.rungs] == [place.environment.slug]


# What is typed is never lost


def test_what_is_typed_is_kept_and_comes_back(client, requester, place):
    response = keep(client, requester, reverse(NEW), draft=str(uuid4()), title="Half a tit", reason="Because")

    assert response.status_code == 200
    assert "Kept" in text_of(response)
    assert response.headers["HX-Trigger"] == "draft-kept"
    assert not Change.objects.exists()
    with nothing_written():
        back = client.get(reverse(NEW))
    assert 'value="Half a tit"' in marks_of(back)
    assert "What you typed" in text_of(back)
    assert "Discard it" in text_of(back)


def test_the_same_page_keeps_one_row_and_a_restored_one_takes_its_place(client, requester):
    first = str(uuid4())
    for title in ("H", "Ha", "Half"):
        keep(client, requester, reverse(NEW), draft=first, title=title)
    page = get(client, requester, NEW)
    again = all_fields(page)
    keep(client, requester, reverse(NEW), **(again | {"title": "Half a title"}))

    (row,) = DraftInput.objects.all()
    assert str(row.public_id) == again["draft"] != first
    assert json.loads(row.body)["title"] == ["Half a title"]


def test_two_open_forms_are_kept_apart_and_the_other_is_offered(client, requester):
    for title in ("The first one", "The second one"):
        keep(client, requester, reverse(NEW), draft=str(uuid4()), title=title)

    page = get(client, requester, NEW)

    assert 'value="The second one"' in marks_of(page)
    assert "Not finished: The first one" in text_of(page)
    other = DraftInput.objects.earliest("saved_at")
    client.force_login(requester)
    assert 'value="The first one"' in marks_of(client.get(reverse(NEW), {"draft": other.public_id}))
    assert 'value="The second one"' in marks_of(client.get(reverse(NEW), {"draft": uuid4()}))
    assert client.get(reverse(NEW), {"draft": "none"}).status_code == 404


def test_saving_forgets_what_was_kept(client, requester, place):
    draft = str(uuid4())
    keep(client, requester, reverse(NEW), **sheet(place, draft=draft, do="keep"))

    post(client, requester, NEW, **sheet(place, draft=draft))

    assert Change.objects.count() == 1
    assert not DraftInput.objects.filter(finished_at=None).exists()


def test_a_refused_form_keeps_what_was_typed_before(client, requester, place):
    draft = str(uuid4())
    keep(client, requester, reverse(NEW), **sheet(place, draft=draft, do="keep"))

    response = post(client, requester, NEW, **sheet(place, draft=draft, reason=""))

    assert response.status_code == 422
    assert DraftInput.objects.count() == 1


def test_discarding_forgets_it_and_begins_blank(client, requester):
    keep(client, requester, reverse(NEW), draft=str(uuid4()), title="Half a title")
    page = get(client, requester, NEW)

    response = client.post(reverse(NEW), all_fields(page) | {"do": "discard"}, follow=True)

    assert not DraftInput.objects.filter(finished_at=None).exists()
    assert "Half a title" not in marks_of(response)


def test_typing_on_a_change_touches_no_revision(client, place):
    change = make_change(State.APPROVED, targets=(place,))
    address = reverse("home:edit_change", args=[change.ref])
    sent = fields_of(get(client, change.requester, "home:edit_change", change.ref))

    keep(client, change.requester, address, **(sent | {"reason": "Something el", "do": "keep"}))

    change.refresh_from_db()
    assert (change.state, newest(change).number) == (State.APPROVED, 1)
    assert "Something el" in marks_of(get(client, change.requester, "home:edit_change", change.ref))
    client.force_login(change.requester)
    assert "Something el" not in marks_of(client.get(address, {"blank": "1"}))


def test_nobody_sees_what_somebody_else_typed(client, requester):
    keep(client, requester, reverse(NEW), draft=str(uuid4()), title="My secret plan")
    draft, other = DraftInput.objects.get(), make_person(Role.REQUESTER)

    page = get(client, other, NEW)

    assert "My secret plan" not in marks_of(page)
    assert "My secret plan" not in marks_of(client.get(reverse(NEW), {"draft": draft.public_id}))
    keep(client, other, reverse(NEW), draft=str(draft.public_id), title="Mine")
    draft.refresh_from_db()
    assert "My secret plan" in draft.body
    assert DraftInput.objects.count() == 2


@pytest.mark.parametrize("do", ["save", "discard"])
def test_a_request_that_was_on_its_way_brings_nothing_back(client, requester, place, do):
    draft = str(uuid4())
    keep(client, requester, reverse(NEW), draft=draft, title="Half")
    post(client, requester, NEW, **sheet(place, draft=draft, do=do))

    late = keep(client, requester, reverse(NEW), draft=draft, title="Half")

    assert "kept in this tab only" in marks_of(late)
    assert "HX-Trigger" not in late
    assert [(row.body, bool(row.finished_at)) for row in DraftInput.objects.all()] == [("", True)]
    assert "Half" not in marks_of(get(client, requester, NEW))


def test_a_form_that_was_never_kept_is_finished_too(client, requester):
    draft = str(uuid4())
    client.force_login(requester)
    client.post(reverse(NEW), {"do": "discard", "draft": draft})

    keep(client, requester, reverse(NEW), draft=draft, title="Half")

    assert DraftInput.objects.get().body == ""


def test_only_the_newest_twenty_are_kept(requester):
    for number in range(23):
        keep_draft_input(draft_id=uuid4(), body=json.dumps({"title": [str(number)]}), by=requester.actor)

    assert DraftInput.objects.count() == 20
    assert json.loads(DraftInput.objects.earliest("pk").body) == {"title": ["3"]}


@pytest.mark.parametrize("name", ["draft", "replaces", "items-TOTAL_FORMS", "plan-TOTAL_FORMS", "model"])
def test_keeping_takes_whatever_is_sent(client, requester, name):
    for text in ("", "x", "\x00", "9" * 40, "<script>alert(1)</script>"):
        response = keep(client, requester, reverse(NEW), **{"title": "Half", name: text})

        assert response.status_code == 200
        assert b"<script>alert" not in get(client, requester, NEW).content


def test_who_may_not_ask_keeps_nothing(client):
    response = keep(client, make_person(), reverse(NEW), draft=str(uuid4()), title="Half")

    assert response.status_code == 403
    assert not DraftInput.objects.filter(finished_at=None).exists()


# What stands beside the form


def look(client, person, place, **more):
    response = post(client, person, NEW, **sheet(place, do="look", **more))
    assert response.status_code == 200, text_of(response)
    return response.context["beside"], text_of(response)


def test_looking_says_who_must_agree_what_speaks_against_it_and_what_the_gate_says(client, requester, place):
    client.force_login(requester)
    with nothing_written():
        response = client.post(reverse(NEW), sheet(place, do="look"))
    beside, text = response.context["beside"], text_of(response)

    (found,) = beside.outlook.places
    assert found.verdict.verdict == "PENDING"
    assert "sign_off_missing" in found.verdict.codes
    assert beside.missing == []
    assert "Sign revision 1 of this change." in text
    assert "can be agreed" in text
    assert {factor.code for factor in beside.outlook.risk.factors} >= {"tier", "environment"}
    assert "By Policy" in text or beside.outlook.policies


def test_looking_says_what_is_missing_and_where(client, requester, place):
    beside, text = look(client, requester, place, reason="", **{"items-0-commit": ""})

    assert beside.missing == [("Why now", "id_reason"), ("Commit", "id_items-0-commit")]
    assert 'href="#id_items-0-commit"' in marks_of(post(client, requester, NEW, **sheet(place, do="look", **{"items-0-commit": ""})))
    assert "Missing: why now, commit." in text


def test_looking_says_that_a_first_deployment_has_no_way_back(client, requester, place):
    place.running_label, place.running_identities, place.running_since = "", [], None
    place.save()

    beside, _ = look(client, requester, place)

    (wrong,) = beside.wrong
    assert (wrong.label, wrong.anchor) == ("Way back", "id_strategy")
    assert wrong.said.startswith("A first deployment has nothing to go back to")
    assert beside.missing == []
    assert "nothing_to_go_back_to" in beside.outlook.places[0].verdict.codes


def test_an_environment_that_asks_nobody_is_open_at_once(client, requester):
    place = make_place(environment=EnvironmentFactory(change_required=ChangeRequired.RECORDED), policy=False)

    beside, text = look(client, requester, place)

    assert beside.outlook.places[0].verdict.verdict == "ALLOW"
    assert "Nobody is asked for" in text


def test_what_else_is_planned_for_the_service_is_shown(client, requester, place):
    other = make_change(State.APPROVED, targets=(place,), requester=requester)
    start = timezone.now() + timedelta(hours=3)
    plan(other, start)

    beside, text = look(client, requester, place, zone="UTC", slot_start=start.strftime("%Y-%m-%dT%H:%M"))

    assert [conflict.ref for conflict in beside.outlook.conflicts] == [other.ref]
    assert other.ref in text


def plan(change, start):
    from apps.schedule.actions import book_slot

    leg = change.legs.get(is_current=True)
    book_slot(leg_id=leg.pk, starts_at=start, ends_at=start + timedelta(hours=1), by=change.requester.actor)


def test_an_edit_shows_whose_agreement_stands_after_it(client, place):
    change = make_change(State.APPROVED, targets=(place,))
    sent = fields_of(get(client, change.requester, "home:edit_change", change.ref))
    address = reverse("home:edit_change", args=[change.ref])

    same = client.post(address, {**sent, "do": "look"}).context["beside"].outlook
    other = client.post(address, {**sent, "do": "look", "impact": "More than before"}).context["beside"].outlook

    assert [place.verdict.verdict for place in same.places] == ["ALLOW"]
    assert [place.verdict.codes for place in other.places] == [("sign_off_lapsed",)]


# The planned start


def test_the_planned_start_is_kept_as_a_slot(client, requester, place):
    start = (timezone.now() + timedelta(days=1)).replace(second=0, microsecond=0)
    when = {"zone": "UTC", "slot_start": start.strftime("%Y-%m-%dT%H:%M")}

    post(client, requester, NEW, **sheet(place, **when))

    change = Change.objects.get()
    assert planned_start(change) == start
    page = get(client, requester, "home:edit_change", change.ref)
    assert f'value="{when["slot_start"]}"' in marks_of(page)
    client.post(reverse("home:edit_change", args=[change.ref]), fields_of(page) | {"slot_start": ""})
    assert planned_start(change) is None
    assert newest(change).number == 1  # outside everything that is signed


def test_a_planned_start_outside_the_period_is_refused_on_its_field(client, requester, place):
    response = post(client, requester, NEW, **sheet(place, slot_start="2099-01-01T10:00"))

    assert response.status_code == 422
    assert 'id="id_slot_start_error"' in marks_of(response)


def test_content_of_a_draft_with_nothing_chosen_is_told_apart(client, requester):
    beside = get(client, requester, NEW).context["beside"]

    assert beside.outlook.places == []


def test_the_page_stays_in_its_budget_for_many_services_as_for_one(client, requester, place):
    client.force_login(requester)

    def statements():
        with CaptureQueriesContext(connection) as seen:
            client.get(reverse(NEW), {"service": place.service.slug})
        return len(seen)

    statements()
    one = statements()
    for _ in range(4):
        make_place(environment=place.environment)

    assert statements() == one
    assert one <= 12
