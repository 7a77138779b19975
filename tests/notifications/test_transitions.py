"""Every move of a notification: those of the table happen, the others are a mistake in the program."""

import pytest
from django.db import IntegrityError, transaction

from apps.notifications.kinds import NEEDED, Kind, Timing
from apps.notifications.states import MOVES, State
from apps.notifications.transitions import IllegalMove, move
from tests.conftest import NOW
from tests.factories.notifications import ChoiceFactory, DeliveryFactory, DigestFactory, ScheduleFactory

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("factory", [DeliveryFactory, DigestFactory])
@pytest.mark.parametrize("start", sorted(State))
@pytest.mark.parametrize("goal", sorted(State))
def test_move_is_made_when_the_table_has_it(factory, start, goal):
    mail = factory(state=start, ended_at=None if start is State.QUEUED else NOW, tries=3)

    if goal not in MOVES[start]:
        with pytest.raises(IllegalMove):
            move(mail, goal, at=NOW)
        return
    move(mail, goal, at=NOW, said="x" * 500)

    mail.refresh_from_db()
    assert mail.state == goal
    assert len(mail.said) == 400
    assert (mail.ended_at is None) is (goal is State.QUEUED)
    assert mail.tries == (0 if goal is State.QUEUED else 3)


@pytest.mark.parametrize(
    "wrong",
    [
        {"holder": "worker-1"},
        {"lease_expires_at": NOW},
        {"state": State.SENT},
        {"ended_at": NOW},
        {"state": State.SENT, "ended_at": NOW, "lease_expires_at": NOW, "holder": "worker-1"},
    ],
)
def test_rows_that_contradict_themselves_are_refused(wrong):
    with pytest.raises(IntegrityError), transaction.atomic():
        DeliveryFactory(**wrong)


def test_person_is_told_once_of_an_entry():
    first = DeliveryFactory()

    with pytest.raises(IntegrityError), transaction.atomic():
        DeliveryFactory(entry_id=first.entry_id, person=first.person)


@pytest.mark.parametrize("kind", sorted(Kind))
def test_database_keeps_never_from_what_is_needed(kind):
    if kind in NEEDED:
        with pytest.raises(IntegrityError), transaction.atomic():
            ChoiceFactory(kind=kind, timing=Timing.NEVER)
    else:
        ChoiceFactory(kind=kind, timing=Timing.NEVER)


def test_hour_of_a_digest_is_an_hour():
    with pytest.raises(IntegrityError), transaction.atomic():
        ScheduleFactory(digest_hour=24)
