"""What people do: who may, when, and what is written; the page's refusal is the action's."""

from datetime import UTC, datetime, timedelta

import pytest

from apps.accounts.roles import Role
from apps.audit.stream import entries_about
from apps.audit.vocabulary import Event
from apps.catalog.actions import write_target_settings
from apps.catalog.models import Arrival, ChangeRequired
from apps.catalog.settings_body import settings_bytes
from apps.catalog.steps import add_settings
from apps.core.actors import system
from apps.core.refusals import BadContent, Refused
from apps.deployments.actions import abort_deployment, order_deployment, roll_back_deployment, settle_deployment
from apps.deployments.drivers.base import Phase, Progress
from apps.deployments.facts import is_bad
from apps.deployments.lease import LeaseLost, claim
from apps.deployments.models import Deployment
from apps.deployments.refusals import abort_refusal, look_at, order_refusal, roll_back_refusal, settle_refusal
from apps.deployments.rules.orders import Truth
from apps.deployments.rules.verdicts import Sample
from apps.deployments.runner import run_step
from apps.deployments.runner.driving import note_progress
from apps.deployments.states import State
from apps.schedule.actions import declare_freeze, lift_hold, place_hold
from apps.schedule.models import Hold
from tests.conftest import NOW
from tests.factories.accounts import give_team_role, make_person
from tests.factories.catalog import COMMIT, EnvironmentFactory, make_target
from tests.factories.changes import FIX_FORWARD, OTHER_COMMIT
from tests.factories.deployments import FAILS_SWITCHED, a_check, fake_settings, make_deployment, make_leg, make_order, make_site, step

pytestmark = pytest.mark.django_db


def operator():
    return make_person(Role.OPERATOR).actor


@pytest.mark.parametrize("role", Role)
def test_who_may_order_by_role(fake, role):
    leg, person = make_leg(), make_person(role)

    refusal = order_refusal(leg, by=person.actor)

    assert (refusal is None) == (role in {Role.OPERATOR, Role.RELEASE_MANAGER})
    if refusal:
        with pytest.raises(Refused) as caught:
            order_deployment(leg.pk, by=person.actor)
        assert caught.value.refusal == refusal
        assert entries_about(leg.change.reference, limit=1)[0].event is Event.DEPLOYMENT_REFUSED
        return
    order = order_deployment(leg.pk, by=person.actor)
    assert (order.state, order.label, order.identities) == (State.QUEUED, "3.18.1", [OTHER_COMMIT])
    assert order.previous_identities == [COMMIT]
    assert order.ordered_by == f"PERSON:{person.public_id}"


def test_the_requester_may_order_their_own_change(fake):
    requester = make_person(Role.REQUESTER)

    assert order_deployment(make_leg(requester=requester).pk, by=requester.actor).state == State.QUEUED


def test_a_role_for_the_services_team_is_enough(fake):
    leg, person = make_leg(), make_person()
    give_team_role(person, Role.OPERATOR, leg.service.team)

    assert order_refusal(leg, by=person.actor) is None


def test_machinery_orders_nothing_in_a_persons_place(fake):
    with pytest.raises(Refused):
        order_deployment(make_leg().pk, by=system("runner"))


def test_a_second_order_for_the_same_leg_is_refused(fake):
    order = make_order()

    refusal = order_refusal(order.leg, by=operator())

    assert refusal is not None
    assert refusal.code == "already_ordered"


def test_settings_that_cannot_be_carried_out_are_named(fake):
    fake.fault = "There is no such thing."

    refusal = order_refusal(make_leg(), by=operator())

    assert refusal is not None
    assert str(refusal).startswith("There is no such thing.")


def test_the_driver_looks_at_the_disk_before_anything_is_locked(fake, monkeypatch):
    leg, by, seen = make_leg(), operator(), []
    monkeypatch.setattr(fake, "why_not", lambda *given: seen.append("look") or "")
    monkeypatch.setattr("apps.deployments.actions.share_calendar_guard", lambda: seen.append("lock"))

    order_deployment(leg.pk, by=by)

    assert seen == ["look", "lock"]


