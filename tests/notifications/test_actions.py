"""Choosing, gathering, trying again, forgetting: each verb works, refuses, and stands or falls with its record."""

import os
from datetime import UTC, datetime, timedelta

import pytest
from django.core import mail
from kombu.exceptions import OperationalError

from apps.accounts.roles import Role
from apps.audit.stream import entries_about
from apps.audit.vocabulary import Event
from apps.changes.actions import comment_on_change, withdraw_change
from apps.changes.models import Watch
from apps.changes.states import State as ChangeState
from apps.core.refusals import BadContent, Refused
from apps.notifications.actions import choose_notifications, forget_notifications, gather_digest, retry_delivery
from apps.notifications.beat import KEPT, forget_mail, sweep_mail
from apps.notifications.facts.wishes import wishes_of_one
from apps.notifications.kinds import TOPICS, Kind, Timing
from apps.notifications.models import Choice, Delivery, Digest, Schedule
from apps.notifications.states import State
from apps.notifications.tasks import send_due_mail, wake, wake_after_commit
from tests.factories.accounts import make_person
from tests.factories.approvals import make_change, make_place
from tests.factories.notifications import ChoiceFactory, DeliveryFactory, DigestFactory, follow_all, send_everything, told

pytestmark = pytest.mark.django_db
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def now() -> datetime:
    return datetime.now(UTC)


# Choosing


def test_choices_are_kept_and_recorded():
    person = make_person()

    choose_notifications(
        chosen={Kind.COMMENTED: "NEVER", Kind.SIGN_OFF_ASKED: "DIGEST"}, digest_hour=6, only_in_hours=True, by=person.actor
    )

    wishes = wishes_of_one(person)
    assert wishes.timing(Kind.COMMENTED) is Timing.NEVER
    assert wishes.timing(Kind.SIGN_OFF_ASKED) is Timing.DIGEST
    assert (wishes.digest_hour, wishes.only_in_hours) == (6, True)
    (entry, *_) = entries_about(person.reference, limit=1)
    assert entry.event == Event.NOTIFICATIONS_CHOSEN
    assert entry.data["chosen"] == {"COMMENTED": "NEVER", "SIGN_OFF_ASKED": "DIGEST"}


def test_choice_of_what_is_usual_leaves_no_row():
    person = ChoiceFactory(kind=Kind.COMMENTED, timing=Timing.NEVER).person

    choose_notifications(chosen={Kind.COMMENTED: TOPICS[Kind.COMMENTED].usual}, digest_hour=8, by=person.actor)

    assert not Choice.objects.filter(person=person).exists()


@pytest.mark.parametrize(
    ("chosen", "hour", "field"),
    [
        ({"SIGN_OFF_ASKED": "NEVER"}, 8, "SIGN_OFF_ASKED"),
        ({"GOSSIP": "NOW"}, 8, "GOSSIP"),
        ({"COMMENTED": "WEEKLY"}, 8, "COMMENTED"),
        ({}, 24, "digest_hour"),
    ],
)
def test_wrong_choice_is_named_and_keeps_nothing(chosen, hour, field):
    person = make_person()

    with pytest.raises(BadContent) as caught:
        choose_notifications(chosen={Kind.MENTIONED: "DIGEST", **chosen}, digest_hour=hour, by=person.actor)

    assert set(caught.value.errors) == {field}
    assert not Choice.objects.exists()
    assert not Schedule.objects.exists()


def test_choosing_that_cannot_be_recorded_keeps_nothing(monkeypatch):
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("no stream")

    person = make_person()
    monkeypatch.setattr("apps.notifications.actions.record", broken)

    with pytest.raises(RuntimeError):
        choose_notifications(chosen={Kind.MENTIONED: "DIGEST"}, digest_hour=8, by=person.actor)

    assert not Choice.objects.exists()


def test_new_hour_moves_what_already_waits():
    waiting = DeliveryFactory(timing=Timing.DIGEST, kind=Kind.COMMENTED)
    at = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)

    choose_notifications(chosen={}, digest_hour=17, by=waiting.person.actor, now=at)

    waiting.refresh_from_db()
    assert waiting.wake_at == datetime(2026, 11, 20, 17, 0, tzinfo=UTC)


