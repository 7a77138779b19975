"""The runner step by step, with a driver in memory: what becomes of an order, its target, its leg and its change."""

from datetime import timedelta

import pytest

from apps.accounts.roles import Role
from apps.approvals import proof
from apps.audit.stream import entries_about
from apps.audit.vocabulary import Event
from apps.catalog.models import Arrival, ChangeRequired, Environment
from apps.core.signing import verifies
from apps.deployments.actions import abort_deployment, order_deployment
from apps.deployments.drivers.base import CannotTell, Fenced, Observation, Phase, Progress
from apps.deployments.facts import exposure, log_text
from apps.deployments.lease import claim
from apps.deployments.models import Attempt, Deployment
from apps.deployments.rules.stepping import RECONCILE_TRIES, Safety
from apps.deployments.rules.verdicts import Sample
from apps.deployments.runner import run_step
from apps.deployments.states import State
from apps.gate.judgement import verdict_now
from apps.schedule.models import Hold, Reservation
from tests.conftest import NOW
from tests.factories.accounts import make_person
from tests.factories.approvals import make_change, make_policy
from tests.factories.catalog import COMMIT, OwnershipFactory
from tests.factories.changes import FIX_FORWARD, OTHER_COMMIT
from tests.factories.deployments import FAILS, FAILS_SWITCHED, WORKS, a_check, lose, make_deployment, make_order, make_site, step

pytestmark = pytest.mark.django_db


def events_of(order: Deployment) -> list[Event]:
    return [entry.event for entry in reversed(entries_about(order.reference, limit=100)) if entry.subject == order.reference]


def test_an_order_goes_from_queue_to_success(fake, samples):
    target = make_site(a_check())
    order = make_order(target)

    step(order)
    target.refresh_from_db()
    assert order.state == State.RUNNING
    assert target.occupied_by == order.public_id
    assert order.leg.state == "STARTED"
    assert order.turn == 1
    step(order)
    assert order.state == State.VERIFYING
    assert order.switched_at
    step(order)

    target.refresh_from_db()
    order.leg.refresh_from_db()
    assert order.state == State.SUCCEEDED
    assert (target.running_label, target.running_identities) == ("3.18.1", [OTHER_COMMIT])
    assert (target.previous_label, target.occupied_by) == ("3.17.0", None)
    assert order.leg.state == "DONE"
    assert not Reservation.objects.get(held_for=order.public_id).released_at
    assert "switched" in log_text(order)
    assert events_of(order) == [
        Event.DEPLOYMENT_ORDERED,
        Event.RESERVATION_MADE,
        Event.DEPLOYMENT_STARTED,
        Event.DEPLOYMENT_CLAIMED,
        Event.DEPLOYMENT_VERIFYING,
        Event.CHECK_PASSED,
        Event.DEPLOYMENT_SUCCEEDED,
        Event.RESERVATION_MADE,
    ]


def test_every_step_gives_its_lease_back(fake, samples):
    order = make_deployment(target=make_site(a_check()))

    assert order.holder == ""
    assert order.lease_expires_at is None
    attempts = Attempt.objects.filter(deployment=order, ended_at__isnull=False).order_by("number")
    assert list(attempts.values_list("number", "ended_as")) == [(1, "RUNNING"), (2, "SUCCEEDED")]


def test_without_checks_the_read_back_alone_is_the_proof(fake):
    order = make_deployment(target=make_site())

    assert order.state == State.SUCCEEDED


def test_a_failure_before_the_switch_leaves_what_ran(fake):
    order = make_deployment(State.FAILED)

    order.leg.refresh_from_db()
    target = order.target
    target.refresh_from_db()
    assert order.failure == "It did not start."
    assert (target.running_label, target.occupied_by) == ("3.17.0", None)
    assert order.leg.state == "FAILED"
    assert not Deployment.objects.filter(undoes=order).exists()
    assert Reservation.objects.get(held_for=order.public_id).released_at
    assert not Arrival.objects.filter(target=target).exists()


