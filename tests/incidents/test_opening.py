"""The follower: opens by itself, once; says that users are well again; never misses and never repeats."""

import time
from uuid import UUID

import pytest
from django.db import transaction

from apps.accounts.roles import Role
from apps.audit.followers import TRIES, run_followers
from apps.audit.record import record
from apps.audit.seal import seal_now
from apps.audit.stream import entries_about, entry_by_id
from apps.audit.vocabulary import Event
from apps.core.actors import system
from apps.core.references import reference
from apps.deployments.actions import roll_back_deployment
from apps.deployments.models import Deployment
from apps.deployments.states import State as DeploymentState
from apps.incidents.actions import note_on_timeline, recover_incident, resolve_incident
from apps.incidents.models import Incident
from apps.incidents.opening import follow_stream, react
from apps.incidents.states import State
from apps.schedule.models import Hold
from tests.conftest import NOW
from tests.factories.accounts import make_person
from tests.factories.deployments import FAILS_SWITCHED, FAKE, make_deployment, make_order, make_site, step
from tests.factories.incidents import make_incident


@pytest.fixture(autouse=True)
def fresh_driver():
    FAKE.reset()


def bad_deployment(target=None) -> Deployment:
    order = step(make_order(target or make_site()))
    FAKE.answers.append(FAILS_SWITCHED)
    return step(order)


def way_back_of(order: Deployment) -> Deployment:
    return Deployment.objects.get(undoes=order)


def follow() -> None:
    seal_now()
    run_followers()


def test_an_automatic_way_back_opens_an_incident_within_two_seconds_and_recovers_it(own_database):
    order = bad_deployment()
    began = time.monotonic()
    follow()
    assert time.monotonic() - began < 2

    incident = Incident.objects.get()
    assert incident.state == State.OPEN
    assert incident.started_at == order.switched_at
    assert "3.18.1" in incident.title
    assert not Hold.objects.filter(source="INCIDENT").exists()

    back = step(step(way_back_of(order)))
    follow()

    incident.refresh_from_db()
    assert (incident.state, incident.recovered_at) == (State.RECOVERED, back.read_back_at)


def test_following_twice_opens_once(own_database):
    order = bad_deployment()
    follow()
    (entry,) = [entry for entry in entries_about(order.reference, limit=20) if entry.event is Event.ROLLBACK_ORDERED]

    with transaction.atomic():
        react(entry)
    follow_stream()
    follow()

    assert Incident.objects.count() == 1


@pytest.mark.parametrize(
    "act",
    [
        lambda incident, by: recover_incident(incident.pk, by=by),
        lambda incident, by: resolve_incident(incident.pk, by=by, reason="Restarted."),
        lambda incident, by: note_on_timeline(incident.pk, text="Both terminals.", by=by),
    ],
)
def test_whoever_writes_an_incident_waits_for_whoever_has_its_target(own_database, racer, wait_until_blocked, act):
    incident, by = make_incident(), make_person(Role.OPERATOR).actor

    with own_database.connect() as guard:
        guard.autocommit = False
        guard.execute("select 1 from catalog_target where id = %s for update", [incident.target_id])
        late = racer(lambda: act(incident, by))
        wait_until_blocked(guard.info.backend_pid)
        guard.rollback()

    late.result()


def test_the_cursor_and_what_was_done_stand_or_fall_together(own_database, monkeypatch):
    bad_deployment()
    seal_now()
    monkeypatch.setattr("apps.incidents.opening.begin_incident", lambda *args, **kwargs: 1 / 0)
    run_followers()
    assert not Incident.objects.exists()
    monkeypatch.undo()

    run_followers()

    assert Incident.objects.count() == 1


