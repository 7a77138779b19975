"""Every kind × every choice × every relation: who gets a mail when, and what is kept from them."""

from datetime import UTC, datetime, time, timedelta
from uuid import uuid4

import pytest

from apps.accounts.models import WorkingHours
from apps.audit.entries import StreamEntry
from apps.core.actors import system
from apps.notifications.facts.telling import Notice, Told
from apps.notifications.facts.wishes import wishes_of_one
from apps.notifications.kinds import NEEDED, TOPICS, Kind, Relation, Timing, timing_of
from apps.notifications.models import Delivery
from apps.notifications.states import State
from apps.notifications.steps import queue_notice
from tests.factories.accounts import make_person
from tests.factories.incidents import IncidentFactory
from tests.factories.notifications import ChoiceFactory, ScheduleFactory

pytestmark = pytest.mark.django_db
FRIDAY = datetime(2026, 11, 20, 20, 0, tzinfo=UTC)
DIGEST = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
MONDAY = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


def queued(person, kind: Kind, relation: Relation = Relation.OWNER, *, at: datetime = FRIDAY) -> Delivery:
    """What becomes of telling one person one thing."""
    incident = IncidentFactory()
    entry = StreamEntry(uuid4(), "incident.opened", at, system("test"), incident.reference, (incident.reference,), {}, {})
    queue_notice(entry, Notice(incident, (Told(person.public_id, kind, relation),)), at=at)
    return Delivery.objects.get(entry_id=entry.id, person=person)


@pytest.mark.parametrize("kind", sorted(Kind))
@pytest.mark.parametrize("choice", [None, *sorted(Timing)])
def test_choice_decides_when_and_never_hides_what_is_needed(kind, choice):
    person = make_person()
    if choice is not None and choice in TOPICS[kind].choices:
        ChoiceFactory(person=person, kind=kind, timing=choice)

    delivery = queued(person, kind)

    timing = timing_of(kind, choice)
    assert delivery.timing == timing
    assert delivery.state == (State.SUPPRESSED if timing is Timing.NEVER else State.QUEUED)
    assert delivery.state == State.QUEUED or kind not in NEEDED
    assert delivery.wake_at == (DIGEST if timing is Timing.DIGEST else FRIDAY)


@pytest.mark.parametrize("relation", sorted(Relation))
@pytest.mark.parametrize("kind", sorted(Kind))
def test_relation_says_why_and_changes_nothing_else(kind, relation):
    delivery = queued(make_person(), kind, relation)

    assert (delivery.relation, delivery.kind) == (relation, kind)
    assert delivery.state == State.QUEUED


@pytest.mark.parametrize("kind", sorted(Kind))
def test_only_what_can_wait_waits_for_working_hours(kind):
    person = make_person()
    ScheduleFactory(person=person, only_in_hours=True)
    WorkingHours.objects.create(person=person, days=[0, 1, 2, 3, 4], begins=time(9), ends=time(17))
    ChoiceFactory(person=person, kind=kind, timing=Timing.NOW)

    assert queued(person, kind).wake_at == (MONDAY if TOPICS[kind].waits_for_hours else FRIDAY)


def test_without_hours_of_ones_own_those_of_the_house_count():
    person = make_person()
    ScheduleFactory(person=person, only_in_hours=True)

    assert queued(person, Kind.SIGN_OFF_ASKED).wake_at == MONDAY


def test_working_hours_hold_nothing_up_unless_that_was_chosen():
    person = make_person()
    WorkingHours.objects.create(person=person, days=[0], begins=time(9), ends=time(17))

    assert wishes_of_one(person).hours is None
    assert queued(person, Kind.SIGN_OFF_ASKED).wake_at == FRIDAY


def test_hour_of_the_digest_is_of_the_persons_own_zone():
    person = make_person(time_zone="America/New_York")
    ScheduleFactory(person=person, digest_hour=7)

    assert queued(person, Kind.COMMENTED).wake_at == datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def test_zone_that_is_none_reads_as_utc():
    person = make_person(time_zone="Nowhere/Land")

    assert queued(person, Kind.COMMENTED).wake_at == DIGEST


def test_person_with_several_relations_is_told_the_weightiest_once():
    person, incident = make_person(), IncidentFactory()
    entry = StreamEntry(uuid4(), "incident.opened", FRIDAY, system("test"), incident.reference, (incident.reference,), {}, {})
    relations = (Relation.OPERATOR, Relation.WATCHER, Relation.OWNER)
    notice = Notice(incident, tuple(Told(person.public_id, Kind.INCIDENT_OPENED, relation) for relation in relations))

    queue_notice(entry, notice, at=FRIDAY)
    queue_notice(entry, notice, at=FRIDAY + timedelta(hours=1))

    assert [row.relation for row in Delivery.objects.filter(person=person)] == [Relation.OWNER]
