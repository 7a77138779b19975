"""The export and the suggestions: what they hold, whom they hide what from, and that no cell is a formula."""

import csv
import io

import pytest
from django.urls import reverse

from apps.accounts.roles import Role
from apps.catalog.models import Service
from apps.changes.models import Change
from apps.changes.states import State
from apps.home.facts.exporting import HEADS, csv_lines, plain
from apps.home.facts.suggesting import suggestions
from apps.home.search.grammar import parse
from apps.home.search.order import ORDERS
from tests.factories.accounts import make_person
from tests.factories.approvals import make_change, make_place
from tests.home.pages import HOSTILE, get

pytestmark = pytest.mark.django_db


def table(response):
    text = b"".join(response.streaming_content).decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text)))


def test_export_holds_what_the_search_means_as_a_table(client):
    change = make_change(State.IN_REVIEW, title='Warmer "ferry", seats')
    make_change(State.WITHDRAWN)

    response = get(client, change.requester, "home:changes_export", q="state:open")
    rows = table(response)

    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert response["Content-Disposition"].startswith('attachment; filename="changes-')
    assert rows[0] == list(HEADS)
    assert [row[0] for row in rows[1:]] == [change.ref]
    assert rows[1][1] == 'Warmer "ferry", seats'
    assert rows[1][3] == "in_review"
    assert rows[1][8].endswith("3.18.1")


@pytest.mark.parametrize("begins", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "\u00a0=1", "＝1", "＋1", "－1", "＠a", "\n=1"])
def test_no_cell_begins_a_formula(begins):
    assert plain(begins) == f"'{begins}"


@pytest.mark.parametrize("text", ["Ferry", "3.18.1", "'=1", "2026-11-20T14:20:00+00:00", "", "a=b"])
def test_plain_text_stays_as_it_is(text):
    assert plain(text) == text


@pytest.mark.parametrize("title", ['=HYPERLINK("http://x","y")', "@cmd|' /C calc'!A0", "-2+3+cmd", "+1"])
def test_title_that_is_a_formula_is_exported_as_text(client, title):
    change = make_change(State.IN_REVIEW)
    Change.objects.filter(pk=change.pk).update(title=title)

    rows = table(get(client, change.requester, "home:changes_export", q=""))

    assert rows[1][1] == f"'{title}"


def test_export_hides_what_the_list_hides(client):
    secret, draft, seen = make_change(State.IN_REVIEW), make_change(State.DRAFT), make_change(State.IN_REVIEW)
    Service.objects.filter(pk=secret.legs.get().service_id).update(is_restricted=True)

    rows = table(get(client, make_person(), "home:changes_export", q=""))

    assert [row[0] for row in rows[1:]] == [seen.ref]
    assert draft.ref not in str(rows)


def test_export_is_read_in_pieces_and_says_where_it_was_cut():
    place, person = make_place(), make_person(Role.REQUESTER)
    for _ in range(5):
        make_change(State.IN_REVIEW, targets=(place,), requester=person)

    lines = list(csv_lines(Change.objects.all(), ORDERS["newest"], most=3))

    assert len(lines) == 5
    assert lines[-1] == "Stopped after 3 changes. Add terms to the search for the others.\r\n"


def test_export_of_what_cannot_be_read_says_so_in_its_place(client):
    response = get(client, make_person(), "home:changes_export", q="colour:red")

    assert response.status_code == 422
    assert response["Content-Type"] == "text/plain; charset=utf-8"
    assert response.content.decode().startswith("colour:red: There is no term “colour:”. Use state:,")


def fills(person, text):
    return [one.fill for one in suggestions(person, text)]


@pytest.mark.parametrize(
    ("text", "fill"),
    [
        ("ser", "service:"),
        ("state:open -k", "state:open -kind:"),
        ("state:rev", "state:in_review "),
        ("state:open,dra", "state:open,draft "),
        ("is:fro", "is:frozen "),
        ("env:pro", "env:production "),
        ("service:payments g", None),
        ("requester:", "requester:@me "),
        ("after:7", "after:7d "),
        ("risk:", "risk:>=25 "),
    ],
)
def test_last_word_is_carried_on(text, fill):
    person = make_person(name="Ana Author")
    place = make_place()
    type(place.environment).objects.filter(pk=place.environment_id).update(slug="production")

    found = fills(person, text)

    assert (fill in found) if fill else not [one for one in found if "payments g" not in one]


def test_every_suggestion_can_be_read():
    person, place = make_person(name='Bo "Bosun" Owner'), make_place()
    make_change(State.IN_REVIEW, targets=(place,))

    for text in ("", "s", "state:", "service:", "env:", "team:", "owner:", "label:", "risk:", "is:", "kind:", "aspect:", "outcome:"):
        for one in suggestions(person, text):
            assert one.fill.endswith(":") or not parse(one.fill).problems, one


def test_suggestions_never_name_what_one_may_not_see():
    secret = make_place()
    Service.objects.filter(pk=secret.service_id).update(slug="secret-ferry", name="Secret ferry", is_restricted=True)
    change = make_change(State.IN_REVIEW)
    Change.objects.filter(pk=change.pk).update(labels=["hush"])
    draft = make_change(State.DRAFT)
    Change.objects.filter(pk=draft.pk).update(labels=["unsaid"])
    Service.objects.filter(pk=change.legs.get().service_id).update(is_restricted=True)
    stranger, auditor = make_person(), make_person(Role.AUDITOR)

    assert fills(stranger, "service:secret") == []
    assert fills(auditor, "service:secret") == ["service:secret-ferry "]
    assert fills(stranger, "label:") == []
    assert fills(auditor, "label:") == ["label:hush "]


@pytest.mark.parametrize("said", HOSTILE)
def test_suggestions_take_anything(client, said):
    client.force_login(make_person())
    response = client.get(reverse("home:changes_suggestions"), {"q": f"label:{HOSTILE[said][:5000]}"}, headers={"HX-Request": "true"})

    assert response.status_code == 200
    assert b"<script>alert" not in response.content