def test_deactivated_person_chooses_nothing():
    person = make_person()
    person.is_active, person.deactivated_at = False, now()
    person.save()

    with pytest.raises(Refused):
        choose_notifications(chosen={}, digest_hour=8, by=person.actor)


# Digests


@pytest.fixture
def requester():
    return make_person(Role.REQUESTER, name="Rita Requester", email="rita@example.org")


def let_hours_pass() -> None:
    Delivery.objects.filter(state=State.QUEUED).update(wake_at=LONG_AGO)


def test_digest_is_one_mail_with_what_still_holds(requester):
    owner, watcher = make_person(), make_person(name="Wanda", email="wanda@example.org")
    ChoiceFactory(person=watcher, kind=Kind.SIGN_OFF_ASKED, timing=Timing.DIGEST)
    waits = make_change(ChangeState.IN_REVIEW, targets=(make_place(business=watcher),), requester=requester, now=now())
    gone = make_change(ChangeState.IN_REVIEW, targets=(make_place(business=watcher),), requester=requester, now=now())
    spoken = make_change(ChangeState.IN_REVIEW, targets=(make_place(business=owner),), requester=requester, now=now())
    Watch.objects.create(change=spoken, person=watcher, since_at=now())
    for text in ("Hm.", "Well."):
        comment_on_change(change_id=spoken.pk, text=text, by=owner.actor)
    follow_all()
    withdraw_change(change_id=gone.pk, by=requester.actor, reason="")
    Delivery.objects.exclude(person=watcher).delete()
    let_hours_pass()

    sweep_mail()
    send_everything()

    (message,) = mail.outbox
    assert message.to == ["wanda@example.org"]
    assert message.subject == "Your digest: 1 waiting for you and 1 news"
    assert f"/changes/{waits.ref}/sign-off/" in message.body
    assert f"/changes/{spoken.ref}/" in message.body
    assert gone.ref not in message.body
    assert message.body.index("WAITS FOR YOU") < message.body.index("NEWS")
    assert sorted(row.state for row in told(watcher)) == [State.SENT, State.SENT, State.SENT, State.SUPERSEDED]
    assert Digest.objects.get().state == State.SENT


def test_digest_of_which_nothing_holds_is_not_sent(requester):
    owner = make_person()
    ChoiceFactory(person=owner, kind=Kind.SIGN_OFF_ASKED, timing=Timing.DIGEST)
    change = make_change(ChangeState.IN_REVIEW, targets=(make_place(business=owner),), requester=requester, now=now())
    follow_all()
    withdraw_change(change_id=change.pk, by=requester.actor, reason="")
    let_hours_pass()

    sweep_mail()
    send_everything()

    assert not mail.outbox
    assert Digest.objects.get().state == State.SUPERSEDED
    assert told(owner)[0].state == State.SUPERSEDED


def test_digest_waits_for_its_hour():
    waiting = DeliveryFactory(timing=Timing.DIGEST, kind=Kind.COMMENTED, wake_at=now() + timedelta(hours=1))

    sweep_mail()

    assert gather_digest(waiting.person_id) is None
    assert not Digest.objects.exists()


# Trying again


def test_administrator_tries_a_failed_mail_again():
    failed, administrator = (
        DeliveryFactory(state=State.FAILED, ended_at=LONG_AGO, said="550 gone", tries=8),
        make_person(Role.ADMINISTRATOR),
    )

    retry_delivery(failed.pk, by=administrator.actor)

    failed.refresh_from_db()
    assert (failed.state, failed.tries, failed.said, failed.ended_at) == (State.QUEUED, 0, "", None)
    assert entries_about(failed.person.reference, limit=1)[0].event == Event.NOTIFICATION_RETRIED


