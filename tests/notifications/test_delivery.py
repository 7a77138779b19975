"""Sending, in real conversations with a mail server that takes, refuses, falters and falls silent."""

import smtplib
from datetime import UTC, datetime, timedelta

import pytest

from apps.accounts.actions import deactivate_person, merge_persons
from apps.accounts.roles import Role
from apps.audit.stream import entries_about
from apps.audit.vocabulary import Event
from apps.changes.states import State as ChangeState
from apps.notifications.actions import gather_digest
from apps.notifications.delivery import UNWRITTEN, send_due, send_one, trouble_of
from apps.notifications.kinds import Timing
from apps.notifications.lease import WORN_OUT, claim_mail
from apps.notifications.letters import Written, write_mail
from apps.notifications.models import Delivery
from apps.notifications.rules import MOST_TRIES, WAITS
from apps.notifications.states import State
from tests.factories.accounts import make_person
from tests.factories.approvals import approve, make_change, make_place, newest
from tests.factories.notifications import DeliveryFactory, follow_all, send_everything, told
from tests.factories.proving import reject_change

pytestmark = pytest.mark.django_db
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture
def owner():
    return make_person(name="Olga Owner", email="olga@example.org")


@pytest.fixture
def delivery(owner) -> Delivery:
    """A queued mail that asks the owner for their agreement."""
    make_change(ChangeState.IN_REVIEW, targets=(make_place(business=owner),), now=datetime.now(UTC) - timedelta(minutes=1))
    follow_all()
    return told(owner)[0]


def again(delivery: Delivery) -> Delivery:
    """As if its time had come."""
    Delivery.objects.filter(pk=delivery.pk).update(wake_at=LONG_AGO)
    delivery.refresh_from_db()
    return delivery


def test_mail_is_handed_over_once(post, delivery, owner):
    assert send_due() == 1

    delivery.refresh_from_db()
    assert (delivery.state, delivery.said, delivery.tries) == (State.SENT, "", 1)
    assert delivery.ended_at is not None
    assert send_due() == 0
    assert [recipients for _, recipients in post.envelopes] == [["olga@example.org"]]


def test_nothing_is_due_before_its_moment(post, delivery):
    Delivery.objects.update(wake_at=datetime.now(UTC) + timedelta(hours=1))

    assert send_due() == 0
    assert send_one(Delivery, delivery.pk) is None
    assert not post.heard


def test_server_that_is_away_is_asked_again_later(settings, delivery):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1

    send_due()

    delivery.refresh_from_db()
    assert delivery.state == State.QUEUED
    assert delivery.said.startswith("The mail server cannot be reached")
    assert timedelta() < delivery.wake_at - datetime.now(UTC) <= WAITS[0]
    assert delivery.lease_expires_at is None


def test_it_is_given_up_after_the_last_try_and_that_is_told(post, delivery, owner):
    post.answers["CONNECT"] = None

    for _ in range(MOST_TRIES):
        send_one(Delivery, again(delivery).pk)

    delivery.refresh_from_db()
    assert (delivery.state, delivery.tries) == (State.FAILED, MOST_TRIES)
    told_of = entries_about(owner.reference, limit=5)
    assert told_of[0].event == Event.NOTIFICATION_FAILED
    assert told_of[0].data["tries"] == MOST_TRIES


@pytest.mark.parametrize(
    ("answers", "refused", "state", "said"),
    [
        ({}, "550 no such person", State.FAILED, "refused the address: 550 no such person"),
        ({}, "452 mailbox is full", State.QUEUED, "refused the address: 452 mailbox is full"),
        ({"DATA": "554 no"}, "", State.FAILED, "refused the mail: 554 no"),
        ({"END": "554 looks like spam"}, "", State.FAILED, "refused the mail: 554"),
        ({"END": "451 try later"}, "", State.QUEUED, "refused the mail: 451"),
        ({"MAIL": "530 sign in first"}, "", State.QUEUED, "refused the sender: 530"),
        ({"MAIL": None}, "", State.QUEUED, "broke off"),
        ({"CONNECT": "554 not here"}, "", State.QUEUED, "answered 554"),
        ({"CONNECT": "421 too busy"}, "", State.QUEUED, "answered 421"),
        ({"END": None}, "", State.QUEUED, "broke off"),
    ],
)
def test_each_refusal_is_what_it_is(post, delivery, answers, refused, state, said):
    post.answers.update(answers)
    if refused:
        post.refused["olga@example.org"] = refused

    send_due()

    delivery.refresh_from_db()
    assert delivery.state == state
    assert said in delivery.said


