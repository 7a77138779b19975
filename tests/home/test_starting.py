"""Where a change begins: a copy of another, a model, and after which others it comes."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from apps.accounts.roles import Role
from apps.changes.actions import place_change_after
from apps.changes.facts import content_of, needs_of
from apps.changes.models import Change
from apps.changes.states import State
from tests.factories.accounts import make_person
from tests.factories.approvals import make_change, make_place, newest
from tests.factories.changes import make_model
from tests.home.pages import get, nothing_written, post, text_of
from tests.home.test_editing import COMMIT, fields_of, sheet
from tests.home.test_requesting import all_fields

pytestmark = pytest.mark.django_db
NEW = "home:new_change"


@pytest.fixture
def place():
    return make_place()


@pytest.fixture
def requester():
    return make_person(Role.REQUESTER)


@pytest.mark.parametrize("state", sorted(State))
def test_a_copy_of_any_change_is_a_new_draft(client, requester, place, state):
    change = make_change(state, targets=(place,), requester=requester)
    client.force_login(requester)

    with nothing_written():
        page = client.get(reverse(NEW), {"copy": change.ref})
    sent = all_fields(page) | {"do": "save"}
    client.post(reverse(NEW), sent)

    copy = Change.objects.latest("pk")
    before, after = content_of(newest(change)), content_of(newest(copy))
    assert (copy.state, copy.pk != change.pk) == (State.DRAFT, True)
    assert after.scope == before.scope
    assert after.rollback == before.rollback
    assert after.period != before.period


def test_a_copy_of_what_one_may_not_see_is_not_there(client, requester, place):
    draft = make_change(State.DRAFT, targets=(place,))
    client.force_login(requester)

    assert client.get(reverse(NEW), {"copy": draft.ref}).status_code == 404


@pytest.fixture
def model():
    return make_model(evidence=frozenset({"junit"}), days=3)


def test_a_change_begins_from_a_model_and_must_show_what_it_asks_for(client, requester, place, model):
    client.force_login(requester)
    page = client.get(reverse(NEW), {"model": model.slug, "service": place.service.slug})
    sent = all_fields(page) | {"items-0-label": "2.4.1", "items-0-commit": COMMIT}

    refused = client.post(reverse(NEW), sent | {"do": "submit"})
    saved = client.post(reverse(NEW), sent | {"do": "save"})

    change = Change.objects.get()
    content = content_of(change.revision)
    assert "From model Weekly release, version 1" in text_of(page)
    assert refused.status_code == 422
    assert "The change model asks for evidence: junit. Upload it." in text_of(refused)
    assert saved.status_code == 302
    assert (change.made_from, content.plan.steps[0].what, content.story.labels) == (model.version, "Roll out", ("weekly",))
    assert content.period.not_after < timezone.now() + timedelta(days=4)
    assert post(client, requester, "home:submission", change.ref).status_code == 422


def test_an_unknown_model_is_refused(client, requester, place):
    response = post(client, requester, NEW, **sheet(place, model="weekly:7"))

    assert response.status_code == 422
    assert "There is no such change model." in text_of(response)


def test_a_change_comes_after_another_and_both_pages_say_so(client, requester, place):
    first = make_change(State.IN_REVIEW, targets=(place,))

    post(client, requester, NEW, **sheet(place, needs=first.ref))

    change = Change.objects.latest("pk")
    assert f"Comes after {first.ref}" in text_of(get(client, requester, "home:change", change.ref))
    assert f"Goes before {change.ref}" in text_of(get(client, requester, "home:change", first.ref))
    page = get(client, requester, "home:edit_change", change.ref)
    client.post(reverse("home:edit_change", args=[change.ref]), fields_of(page) | {"needs": ""})
    assert [*needs_of(change)] == []


@pytest.mark.parametrize(
    ("needs", "said"), [("CHG-99999", "There is no CHG-99999 that you may see."), ("soon", "No change is called soon.")]
)
def test_a_change_that_is_not_there_is_refused_on_its_field(client, requester, place, needs, said):
    response = post(client, requester, NEW, **sheet(place, needs=needs))

    assert response.status_code == 422
    assert said in text_of(response)


def test_a_circle_is_refused(client, place):
    first, change = (make_change(State.IN_REVIEW, targets=(place,)) for _ in range(2))
    place_change_after(change_id=change.pk, needs=[first.pk], by=change.requester.actor)
    page = get(client, first.requester, "home:edit_change", first.ref)

    response = client.post(reverse("home:edit_change", args=[first.ref]), fields_of(page) | {"needs": change.ref})

    assert response.status_code == 422
    assert f"{change.ref} comes after {first.ref} already." in text_of(response)