def test_settings_that_came_after_the_look_are_looked_at_again(fake):
    leg = make_leg()
    look = look_at(leg)
    leg.target.settings = add_settings(leg.target, settings_bytes(fake_settings(deploy_seconds=9)), by=system("test"), at=NOW)
    fake.fault = "There is no such thing."

    refusal = order_refusal(leg, by=operator(), look=look)

    assert refusal is not None
    assert refusal.code == "settings_unusable"


def test_settings_with_an_unknown_driver_are_refused(fake):
    leg = make_leg(make_site(settings={"driver": "carrier_pigeon", "options": {}, "checks": []}))

    refusal = order_refusal(leg, by=operator())

    assert refusal is not None
    assert refusal.reason.endswith("name the driver carrier_pigeon. There are fake, release_dir.")


def test_a_held_target_refuses_the_order_with_the_cure(fake):
    leg = make_leg()
    place_hold(scope_kind="TARGET", scope_id=leg.target.public_id, reason="Turbine test", by=operator())

    refusal = order_refusal(leg, by=operator())

    assert refusal is not None
    assert refusal.code == "held"
    assert "Turbine test" in refusal.reason


def test_an_order_under_a_freeze_waits_and_runs_when_it_is_over(fake):
    leg = make_leg()
    now = datetime.now(UTC)
    declare_freeze(
        title="Evening departures", reason="", scope_kind="EVERYTHING", scope_id=None, starts_at=now - timedelta(hours=1),
        ends_at=now + timedelta(hours=1), time_zone="UTC", by=make_person(Role.RELEASE_MANAGER).actor,
    )  # fmt: skip
    order = order_deployment(leg.pk, by=operator())

    step(order)

    assert order.state == State.QUEUED
    assert order.waits_for.startswith("Evening departures is on until")
    assert timedelta() < order.wake_at - datetime.now(UTC) <= timedelta(seconds=5)


def test_a_hold_placed_while_it_waits_ends_the_order_without_failing_the_leg(fake):
    order = make_order()
    place_hold(scope_kind="TARGET", scope_id=order.target.public_id, reason="Turbine test", by=operator())

    step(order)

    order.leg.refresh_from_db()
    assert (order.state, order.refusal_code) == (State.FAILED, "held")
    assert (order.leg.state, order.leg.failures_count) == ("WAITING", 0)
    assert entries_about(order.reference, limit=1)[0].event is Event.DEPLOYMENT_REFUSED
    assert fake.calls == []


def test_stopping_a_queued_order_ends_it_and_leaves_the_leg_open(fake):
    order = make_order()

    abort_deployment(order.pk, by=operator(), reason="Wrong day.")

    order.refresh_from_db()
    order.leg.refresh_from_db()
    assert (order.state, order.leg.state) == (State.ABORTED, "WAITING")
    assert order_refusal(order.leg, by=operator()) is None


@pytest.mark.parametrize("state", State)
def test_stopping_in_every_state_is_what_the_button_says(fake, state):
    order, by = make_deployment(state), operator()

    refusal = abort_refusal(order, by=by)

    if refusal is None:
        assert abort_deployment(order.pk, by=by).state in {State.ABORTED, State.ABORTING}
        return
    with pytest.raises(Refused) as caught:
        abort_deployment(order.pk, by=by)
    assert caught.value.refusal == refusal


@pytest.mark.parametrize("text", ["two\nlines", "x" * 301, "nul\x00"])
def test_a_reason_that_cannot_be_kept_is_told_on_its_field(fake, text):
    order = make_deployment()

    with pytest.raises(BadContent) as caught:
        roll_back_deployment(order.pk, by=operator(), reason=text)
    assert list(caught.value.errors) == ["reason"]


