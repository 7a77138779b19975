"""The list of changes: what each view holds, whom it hides what from, search, orders, pages, and a flat number of statements."""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from apps.accounts.roles import Role
from apps.catalog.models import Service
from apps.changes.models import Change, SavedSearch
from apps.changes.states import State
from apps.home.facts.listing import PAGE, USUAL, VIEWS
from apps.schedule.models import Slot
from tests.factories.accounts import make_person
from tests.factories.approvals import make_change, make_place
from tests.factories.deployments import make_order
from tests.factories.exceptions import LegExceptionFactory
from tests.factories.incidents import make_incident
from tests.factories.schedule import SlotFactory
from tests.home.pages import HOSTILE, get, marks_of, nothing_written, text_of

pytestmark = pytest.mark.django_db
BUDGET = 6


@pytest.fixture
def reader():
    return make_person(Role.REQUESTER)


def statements(client, person, **query):
    client.force_login(person)
    with CaptureQueriesContext(connection) as seen:
        response = client.get(reverse("home:changes"), query)
    assert response.status_code == 200
    return len(seen)


@pytest.mark.parametrize("state", State)
def test_list_shows_a_change_in_the_views_of_its_state_alone(client, state):
    change = make_change(state)
    expected = {
        "Open": state in {State.IN_REVIEW, State.APPROVED, State.IN_PROGRESS},
        "Mine": state in {State.IN_REVIEW, State.APPROVED, State.IN_PROGRESS},
        "Watched": False,
        "My drafts": state is State.DRAFT,
        "Review owed": state is State.POST_REVIEW,
        "Over": state in {State.POST_REVIEW, State.CLOSED, State.REJECTED, State.WITHDRAWN, State.EXPIRED},
        "All": True,
    }

    shown = {name: change.ref in text_of(get(client, change.requester, "home:changes", q=text)).split() for name, text in VIEWS.items()}

    assert shown == expected


def test_list_without_a_search_shows_what_is_open(client, reader):
    change, over = make_change(State.IN_REVIEW), make_change(State.WITHDRAWN)

    shown = text_of(get(client, reader, "home:changes"))

    assert USUAL in marks_of(get(client, reader, "home:changes"))
    assert change.ref in shown.split()
    assert over.ref not in shown.split()
    assert "1 change, newest first" in shown


def test_list_hides_the_drafts_of_others(client, reader):
    change = make_change(State.DRAFT)

    assert change.ref not in text_of(get(client, reader, "home:changes", q="")).split()


def test_list_hides_changes_of_restricted_services_and_does_not_count_them(client, reader):
    change = make_change(State.IN_REVIEW)
    service = change.legs.get().service
    service.is_restricted = True
    service.save()

    text = text_of(get(client, reader, "home:changes", q=""))

    assert change.ref not in text.split()
    assert "0 changes" in text


@pytest.mark.parametrize("by", ["title", "service", "version"])
def test_search_finds_by_title_service_and_version(client, reader, by):
    change, other = make_change(State.IN_REVIEW, title="Warmer ferry seats"), make_change(State.WITHDRAWN)
    wanted = {"title": "FERRY SEA", "service": change.legs.get().service.name, "version": "3.18 state:open"}[by]

    shown = text_of(get(client, reader, "home:changes", q=wanted)).split()

    assert change.ref in shown
    assert other.ref not in shown


@pytest.mark.parametrize("field", ["q", "sort", "after"])
@pytest.mark.parametrize("said", HOSTILE)
def test_list_takes_anything_in_its_address(client, reader, field, said):
    response = get(client, reader, "home:changes", **{field: HOSTILE[said][:5000]})

    assert response.status_code == 200
    assert b"<script>alert" not in response.content


def test_search_that_cannot_be_read_says_why_and_shows_no_row(client, reader):
    change = make_change(State.IN_REVIEW)

    text = text_of(get(client, reader, "home:changes", q="state:open colour:red"))

    assert "There is no term “colour:”." in text
    assert "or put the words in quotation marks." in text
    assert change.ref not in text.split()


