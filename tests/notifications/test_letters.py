"""What a mail says and what it never says: everything to decide by, in the reader's zone, and nothing that a header could carry."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.core.mail import EmailMultiAlternatives
from django.test import Client
from django.urls import resolve

from apps.accounts.models import Person
from apps.accounts.roles import Role
from apps.catalog.models import Service
from apps.changes.actions import comment_on_change
from apps.changes.content import Rollback, Story, Strategy
from apps.changes.models import Change
from apps.changes.states import State as ChangeState
from apps.deployments.states import State as DeploymentState
from apps.incidents.actions import open_incident
from apps.notifications.kinds import Kind
from apps.notifications.letters import write_mail
from apps.notifications.letters.rendering import header_text, is_address, message_of
from apps.notifications.letters.shape import Letter, Line, Section
from apps.notifications.states import State
from apps.schedule.facts import scope_of
from tests.doors.town import fingerprint
from tests.factories.accounts import TeamFactory, make_person
from tests.factories.approvals import approve, make_change, make_place
from tests.factories.catalog import OwnershipFactory, make_target
from tests.factories.deployments import make_deployment, make_site
from tests.factories.notifications import DeliveryFactory, follow_all, told
from tests.factories.schedule import HoldFactory, SlotFactory, make_freeze
from tests.notifications.test_telling import other_reason

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


def now() -> datetime:
    return datetime.now(UTC)


def letter(person, kind: Kind) -> EmailMultiAlternatives:
    written = write_mail(told(person, kind)[-1], now=now())
    assert written.message is not None, written.said
    return written.message


def markup(message: EmailMultiAlternatives) -> str:
    return str(message.alternatives[0][0])


@pytest.fixture
def owner():
    return make_person(name="Olga Owner", email="olga@example.org", time_zone="Asia/Tokyo")


@pytest.fixture
def requester():
    return make_person(Role.REQUESTER, name="Rita Requester")


def asked(owner, requester, **parts) -> Change:
    change = make_change(
        ChangeState.IN_REVIEW, targets=(make_place(business=owner),), requester=requester, now=now() - timedelta(minutes=1), **parts
    )
    follow_all()
    return change


# What it says


def test_mail_holds_everything_needed_to_decide(owner, requester):
    change = asked(owner, requester)
    leg = change.legs.get()
    begins = now() + DAY
    SlotFactory(leg=leg, starts_at=begins, ends_at=begins + timedelta(hours=1))
    HoldFactory(scope=scope_of(leg.target).number, reason="The hall is being painted.")
    make_freeze(leg.target, starts_at=begins - DAY / 2, ends_at=begins + DAY)

    message = letter(owner, Kind.SIGN_OFF_ASKED)

    for words in (
        "3.17.0 → 3.18.1",
        "Visitors give up when the outward ferry is full.",
        "Roll out to all hosts",
        "back to the previous release",
        "2 min 20 s",
        "Authorised: from now on",
        "Planned for",
        "JST",
        "The hall is being painted.",
        "frozen from",
        "1 more needed; Olga Owner can",
        "Nothing is decided by answering this mail",
        "You get this because your agreement is asked for.",
    ):
        assert words in message.body
        assert words in re.sub(r"</?(strong|small)>", "", markup(message))
    assert message.subject == f"Your agreement is asked for: Offer the return ferry first ({change.ref})"


def test_freeze_outside_the_slot_is_not_in_the_way(owner, requester):
    change = asked(owner, requester)
    leg = change.legs.get()
    SlotFactory(leg=leg, starts_at=now() + DAY, ends_at=now() + 2 * DAY)
    make_freeze(leg.target, starts_at=now() + 3 * DAY, ends_at=now() + 4 * DAY)

    assert "frozen" not in letter(owner, Kind.SIGN_OFF_ASKED).body


def test_lapse_shows_what_changed_since_one_signed(owner, requester):
    change = asked(owner, requester)
    approve(change, owner, now=now())
    other_reason(change, by=requester, reason="Visitors swim.")
    follow_all()

    body = letter(owner, Kind.SIGN_OFF_LAPSED).body

    assert "Visitors give up when the outward ferry is full. → Visitors swim." in body
    assert body.index("WHAT CHANGED SINCE YOU SIGNED") < body.index("WHAT CHANGES")


def test_comment_is_quoted(owner, requester):
    change = asked(owner, requester)
    comment_on_change(change_id=change.pk, text="What of the <b>night</b> ferry?\nIt is late.", by=owner.actor)
    follow_all()

    message = letter(requester, Kind.COMMENTED)

    assert message.subject.startswith("Olga Owner commented: ")
    assert "What of the <b>night</b> ferry?\n    It is late." in message.body
    assert "&lt;b&gt;night&lt;/b&gt;" in markup(message)


@pytest.mark.parametrize("state", [DeploymentState.FAILED, DeploymentState.NEEDS_HUMAN])
def test_deployment_says_where_what_and_why(owner, state):
    site = make_site()
    OwnershipFactory(service=site.service, person=owner, kind="BUSINESS")
    order = make_deployment(state, target=site)
    follow_all()

    message = letter(owner, Kind.DEPLOYMENT_FAILED if state is DeploymentState.FAILED else Kind.DEPLOYMENT_NEEDS_HUMAN)

    assert order.ref in message.subject
    assert f"Place: {site.service.name} in {site.environment.name}" in message.body
    assert order.failure in message.body
    assert "Ran before: 3.17.0" in message.body


def test_incident_says_since_when(owner):
    target = make_target()
    OwnershipFactory(service=target.service, person=owner, kind="BUSINESS")
    open_incident(target.pk, title="Turnstiles stay shut", by=make_person(Role.OPERATOR).actor, hold=False)
    follow_all()

    message = letter(owner, Kind.INCIDENT_OPENED)

    assert "Turnstiles stay shut" in message.subject
    assert "Users hurt since: " in message.body


def test_mail_about_what_only_some_may_see_says_no_more_than_its_number(requester):
    team = TeamFactory()
    insider = make_person(team=team, name="Ina Insider")
    target = make_place(business=insider)
    Service.objects.filter(pk=target.service_id).update(is_restricted=True, team=team, name="Vault")
    writer = make_person(Role.REQUESTER, team=team)
    change = make_change(ChangeState.IN_REVIEW, targets=(target,), requester=writer, now=now(), story=Story(title="Open the vault"))
    follow_all()

    message = letter(insider, Kind.SIGN_OFF_ASKED)

    assert message.subject == f"Your agreement is asked for: {change.ref}"
    for words in ("Vault", "vault", "3.18.1", "Visitors"):
        assert words not in message.body + markup(message)


# What it is sent with


def test_headers_make_a_thread_and_no_answers(owner, requester, settings):
    settings.PUBLIC_URL = "https://changes.example.org"
    change = asked(owner, requester)
    first = letter(owner, Kind.SIGN_OFF_ASKED).message()
    comment_on_change(change_id=change.pk, text="Hm.", by=owner.actor)
    follow_all()
    other = letter(requester, Kind.COMMENTED).message()

    assert first["Message-ID"] == f"<delivery.{told(owner)[0].public_id}@changes.example.org>"
    assert first["References"] == first["In-Reply-To"] == other["References"] == f"<change.{change.public_id}@changes.example.org>"
    assert first["Message-ID"] != other["Message-ID"]
    assert first["Auto-Submitted"] == "auto-generated"
    assert first["List-Id"] == "<changecontrol.changes.example.org>"
    assert first["List-Unsubscribe"] == "<https://changes.example.org/notifications/settings/>"


def test_written_again_it_has_the_same_id(owner, requester):
    asked(owner, requester)

    ids = {letter(owner, Kind.SIGN_OFF_ASKED).message()["Message-ID"] for _ in range(2)}

    assert len(ids) == 1


HOSTILE = {
    "lines": "Ferry\r\nBcc: everybody@example.org",
    "feed": "Ferry\nSubject: other",
    "separator": "Ferry\u2028Bcc: x@example.org",
    "turning": "Ferry \u202etac\u202c",
    "unseen": "Fer\u200bry",
    "nul": "Ferry\x00",
    "long": "Ferry " * 500,
    "encoded": "=?utf-8?q?Bcc:_x=40example.org?=",
}


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_no_header_can_be_made_of_what_people_write(owner, requester, name):
    """Verbs keep most of this out; a row put in by hand must not open a header either."""
    change = asked(owner, requester)
    Change.objects.filter(pk=change.pk).update(title=HOSTILE[name].replace("\x00", "")[:200])
    Person.objects.filter(pk=requester.pk).update(name=HOSTILE[name].replace("\x00", "")[:120])

    sent = letter(owner, Kind.SIGN_OFF_ASKED).message()

    assert not {"Bcc", "Cc"} & set(sent.keys())
    assert len(sent.get_all("Subject")) == 1
    assert len(header_text(HOSTILE[name])) <= 180
    assert header_text(HOSTILE[name]).isprintable()
    body = sent.get_payload(0).get_payload(decode=True).decode()
    assert not {"\u202e", "\u200b", "\u2028"} & set(body)


@pytest.mark.parametrize(
    "address", ["", "olga", "olga@", "olga@example.org\nBcc: x@example.org", "a@example.org,b@example.org", "Olga <olga@example.org>"]
)
def test_mail_goes_to_one_address_and_nothing_beside(address):
    assert not is_address(address)


def test_hidden_characters_are_named_wherever_they_stand(owner):
    turned = Letter(
        "a", "lead\u202e", "cure\u200b", "https://x.example/", "Look", "it is yours\u2066", (Section("S", (Line("n", "t\u202d"),)),)
    )

    message = message_of(DeliveryFactory(person=owner), turned)

    for body in (message.body, markup(message)):
        assert all(f"U+{code}" in body for code in ("202E", "200B", "2066", "202D"))
        assert not {"\u202e", "\u200b", "\u2066", "\u202d"} & set(body)


def test_markup_loads_nothing_and_runs_nothing(owner, requester):
    asked(owner, requester, story=Story(title="<img src=x onerror=alert(1)>"))

    text = markup(letter(owner, Kind.SIGN_OFF_ASKED))

    assert not re.search(r"<(img|script|link|iframe|style|form|input)\b", text)
    assert {match[:4] for match in re.findall(r'(?:href|src)="([^"]+)"', text)} == {"http"}


# What its links do


def links(message: EmailMultiAlternatives) -> set[str]:
    found = set(re.findall(r"https?://[^\s<>\"]+", message.body + markup(message)))
    return {link.removeprefix("http://localhost:8000") for link in found}


@pytest.mark.parametrize("reader", ["stranger", "reader", "prefetch"])
def test_opening_every_link_of_every_mail_decides_nothing(owner, requester, reader):
    """A mail client fetches links before anybody looks: signed in or not, nothing changes."""
    change = asked(owner, requester)
    site = make_site()
    OwnershipFactory(service=site.service, person=owner, kind="BUSINESS")
    make_deployment(DeploymentState.FAILED, target=site)
    open_incident(site.pk, title="Turnstiles stay shut", by=make_person(Role.OPERATOR).actor, hold=False)
    follow_all()
    messages = [write_mail(row, now=now()).message for row in told(owner)]
    addresses = {link for message in messages if message for link in links(message)}
    assert f"/changes/{change.ref}/sign-off/" in addresses
    client = Client(headers={"purpose": "prefetch"} if reader == "prefetch" else None)
    if reader != "stranger":
        client.force_login(owner)
    before = fingerprint()

    for address in sorted(addresses):
        assert resolve(address)
        assert client.get(address).status_code in {200, 302}
        assert client.head(address).status_code in {200, 302, 405}

    assert fingerprint() == before


def test_mail_holds_no_secret(owner, requester, settings):
    settings.EMAIL_HOST_PASSWORD = settings.SECRET_KEY = "very-secret-indeed"
    asked(owner, requester, rollback=Rollback(strategy=Strategy.PREVIOUS_RELEASE, trigger="It is slow", seconds_to_restore=60))

    message = letter(owner, Kind.SIGN_OFF_ASKED)
    whole = message.message().as_string()

    assert "very-secret-indeed" not in whole
    assert not re.search(r"[?&](token|key|signature|code)=", whole)


def test_what_cannot_be_read_is_not_told():
    written = write_mail(DeliveryFactory(), now=now())

    assert (written.message, written.ending) == (None, State.SUPPRESSED)
