"""The words of every mail: a fact, a cure, and why this person; and what is said where little is known."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from apps.accounts.models import Person
from apps.accounts.roles import Role
from apps.approvals.actions import revise_change, send_back_change, withdraw_sign_off
from apps.approvals.facts import review_facts
from apps.audit.entries import StreamEntry
from apps.audit.vocabulary import Event
from apps.changes.actions import withdraw_change
from apps.changes.content import Rollback, Scope, Step, StepBy, Strategy
from apps.changes.facts import content_of
from apps.changes.models import Watch
from apps.changes.states import State as ChangeState
from apps.core.actors import system
from apps.core.references import Reference, reference
from apps.core.refusals import BadContent
from apps.notifications.facts.shown import url_of
from apps.notifications.facts.telling import TELLERS, notice_of
from apps.notifications.kinds import TOPICS, Kind
from apps.notifications.letters import write_mail
from apps.notifications.letters.changes import words_of
from apps.notifications.letters.deciding import MOST_DIFFERENCES, agreement_lines, cut, names, since_signed, way_back_section
from apps.notifications.letters.shape import Reader, address_of, listing, seconds_words, section
from apps.notifications.models import Delivery
from tests.factories.accounts import make_person
from tests.factories.approvals import a_rule, approve, make_change, make_place, make_policy, newest
from tests.factories.catalog import EnvironmentFactory
from tests.factories.notifications import DeliveryFactory, DigestFactory, follow_all, told
from tests.factories.proving import reject_change
from tests.home.pages import post

pytestmark = pytest.mark.django_db
BEGAN = timedelta(minutes=1)


def now() -> datetime:
    return datetime.now(UTC)


def sent(person: Person, *kinds: Kind) -> str:
    written = write_mail(told(person, *kinds)[-1], now=now())
    assert written.message is not None, written.said
    return f"{written.message.subject}\n{written.message.body}"


@pytest.fixture
def owner():
    return make_person(name="Olga Owner")


@pytest.fixture
def requester():
    return make_person(Role.REQUESTER, name="Rita Requester")


@pytest.mark.parametrize(
    ("verb", "words"),
    [
        ("approve", ("Approved: ", "everybody who must agree has", "the gate judges again")),
        ("reject", ("Rejected: ", "Olga Owner rejected", "Not like this.", "Copy it into a new change")),
        ("send_back", ("Sent back to its requester: ", "Olga Owner asks for more work", "Say more.", "submit it again")),
        ("reopen", ("In review again: ", "does not count any more", "names who must agree now")),
        ("expire", ("Expired: ", "Silence never approves", "Copy it into a new change")),
        ("finish", ("Over: ", "is over: successful", "what was learned")),
    ],
)
def test_requester_reads_what_became_of_it_and_what_to_do(owner, requester, verb, words):
    states = {"expire": ChangeState.EXPIRED, "finish": ChangeState.POST_REVIEW}
    began = now() - (timedelta(days=15) if verb == "expire" else BEGAN)
    change = make_change(states.get(verb, ChangeState.IN_REVIEW), targets=(make_place(business=owner),), requester=requester, now=began)
    digest = newest(change).digest
    match verb:
        case "approve":
            approve(change, owner, now=now())
        case "reject":
            reject_change(change_id=change.pk, revision_digest=digest, by=owner.actor, reason="Not like this.")
        case "send_back":
            send_back_change(change_id=change.pk, by=owner.actor, reason="Say more.")
        case "reopen":
            withdraw_sign_off(sign_off_id=approve(change, owner, now=now()).pk, by=owner.actor)
    follow_all()

    text = sent(requester, Kind.CHANGE_DECIDED, Kind.CHANGE_RETURNED)

    assert all(word in text for word in words), text
    assert "You get this because you asked for this change." in text
    assert "3.17.0 → 3.18.1" in text or verb == "finish"


def test_watcher_reads_that_it_was_withdrawn(requester):
    watcher = make_person()
    change = make_change(ChangeState.IN_REVIEW, requester=requester, now=now() - BEGAN)
    Watch.objects.create(change=change, person=watcher, since_at=now())
    withdraw_change(change_id=change.pk, by=requester.actor, reason="It is not needed.")
    follow_all()

    text = sent(watcher, Kind.CHANGE_WATCHED)

    assert "Rita Requester withdrew" in text
    assert "It is not needed." in text


def test_mention_says_who_names_you(owner, requester):
    change = make_change(ChangeState.IN_REVIEW, targets=(make_place(business=owner),), requester=requester, now=now())
    data = {"mentions": [str(owner.public_id), "nobody"]}
    entry = StreamEntry(uuid4(), Event.CHANGE_COMMENTED, now(), requester.actor, change.reference, (change.reference,), data, {})

    notice = notice_of(entry)

    assert notice is not None
    assert [(one.person, one.kind) for one in notice.told if one.kind is Kind.MENTIONED] == [(owner.public_id, Kind.MENTIONED)]
    said = words_of(Delivery(kind=Kind.MENTIONED, event=entry.event), change, by="Rita", reader=Reader(owner, now()))
    assert said == ("Rita names you", f"Rita names you in a comment on {change.ref}.", "Answer on its page.")


def test_news_of_a_newer_version_still_reads(owner):
    change = make_change(ChangeState.IN_REVIEW, targets=(make_place(business=owner),), now=now())

    headline, lead, cure = words_of(
        Delivery(kind=Kind.CHANGE_WATCHED, event="change.painted"), change, by="Ada", reader=Reader(owner, now())
    )

    assert headline
    assert change.ref in lead
    assert cure


@pytest.mark.parametrize("event", sorted(TELLERS))
def test_entry_about_something_that_is_not_there_tells_nobody(event):
    named = Reference("change", str(uuid4()))
    entry = StreamEntry(uuid4(), event, now(), system("test"), named, (named,), {"undoes": "DEP-1"}, {})

    assert notice_of(entry) is None


# Parts of a mail


def test_long_differences_are_counted(owner, requester):
    change = make_change(ChangeState.IN_REVIEW, targets=(make_place(business=owner),), requester=requester, now=now())
    approve(change, owner, now=now())
    content = content_of(newest(change))
    steps = tuple(Step(f"Step {number}", StepBy.PERSON) for number in range(MOST_DIFFERENCES + 5))
    revise_change(change_id=change.pk, content=replace(content, plan=replace(content.plan, steps=steps)), by=requester.actor)
    change.refresh_from_db()

    lines = since_signed(change, reader=Reader(owner, now())).lines

    assert len(lines) == MOST_DIFFERENCES + 1
    assert lines[-1].text.startswith("and ")
    assert since_signed(change, reader=Reader(requester, now())).lines == ()


def test_agreement_says_who_did_who_can_and_where_nobody_can():
    first, second = make_person(name="Ada"), make_person(name="Bob")
    environment = EnvironmentFactory()
    both = {"kind": "PERSONS", "persons": [str(first.public_id), str(second.public_id)]}
    gone = {"kind": "ROLE", "role": "RELEASE_MANAGER"}
    make_policy(environment, a_rule("both", group=both, needed=2), a_rule("gone", group=gone))
    change = make_change(ChangeState.IN_REVIEW, targets=(make_place(environment=environment, policy=False),), now=now())
    approve(change, first, now=now())
    change.refresh_from_db()

    both_line, gone_line = sorted(agreement_lines(change))

    assert "agreed by Ada, 1 more needed; Bob can" in both_line
    assert "1 more needed; nobody can" in gone_line
    assert review_facts(change).legs


def test_way_back_says_what_cannot_be_undone(owner):
    plan = Rollback(
        strategy=Strategy.FIX_FORWARD,
        reason="It is the first one.",
        irreversible=("Mails are out.",),
        data_strategy="None.",
        point_of_no_return=2,
        steps=(Step("Fix it", StepBy.PERSON, 60, "It works"),),
    )
    content = replace(content_of(newest(make_change(ChangeState.DRAFT, now=now()))), rollback=plan, scope=Scope())

    text = "\n".join(f"{line.name}: {line.text}" for line in way_back_section(content).lines)

    assert "How: there is none: it is fixed forward" in text
    assert "Cannot be undone: Mails are out." in text
    assert "No way back after step: 2" in text
    assert "Step 1: Fix it (a person, 1 min); verified by: It works" in text


def test_names_and_texts_have_an_end():
    assert names(["Bob", "Ada", "Bob"]) == "Ada and Bob"
    assert names(["Ada"]) == "Ada"
    assert names(list("abcdefg")) == "a, b, c, d and 3 more"
    assert cut(" short ") == "short"
    assert cut("x" * 2000).endswith("… (the page has the rest)")
    assert seconds_words(0) == ""
    assert listing("Empty", ["", "  "]).lines == section("Empty", ("Name", "")).lines == ()


def test_addresses_begin_where_people_find_the_site(settings):
    settings.PUBLIC_URL = "https://changes.example.org"

    assert address_of("/changes/CHG-1/") == "https://changes.example.org/changes/CHG-1/"


def test_lines_lead_to_pages_that_are_there():
    change, team = reference("change", uuid4()), reference("team", uuid4())

    assert url_of(str(change), {str(change): "CHG-7"}) == "/changes/CHG-7/"
    assert url_of(str(change), {}) == url_of(str(team), {str(team): "Hall-7"}) == ""


def test_what_the_verb_does_not_take_stands_on_its_field(client, monkeypatch):
    def strict(**_: object) -> None:
        raise BadContent({"digest_hour": ["A day has the hours 0 to 23."]})

    monkeypatch.setattr("apps.notifications.views.choose_notifications", strict)
    given = {kind.value: topic.usual.value for kind, topic in TOPICS.items()} | {"digest_hour": "8"}

    answer = post(client, make_person(), "notifications:settings", **given)

    assert answer.status_code == 422
    assert answer.context["form"].errors["digest_hour"] == ["A day has the hours 0 to 23."]


def test_digest_of_what_cannot_be_read_is_not_sent():
    digest = DigestFactory()
    row = DeliveryFactory(person=digest.person, digest=digest, timing="DIGEST", kind=Kind.COMMENTED)

    written = write_mail(digest, now=now())

    assert written.message is None
    assert set(written.left_out) == {row.pk}
