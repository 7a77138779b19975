"""The only writer of an incident's state."""

from datetime import datetime

from apps.audit.record import record
from apps.audit.vocabulary import Event
from apps.core.actors import Actor
from apps.core.references import Reference
from apps.incidents.models import Incident
from apps.incidents.states import MOVES, State

EVENTS = {State.OPEN: Event.INCIDENT_OPENED, State.RECOVERED: Event.INCIDENT_RECOVERED, State.RESOLVED: Event.INCIDENT_RESOLVED}


class IllegalMove(Exception):
    """A move that the table does not have: a mistake in the program, never of a person."""


def move(incident: Incident, goal: State, *, by: Actor, at: datetime, reason: str = "") -> None:
    """Move a locked incident and say so."""
    start = State(incident.state)
    if goal not in MOVES[start]:
        raise IllegalMove(f"{incident.ref} does not go from {start} to {goal}.")
    incident.state = goal
    match goal:
        case State.OPEN:
            incident.recovered_at = None
        case State.RECOVERED:
            incident.recovered_at = at
        case State.RESOLVED:
            incident.resolved_at = at
    incident.save()
    data = {"ref": incident.ref, "from": start, "to": goal}
    record(
        EVENTS[goal], subject=incident, by=by, at=at, refs=refs_of(incident), data=data, details={"title": incident.title, "reason": reason}
    )


def refs_of(incident: Incident) -> list[Reference]:
    """Everything an incident's entries are found from."""
    target = incident.target
    return [target.reference, target.service.reference, target.environment.reference]
