"""One holder at a time: two workers, a ghost, a lost one; against committed data and real connections."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import IntegrityError, connection, transaction

from apps.audit.stream import entries_about
from apps.audit.vocabulary import Event
from apps.core.actors import system
from apps.core.locks import take_calendar_guard
from apps.deployments.beat import due_ids, expired_ids, sweep_deployments
from apps.deployments.drivers.base import Observation, Phase, Progress
from apps.deployments.lease import LeaseLost, claim, heartbeat, note_lost, own
from apps.deployments.models import ClockTimestamp, Deployment
from apps.deployments.rules.stepping import Safety
from apps.deployments.runner import run_step
from apps.deployments.runner.driving import note_cancelled, note_progress
from apps.deployments.runner.reconciling import note_observation, note_silence
from apps.deployments.runner.verifying import note_measurements
from apps.deployments.states import State
from apps.schedule.models import HoldSource
from apps.schedule.steps import place_hold_step
from tests.factories.deployments import lose, make_deployment, make_order, step
from tests.factories.schedule import CalendarRuleFactory

DONE = Progress(Phase.DONE, has_switched=True)


def expire(order: Deployment) -> None:
    Deployment.objects.filter(pk=order.pk).update(lease_expires_at=ClockTimestamp())


def test_two_workers_claim_and_one_wins(own_database, racer, wait_until_blocked, fake):
    order = make_deployment(State.RUNNING)

    racers = [racer(lambda name=name: claim(order.pk, holder=name)) for name in ("worker-1", "worker-2")]
    leases = [each.result() for each in racers]

    assert sum(lease is not None for lease in leases) == 1
    order.refresh_from_db()
    assert order.attempt == 1
    assert order.attempts.count() == 1


def test_two_workers_begin_the_same_order_and_one_does(own_database, racer, wait_until_blocked, fake):
    order = make_order()
    with own_database.connect() as guard:
        guard.autocommit = False
        guard.execute("select 1 from catalog_target where id = %s for update", [order.target_id])
        racers = [racer(lambda: run_step(order.pk)) for _ in range(2)]
        wait_until_blocked(guard.info.backend_pid)
        guard.rollback()
    begun = [each.result() for each in racers]

    assert sorted(begun) == [False, True]
    assert order.moves.count() == 1


def test_two_orders_for_one_target_and_the_second_waits(own_database, fake):
    first = make_deployment(State.RUNNING)
    second = make_order(first.target, identity="git:" + "e" * 40, label="3.19.0")

    step(second)

    assert second.state == State.QUEUED
    assert second.waits_for.startswith("Another deployment is on the target")
    step(step(first))
    second.refresh_from_db()
    assert second.wake_at <= first.ended_at


@pytest.mark.django_db
def test_a_claim_takes_a_number_that_was_never_used(fake):
    order = make_deployment(State.RUNNING)

    first = claim(order.pk, holder="worker-1")
    assert first is not None
    note_progress(first, Progress(Phase.WORKING))
    second = claim(order.pk, holder="worker-1")

    assert (first.attempt, second and second.attempt) == (1, 2)


@pytest.mark.django_db
def test_a_heartbeat_keeps_the_lease_and_a_lost_one_is_told(fake):
    order = make_deployment(State.RUNNING)
    lease = claim(order.pk, holder="worker-1")
    assert lease is not None
    expire(order)

    heartbeat(lease)
    assert expired_ids() == []
    expire(order)
    assert note_lost(order.pk)

    with pytest.raises(LeaseLost):
        heartbeat(lease)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "write",
    [
        lambda lease: note_progress(lease, DONE),
        lambda lease: note_cancelled(lease, DONE),
        lambda lease: note_measurements(lease, {}),
        lambda lease: note_observation(lease, Observation(is_known=True), safety=Safety.QUERYABLE),
        lambda lease: note_silence(lease, said="away"),
        own,
    ],
)
@pytest.mark.parametrize("overtaken", [False, True])
def test_a_ghost_writes_nothing(fake, write, overtaken):
    order = make_deployment(State.RUNNING)
    ghost = claim(order.pk, holder="ghost")
    assert ghost is not None
    expire(order)
    note_lost(order.pk)
    if overtaken:
        assert claim(order.pk, holder="ghost")
    order.refresh_from_db()
    before = Deployment.objects.filter(pk=order.pk).values().get()

    with pytest.raises(LeaseLost):
        write(ghost)

    assert Deployment.objects.filter(pk=order.pk).values().get() == before


@pytest.mark.django_db
def test_an_expired_lease_is_unknown_and_says_who_fell_silent(fake):
    order = lose(make_deployment(State.RUNNING))

    assert order.state == State.UNKNOWN
    assert order.moves.order_by("-seq").first().reason == "lost-worker went silent."
    assert order.attempts.get(number=1).ended_as == "LOST"
    assert Event.DEPLOYMENT_LOST in [entry.event for entry in entries_about(order.reference, limit=5)]
    assert not note_lost(order.pk)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "rewrite",
    [
        lambda rows: rows.update(holder="somebody else"),
        lambda rows: rows.update(claimed_at=None),
        lambda rows: rows.update(ended_at=None, ended_as=""),
        lambda rows: rows.update(ended_as="SUCCEEDED"),
        lambda rows: rows.delete(),
    ],
)
@pytest.mark.parametrize("is_over", [True, False])
def test_who_worked_when_is_not_rewritten(fake, rewrite, is_over):
    order = make_deployment(State.RUNNING)
    assert claim(order.pk, holder="worker-1")
    if is_over:
        expire(order)
        note_lost(order.pk)

    with pytest.raises(IntegrityError, match="is refused"), transaction.atomic():
        rewrite(order.attempts.all())

    assert order.attempts.get().holder == "worker-1"


@pytest.mark.django_db
def test_an_expired_lease_is_not_claimed_before_it_was_noted(fake):
    order = make_deployment(State.RUNNING)
    claim(order.pk, holder="worker-1")
    expire(order)

    assert claim(order.pk, holder="worker-2") is None
    assert run_step(order.pk) is False


@pytest.mark.django_db
@pytest.mark.parametrize("state", State)
def test_the_sweeper_finds_every_order_that_is_somebodys_turn(fake, state):
    order = make_deployment(state)
    Deployment.objects.update(wake_at=order.ordered_at)

    assert (due_ids() == [order.pk]) == (state not in {State.SUCCEEDED, State.FAILED, State.ABORTED, State.NEEDS_HUMAN})


@pytest.mark.django_db
def test_the_sweeper_notes_the_lost_and_wakes_the_due(fake, monkeypatch):
    woken = []
    monkeypatch.setattr("apps.deployments.beat.wake", woken.append)
    lost, waiting = make_deployment(State.RUNNING), make_order()
    claim(lost.pk, holder="worker-1")
    expire(lost)

    sweep_deployments()

    lost.refresh_from_db()
    assert lost.state == State.UNKNOWN
    assert sorted(woken) == sorted([lost.pk, waiting.pk])


def test_a_broker_that_forgot_everything_loses_no_order(own_database, fake, monkeypatch):
    monkeypatch.setattr("apps.deployments.tasks.wake_deployment.apply_async", lambda **_: None)
    order = make_order()
    monkeypatch.setattr("apps.deployments.beat.wake", run_step)

    for _ in range(4):
        sweep_deployments()

    order.refresh_from_db()
    assert order.state == State.SUCCEEDED


@pytest.mark.django_db
def test_an_order_that_is_not_due_is_left_alone(fake):
    order = make_order()
    Deployment.objects.filter(pk=order.pk).update(wake_at=order.wake_at.replace(year=2100))

    assert due_ids() == []
    assert run_step(order.pk) is False


def test_a_freeze_that_is_being_declared_stops_what_wants_to_begin(own_database, racer, wait_until_blocked, fake):
    order = make_order()
    now = datetime.now(UTC)
    with transaction.atomic():
        take_calendar_guard()
        late = racer(lambda: run_step(order.pk))
        with connection.cursor() as cursor:
            cursor.execute("select pg_backend_pid()")
            wait_until_blocked(cursor.fetchone()[0])
        CalendarRuleFactory(title="Evening departures", starts_at=now - timedelta(hours=1), ends_at=now + timedelta(hours=1))

    assert late.result() is False
    order.refresh_from_db()
    assert order.state == State.QUEUED
    assert order.waits_for.startswith("Evening departures")


def test_a_hold_that_is_being_placed_stops_what_wants_to_begin(own_database, racer, wait_until_blocked, fake):
    order = make_order()
    with transaction.atomic():
        place_hold_step(order.target, source=HoldSource.INCIDENT, source_ref="", reason="It burns.", by=system("test"), at=order.ordered_at)
        late = racer(lambda: run_step(order.pk))
        with connection.cursor() as cursor:
            cursor.execute("select pg_backend_pid()")
            wait_until_blocked(cursor.fetchone()[0])

    assert late.result() is False
    order.refresh_from_db()
    assert (order.state, order.refusal_code) == (State.FAILED, "held")