def test_failed_digest_is_tried_again_whole():
    digest = DigestFactory(state=State.FAILED, ended_at=LONG_AGO)
    rows = [
        DeliveryFactory(person=digest.person, timing=Timing.DIGEST, digest=digest, state=state, ended_at=LONG_AGO)
        for state in (State.FAILED, State.FAILED, State.SUPERSEDED)
    ]

    retry_delivery(rows[0].pk, by=make_person(Role.ADMINISTRATOR).actor)

    digest.refresh_from_db()
    assert digest.state == State.QUEUED
    assert [Delivery.objects.get(pk=row.pk).state for row in rows] == [State.QUEUED, State.QUEUED, State.SUPERSEDED]


@pytest.mark.parametrize("role", [None, *sorted(Role)])
@pytest.mark.parametrize("state", sorted(State))
def test_nobody_else_and_nothing_else_is_tried_again(role, state):
    row = DeliveryFactory(state=state, ended_at=None if state is State.QUEUED else LONG_AGO)
    by = make_person(*([role] if role else [])).actor

    if role is Role.ADMINISTRATOR and state is State.FAILED:
        assert retry_delivery(row.pk, by=by).state == State.QUEUED
        return
    with pytest.raises(Refused):
        retry_delivery(row.pk, by=by)
    row.refresh_from_db()
    assert row.state == state


# Forgetting


def test_what_ended_long_ago_is_forgotten_and_nothing_else():
    digest = DigestFactory(state=State.SENT, ended_at=LONG_AGO)
    old = DeliveryFactory(state=State.SENT, ended_at=LONG_AGO, digest=digest, person=digest.person)
    waiting, fresh = DeliveryFactory(wake_at=LONG_AGO), DeliveryFactory(state=State.FAILED, ended_at=now())

    assert forget_notifications(before=now() - KEPT) == 2

    assert {*Delivery.objects.values_list("pk", flat=True)} == {waiting.pk, fresh.pk}
    assert not Digest.objects.exists()
    assert not Delivery.objects.filter(pk=old.pk).exists()


def test_mail_in_files_is_forgotten_too(settings, tmp_path):
    settings.EMAIL_FILE_PATH = tmp_path
    old, fresh, other = tmp_path / "old.log", tmp_path / "fresh.log", tmp_path / "notes.txt"
    for path in (old, fresh, other):
        path.write_text("mail")
    for path in (old, other):
        os.utime(path, (LONG_AGO.timestamp(), LONG_AGO.timestamp()))

    forget_mail()

    assert sorted(path.name for path in tmp_path.iterdir()) == ["fresh.log", "notes.txt"]


def test_folder_that_is_not_there_holds_nothing_up(settings, tmp_path):
    settings.EMAIL_FILE_PATH = tmp_path / "none"

    forget_mail()


# Waking


def test_sweeper_wakes_a_worker_only_for_what_is_due(monkeypatch):
    woken = []
    monkeypatch.setattr("apps.notifications.beat.wake", lambda: woken.append(1))
    DeliveryFactory(wake_at=now() + timedelta(hours=1))
    sweep_mail()
    assert not woken

    DeliveryFactory(wake_at=LONG_AGO)
    sweep_mail()

    assert woken == [1]


def test_broker_that_is_away_loses_nothing(monkeypatch, caplog):
    def away(**_: object) -> None:
        raise OperationalError("no broker")

    monkeypatch.setattr(send_due_mail, "apply_async", away)

    wake()

    assert "next tick" in caplog.text


def test_worker_is_woken_once_the_rows_are_on_disk(monkeypatch, django_capture_on_commit_callbacks):
    woken = []
    monkeypatch.setattr("apps.notifications.tasks.wake", lambda: woken.append(1))

    with django_capture_on_commit_callbacks(execute=True):
        wake_after_commit()
        assert not woken

    assert woken == [1]


def test_task_sends_what_is_due():
    owner = make_person()
    make_change(ChangeState.IN_REVIEW, targets=(make_place(business=owner),), now=now())
    follow_all()

    send_due_mail(sent_by="a newer version")

    assert told(owner)[0].state == State.SENT
    assert len(mail.outbox) == 1