def test_entry_that_cannot_be_reacted_to_does_not_keep_later_incidents_from_opening(own_database):
    nowhere = record(Event.DEPLOYMENT_NEEDS_HUMAN, subject=reference("deployment", UUID(int=7)), by=system("test"), at=NOW)
    bad_deployment()

    for _ in range(TRIES):
        follow()

    assert Incident.objects.count() == 1
    assert [entry.event for entry in entries_about(reference("entry", nowhere), limit=5)] == [Event.FOLLOWER_FAILED]


@pytest.mark.django_db
def test_a_deployment_that_needs_a_person_opens_an_incident_and_a_hold():
    order = make_deployment(DeploymentState.NEEDS_HUMAN)
    entry = entries_about(order.reference, limit=1)[0]
    assert entry.event is Event.DEPLOYMENT_NEEDS_HUMAN

    react(entry)

    incident = Incident.objects.get()
    assert incident.title.startswith(f"{order.ref} of")
    assert Hold.objects.get(source="INCIDENT").source_ref == str(incident.reference)


@pytest.mark.django_db
def test_a_way_back_that_a_person_ordered_opens_none():
    order = make_deployment()
    roll_back_deployment(order.pk, by=make_person(Role.OPERATOR).actor, reason="The map is empty.")

    for entry in entries_about(order.reference, limit=50):
        react(entry)

    assert not Incident.objects.exists()


@pytest.mark.django_db
def test_one_that_stands_is_not_doubled_and_one_that_recovered_opens_again():
    target = make_site()
    incident = make_incident(State.RECOVERED, target=target)
    Hold.objects.all().update(lifted_at="2026-01-01T00:00Z", lifted_by="SYSTEM:test")
    order = bad_deployment(target)
    (entry,) = [entry for entry in entries_about(order.reference, limit=50) if entry.event is Event.ROLLBACK_ORDERED]

    react(entry)
    react(entry)

    incident.refresh_from_db()
    assert Incident.objects.count() == 1
    assert incident.state == State.OPEN


def success_of_a_way_back(order: Deployment) -> list:
    """What the stream says once the bad version of this order is gone."""
    back = step(step(way_back_of(order)))
    assert back.state == DeploymentState.SUCCEEDED
    return [entry for entry in entries_about(back.reference, limit=50) if entry.event is Event.DEPLOYMENT_SUCCEEDED]


@pytest.mark.django_db
def test_what_people_opened_for_another_reason_is_not_ended_by_a_way_back():
    target = make_site()
    order = bad_deployment(target)
    incident = make_incident(target=target, title="The printer burns")

    for entry in success_of_a_way_back(order):
        react(entry)

    incident.refresh_from_db()
    assert incident.state == State.OPEN


@pytest.mark.django_db
@pytest.mark.parametrize("by_people", [True, False])
def test_one_that_opened_again_is_ended_by_the_way_back_only_if_it_opened_it(by_people):
    target = make_site()
    order = bad_deployment(target)
    (ordered,) = [entry for entry in entries_about(order.reference, limit=50) if entry.event is Event.ROLLBACK_ORDERED]
    incident = make_incident(State.RECOVERED, target=target)
    if by_people:
        react(ordered)
        recover_incident(incident.pk, by=make_person(Role.OPERATOR).actor)
        make_incident(target=target)
    else:
        react(ordered)

    for entry in success_of_a_way_back(order):
        react(entry)

    incident.refresh_from_db()
    assert incident.state == (State.OPEN if by_people else State.RECOVERED)


@pytest.mark.django_db
def test_an_ordinary_success_says_nothing():
    order = make_deployment()
    incident = make_incident(target=order.target)

    for entry in entries_about(order.reference, limit=50):
        react(entry)

    incident.refresh_from_db()
    assert incident.state == State.OPEN


@pytest.mark.django_db
def test_other_events_are_passed_over():
    order = make_deployment()
    entry_id = record(Event.CHANGE_COMMENTED, subject=order, by=make_person().actor, at=order.ordered_at)
    entry = entry_by_id(entry_id)
    assert entry is not None

    react(entry)

    assert not Incident.objects.exists()