def test_rolling_back_what_runs_brings_the_old_version_back_through_a_hold(fake):
    order = make_deployment()
    place_hold(scope_kind="TARGET", scope_id=order.target.public_id, reason="Turbine test", by=operator())
    by = operator()

    back = roll_back_deployment(order.pk, by=by, reason="The map is empty.")
    step(step(back))

    order.refresh_from_db()
    order.leg.refresh_from_db()
    target = Deployment.objects.get(pk=back.pk).target
    assert back.state == State.SUCCEEDED
    assert order.state == State.SUCCEEDED
    assert fake.runs == COMMIT
    assert (target.running_label, target.occupied_by) == ("3.17.0", None)
    assert order.leg.state == "ROLLED_BACK"
    assert Hold.objects.filter(source="ROLLBACK", reason__contains="The map is empty.").count() == 1
    assert back.ordered_by == f"PERSON:{by.id}"


def test_rolling_back_twice_and_rolling_back_a_way_back_are_refused(fake):
    order = make_deployment()
    back = roll_back_deployment(order.pk, by=operator(), reason="The map is empty.")
    step(step(back))
    order.refresh_from_db()

    for undone in (order, back):
        with pytest.raises(Refused):
            roll_back_deployment(undone.pk, by=operator(), reason="Again.")
    assert Deployment.objects.count() == 2


def test_the_version_that_was_undone_is_never_gone_back_to(fake):
    bad = make_deployment()
    target = bad.target
    step(step(roll_back_deployment(bad.pk, by=operator(), reason="The map is empty.")))
    for hold in Hold.objects.filter(lifted_at__isnull=True):
        lift_hold(hold_id=hold.pk, reason="Looked at.", by=make_person(Role.RELEASE_MANAGER).actor)
    target.refresh_from_db()
    target.running_label, target.running_identities = "3.18.1", [OTHER_COMMIT]  # as if somebody brought it by hand
    target.save()
    newer = make_deployment(target=target, identity="git:" + "e" * 40, label="3.19.0")

    refusal = roll_back_refusal(newer, by=operator())

    assert refusal is not None
    assert refusal.code == "previous_is_bad"


def test_rolling_back_while_it_is_checked_ends_it_and_the_measuring_worker_is_refused(fake, samples):
    order = step(step(make_order(make_site(a_check(warm_up_seconds=60)))))
    Deployment.objects.update(wake_at=order.ordered_at)
    lease = claim(order.pk, holder="worker-1")
    assert lease is not None

    back = roll_back_deployment(order.pk, by=operator(), reason="I see errors.")

    order.refresh_from_db()
    assert (order.state, order.failure) == (State.FAILED, "I see errors.")
    assert back.undoes == order
    with pytest.raises(LeaseLost):
        note_progress(lease, Progress(Phase.DONE))


@pytest.mark.parametrize("state", State)
def test_settling_in_every_state_is_what_the_button_says(fake, state):
    order, by = make_deployment(state), operator()

    refusal = settle_refusal(order, by=by)

    assert (refusal is None) == (state is State.NEEDS_HUMAN)
    if refusal:
        with pytest.raises(Refused) as caught:
            settle_deployment(order.pk, truth=Truth.NEW_RUNS, reason="I looked.", by=by)
        assert caught.value.refusal == refusal


def test_settling_as_new_makes_it_what_runs(fake):
    order = make_deployment(State.NEEDS_HUMAN)

    settle_deployment(order.pk, truth=Truth.NEW_RUNS, reason="I looked.", by=operator())

    order.refresh_from_db()
    order.leg.refresh_from_db()
    order.target.refresh_from_db()
    assert (order.state, order.leg.state) == (State.SUCCEEDED, "DONE")
    assert (order.target.running_identities, order.target.occupied_by) == ([OTHER_COMMIT], None)


def test_settling_as_old_leaves_what_ran(fake):
    order = make_deployment(State.NEEDS_HUMAN)

    settle_deployment(order.pk, truth=Truth.OLD_RUNS, reason="I looked.", by=operator())

    order.refresh_from_db()
    order.leg.refresh_from_db()
    order.target.refresh_from_db()
    assert (order.state, order.leg.state) == (State.FAILED, "FAILED")
    assert (order.target.running_identities, order.target.occupied_by) == ([COMMIT], None)


def test_settling_by_asking_again_asks_the_target(fake):
    order = make_deployment(State.NEEDS_HUMAN)
    fake.runs = OTHER_COMMIT

    settle_deployment(order.pk, truth=Truth.ASK_AGAIN, reason="Network is back.", by=operator())
    order.refresh_from_db()
    assert order.state == State.RECONCILING
    step(order)

    assert order.state == State.VERIFYING