def test_goodbye_that_fails_does_not_send_it_again(post, delivery):
    post.answers["QUIT"] = None

    send_due()

    delivery.refresh_from_db()
    assert delivery.state == State.SENT
    assert send_due() == 0


def test_one_refused_address_keeps_nobody_else_waiting(post, owner):
    other = make_person(name="Otto", email="otto@example.org")
    for person in (owner, other):
        make_change(ChangeState.IN_REVIEW, targets=(make_place(business=person),), now=datetime.now(UTC) - timedelta(minutes=1))
    follow_all()
    post.refused["olga@example.org"] = "550 gone"

    send_due()

    assert [told(person)[0].state for person in (owner, other)] == [State.FAILED, State.SENT]


def test_server_that_is_away_costs_only_one_try_of_one_mail(post, owner):
    for _ in range(3):
        make_change(ChangeState.IN_REVIEW, targets=(make_place(business=owner),), now=datetime.now(UTC) - timedelta(minutes=1))
    follow_all()
    post.answers["CONNECT"] = None

    assert send_due() == 1

    assert sorted(row.tries for row in told(owner)) == [0, 0, 1]


def test_mail_lost_by_workers_is_given_up_in_the_end(delivery):
    for _ in range(MOST_TRIES):
        assert claim_mail(Delivery, again(delivery).pk, holder="lost-worker")
        Delivery.objects.update(lease_expires_at=LONG_AGO)

    assert claim_mail(Delivery, delivery.pk, holder="worker-1") is None

    delivery.refresh_from_db()
    assert (delivery.state, delivery.said) == (State.FAILED, WORN_OUT)


def test_mail_that_cannot_be_written_keeps_neither_its_lease_nor_the_others(post, owner, monkeypatch, caplog):
    for _ in range(2):
        make_change(ChangeState.IN_REVIEW, targets=(make_place(business=owner),), now=datetime.now(UTC) - timedelta(minutes=1))
    follow_all()
    first, second = told(owner)

    def broken(mail: Delivery, **more: datetime) -> Written:
        if mail.pk == first.pk:
            raise RuntimeError("a mistake of ours")
        return write_mail(mail, **more)

    monkeypatch.setattr("apps.notifications.delivery.write_mail", broken)

    send_due()

    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.state, first.said, first.holder) == (State.QUEUED, UNWRITTEN, "")
    assert second.state == State.SENT
    assert "a mistake of ours" in caplog.text


def test_two_mails_at_once_are_enough(post, owner, delivery):
    for _ in range(2):
        assert claim_mail(Delivery, DeliveryFactory().pk, holder="slow-worker")

    assert send_due() == 0
    Delivery.objects.filter(holder="slow-worker").update(lease_expires_at=LONG_AGO)
    assert send_due() >= 1


def test_address_that_is_none_fails_without_a_conversation(post, delivery, owner):
    owner.email = "olga@example.org\nBcc: everybody@example.org"
    owner.save()

    send_due()

    delivery.refresh_from_db()
    assert delivery.state == State.FAILED
    assert not post.heard


def test_what_somebody_else_decided_is_not_sent(post, owner):
    place = make_place(business=owner)
    change = make_change(ChangeState.IN_REVIEW, targets=(place,), requester=make_person(Role.REQUESTER), now=datetime.now(UTC))
    follow_all()
    reject_change(change_id=change.pk, revision_digest=newest(change).digest, by=owner.actor, reason="No.")

    send_everything()

    (asked,) = told(owner)
    assert asked.state == State.SUPERSEDED
    assert "rejected" in asked.said
    assert not post.taken


