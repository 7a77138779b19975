"""The durable verbs of people about incidents."""

from datetime import datetime

from apps.audit.names import actor_text
from apps.catalog.models import Target
from apps.catalog.steps import asker
from apps.core.actors import Actor
from apps.core.refusals import BadContent, Refused
from apps.core.texts import read_line, read_text
from apps.core.verbs import verb
from apps.incidents.access import hold_incident, standing_incident
from apps.incidents.models import Incident, TimelineEntry
from apps.incidents.refusals import recover_refusal, resolve_refusal
from apps.incidents.rules import LEADING, why_not_correct, why_not_moment, why_not_open
from apps.incidents.states import State
from apps.incidents.steps import begin_incident, hold_target, write_note
from apps.incidents.transitions import move

LONGEST_TITLE, LONGEST_NOTE, LONGEST_REASON = 200, 4000, 300


@verb
def open_incident(
    target_id: int, *, title: str, by: Actor, started_at: datetime | None = None, hold: bool = True, now: datetime | None = None
) -> Incident:
    """Say that something is wrong for users; by default deployments to the target stop, rollbacks still go.

    Anybody may say it; to stop a target is for those who operate it."""
    title = read_line(title, field="title", longest=LONGEST_TITLE)
    target, now = Target.objects.lock(target_id, now)
    roles = asker(by, target.service).roles
    started_at = _moment(started_at, field="started_at", now=now)
    standing = standing_incident(target)
    if refusal := why_not_open(roles, standing=standing.ref if standing and standing.state == State.OPEN else "", hold=hold):
        raise Refused(refusal, about=target.reference)
    incident = begin_incident(target, title=title, started_at=started_at, by=by, at=now) or standing
    assert incident is not None  # noqa: S101 - a new one, or the recovered one that opened again
    if hold:
        hold_target(incident, by=by, at=now)
    incident.refresh_from_db()
    return incident


@verb
def note_on_timeline(
    incident_id: int, *, text: str, by: Actor, occurred_at: datetime | None = None, now: datetime | None = None
) -> TimelineEntry:
    """Write what happened; a late entry keeps both times."""
    text = read_text(text, field="text", longest=LONGEST_NOTE, empty=False)
    incident, now = hold_incident(incident_id, now)
    asker(by, incident.target.service)
    return write_note(incident, text=text, occurred_at=_moment(occurred_at, field="occurred_at", now=now), by=by, at=now)


@verb
def correct_timeline(
    entry_id: int, *, text: str, by: Actor, occurred_at: datetime | None = None, now: datetime | None = None
) -> TimelineEntry:
    """Put a better entry in the place of one; the old one stays readable, struck out."""
    text = read_text(text, field="text", longest=LONGEST_NOTE, empty=False)
    old = TimelineEntry.objects.get(pk=entry_id)
    incident, now = hold_incident(old.incident_id, now)
    leads = bool(asker(by, incident.target.service).roles & LEADING)
    superseded = TimelineEntry.objects.filter(supersedes=old).exists()
    if refusal := why_not_correct(superseded=superseded, is_theirs=old.by == actor_text(by), leads=leads):
        raise Refused(refusal, about=incident.reference)
    moment = _moment(occurred_at, field="occurred_at", now=now) if occurred_at else old.occurred_at
    return write_note(incident, text=text, occurred_at=moment, by=by, at=now, supersedes=old)


@verb
def recover_incident(incident_id: int, *, by: Actor, reason: str = "", now: datetime | None = None) -> Incident:
    """Users are well again; what is left to do is still open."""
    reason = read_line(reason, field="reason", longest=LONGEST_REASON, empty=True)
    incident, now = hold_incident(incident_id, now)
    if refusal := recover_refusal(incident, by=by):
        raise Refused(refusal, about=incident.reference)
    move(incident, State.RECOVERED, by=by, at=now, reason=reason)
    return incident


@verb
def resolve_incident(incident_id: int, *, by: Actor, reason: str, now: datetime | None = None) -> Incident:
    """It is over, and why it is."""
    reason = read_line(reason, field="reason", longest=LONGEST_REASON)
    incident, now = hold_incident(incident_id, now)
    if refusal := resolve_refusal(incident, by=by):
        raise Refused(refusal, about=incident.reference)
    move(incident, State.RESOLVED, by=by, at=now, reason=reason)
    return incident


def _moment(given: datetime | None, *, field: str, now: datetime) -> datetime:
    if given is None:
        return now
    if said := why_not_moment(given, now=now):
        raise BadContent({field: [said]})
    return given
