"""The whole way with nothing faked: repository, directories, process, HTTP, database, stream, incident."""

import time

import pytest

from apps.accounts.roles import Role
from apps.audit.followers import run_followers
from apps.audit.seal import seal_now
from apps.deployments.actions import order_deployment
from apps.deployments.beat import due_ids, expired_ids
from apps.deployments.facts import exposure, log_text
from apps.deployments.lease import claim, note_lost
from apps.deployments.models import ClockTimestamp, Deployment
from apps.deployments.probes import fetch
from apps.deployments.runner import run_step
from apps.deployments.states import FINAL, State
from apps.incidents.access import arrivals_before
from apps.incidents.models import Incident
from apps.schedule.actions import lift_hold
from apps.schedule.models import Hold, Reservation
from tests.deployments.town import Town
from tests.factories.accounts import make_person
from tests.factories.deployments import make_leg, make_site

pytestmark = pytest.mark.slow


def drive(*, seconds: float = 40) -> None:
    """Do what beat and workers do until nothing is on its way."""
    until = time.monotonic() + seconds
    while Deployment.objects.open().exclude(state=State.NEEDS_HUMAN).exists():
        assert time.monotonic() < until, [(row.ref, row.state, log_text(row)) for row in Deployment.objects.all()]
        for lost in expired_ids():
            note_lost(lost)
        for due in due_ids():
            run_step(due)


def make_place(town: Town, **more: object):
    target = make_site(settings=town.settings(**more))
    target.running_label, target.running_identities, target.running_since = "", [], None
    target.save()
    target.service.repository = str(town.repository)
    target.service.save()
    return target


def deploy(target, commit: str, label: str) -> Deployment:
    Reservation.objects.update(released_at=ClockTimestamp())  # nobody waits for the way back of the version before
    target.refresh_from_db()
    leg = make_leg(target, identity=f"git:{commit}", label=label)
    order = order_deployment(leg.pk, by=make_person(Role.OPERATOR).actor)
    drive()
    order.refresh_from_db()
    return order


def test_a_bad_version_comes_and_goes_and_an_incident_tells_it(own_database, town):
    target = make_place(town)
    good, bad = town.commit("good"), town.commit("bad")
    first = deploy(target, good, "v2")
    assert first.state == State.SUCCEEDED, first.failure
    assert fetch(town.version_url).body == good

    second = deploy(target, bad, "v3")

    back = Deployment.objects.get(undoes=second)
    target.refresh_from_db()
    assert (second.state, back.state) == (State.FAILED, State.SUCCEEDED)
    assert second.failure == "The check “healthy” failed."
    assert fetch(town.version_url).body == good
    assert fetch(town.health_url).status == 200
    assert (target.running_label, target.occupied_by) == ("v2", None)
    shown = exposure(second)
    assert shown is not None
    assert 0 < shown.seen.total_seconds() < 30
    assert "read back" in log_text(back)

    seal_now()
    run_followers()
    run_followers()
    incident = Incident.objects.get()
    assert (incident.state, incident.target) == ("RECOVERED", target)
    assert incident.started_at == second.switched_at
    assert incident.recovered_at == back.read_back_at
    assert [arrival.label for arrival in arrivals_before(incident)][:2] == ["v2", "v3"]


def test_a_commit_that_nobody_pushed_fails_and_changes_nothing(own_database, town):
    target = make_place(town)
    deploy(target, town.commit("good"), "v2")

    order = deploy(target, "ab" * 20, "v3")

    target.refresh_from_db()
    assert order.state == State.FAILED
    assert "Push or fetch it there, then order again." in order.failure
    assert target.running_label == "v2"
    assert not Deployment.objects.filter(undoes=order).exists()
    assert not Hold.objects.exists()


def test_a_worker_killed_between_any_two_steps_is_followed_by_another(own_database, town):
    target = make_place(town)
    deploy(target, town.commit("good"), "v2")
    commit = town.commit("good", more="x")
    leg = make_leg(target, identity=f"git:{commit}", label="v3")
    Reservation.objects.update(released_at=ClockTimestamp())
    order = order_deployment(leg.pk, by=make_person(Role.OPERATOR).actor)
    until, lost = time.monotonic() + 60, 0
    while order.state not in FINAL:
        assert time.monotonic() < until, log_text(order)
        due = due_ids()  # asked once a lap: what becomes due is always taken by the worker that dies first
        if order.state != State.QUEUED and order.pk in due and claim(order.pk, holder=f"worker-{lost}"):
            # The worker dies here, before it wrote anything; its lease runs out.
            Deployment.objects.filter(pk=order.pk).update(lease_expires_at=ClockTimestamp())
            lost += note_lost(order.pk)
        for one in due:
            run_step(one)
            run_step(one)
        order.refresh_from_db()

    assert order.state == State.SUCCEEDED, order.failure
    assert lost >= 2
    assert fetch(town.version_url).body == commit


def test_a_lifted_hold_lets_the_next_version_in(own_database, town):
    target = make_place(town)
    deploy(target, town.commit("good"), "v2")
    deploy(target, town.commit("bad"), "v3")
    hold = Hold.objects.get()
    lift_hold(hold_id=hold.pk, reason="Looked at it.", by=make_person(Role.RELEASE_MANAGER).actor)
    commit = town.commit("good", more="y")

    order = deploy(target, commit, "v4")

    assert order.state == State.SUCCEEDED
    assert order.previous_label == "v2"
    assert fetch(town.version_url).body == commit
