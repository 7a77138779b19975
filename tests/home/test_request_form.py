"""The request form under pressure: two people at once, too much text, a form sent before, mistakes told together, walls ahead."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from django.urls import reverse
from django.utils import timezone

from apps.accounts.roles import Role
from apps.approvals.actions import revise_change
from apps.changes.content import Aspect
from apps.changes.facts import content_of
from apps.changes.models import Change
from apps.changes.states import State
from apps.schedule.models import RuleKind
from tests.factories.accounts import make_person
from tests.factories.approvals import make_change, make_place, newest
from tests.factories.catalog import EnvironmentFactory, make_target
from tests.factories.schedule import CalendarRuleFactory, make_freeze
from tests.home.pages import get, marks_of, post, text_of
from tests.home.test_editing import fields_of, sheet

pytestmark = pytest.mark.django_db
NEW = "home:new_change"
LOCAL = "%Y-%m-%dT%H:%M"


@pytest.fixture
def place():
    return make_place()


@pytest.fixture
def requester():
    return make_person(Role.REQUESTER)


def tomorrow(hour=10):
    return (timezone.now() + timedelta(days=1)).replace(hour=hour, minute=0, second=0, microsecond=0)


def keep(client, person, address, **data):
    client.force_login(person)
    return client.post(address, {"do": "keep", **data}, headers={"HX-Request": "true"})


# What closes the planned time


def test_a_coming_freeze_over_the_planned_start_is_told_before_and_after(client, requester, place):
    rule = make_freeze(starts_at=tomorrow(9), ends_at=tomorrow(12))
    when = {"zone": "UTC", "slot_start": tomorrow(10).strftime(LOCAL)}

    looked = text_of(post(client, requester, NEW, **sheet(place, **when) | {"do": "look"}))
    post(client, requester, NEW, **sheet(place, **when))
    page = text_of(get(client, requester, "home:change", Change.objects.get().ref))

    assert f"{rule.title} {place.service.name} in {place.environment.name}" in looked
    assert "The planned time runs into it." in looked
    assert "the time planned for" in page  # said once, after it was sent
    assert "The slot runs into it." in page


def test_a_freeze_elsewhere_or_at_another_time_is_no_matter(client, requester, place):
    make_freeze(make_place(), starts_at=tomorrow(9), ends_at=tomorrow(12))
    make_freeze(starts_at=tomorrow(20), ends_at=tomorrow(22))

    response = post(client, requester, NEW, **sheet(place, zone="UTC", slot_start=tomorrow(10).strftime(LOCAL)) | {"do": "look"})

    assert response.context["beside"].outlook.walls == []


def test_a_slot_outside_every_window_is_told_when_it_is_planned(client):
    change = make_change(State.APPROVED)
    CalendarRuleFactory(kind=RuleKind.WINDOW, title="Evenings", starts_at=tomorrow(20), ends_at=tomorrow(22))
    times = {"starts_at": tomorrow(10).strftime(LOCAL), "ends_at": tomorrow(11).strftime(LOCAL)}

    post(client, change.requester, "home:slot", change.ref, change.legs.get().public_id, **times)
    text = text_of(get(client, change.requester, "home:change", change.ref))

    assert "No window is open for" in text
    assert "Evenings opens" in text


def test_the_planned_start_is_that_of_the_last_rung(client, requester, place):
    higher = make_target(place.service, EnvironmentFactory(rank=place.environment.rank + 10, name="Beyond"))
    both = [place.environment.slug, higher.environment.slug]
    sent = sheet(place, zone="UTC", slot_start=tomorrow(10).strftime(LOCAL), **{"items-0-environments": both})

    response = post(client, requester, NEW, **sent | {"do": "look"})

    lower, upper = response.context["beside"].outlook.places
    assert "before_slot" not in lower.verdict.codes
    assert "before_slot" in upper.verdict.codes
    assert "Planned start in Beyond" in text_of(response)


# What is typed


def test_too_much_to_keep_is_told_and_answers(client, requester, place):
    response = keep(client, requester, reverse(NEW), **sheet(place, description="x" * 1_100_000) | {"do": "keep"})
    rows = client.post(reverse(NEW), sheet(place, description="x" * 1_100_000) | {"do": "add:plan"}, headers={"HX-Request": "true"})

    assert (response.status_code, rows.status_code) == (200, 200)
    assert "Not kept. This is longer than 1000000 characters." in text_of(response)
    assert "Not kept." in text_of(rows)


def test_a_form_that_was_sent_says_what_it_became(client, requester, place):
    draft = str(uuid4())
    post(client, requester, NEW, **sheet(place, draft=draft))

    text = text_of(keep(client, requester, reverse(NEW), **sheet(place, draft=draft) | {"do": "keep"}))

    assert f"This became {Change.objects.get().ref}." in text
    assert 'autocomplete="off"' in marks_of(get(client, requester, NEW))


# Mistakes


def test_every_mistake_is_told_at_once_with_a_link(client, requester, place):
    wrong = {"reason": "", "point_of_no_return": "9", "not_after": "whenever", "items-0-label": "x" * 300, "evidence_link": "http://x"}

    response = post(client, requester, NEW, **sheet(place, **wrong))

    assert response.status_code == 422
    anchors = {one.anchor for one in response.context["wrong"]}
    assert {"id_reason", "id_point_of_no_return", "id_not_after", "id_items-0-label", "id_evidence_link"} <= anchors
    assert marks_of(response).index('id="wrong"') < marks_of(response).index('id="rows-items"')


def test_a_wrong_field_leaves_the_rest_of_the_outlook(client, requester, place):
    response = keep(client, requester, reverse(NEW), **sheet(place, point_of_no_return="9", description="a\x00b") | {"do": "keep"})

    beside = response.context["beside"]
    assert [place.environment for place in beside.outlook.places] == [place.environment.name]
    assert beside.outlook.risk is not None
    assert {"id_point_of_no_return", "id_description"} <= {one.anchor for one in beside.wrong}


def test_what_is_touched_is_asked_for_where_no_file_says_it(client, requester, place):
    response = post(client, requester, NEW, **sheet(place, aspects=[]))

    assert response.status_code == 422
    assert "Nobody said what is touched" in text_of(response)


def test_a_configuration_touches_the_configuration(client, requester, place):
    config = {"items-0-commit": "", "items-0-config_digest": "ab" * 32, "aspects": []}

    post(client, requester, NEW, **sheet(place, **config))

    assert content_of(newest(Change.objects.get())).scope.aspects == {Aspect.CONFIGURATION}


def test_places_nobody_chose_are_shown_and_not_taken(client, requester, place):
    response = post(client, requester, NEW, **sheet(place, **{"items-0-environments": []}))

    assert response.status_code == 422
    assert "Every place is ticked now" in text_of(response)
    assert f'value="{place.environment.slug}" id="id_items-0-environments_0" aria-describedby' in marks_of(
        response
    ) or "checked" in marks_of(response)
    assert not Change.objects.exists()


# Two people


def test_saving_over_somebody_keeps_what_one_left_alone(client, place):
    change = make_change(State.DRAFT, targets=(place,))
    mine = fields_of(get(client, change.requester, "home:edit_change", change.ref)) | {"trigger": "Mine", "reason": "Mine as well"}
    old = content_of(newest(change))
    theirs = replace(old, scope=replace(old.scope, impact="Theirs", reason="Theirs too"))
    revise_change(change_id=change.pk, content=theirs, by=change.requester.actor)

    stale = client.post(reverse("home:edit_change", args=[change.ref]), mine | {"do": "save"})
    text = text_of(stale)
    saved = client.post(reverse("home:edit_change", args=[change.ref]), fields_of(stale) | {"do": "save"})

    assert (stale.status_code, saved.status_code) == (409, 302)
    assert "You both wrote Why now" in text
    assert "Theirs too" in text
    content = content_of(newest(change))
    assert (content.scope.impact, content.scope.reason, content.rollback.trigger) == ("Theirs", "Mine as well", "Mine")


def test_an_edit_says_whose_sign_off_lapses_and_whose_stands(client, place):
    change = make_change(State.APPROVED, targets=(place,))
    sent = fields_of(get(client, change.requester, "home:edit_change", change.ref))
    address = reverse("home:edit_change", args=[change.ref])

    same = text_of(client.post(address, {**sent, "do": "look"}))
    other = text_of(client.post(address, {**sent, "do": "look", "impact": "More than before"}))

    assert "Stands:" in same
    assert "Lapses when you save:" not in same
    assert "Lapses when you save:" in other


def test_a_service_that_has_begun_is_locked_with_the_reason(client, place):
    change = make_change(State.IN_PROGRESS, targets=(place,))
    page = get(client, change.requester, "home:edit_change", change.ref)
    sent = fields_of(page)

    refused = client.post(reverse("home:edit_change", args=[change.ref]), {**sent, "items-0-label": "9.9", "do": "save"})

    assert "has been started with this version." in text_of(page)
    assert " readonly" in marks_of(page)
    assert refused.status_code == 409
    assert "has been started with this version." in text_of(refused)
    assert 'value="9.9"' in marks_of(refused)


# Markdown


@pytest.mark.parametrize("name", ["description", "text"])
def test_a_preview_is_what_will_be_read_and_nothing_else(client, requester, name):
    told = post(client, requester, "home:preview", **{name: "**bold** <script>alert(1)</script> [x](javascript:alert(1))\x00"})
    part = client.post(reverse("home:preview"), {name: "**bold**"}, headers={"HX-Request": "true"})
    long = post(client, requester, "home:preview", **{name: "x" * 10_001})

    assert b"<strong>bold</strong>" in told.content
    assert b"<script>alert" not in told.content
    assert b'href="javascript' not in told.content
    assert b"<html" not in part.content
    assert long.status_code == 422
    assert client.get(reverse("home:preview")).status_code == 405


def test_form_offers_models_and_the_changes_one_asked_for_last(client, place, requester):
    mine = [make_change(State.WITHDRAWN, targets=(place,), requester=requester) for _ in range(6)]
    others = make_change(State.IN_REVIEW, targets=(place,))

    page = get(client, requester, NEW).content.decode()

    offered = [one.ref for one in mine if f"?copy={one.ref}" in page]
    assert offered == [one.ref for one in mine[1:]]
    assert f"?copy={others.ref}" not in page
    assert "?copy=" not in get(client, make_person(Role.REQUESTER), NEW).content.decode()


def test_address_of_a_form_that_is_finished_leads_to_what_became_of_it(client, requester, place):
    sent, dropped = str(uuid4()), str(uuid4())
    post(client, requester, NEW, **sheet(place, draft=sent))
    client.post(reverse(NEW), {"do": "discard", "draft": dropped})

    led = [client.get(reverse(NEW), {"draft": draft}) for draft in (sent, dropped)]

    assert [answer["Location"] for answer in led] == [reverse("home:change", args=[Change.objects.get().ref]), f"{reverse(NEW)}?blank=1"]
    client.force_login(make_person(Role.REQUESTER))
    other = client.get(reverse(NEW), {"draft": sent})
    assert (other.status_code, other.context["start"].restored) == (200, None)


def test_address_of_a_form_that_another_window_went_on_with_brings_back_the_newest(client, requester):
    first, second = str(uuid4()), str(uuid4())
    keep(client, requester, reverse(NEW), draft=first, title="Half")
    keep(client, requester, reverse(NEW), draft=second, replaces=first, title="Half a title")

    page = client.get(reverse(NEW), {"draft": first})

    assert page.context["start"].restored.public_id == UUID(second)
