"""Notifications in every state, and the ways tests walk there: the follower reads what was recorded, a worker sends what is due."""

from datetime import UTC, datetime
from uuid import uuid4

import factory
from factory.django import DjangoModelFactory

from apps.accounts.models import Person
from apps.audit.stream import latest
from apps.notifications.delivery import send_due
from apps.notifications.following import react
from apps.notifications.kinds import Kind, Relation, Timing
from apps.notifications.models import Choice, Delivery, Digest, Schedule
from apps.notifications.states import State
from tests.conftest import NOW
from tests.factories.accounts import make_person

ENOUGH = 1000


class DigestFactory(DjangoModelFactory):
    class Meta:
        model = Digest

    person = factory.LazyFunction(make_person)
    queued_at = NOW
    wake_at = NOW


class DeliveryFactory(DjangoModelFactory):
    """A bare row about something that is not there, for tests of queries and leases alone."""

    class Meta:
        model = Delivery

    person = factory.LazyFunction(make_person)
    entry_id = factory.LazyFunction(uuid4)
    event = "change.approved"
    kind = Kind.CHANGE_DECIDED
    relation = Relation.REQUESTER
    timing = Timing.NOW
    subject = factory.LazyFunction(lambda: f"change:{uuid4()}")
    thread = factory.SelfAttribute("subject")
    told_at = NOW
    queued_at = NOW
    wake_at = NOW


class ChoiceFactory(DjangoModelFactory):
    class Meta:
        model = Choice

    person = factory.LazyFunction(make_person)
    kind = Kind.CHANGE_DECIDED
    timing = Timing.DIGEST


class ScheduleFactory(DjangoModelFactory):
    class Meta:
        model = Schedule

    person = factory.LazyFunction(make_person)


def follow_all(now: datetime | None = None) -> None:
    """Let the follower react to every entry there is, sealed or not; what it has reacted to before adds nothing."""
    for entry in reversed(latest(None, limit=ENOUGH)):
        react(entry, now=now or datetime.now(UTC))


def told(person: Person, *kinds: Kind) -> list[Delivery]:
    """What a person is told, the oldest first."""
    found = Delivery.objects.filter(person=person).order_by("pk")
    return [*(found.filter(kind__in=kinds) if kinds else found)]


def send_everything() -> None:
    """Send until nothing is due."""
    while send_due(seconds=30, holder="worker-1"):
        assert not Delivery.objects.filter(state=State.QUEUED, lease_expires_at__isnull=False).exists()