def test_search_is_read_back_with_a_way_to_take_each_term_out(client, reader):
    response = get(client, reader, "home:changes", q="state:open -kind:emergency ferry")

    assert "state is open" in text_of(response)
    assert "kind is not emergency" in text_of(response)
    assert "?q=-kind%3Aemergency+ferry" in marks_of(response)


def pages_of(client, reader, **query):
    """The references of every page, in order."""
    found, after = [], ""
    for _ in range(9):
        response = get(client, reader, "home:changes", **query, **({"after": after} if after else {}))
        page = response.context["found"]
        found += [row.change.ref for row in page.rows]
        after = page.next_cursor
        if not after:
            return found
    raise AssertionError("the pages do not end")


@pytest.mark.parametrize(
    ("sort", "field", "falls"),
    [
        ("newest", "pk", True),
        ("oldest", "pk", False),
        ("until", "not_after", False),
        ("latest", "not_after", True),
        ("title", "title", False),
        ("z-a", "title", True),
        ("risk", "risk", True),
        ("safest", "risk", False),
    ],
)
@pytest.mark.parametrize("more", ["", "after:30d"])
def test_every_order_shows_every_change_once_over_its_pages(client, reader, sort, field, falls, more):
    place = make_place()
    for number in range(PAGE + 5):
        change = make_change(State.IN_REVIEW, targets=(place,), requester=reader, title=f"Ferry {number % 3}")
        Change.objects.filter(pk=change.pk).update(risk=number % 4)

    shown = pages_of(client, reader, q=f"is:mine {more}", sort=sort)

    expected = sorted(Change.objects.all(), key=lambda one: getattr(one, field), reverse=falls)
    assert len(shown) == len(set(shown)) == PAGE + 5
    values = {change.ref: getattr(change, field) for change in expected}
    assert [values[ref] for ref in shown] == [getattr(change, field) for change in expected]


@pytest.mark.parametrize("after", ["0", "W10", "bnVsbA", "WyItaWQiLG51bGwsLTFd", "WyJ0aXRsZSIsIlx1ZDgwMCIsMV0", "9" * 400, "²"])
@pytest.mark.parametrize("sort", ["newest", "title", "until", "risk"])
def test_list_takes_any_cursor(client, reader, after, sort):
    assert get(client, reader, "home:changes", after=after, sort=sort).status_code == 200


def test_list_stays_in_its_budget_for_25_rows_as_for_5(client, reader):
    for _ in range(5):
        make_change(State.IN_REVIEW)
    few = statements(client, reader)
    for _ in range(PAGE - 5):
        make_change(State.IN_REVIEW)

    assert statements(client, reader) == few <= BUDGET


def test_list_teaches_when_nothing_is_there(client, reader):
    assert "A change says what goes where" in text_of(get(client, reader, "home:changes"))
    assert "No change matches" in text_of(get(client, reader, "home:changes", q="nothing like it"))


def test_looking_at_the_list_writes_nothing(client, reader):
    make_change(State.IN_REVIEW)
    client.force_login(reader)

    with nothing_written():
        client.get(reverse("home:changes"))
        client.get(reverse("home:changes_suggestions"), {"q": "ser"})
        b"".join(client.get(reverse("home:changes_export")).streaming_content)


def keep(client, person, **data):
    client.force_login(person)
    return client.post(reverse("home:saved_searches"), data)


def forget(client, person, **data):
    client.force_login(person)
    return client.post(reverse("home:saved_search_removal"), data)


def test_search_is_kept_under_a_name_shown_and_forgotten(client, reader):
    other = make_person()

    kept = keep(client, reader, name="  My <b>ferries</b> ", q="service:payments -state:draft")
    shown = get(client, reader, "home:changes")
    refused = [forget(client, other, name="My <b>ferries</b>"), forget(client, reader, name="a\x00b"), forget(client, reader)]
    still = SavedSearch.objects.count()
    forget(client, reader, name="My <b>ferries</b>")

    assert kept.status_code == 302
    assert "My &lt;b&gt;ferries&lt;/b&gt;" in shown.content.decode()
    assert "q=service%3Apayments+-state%3Adraft" in marks_of(shown)
    assert [one.status_code for one in refused] == [404, 404, 404]
    assert still == 1
    assert not SavedSearch.objects.exists()


