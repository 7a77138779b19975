"""Machines' holds and reservations: once per source, told with their target, inside the caller's transaction."""

from datetime import timedelta

import pytest

from apps.audit.stream import entries_about
from apps.audit.vocabulary import Event
from apps.core.actors import system
from apps.core.ids import new_id
from apps.core.references import reference
from apps.schedule.facts import scope_numbers_of, scopes_named
from apps.schedule.models import Hold, HoldSource, Reservation
from apps.schedule.steps import place_hold_step, release_reservation, reserve
from tests.factories.catalog import make_target

pytestmark = pytest.mark.django_db
BY, HOUR = system("runner"), timedelta(hours=1)


def test_a_machines_hold_names_its_source_and_stops_its_target_alone(now):
    target, incident = make_target(), reference("incident", new_id())

    hold = place_hold_step(target, source=HoldSource.INCIDENT, source_ref=str(incident), reason="INC-3 is open.", by=BY, at=now)

    entry = entries_about(hold.reference, limit=1)[0]
    assert scopes_named([hold.scope])[hold.scope].reference == target.reference
    assert hold.scope in scope_numbers_of(target)
    assert (entry.event, entry.data["source"]) == (Event.HOLD_PLACED, "INCIDENT")
    assert {incident, target.reference, target.service.reference, target.environment.reference} <= set(entry.refs)


def test_told_twice_it_is_one_hold_and_after_lifting_a_new_one(now):
    target = make_target()
    told = {"source": HoldSource.ROLLBACK, "source_ref": "deployment:1", "reason": "x" * 400, "by": BY, "at": now}

    first, second = place_hold_step(target, **told), place_hold_step(target, **told)
    Hold.objects.filter(pk=first.pk).update(lifted_at=now, lifted_by="PERSON:1")
    third = place_hold_step(target, **told)

    assert first == second != third
    assert len(first.reason) == 300
    assert len(entries_about(first.reference, limit=5)) == 1


def test_a_source_without_a_reference_is_told_without(now):
    hold = place_hold_step(make_target(), source=HoldSource.CHECK, source_ref="", reason="It answers 500.", by=BY, at=now)

    assert not {ref.kind for ref in entries_about(hold.reference, limit=1)[0].refs} - {"hold", "target", "service", "environment", "system"}


def test_a_reservation_keeps_the_reach_and_moves_its_end(now):
    target, deployment = make_target(), new_id()
    asked = {"held_for": deployment, "starts_at": now, "by": BY, "at": now}

    first = reserve(target, **asked, until=now + HOUR)
    same = reserve(target, **asked, until=now + HOUR)
    longer = reserve(target, **asked, until=now + 2 * HOUR)

    told = entries_about(reference("deployment", deployment), limit=5)
    assert first == same == longer
    assert Reservation.objects.get().reserved_until == now + 2 * HOUR
    assert [entry.event for entry in told] == [Event.RESERVATION_MADE] * 2
    assert target.reference in told[0].refs


def test_a_reservation_is_released_once_and_may_be_made_again(now):
    target, deployment = make_target(), new_id()
    reserve(target, held_for=deployment, starts_at=now, until=now + HOUR, by=BY, at=now)

    released = [release_reservation(deployment, by=BY, at=now) for _ in range(2)]
    reserve(target, held_for=deployment, starts_at=now, until=now + HOUR, by=BY, at=now)

    assert released == [True, False]
    assert Reservation.objects.get().released_at is None
    assert not release_reservation(new_id(), by=BY, at=now)
