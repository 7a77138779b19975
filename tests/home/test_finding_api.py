"""The list of changes for programs: the same search, the same eyes, pages by key, and problems a program can read."""

import pytest
from django.urls import reverse

from apps.accounts.roles import Role
from apps.catalog.models import Service
from apps.changes.states import State
from tests.factories.accounts import make_person
from tests.factories.approvals import make_change, make_place
from tests.home.pages import HOSTILE

pytestmark = pytest.mark.django_db


def ask(client, person, **query):
    client.force_login(person)
    return client.get(reverse("api:changes"), query)


def test_list_answers_what_a_search_means(client):
    change = make_change(State.IN_REVIEW, title="Warmer seats")
    make_change(State.WITHDRAWN)

    body = ask(client, change.requester, q="STATE:Open warmer").json()

    (found,) = body["changes"]
    assert (found["ref"], found["title"], found["state"], found["outcome"]) == (change.ref, "Warmer seats", "IN_REVIEW", None)
    assert found["items"][0]["label"] == "3.18.1"
    assert found["legs"][0]["state"] == "WAITING"
    assert (body["next"], body["count"], body["is_counted_whole"]) == (None, 1, True)
    assert body["query"] == "state:open warmer"


def test_pages_go_on_by_key_until_the_last(client):
    place, person = make_place(), make_person(Role.REQUESTER)
    made = [make_change(State.IN_REVIEW, targets=(place,), requester=person).ref for _ in range(5)]
    shown, after = [], ""
    for _ in range(3):
        body = ask(client, person, size=2, sort="oldest", after=after).json()
        shown += [one["ref"] for one in body["changes"]]
        after = body["next"] or ""

    assert shown == made
    assert after == ""


def test_list_hides_what_the_page_hides(client):
    secret, draft, seen = make_change(State.IN_REVIEW), make_change(State.DRAFT), make_change(State.IN_REVIEW)
    Service.objects.filter(pk=secret.legs.get().service_id).update(is_restricted=True)

    body = ask(client, make_person()).json()

    assert [one["ref"] for one in body["changes"]] == [seen.ref]
    assert body["count"] == 1
    assert draft.ref not in str(body)


@pytest.mark.parametrize(
    ("query", "field", "said"),
    [
        ({"q": "colour:red"}, "q", "colour:red: There is no term “colour:”. Use"),
        ({"q": "service:nowhere"}, "q", "No service is called “nowhere”."),
        ({"sort": "loudest"}, "sort", "is not a valid choice"),
        ({"size": "0"}, "size", "greater than or equal to 1"),
        ({"size": "101"}, "size", "less than or equal to 100"),
        ({"q": "x" * 501}, "q", "no more than 500"),
    ],
)
def test_bad_search_is_a_problem_that_names_its_field(client, query, field, said):
    response = ask(client, make_person(), **query)

    assert response.status_code in {400, 422}
    assert response["Content-Type"] == "application/problem+json"
    (error,) = [one for one in response.json()["errors"] if one["field"] == field]
    assert said in error["message"]


@pytest.mark.parametrize("field", ["q", "sort", "after", "size"])
@pytest.mark.parametrize("said", HOSTILE)
def test_list_takes_anything_in_its_address(client, field, said):
    assert ask(client, make_person(), **{field: HOSTILE[said][:5000]}).status_code in {200, 400, 422}


def test_nobody_without_a_token_reads_the_list(client):
    assert client.get(reverse("api:changes")).status_code == 401