def test_search_kept_again_under_its_name_holds_the_new_one(client, reader):
    for text in ("state:open", "state:draft"):
        keep(client, reader, name="Mine", q=text)

    assert SavedSearch.objects.get().text == "state:draft"


@pytest.mark.parametrize(("name", "said"), [("", "This is empty"), ("x" * 41, "at most 40"), ("a\u202eb", "turns the writing direction")])
def test_search_is_not_kept_under_a_bad_name(client, reader, name, said):
    response = keep(client, reader, name=name, q="state:open")

    assert response.status_code == 422
    assert said in text_of(response)
    assert not SavedSearch.objects.exists()


def test_nobody_keeps_more_searches_than_fit(client, reader):
    for number in range(21):
        response = keep(client, reader, name=f"Search {number}", q="")

    assert response.status_code == 422
    assert "You keep 20 searches already." in text_of(response)


def test_number_alone_leads_to_what_it_names_and_to_nothing_that_is_hidden(client, reader):
    order, incident = make_order(), make_incident()
    change, draft = order.leg.change, make_change(State.DRAFT)
    exception = LegExceptionFactory(leg=change.legs.get(), revision=change.revision)
    there = {
        change.ref.lower(): reverse("home:change", args=[change.ref]),
        f" {order.ref} ": reverse("deployments:deployment", args=[order.pk]),
        incident.ref: reverse("incidents:incident", args=[incident.pk]),
        exception.ref: reverse("home:exception", args=[exception.pk]),
    }

    for text, address in there.items():
        assert get(client, reader, "home:changes", q=text).url == address, text
    for text in (draft.ref, "DEP-999999", "INC-999999999999999999", "EXC-0", "CHG-", f"{change.ref} {change.ref}", f"-{change.ref}"):
        assert get(client, reader, "home:changes", q=text).status_code == 200, text

    Service.objects.update(is_restricted=True)
    assert {get(client, reader, "home:changes", q=text).status_code for text in there} == {200}


@pytest.mark.parametrize(
    ("state", "waits"),
    [
        (State.DRAFT, "Waits to be submitted"),
        (State.IN_REVIEW, "Waits for sign-offs since"),
        (State.APPROVED, "Next is "),
        (State.IN_PROGRESS, "On its way to "),
        (State.POST_REVIEW, "Waits for its review"),
    ],
)
def test_row_says_what_the_change_waits_for(client, state, waits):
    change = make_change(state)

    assert waits in text_of(get(client, change.requester, "home:changes", q=""))


def test_row_says_when_it_begins_and_that_it_is_late(client, reader):
    change = make_change(State.APPROVED)
    leg = change.legs.get()
    SlotFactory(leg=leg, starts_at=timezone.now() + timedelta(hours=1), ends_at=timezone.now() + timedelta(hours=2))
    assert "Planned to begin" in text_of(get(client, reader, "home:changes"))

    Slot.objects.update(starts_at=timezone.now() - timedelta(hours=2), ends_at=timezone.now() - timedelta(hours=1))
    assert "Was to begin" in text_of(get(client, reader, "home:changes"))

    Change.objects.update(not_after=timezone.now() - timedelta(minutes=1))
    assert "Its period ended" in text_of(get(client, reader, "home:changes"))


def test_row_on_a_phone_says_what_its_numbers_are(client, reader):
    make_change(State.IN_REVIEW)

    shown = text_of(get(client, reader, "home:changes"))

    assert re.search(r"risk \d+ ", shown)
    assert "until" in shown


def test_search_that_cannot_be_read_offers_nothing_beside_the_reason(client, reader):
    shown = text_of(get(client, reader, "home:changes", q="is:nope"))

    assert "No change can be “nope”. Write one of mine, watched, overdue, frozen, held." in shown
    assert "All changes you may see" not in shown
    assert "Keep this search" not in shown


def test_words_that_other_searches_know_are_explained(client, reader):
    make_change(State.IN_REVIEW, title="Warmer seats")

    for text in ("warmer OR colder", "(warmer seats)", "warmer AND seats"):
        assert "a comma between values means or" in text_of(get(client, reader, "home:changes", q=text)), text
    assert "a comma between values" not in text_of(get(client, reader, "home:changes", q="warmer and seats"))