@pytest.mark.parametrize("how", ["check", "driver"])
def test_a_bad_version_is_rolled_back_by_itself(fake, samples, how):
    target = make_site(a_check(count=3))
    order = step(make_order(target))
    if how == "check":
        step(order)
        samples.append(Sample.FAIL)
        step(order)
    else:
        fake.runs = OTHER_COMMIT
        fake.answers.append(FAILS_SWITCHED)
        step(order)

    assert order.state == State.FAILED
    back = Deployment.objects.get(undoes=order)
    target.refresh_from_db()
    assert back.state == State.RUNNING
    assert target.occupied_by == back.public_id
    assert Hold.objects.get().reason.startswith(f"3.18.1 ({order.ref}) was rolled back:")
    step(back)
    assert fake.calls[-1] == "roll_back_to"
    for _ in range(3):
        Deployment.objects.filter(pk=back.pk).update(read_back_at=NOW - timedelta(days=365))
        step(back)

    target.refresh_from_db()
    order.leg.refresh_from_db()
    assert back.state == State.SUCCEEDED
    assert fake.runs == COMMIT
    assert (target.running_label, target.occupied_by) == ("3.17.0", None)
    assert order.leg.state == "ROLLED_BACK"
    assert list(Arrival.objects.filter(target=target).order_by("pk").values_list("label", "outcome")) == [
        ("3.18.1", "FAILED"),
        ("3.17.0", "ROLLED_BACK"),
    ]
    assert not Reservation.objects.filter(released_at__isnull=True).exists()


def test_how_long_a_bad_version_was_seen_is_told_once_it_is_gone(fake):
    order = step(make_order(make_site()))
    fake.answers.append(FAILS_SWITCHED)
    step(order)
    assert exposure(order) is None

    back = step(Deployment.objects.get(undoes=order))

    shown = exposure(order)
    assert shown is not None
    assert shown.seen == back.read_back_at - order.switched_at
    assert shown.way_back == back.read_back_at - back.ordered_at


def test_a_way_back_that_fails_needs_a_person_and_is_never_undone(fake, samples):
    target = make_site(a_check())
    order = step(step(make_order(target)))
    samples.extend([Sample.FAIL, Sample.FAIL])
    step(order)
    back = step(Deployment.objects.get(undoes=order))
    step(back)

    assert back.state == State.NEEDS_HUMAN
    assert Deployment.objects.count() == 2
    target.refresh_from_db()
    assert target.occupied_by == back.public_id


def test_a_way_back_that_never_switches_needs_a_person(fake):
    target = make_site()
    order = step(make_order(target))
    fake.answers.extend([FAILS_SWITCHED, FAILS])
    step(order)
    back = step(Deployment.objects.get(undoes=order))

    assert back.state == State.NEEDS_HUMAN
    assert "The way back did not happen" in back.failure


def test_a_plan_that_goes_forward_is_not_rolled_back(fake):
    order = step(make_order(make_site(), rollback=FIX_FORWARD))
    fake.answers.append(FAILS_SWITCHED)
    step(order)

    assert order.state == State.NEEDS_HUMAN
    assert not Deployment.objects.filter(undoes=order).exists()


def test_an_inconclusive_check_asks_a_person_and_keeps_the_target(fake, samples):
    target = make_site(a_check())
    order = step(step(make_order(target)))
    samples.append(Sample.NO_DATA)
    step(order)

    target.refresh_from_db()
    assert order.state == State.NEEDS_HUMAN
    assert "No data is never a pass" in order.failure
    assert target.occupied_by == order.public_id


def test_a_check_that_is_not_critical_only_tells(fake, samples):
    order = step(step(make_order(make_site(a_check(critical=False)))))
    samples.append(Sample.FAIL)
    step(order)

    assert order.state == State.SUCCEEDED
    assert Event.CHECK_FAILED in events_of(order)


def test_a_measurement_is_taken_when_it_is_due_and_not_before(fake, samples):
    order = step(step(make_order(make_site(a_check(warm_up_seconds=3600)))))
    step(order)

    assert order.state == State.VERIFYING
    assert not order.measurements.exists()
    assert (order.wake_at - order.read_back_at).total_seconds() == 3600


def test_working_goes_on_until_done(fake):
    order = step(make_order(make_site()))
    fake.answers.extend([WORKS, WORKS])

    step(step(step(order)))

    assert fake.calls == ["start", "poll", "poll"]
    assert order.state == State.VERIFYING
    assert log_text(order).count("going on") == 2


def test_a_deployment_that_takes_too_long_is_stopped(fake):
    order = step(make_order(make_site(deploy_seconds=1)))
    Deployment.objects.filter(pk=order.pk).update(begun_at=order.begun_at.replace(year=2020))
    fake.answers.append(WORKS)
    step(order)
    assert order.state == State.ABORTING

    step(order)

    assert order.state == State.ABORTED
    assert "It took longer than the 1 s" in order.failure


def test_stopping_a_running_one_asks_the_driver(fake):
    order = step(make_order(make_site()))
    abort_deployment(order.pk, by=make_person(Role.OPERATOR).actor, reason="Wrong version.")

    step(order)

    order.leg.refresh_from_db()
    assert fake.calls == ["cancel"]
    assert (order.state, order.failure) == (State.ABORTED, "Wrong version.")
    assert order.leg.state == "FAILED"


