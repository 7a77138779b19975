"""Two workers, killed workers, two followers, two clocks: nobody is told twice, nothing is lost."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.db import OperationalError, connection

from apps.audit.entries import StreamEntry
from apps.audit.followers import TRIES
from apps.audit.models import Cursor
from apps.audit.record import record
from apps.audit.seal import seal_now
from apps.audit.vocabulary import Event
from apps.changes.states import State as ChangeState
from apps.core.actors import system
from apps.core.verbs import verb
from apps.notifications import following
from apps.notifications.actions import gather_digest
from apps.notifications.delivery import send_due, send_one
from apps.notifications.following import follow_stream
from apps.notifications.kinds import Kind, Timing
from apps.notifications.lease import LeaseLost, claim_mail, end_mail, postpone_mail
from apps.notifications.models import Delivery, Digest
from apps.notifications.states import State
from apps.notifications.steps import queue_notice
from tests.factories.accounts import make_person
from tests.factories.approvals import approve, make_change, make_place
from tests.factories.notifications import ChoiceFactory, DeliveryFactory, DigestFactory, told

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture
def owner(own_database):
    return make_person(name="Olga Owner", email="olga@example.org")


@pytest.fixture
def change(owner):
    made = make_change(ChangeState.IN_REVIEW, targets=(make_place(business=owner),), now=datetime.now(UTC) - timedelta(minutes=1))
    seal_now()
    return made


@pytest.fixture
def delivery(change, owner) -> Delivery:
    follow_stream()
    return told(owner)[0]


def expire_leases() -> None:
    Delivery.objects.filter(lease_expires_at__isnull=False).update(lease_expires_at=LONG_AGO)


# The follower


def test_follower_reads_sealed_entries_once(change, owner):
    assert follow_stream() > 0
    assert follow_stream() == 0

    assert [row.kind for row in told(owner)] == [Kind.SIGN_OFF_ASKED]


def test_follower_that_fails_reads_the_same_again(change, owner, monkeypatch):
    def broken(*_: object, **__: object) -> None:
        raise OperationalError("the connection is gone")

    with monkeypatch.context() as patch:
        patch.setattr("apps.notifications.following.queue_notice", broken)
        with pytest.raises(OperationalError):
            follow_stream()
    assert not told(owner)

    follow_stream()

    assert len(told(owner)) == 1


def test_entry_that_cannot_be_told_keeps_nobody_from_the_next(change, owner, monkeypatch, caplog):
    other = make_person()
    place = make_place(business=other)

    def broken(entry: StreamEntry, *given: object, **more: object) -> bool:
        if entry.ref("change") == change.reference:
            raise RuntimeError("a mistake of ours")
        return queue_notice(entry, *given, **more)  # type: ignore[arg-type]

    make_change(ChangeState.IN_REVIEW, targets=(place,), now=datetime.now(UTC))
    seal_now()
    monkeypatch.setattr("apps.notifications.following.queue_notice", broken)

    for _ in range(TRIES):
        follow_stream()

    assert "The follower notifications passes entry" in caplog.text
    assert (len(told(owner)), len(told(other))) == (0, 1)


def test_two_followers_at_once_tell_once(change, owner, racer):
    """The second one finds the cursor taken and leaves; it does not wait."""
    inside, go_on = threading.Event(), threading.Event()
    Cursor.objects.create(name="notifications")

    def slow() -> int:
        read = following.react

        def wait_inside(*given: object, **more: object) -> None:
            inside.set()
            assert go_on.wait(15)
            read(*given, **more)  # type: ignore[arg-type]

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(following, "react", wait_inside)
            return follow_stream()

    first = racer(slow)
    assert inside.wait(15)
    assert follow_stream() == 0
    go_on.set()

    assert first.result() > 0
    assert len(told(owner)) == 1


def test_follower_whose_cursor_was_set_back_tells_nobody_twice(delivery, owner, own_database):
    with own_database.connect() as other:
        other.execute("update audit_cursor set position = 0 where name = 'notifications'")

    follow_stream()

    assert len(told(owner)) == 1


# Sending


def test_two_workers_send_one_mail(post, delivery, racer):
    """While one talks to the server, the other one finds nothing to do."""
    arrived, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        arrived.set()
        assert go_on.wait(15)

    post.on_taken = hold
    first = racer(lambda: send_due(holder="worker-1"))
    assert arrived.wait(15)

    assert send_one(Delivery, delivery.pk, holder="worker-2") is None
    assert claim_mail(Delivery, delivery.pk, holder="worker-2") is None
    go_on.set()
    first.result()

    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempt) == (State.SENT, 1)
    assert len(post.taken) == 1


def test_worker_killed_between_sending_and_saying_so_sends_the_same_mail_again(post, delivery, monkeypatch):
    class Killed(BaseException):
        """No handler of ours sees it, as none would see a kill."""

    def die(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("apps.notifications.delivery.end_mail", die)
        with pytest.raises(Killed):
            send_one(Delivery, delivery.pk, holder="killed")
    assert len(post.taken) == 1
    assert send_due() == 0, "the lease of the killed one still runs"
    expire_leases()

    send_due(holder="worker-2")

    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempt) == (State.SENT, 2)
    first, second = post.taken
    assert first["Message-ID"] == second["Message-ID"]


def test_worker_killed_before_sending_loses_nothing(post, delivery):
    claim_mail(Delivery, delivery.pk, holder="killed")
    expire_leases()

    send_due()

    assert len(post.taken) == 1


def test_decision_between_kill_and_second_try_is_not_sent_again(post, delivery, change, owner):
    claim_mail(Delivery, delivery.pk, holder="killed")
    expire_leases()
    approve(change, owner, now=datetime.now(UTC))

    send_due()

    delivery.refresh_from_db()
    assert delivery.state == State.SUPERSEDED
    assert not post.taken


@pytest.mark.parametrize("write_back", [lambda lease: end_mail(lease, State.SENT), lambda lease: postpone_mail(lease, said="slow")])
def test_lost_worker_writes_nothing_back(delivery, write_back: Callable[[object], None]):
    lost = claim_mail(Delivery, delivery.pk, holder="lost")
    expire_leases()
    kept = claim_mail(Delivery, delivery.pk, holder="worker-2")

    with pytest.raises(LeaseLost):
        write_back(lost)

    assert kept is not None
    delivery.refresh_from_db()
    assert (delivery.holder, delivery.attempt, delivery.state) == ("worker-2", 2, State.QUEUED)


def test_lost_worker_stops_without_noise(post, delivery, caplog):
    def take_over() -> None:
        expire_leases()
        assert claim_mail(Delivery, delivery.pk, holder="worker-2")

    def in_between() -> None:
        thread = threading.Thread(target=lambda: (take_over(), connection.close()))
        thread.start()
        thread.join(15)

    post.on_taken = in_between
    with caplog.at_level("WARNING"):
        assert send_one(Delivery, delivery.pk, holder="slow") is None

    delivery.refresh_from_db()
    assert delivery.state == State.QUEUED
    assert "lost its lease" in caplog.text
    assert "olga" not in caplog.text


# Digests


@pytest.fixture
def waiting(own_database) -> Delivery:
    return DeliveryFactory(timing=Timing.DIGEST, kind=Kind.COMMENTED, wake_at=LONG_AGO)


def test_two_clocks_gather_one_digest(waiting, racer, wait_until_blocked):
    """The first holds the rows; the second finds none, and a third finds that they have their digest."""
    pids, go_on = [], threading.Event()

    @verb
    def first() -> None:
        with connection.cursor() as cursor:
            cursor.execute("select pg_backend_pid()")
            pids.append(cursor.fetchone()[0])
        list(Delivery.objects.select_for_update().filter(pk=waiting.pk))
        inside.set()
        assert go_on.wait(15)

    inside = threading.Event()
    holder = racer(first)
    assert inside.wait(15)
    assert gather_digest(waiting.person_id) is None
    go_on.set()
    holder.result()

    assert gather_digest(waiting.person_id) is not None
    assert gather_digest(waiting.person_id) is None
    assert Digest.objects.count() == 1


def test_what_waits_for_a_digest_is_never_sent_alone(waiting):
    assert claim_mail(Delivery, waiting.pk, holder="worker-1") is None


def test_failure_of_a_digest_is_the_failure_of_all_in_it(own_database):
    digest = DigestFactory(wake_at=LONG_AGO)
    inside = [DeliveryFactory(person=digest.person, timing=Timing.DIGEST, digest=digest) for _ in range(2)]
    lease = claim_mail(Digest, digest.pk, holder="worker-1")
    assert lease

    end_mail(lease, State.FAILED, said="550 gone")

    assert {Delivery.objects.get(pk=row.pk).state for row in inside} == {State.FAILED}


def test_broken_record_leaves_the_mail_as_it_was(delivery, monkeypatch):
    lease = claim_mail(Delivery, delivery.pk, holder="worker-1")
    assert lease

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("no stream")

    monkeypatch.setattr("apps.notifications.lease.record", broken)
    with pytest.raises(RuntimeError):
        end_mail(lease, State.FAILED, said="550")

    delivery.refresh_from_db()
    assert (delivery.state, delivery.holder) == (State.QUEUED, "worker-1")


def test_our_own_entries_tell_nobody(own_database, owner):
    @verb
    def tell() -> None:
        delivery = DeliveryFactory(person=owner)
        record(Event.NOTIFICATION_FAILED, subject=delivery.reference, by=system("mail"), at=datetime.now(UTC), refs=[owner.reference])

    tell()
    Delivery.objects.all().delete()
    ChoiceFactory(person=owner)
    seal_now()

    follow_stream()

    assert not told(owner)
