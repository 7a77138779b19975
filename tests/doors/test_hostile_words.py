"""Whatever stands in a column of words acts nowhere: on no page, in no table, in no mail, in no answer to a program.

What forms refuse is in test_forms, and what they make of what they take in test_hostile_forms."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

import pytest
from django.core.mail import EmailMultiAlternatives
from django.test import Client
from django.urls import resolve, reverse

from apps.accounts.actions import issue_personal_token
from apps.notifications.letters import write_mail
from apps.notifications.models import Delivery
from apps.notifications.states import State as MailState
from changecontrol.embedded.postgres import PrivatePostgres
from tests.doors.crawl import walk
from tests.doors.desk import Desk
from tests.doors.hostile_answers import Shown, wrong_in, wrong_in_page, wrong_in_text
from tests.doors.hostile_town import move_in
from tests.doors.hostile_words import BY_PROGRAMS, DOCUMENTS, Words, is_regular, text_columns, unguarded, write_columns
from tests.doors.town import Town, undone
from tests.factories.notifications import follow_all

MOST = 2  # pages of one kind, beside those of everything hostile
IN_PARTS = {"deployments:deployment", "home:change", "home:evidence", "home:inbox_count", "home:version", "incidents:incident"}
# Places whose words nothing shows: why.
UNSHOWN = {
    "accounts.SignIn.browser": "it is looked through for the names of browsers that are known; those are shown",
    "approvals.Doubt.reason": "it is said in the record when the agreement is counted again, and gone by then",
    "changes.EvidenceFile.link": "an address that is none of the web leads nowhere, so it is not shown",
    "notifications.Digest.said": "what a mail server said is told of each notification in it",
    "schedule.Hold.lift_reason": "who lifts a hold says it in the record",
}
IN_MAILS = {"accounts.Person.name", "catalog.Environment.name", "catalog.Service.name", "changes.Change.title", "incidents.Incident.title"}


@pytest.fixture(scope="module")
def shown(desk: Desk, town: Town, server: PrivatePostgres) -> Iterator[Shown]:
    made, client = Shown(Words()), desk.client("chief")
    with undone():
        pages = move_in(town, made.words)
        follow_all()
        with unguarded(server):
            made.rows = write_columns(made.words)
        read_everything(made, client, pages, desk.pages)
        ask_as_program(made, town, pages)
        made.mails = letters()
        yield made


@pytest.fixture(autouse=True)
def everything_undone() -> None:
    """The words stand until the end of the module."""


def read_everything(made: Shown, client: Client, pages: list[str], routes: Mapping[str, list[str]]) -> None:
    """The pages of what is hostile and where their links lead, some of every kind, and parts as htmx asks for them."""
    known = set()
    for address, answer, _ in walk(client, pages, most=1):
        known.add(address)
        made.look(address, client.get(address) if answer.streaming else answer)
    for route, addresses in routes.items():
        for address in addresses[:MOST]:
            if address not in known:
                made.look(address, client.get(address))
        if route in IN_PARTS:
            made.look(addresses[0], client.get(addresses[0], headers={"HX-Request": "true"}))
    searches = f"{reverse('home:changes_suggestions')}?q=label:"
    made.look(searches, client.get(searches, headers={"HX-Request": "true"}))


def ask_as_program(made: Shown, town: Town, pages: list[str]) -> None:
    """What a script reads of the changes whose pages these are."""
    secret = issue_personal_token(name="script", days=3, by=town.people["chief"].actor).secret
    asking = Client(headers={"Authorization": f"Bearer {secret}"}, raise_request_exception=False)
    refs = {part for address in pages for part in address.split("/") if part.startswith("CHG-")}
    asked = [resolve(address) for address in pages if address.startswith("/gate/")]
    evaluations = [reverse("gate:evaluation", args=[one.kwargs["public_id"]]) for one in asked if one.view_name == "home:gate_evaluation"]
    for address in [reverse("api:changes"), *(reverse("api:change", args=[ref]) for ref in sorted(refs)), *evaluations]:
        made.look(address, asking.get(address))
    text = made.words.text("changes.Comment.text")
    for said in (text, f"{text}\x00", text * 1000):
        address = reverse("api:comments", args=[min(refs)])
        made.look(address, asking.post(address, {"text": said, made.words.hidden("changes.Comment.text"): 1}, "application/json"))
        made.look(address, asking.post(address, {"text": said}, "application/json"))


def letters() -> dict[str, EmailMultiAlternatives]:
    """The newest mail of each kind that would be sent now."""
    found: dict[str, EmailMultiAlternatives] = {}
    now = datetime.now(UTC)
    for delivery in Delivery.objects.filter(state=MailState.QUEUED).select_related("person").order_by("-pk"):
        if delivery.kind not in found and (message := write_mail(delivery, now=now).message):
            found[delivery.kind] = message
    return found


def test_every_column_is_classified_once_and_for_what_it_is():
    columns = dict(text_columns())
    known = BY_PROGRAMS.keys() | DOCUMENTS

    assert known <= columns.keys(), "it is no column any more"
    assert not BY_PROGRAMS.keys() & DOCUMENTS
    assert not [name for name in known if is_regular(name)], "its name says it already"


def test_every_column_and_document_holds_hostile_words(shown: Shown):
    assert {name for name, rows in shown.rows.items() if not rows} == set(), "no row of it is in the town"
    assert {name for name in DOCUMENTS if not any(place.startswith(name) for place in shown.words.marks)} == set()


def test_nothing_lets_hostile_words_act(shown: Shown):
    assert not shown.wrong, shown.named("\n".join(dict.fromkeys(shown.wrong)))
    assert shown.kinds >= {"text/html", "text/csv", "application/json", "application/jsonl", "application/octet-stream", "text/plain"}


def test_words_of_every_place_are_read_somewhere(shown: Shown):
    unread = {place for place, mark in shown.words.marks.items() if mark not in shown.read}

    assert unread == UNSHOWN.keys(), f"nowhere: {sorted(unread - UNSHOWN.keys())}; somewhere: {sorted(UNSHOWN.keys() - unread)}"


def test_no_mail_lets_hostile_words_act(shown: Shown):
    wrong = []
    for kind, mail in shown.mails.items():
        said = [str(mail.alternatives[0][0]), str(mail.body), mail.subject]
        wrong += [f"{kind}: {one}" for one in (*wrong_in_page(said[0]), *wrong_in_text(said[1]), *wrong_in_text(said[2]))]
        headers = mail.message().items()
        assert len([name for name, _ in headers if name == "Subject"]) == 1
        assert not [name for name, value in headers if "\n" in str(value).replace("\n ", "").replace("\n\t", "")]

    assert not wrong, shown.named("\n".join(wrong))
    together = "".join(str(mail.body) for mail in shown.mails.values())
    assert {place for place in IN_MAILS if shown.words.marks[place] not in together} == set()


# the readers themselves

PLANTED = {
    "<p><q10z></q10z></p>": "an element",
    '<p title="" onq10z="1">a</p>': "an attribute",
    "<p title=a q10z>a</p>": "an attribute",
    '<p onclick="q10z">a</p>': "runs",
    '<p hx-on:click="q10z">a</p>': "runs",
    '<a href="javascript:q10z">a</a>': "leads to",
    '<a href=" \x01JaVaScRiPt&#58;q10z">a</a>': "leads to",
    '<form action="data:text/html,q10z"></form>': "leads to",
    '<button formaction="vbscript:q10z">a</button>': "leads to",
    '<img src="data:text/html,q10z">': "leads to",
    "<script>q10z()</script>": "a script says",
    '<iframe srcdoc="q10z"></iframe>': "runs",
    '<p style="background: q10z">a</p>': "says",
    "<!-- q10z -->": "a comment says",
    "<p>q10z\u202e</p>": "U+202E is not marked",
    "<p>q10z&#8203;</p>": "U+200B is not marked",
    '<p title="q10z\u2066">a</p>': "U+2066 is not marked",
    '<p aria-label="q10z\u200f">a</p>': "U+200F is not marked",
    "<title>q10z\u00ad</title>": "U+00AD is not marked",
}
HARMLESS = """<title>a</title><p title="&quot;&gt;&lt;q10z onq10z=1&gt;">&lt;script&gt;q10z()&lt;/script&gt; <mark class="unseen">U+202E</mark></p>
    <a href="/changes/?q=%22javascript:q10z">a</a><textarea>q10z\u202e</textarea><input value="q10z\u202e"><img src="data:image/png;base64,q10z">
    <script type="application/json">{"a": "q10z\u202e"}</script><script src="/static/x.js"></script>"""
SAFE = {"X-Content-Type-Options": "nosniff"}


@pytest.mark.parametrize("planted", PLANTED)
def test_reader_of_pages_finds_what_is_planted(planted: str):
    said = [*wrong_in("text/html", SAFE, f"<html><body>{planted}</body></html>")]

    assert any(PLANTED[planted] in one for one in said), said


def test_reader_of_pages_lets_harmless_words_be():
    assert [*wrong_in("image/svg+xml", SAFE, HARMLESS)] == []


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t=", "\r="])
def test_reader_of_tables_finds_formulas(sign: str):
    headers = SAFE | {"Content-Disposition": 'attachment; filename="a.csv"'}

    assert len([*wrong_in("text/csv", headers, f'a,"{sign}1+1",b\n')]) == 1
    assert [*wrong_in("text/csv", headers, f"a,'{sign}1+1,b\n".replace("\r", ""))] == []


@pytest.mark.parametrize(
    ("kind", "headers", "said"),
    [
        ("application/json", {}, "{}"),
        ("text/csv", SAFE, "a"),
        ("text/csv", SAFE | {"Content-Disposition": "inline"}, "a"),
        ("application/octet-stream", SAFE, "a"),
        ("application/json", SAFE, "<p>"),
        ("application/json", SAFE | {"HX-Redirect": "javascript:q10z"}, "{}"),
        ("application/json", SAFE | {"HX-Trigger": "a\u202e"}, "{}"),
        ("text/plain", SAFE, "a\u202e"),
        ("application/jsonl", SAFE | {"Content-Disposition": "attachment"}, "{}\n{"),
    ],
)
def test_reader_of_answers_finds_what_a_browser_may_do(kind: str, headers: dict[str, str], said: str):
    assert len([*wrong_in(kind, headers, said)]) == 1


def test_an_answer_of_an_unknown_kind_fails():
    with pytest.raises(KeyError):
        [*wrong_in("text/xml", SAFE, "<a/>")]