def test_own_decision_takes_the_waiting_mail_back(post, owner):
    change = make_change(ChangeState.IN_REVIEW, targets=(make_place(business=owner),), now=datetime.now(UTC))
    follow_all()
    approve(change, owner, now=datetime.now(UTC))

    send_everything()

    assert told(owner)[0].state == State.SUPERSEDED


def test_files_are_written_where_no_server_is_set(settings, tmp_path, delivery):
    settings.EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    settings.EMAIL_FILE_PATH = tmp_path / "mail"

    send_due()

    delivery.refresh_from_db()
    assert delivery.state == State.SENT
    (file,) = (tmp_path / "mail").glob("*.log")
    assert str(delivery.public_id) in file.read_text()


def test_folder_that_cannot_be_written_is_tried_again(settings, tmp_path, delivery):
    settings.EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    settings.EMAIL_FILE_PATH = tmp_path / "mail"
    (tmp_path / "mail").mkdir()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("django.core.mail.backends.filebased.EmailBackend.open", full)
        send_due()

    delivery.refresh_from_db()
    assert delivery.state == State.QUEUED
    assert "No space left" in delivery.said


@pytest.mark.parametrize(
    ("error", "is_final", "is_wide"),
    [
        (smtplib.SMTPRecipientsRefused({}), False, False),
        (smtplib.SMTPAuthenticationError(535, b"wrong password"), False, True),
        (smtplib.SMTPServerDisconnected("gone"), False, True),
        (smtplib.SMTPNotSupportedError("no STARTTLS"), False, True),
        (TimeoutError("timed out"), False, True),
        (smtplib.SMTPDataError(552, b"too big\r\n\x1b[31m"), True, False),
    ],
)
def test_trouble_is_told_apart(error, is_final, is_wide):
    trouble = trouble_of(error)

    assert (trouble.is_final, trouble.is_wide) == (is_final, is_wide)
    assert trouble.said.isprintable()


def merged(gone, keep):
    merge_persons(keep.pk, gone.pk, by=make_person(Role.ADMINISTRATOR).actor)


def test_mail_to_whoever_was_merged_goes_to_the_person_they_are(post, delivery, owner):
    keep = make_person(name="Olga Owner", email="olga.new@example.org")
    merged(owner, keep)

    send_due()

    delivery.refresh_from_db()
    assert (delivery.state, delivery.person) == (State.SENT, owner)
    assert [recipients for _, recipients in post.envelopes] == [["olga.new@example.org"]]


def test_mail_to_two_accounts_of_one_person_goes_once(post):
    first, second = make_person(), make_person()
    make_change(
        ChangeState.IN_REVIEW, targets=(make_place(business=first, technical=second),), now=datetime.now(UTC) - timedelta(minutes=1)
    )
    follow_all()
    merged(first, second)

    send_due()

    assert [recipients for _, recipients in post.envelopes] == [[second.email]]
    assert sorted(Delivery.objects.filter(person__in=[first, second]).values_list("state", flat=True)) == [State.SENT, State.SUPERSEDED]


def test_digest_of_whoever_was_merged_goes_to_the_person_they_are(post, delivery, owner):
    Delivery.objects.filter(pk=delivery.pk).update(timing=Timing.DIGEST, wake_at=LONG_AGO)
    keep = make_person(email="olga.new@example.org")
    gather_digest(owner.pk)
    merged(owner, keep)

    send_due()

    delivery.refresh_from_db()
    assert delivery.state == State.SENT
    assert [recipients for _, recipients in post.envelopes] == [["olga.new@example.org"]]


def test_mail_to_whoever_was_merged_into_somebody_gone_is_not_sent(post, delivery, owner):
    keep = make_person()
    merged(owner, keep)
    deactivate_person(keep.pk, by=make_person(Role.ADMINISTRATOR).actor)

    send_due()

    delivery.refresh_from_db()
    assert (delivery.state, delivery.said) == (State.SUPPRESSED, f"{keep.name} cannot act any more.")
    assert not post.envelopes
