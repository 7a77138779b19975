"""Incidents in every state; `make_incident` walks the real actions."""

import factory
from factory.django import DjangoModelFactory

from apps.accounts.roles import Role
from apps.catalog.models import Target
from apps.incidents.actions import open_incident, recover_incident, resolve_incident
from apps.incidents.models import Incident, TimelineEntry
from apps.incidents.states import State
from tests.conftest import NOW
from tests.factories.accounts import make_person
from tests.factories.catalog import TargetFactory, make_target


class IncidentFactory(DjangoModelFactory):
    """A bare row, for tests of queries alone."""

    class Meta:
        model = Incident

    target = factory.SubFactory(TargetFactory)
    title = "Scanners reject valid tickets"
    opened_by = "SYSTEM:test"
    started_at = NOW
    opened_at = NOW


class TimelineEntryFactory(DjangoModelFactory):
    class Meta:
        model = TimelineEntry

    incident = factory.SubFactory(IncidentFactory)
    occurred_at = NOW
    recorded_at = NOW
    by = "SYSTEM:test"
    text = "Partner tickets only."


def make_incident(state: State = State.OPEN, *, target: Target | None = None, title: str = "Scanners reject valid tickets") -> Incident:
    """An incident in this state, opened by a person."""
    leader = make_person(Role.OPERATOR).actor
    incident = open_incident((target or make_target()).pk, title=title, by=leader)
    if state is State.RECOVERED:
        recover_incident(incident.pk, by=leader)
    if state is State.RESOLVED:
        resolve_incident(incident.pk, by=leader, reason="The terminals were restarted.")
    incident.refresh_from_db()
    assert incident.state == state
    return incident
