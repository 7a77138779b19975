"""The timeline of an incident: every event of its service from a day before, out of the stream, with people's notes between them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from apps.accounts.models import Person
from apps.audit.entries import StreamEntry
from apps.audit.names import read_actor
from apps.audit.sentences import actor_name, sentence
from apps.audit.stream import entries_about_any
from apps.audit.vocabulary import Event
from apps.changes.access import changes_for
from apps.core.references import Reference, with_public_ids
from apps.incidents.models import Incident, TimelineEntry

BEFORE = timedelta(hours=24)
AFTER = timedelta(minutes=10)  # what follows the end closely still belongs to it
MOST = 500
LATE = timedelta(minutes=1)
# What a reader looks for first; the rest is there on demand.
KEY = frozenset(
    {Event.CHANGE_SUBMITTED, Event.CHANGE_APPROVED, Event.SIGN_OFF_GIVEN, Event.VERSION_ARRIVED, Event.VERSION_ADOPTED}
    | {
        Event.DEPLOYMENT_ORDERED,
        Event.DEPLOYMENT_STARTED,
        Event.DEPLOYMENT_SUCCEEDED,
        Event.DEPLOYMENT_FAILED,
        Event.DEPLOYMENT_LOST,
        Event.DEPLOYMENT_SILENT,
    }
    | {Event.DEPLOYMENT_NEEDS_HUMAN, Event.DEPLOYMENT_ABORTED, Event.DEPLOYMENT_REFUSED, Event.ROLLBACK_ORDERED, Event.CHECK_FAILED}
    | {Event.HOLD_PLACED, Event.HOLD_LIFTED, Event.TARGET_LOCKED, Event.TARGET_UNLOCKED, Event.TARGET_SETTINGS_CHANGED}
    | {Event.INCIDENT_OPENED, Event.INCIDENT_RECOVERED, Event.INCIDENT_RESOLVED, Event.FREEZE_DECLARED, Event.FREEZE_LIFTED}
)
# What was done to the service itself is told to everybody who sees the service; a change they do not see is not named in it.
OF_THE_SERVICE = frozenset({"deployment", "target", "hold", "incident"})
# Told by the notes themselves.
NOTES = frozenset({Event.TIMELINE_NOTED, Event.TIMELINE_CORRECTED})


@dataclass(frozen=True, slots=True)
class TimelineLine:
    """One line of the timeline. `recorded_at` is None unless it was learned later; a corrected note says by what."""

    at: datetime
    icon: str
    tone: str
    sentence: str
    sub: str
    source: str
    recorded_at: datetime | None = None
    note_id: UUID | None = None
    corrected_at: datetime | None = None
    is_corrected: bool = False


def timeline(
    incident: Incident, *, reader: Person, names_of: Callable[[list[Reference]], dict[str, str]], only_key: bool = True
) -> tuple[list[TimelineLine], int]:
    """The lines that the reader may see, oldest first, and how many there are in all."""
    entries = _seen_by(reader, [entry for entry in reversed(_entries(incident)) if entry.event not in NOTES])
    notes = list(TimelineEntry.objects.filter(incident=incident).order_by("occurred_at", "pk"))
    shown = [entry for entry in entries if entry.event in KEY] if only_key else entries
    actors = [read_actor(note.by) for note in notes] + [entry.by for entry in shown]
    people = [Reference("person", str(actor.person_id)) for actor in actors if actor.person_id]
    names = names_of([*people, *(name for entry in shown for name in _named(entry))])

    def name_of(text: str) -> str:
        return names.get(text) or text.partition(":")[0]

    lines = [_line(entry, name_of) for entry in shown] + [_note(note, notes, name_of) for note in notes]
    return sorted(lines, key=lambda line: line.at), len(entries) + len(notes)


def _entries(incident: Incident) -> list[StreamEntry]:
    since = incident.started_at - BEFORE
    until = (incident.resolved_at or datetime.max.replace(tzinfo=incident.opened_at.tzinfo) - AFTER) + AFTER
    return entries_about_any([incident.target.service.reference, incident.reference], since=since, until=until, limit=MOST)


def _seen_by(reader: Person, entries: list[StreamEntry]) -> list[StreamEntry]:
    """Without what tells of others' drafts, and of changes that also touch a service the reader does not see."""
    about = {entry.id: {name for name in _named(entry) if name.kind == "change"} for entry in entries}
    ids = [name.id for name in with_public_ids(name for named in about.values() for name in named)]
    seen = {change.reference for change in changes_for(reader).filter(public_id__in=ids)}
    return [entry for entry in entries if entry.subject.kind in OF_THE_SERVICE or about[entry.id] <= seen]


def _named(entry: StreamEntry) -> Iterable[Reference]:
    return (*entry.refs, entry.subject)


def _line(entry: StreamEntry, name_of: Callable[[str], str]) -> TimelineLine:
    said = sentence(entry, name_of)
    return TimelineLine(entry.at, said.icon, said.tone, said.text, said.sub, str(entry.event).partition(".")[0].replace("_", " "))


def _note(note: TimelineEntry, notes: list[TimelineEntry], name_of: Callable[[str], str]) -> TimelineLine:
    better = next((other for other in notes if other.supersedes_id == note.pk), None)
    return TimelineLine(
        at=note.occurred_at,
        icon="user",
        tone="mute",
        sentence=note.text,
        sub=actor_name(read_actor(note.by), name_of),
        source="person",
        recorded_at=note.recorded_at if note.recorded_at - note.occurred_at > LATE else None,
        note_id=note.public_id,
        corrected_at=better.recorded_at if better else None,
        is_corrected=better is not None,
    )


@dataclass(frozen=True, slots=True)
class KeyTime:
    """One of the answers everybody asks for: a moment or a span, and what stands small below it."""

    name: str
    at: datetime | None = None
    span: timedelta | None = None
    since_start: timedelta | None = None
    said: str = ""


def key_times(incident: Incident, *, now: datetime) -> list[KeyTime]:
    """The key moments with their distance from the start, and the two spans; computed, never typed."""
    began = incident.started_at
    moments = (
        ("Opened", incident.opened_at, ""),
        ("Recovered", incident.recovered_at, "when users are well again"),
        ("Resolved", incident.resolved_at, "said by a person, never by us"),
    )
    well, over = incident.recovered_at or incident.resolved_at, incident.resolved_at
    return [
        KeyTime("Started", began, said="when users began to see it"),
        *(KeyTime(name, at, since_start=at - began if at else None, said=said) for name, at, said in moments),
        KeyTime("Users hurt for", span=(well or now) - began, said="" if well else "so far"),
        KeyTime("Open for", span=(over or now) - incident.opened_at, said="" if over else "so far"),
    ]