def test_a_stop_that_comes_while_the_driver_switches_goes_back(fake, monkeypatch):
    order = step(make_order(make_site()))
    start = fake.start

    def start_and_be_stopped(told):
        progress = start(told)
        abort_deployment(order.pk, by=make_person(Role.OPERATOR).actor)
        return progress

    monkeypatch.setattr(fake, "start", start_and_be_stopped)
    step(order)
    assert order.state == State.ABORTING
    step(order)

    assert order.state == State.ABORTED
    back = step(step(Deployment.objects.get(undoes=order)))
    assert back.state == State.SUCCEEDED
    assert fake.runs == COMMIT


def test_a_lost_worker_is_no_failed_deploy(fake):
    order = lose(step(make_order(make_site())))
    assert order.state == State.UNKNOWN
    fake.runs = OTHER_COMMIT

    step(order)

    assert fake.calls == ["observe"]
    assert order.state == State.VERIFYING
    step(order)
    assert order.state == State.SUCCEEDED


def test_a_worker_lost_before_it_did_anything_is_followed_by_another(fake):
    order = lose(step(make_order(make_site())))

    step(step(step(order)))

    assert fake.calls == ["observe", "start"]
    assert order.state == State.SUCCEEDED


def test_a_stranger_on_the_target_needs_a_person(fake):
    order = lose(step(make_order(make_site())))
    fake.runs = "git:" + "0" * 40

    step(order)

    assert order.state == State.NEEDS_HUMAN


def test_a_driver_that_cannot_be_asked_needs_a_person(fake):
    fake.safety = Safety.ONCE
    order = lose(step(make_order(make_site())))

    step(order)

    assert fake.calls == []
    assert order.state == State.NEEDS_HUMAN


def test_a_target_that_does_not_answer_is_asked_again_and_then_left_to_a_person(fake):
    order = step(make_order(make_site()))
    fake.answers.append(CannotTell("The disk is away."))
    step(order)
    assert order.state == State.UNKNOWN

    fake.answers.extend([Observation(is_known=False, said="away"), CannotTell("away")])
    step(step(order))
    assert order.state == State.RECONCILING
    assert order.wake_at > order.ordered_at
    fake.answers.extend([Observation(is_known=False, said="away")] * RECONCILE_TRIES)
    for _ in range(RECONCILE_TRIES - 2):
        step(order)

    assert order.state == State.NEEDS_HUMAN
    assert "away" in order.failure


def test_a_lost_stop_is_asked_for_again(fake):
    order = step(make_order(make_site()))
    abort_deployment(order.pk, by=make_person(Role.OPERATOR).actor)
    lose(order)

    step(order)
    assert order.state == State.ABORTING
    step(order)

    assert order.state == State.ABORTED


def test_a_closed_fence_stops_the_ghost_and_leaves_the_state_alone(fake):
    order = step(make_order(make_site()))
    fake.answers.append(Fenced("later"))

    assert step(order).state == State.RUNNING
    assert order.holder == "worker-1"


def test_settings_without_a_driver_fail_with_its_name(fake, monkeypatch):
    order = step(make_order(make_site()))
    monkeypatch.setattr("apps.deployments.runner.driving.driver_named", lambda name: None)

    step(order)

    assert order.failure == "No driver is called fake."


def test_a_leased_order_is_not_touched_by_another_worker(fake):
    order = step(make_order(make_site()))
    assert claim(order.pk, holder="worker-1")

    assert claim(order.pk, holder="worker-2") is None
    assert run_step(order.pk, holder="worker-2") is False
    assert fake.calls == []


def test_the_hard_way_out_of_a_driver_is_not_a_success(fake):
    order = step(make_order(make_site()))
    fake.answers.append(Progress(Phase.FAILED, failure="x" * 1000, has_switched=False))

    step(order)

    assert len(order.failure) == 400


def test_what_begins_is_proved_again_however_often_it_was_before(fake, monkeypatch):
    target, asked = make_site(), []
    Environment.objects.update(change_required=ChangeRequired.APPROVED)
    make_policy(target.environment)
    OwnershipFactory(service=target.service)
    leg = make_change(targets=(target,)).legs.get()
    order = order_deployment(leg.pk, by=make_person(Role.OPERATOR).actor)
    monkeypatch.setattr(proof, "verifies", lambda *given: asked.append(given) or verifies(*given))
    verdict_now(leg)
    asked.clear()
    verdict_now(leg)
    assert not asked

    step(order)

    assert order.state == State.RUNNING
    assert asked
