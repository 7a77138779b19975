"""Plain functions about incidents that join the caller's transaction. The caller has locked the target."""

from datetime import datetime
from uuid import UUID

from apps.audit.names import actor_text
from apps.audit.record import record
from apps.audit.vocabulary import Event
from apps.catalog.models import Target
from apps.core.actors import Actor
from apps.incidents.access import standing_incident
from apps.incidents.models import Incident, TimelineEntry
from apps.incidents.states import State
from apps.incidents.transitions import move, refs_of
from apps.schedule.models import HoldSource
from apps.schedule.steps import place_hold_step


def begin_incident(
    target: Target, *, title: str, started_at: datetime, by: Actor, at: datetime, opened_for: UUID | None = None
) -> Incident | None:
    """Open an incident on a target; one that had recovered opens again. None where one is open or this entry opened one before.

    `opened_for` is the entry it was opened for last; None says that a person opened it, and a person ends it."""
    if opened_for and Incident.objects.filter(opened_for=opened_for).exists():
        return None
    standing = standing_incident(target)
    if standing is not None:
        if standing.state == State.RECOVERED:
            standing.opened_for = opened_for
            move(standing, State.OPEN, by=by, at=at, reason=title)
        return None
    incident = Incident.objects.create(
        target=target, title=title[:200], opened_by=actor_text(by), opened_for=opened_for, started_at=started_at, opened_at=at
    )
    data = {"ref": incident.ref, "started_at": started_at}
    record(Event.INCIDENT_OPENED, subject=incident, by=by, at=at, refs=refs_of(incident), data=data, details={"title": incident.title})
    return incident


def hold_target(incident: Incident, *, by: Actor, at: datetime) -> None:
    """Stop deployments to the target while the incident burns; rollbacks still go."""
    reason = f"{incident.ref}: {incident.title}"
    place_hold_step(incident.target, source=HoldSource.INCIDENT, source_ref=str(incident.reference), reason=reason, by=by, at=at)


def write_note(
    incident: Incident, *, text: str, occurred_at: datetime, by: Actor, at: datetime, supersedes: TimelineEntry | None = None
) -> TimelineEntry:
    """Add a person's note, or the correction of one."""
    note = TimelineEntry.objects.create(
        incident=incident, occurred_at=occurred_at, recorded_at=at, by=actor_text(by), text=text, supersedes=supersedes
    )
    event = Event.TIMELINE_CORRECTED if supersedes else Event.TIMELINE_NOTED
    data = {"ref": incident.ref, "note": note.public_id, "occurred_at": occurred_at}
    if supersedes:
        data["supersedes"] = supersedes.public_id
    record(event, subject=incident, by=by, at=at, refs=refs_of(incident), data=data, details={"text": text})
    return note
