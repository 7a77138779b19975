"""The list of changes: what each view holds, whom it hides what from, search, pages, and a flat number of statements."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.accounts.roles import Role
from apps.changes.states import State
from apps.home.facts.listing import PAGE, VIEWS
from tests.factories.accounts import make_person
from tests.factories.approvals import make_change, make_place
from tests.home.pages import HOSTILE, get, marks_of, nothing_written, text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def reader():
    return make_person(Role.REQUESTER)


def statements(client, person):
    client.force_login(person)
    with CaptureQueriesContext(connection) as seen:
        response = client.get(reverse("home:changes"))
    assert response.status_code == 200
    return len(seen)


@pytest.mark.parametrize("state", State)
def test_list_shows_a_change_in_the_views_of_its_state_alone(client, state):
    change = make_change(state)
    expected = {
        "open": state in {State.IN_REVIEW, State.APPROVED, State.IN_PROGRESS},
        "mine": True,
        "drafts": state is State.DRAFT,
        "ended": state in {State.POST_REVIEW, State.CLOSED, State.REJECTED, State.WITHDRAWN, State.EXPIRED},
        "all": True,
    }

    shown = {view: change.ref in text_of(get(client, change.requester, "home:changes", view=view)).split() for view in VIEWS}

    assert shown == expected


def test_list_hides_the_drafts_of_others(client, reader):
    change = make_change(State.DRAFT)

    assert change.ref not in text_of(get(client, reader, "home:changes", view="all")).split()


def test_list_hides_changes_of_restricted_services_from_strangers(client, reader):
    change = make_change(State.IN_REVIEW)
    service = change.legs.get().service
    service.is_restricted = True
    service.save()

    assert change.ref not in text_of(get(client, reader, "home:changes", view="all")).split()


@pytest.mark.parametrize("by", ["ref", "title", "service"])
def test_search_finds_by_reference_title_and_service(client, reader, by):
    change, other = make_change(State.IN_REVIEW, title="Warmer ferry seats"), make_change(State.IN_REVIEW)
    wanted = {"ref": change.ref.lower(), "title": "FERRY SEATS", "service": change.legs.get().service.name}[by]

    shown = text_of(get(client, reader, "home:changes", q=wanted)).split()

    assert change.ref in shown
    assert other.ref not in shown


@pytest.mark.parametrize("field", ["q", "view", "before"])
@pytest.mark.parametrize("said", HOSTILE)
def test_list_takes_anything_in_its_address(client, reader, field, said):
    response = get(client, reader, "home:changes", **{field: HOSTILE[said][:5000]})

    assert response.status_code == 200
    assert b"<script>alert" not in response.content


@pytest.mark.parametrize("before", ["0", "-1", "9" * 19, "9" * 400, "²", "1.5"])
def test_list_takes_any_number_for_its_page(client, reader, before):
    assert get(client, reader, "home:changes", before=before).status_code == 200


def test_list_goes_on_where_the_page_before_ended(client, reader):
    place = make_place()
    made = [make_change(State.IN_REVIEW, targets=(place,), requester=reader) for _ in range(PAGE + 2)]

    first = get(client, reader, "home:changes", q="return ferry", view="mine")
    older = f"before={made[2].pk}"
    second = get(client, reader, "home:changes", q="return ferry", view="mine", before=made[2].pk)

    assert older in marks_of(first)
    assert "q=return+ferry" in marks_of(first)
    assert [change.ref in text_of(first).split() for change in made] == [False, False, *[True] * PAGE]
    assert [change.ref in text_of(second).split() for change in made[:3]] == [True, True, False]
    assert 'rel="prev"' in marks_of(second)


def test_list_asks_as_many_statements_for_25_rows_as_for_5(client, reader):
    for _ in range(5):
        make_change(State.IN_REVIEW)
    few = statements(client, reader)
    for _ in range(PAGE - 5):
        make_change(State.IN_REVIEW)

    assert statements(client, reader) == few <= 16


def test_list_teaches_when_nothing_is_there(client, reader):
    assert "A change says what goes where" in text_of(get(client, reader, "home:changes"))
    assert "No change matches" in text_of(get(client, reader, "home:changes", q="nothing like it"))


def test_looking_at_the_list_writes_nothing(client, reader):
    make_change(State.IN_REVIEW)
    client.force_login(reader)

    with nothing_written():
        client.get(reverse("home:changes"))