def test_a_failed_way_back_settled_as_old_says_that_the_bad_version_runs(fake):
    order = step(make_order(make_site()))
    fake.answers.extend([FAILS_SWITCHED, Progress(Phase.FAILED, failure="The disk is full.")])
    step(order)
    back = step(Deployment.objects.get(undoes=order))
    assert back.state == State.NEEDS_HUMAN

    settle_deployment(back.pk, truth=Truth.OLD_RUNS, reason="3.18.1 still answers.", by=operator())

    target = Deployment.objects.get(pk=back.pk).target
    order.leg.refresh_from_db()
    assert (target.running_label, target.occupied_by) == ("3.18.1", None)
    assert order.leg.state == "FAILED"
    assert Arrival.objects.filter(target=target).order_by("-pk").first().outcome == "LEFT"
    assert is_bad(target, order.identities)


def test_a_version_that_was_left_is_neither_promoted_nor_gone_back_to(fake):
    target = make_site()
    order = step(make_order(target))
    fake.answers.extend([FAILS_SWITCHED, Progress(Phase.FAILED, failure="The disk is full.")])
    step(order)
    back = step(Deployment.objects.get(undoes=order))
    settle_deployment(back.pk, truth=Truth.OLD_RUNS, reason="3.18.1 still answers.", by=operator())
    above = make_target(target.service, EnvironmentFactory(rank=target.environment.rank + 1), settings=fake_settings())
    above.environment.change_required = ChangeRequired.RECORDED
    above.environment.save()

    refusal = order_refusal(make_leg(above, rollback=FIX_FORWARD), by=operator())

    assert refusal is not None
    assert refusal.code == "not_promoted"
    for hold in Hold.objects.filter(lifted_at__isnull=True):
        lift_hold(hold_id=hold.pk, reason="Looked at.", by=make_person(Role.RELEASE_MANAGER).actor)
    newer = make_deployment(target=target, identity="git:" + "e" * 40, label="3.19.0")
    target.refresh_from_db()
    assert (target.running_label, target.previous_label) == ("3.19.0", "3.17.0")
    assert roll_back_refusal(newer, by=operator()).code == "previous_is_bad"


def test_a_success_is_rolled_back_with_the_settings_of_today(fake):
    order = make_deployment()
    written = write_target_settings(order.target_id, settings=fake_settings(deploy_seconds=77), by=make_person(Role.ADMINISTRATOR).actor)

    back = roll_back_deployment(order.pk, by=operator(), reason="The map is empty.")

    assert back.settings == written
    assert back.settings != order.settings


def test_a_failed_way_back_settled_as_new_is_a_way_back(fake, samples):
    order = step(step(make_order(make_site(a_check()))))
    samples.extend([Sample.FAIL, Sample.FAIL])
    step(order)
    back = step(step(Deployment.objects.get(undoes=order)))
    assert back.state == State.NEEDS_HUMAN

    settle_deployment(back.pk, truth=Truth.NEW_RUNS, reason="It only answers slowly.", by=operator())

    back.refresh_from_db()
    order.leg.refresh_from_db()
    assert (back.state, order.leg.state) == (State.SUCCEEDED, "ROLLED_BACK")


def test_a_broken_record_rolls_everything_back(fake, monkeypatch):
    leg = make_leg()
    by = operator()

    def broken(*args, **kwargs):
        raise RuntimeError("no stream")

    monkeypatch.setattr("apps.deployments.transitions.record", broken)

    with pytest.raises(RuntimeError):
        order_deployment(leg.pk, by=by)
    assert not Deployment.objects.exists()


def test_a_broken_record_keeps_a_beginning_from_beginning(fake, monkeypatch):
    order = make_order()
    monkeypatch.setattr("apps.deployments.transitions.record", lambda *args, **kwargs: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        run_step(order.pk)

    order.refresh_from_db()
    order.target.refresh_from_db()
    assert (order.state, order.target.occupied_by) == (State.QUEUED, None)
