"""What a leg replaces: what runs while it is still to come; once it began, or its change ended, what ran before."""

from datetime import timedelta

import pytest

from apps.catalog.models import Outcome, Target
from apps.catalog.steps import note_arrival
from apps.catalog.versions import Version
from apps.changes.actions import withdraw_change
from apps.changes.facts import current_legs
from apps.changes.models import Change
from apps.changes.readings import ways_of
from apps.changes.states import State
from apps.changes.steps import leg_done, leg_failed, leg_rolled_back, leg_started
from apps.core.locks import database_now
from tests.factories.accounts import make_person
from tests.factories.approvals import make_change, make_place

pytestmark = pytest.mark.django_db


def commit(number: int) -> list[str]:
    return [f"git:{number:040x}"]


def arrive(target: Target, label: str, identities: list[str], outcome: Outcome = Outcome.SUCCEEDED) -> None:
    target.refresh_from_db()
    note_arrival(target, Version(label, tuple(identities)), outcome, by=make_person().actor, at=database_now())


def replaced(change: Change) -> str:
    (leg,) = current_legs(change)
    return leg.before["label"]


@pytest.fixture
def place() -> Target:
    target = make_place()
    arrive(target, "1.0", commit(1))
    return target


@pytest.fixture
def change(place) -> Change:
    return make_change(State.APPROVED, targets=(place,))


def began(change: Change):
    (leg,) = current_legs(change)
    leg_started(leg, by=change.requester.actor, at=database_now())
    return leg


def test_a_leg_to_come_replaces_what_runs(change, place):
    arrive(place, "1.1", commit(2))

    assert replaced(change) == "1.1"


def test_a_leg_that_is_done_replaced_what_ran_before_it(change, place):
    leg = began(change)
    arrive(place, leg.item.label, leg.item.identities)
    leg_done(leg, by=change.requester.actor, at=database_now())
    arrive(place, "9.0", commit(9))

    assert replaced(change) == "1.0"
    assert ways_of(change)[0].way.base == f"{1:040x}"


def test_a_leg_that_went_back_replaced_what_it_went_back_to(change, place):
    leg = began(change)
    arrive(place, leg.item.label, leg.item.identities, Outcome.FAILED)
    arrive(place, "1.0", commit(1), Outcome.ROLLED_BACK)
    leg_rolled_back(leg, by=change.requester.actor, at=database_now(), reason="bad")
    arrive(place, "9.0", commit(9))

    assert replaced(change) == "1.0"


def test_what_a_leg_left_there_itself_is_not_what_it_replaced(change, place):
    leg = began(change)
    arrive(place, leg.item.label, leg.item.identities, Outcome.LEFT)
    leg_failed(leg, by=change.requester.actor, at=database_now(), reason="bad")
    leg = began(change)
    arrive(place, leg.item.label, leg.item.identities)

    assert replaced(change) == "1.0"


def test_a_leg_that_never_began_stands_at_the_end_of_its_change(change, place):
    withdraw_change(change_id=change.pk, by=change.requester.actor, reason="not now", now=database_now() + timedelta(seconds=1))
    place.refresh_from_db()
    note_arrival(place, Version("9.0", tuple(commit(9))), Outcome.SUCCEEDED, by=make_person().actor, at=database_now() + timedelta(hours=1))

    assert replaced(change) == "1.0"


def test_where_nothing_ran_nothing_was_replaced():
    change = make_change(State.APPROVED, targets=(make_place(),))
    leg = began(change)
    arrive(leg.target, leg.item.label, leg.item.identities)

    (leg,) = current_legs(change)
    assert leg.before == {"label": "", "identities": []}
