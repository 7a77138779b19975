"""Reading the stream: about things, for the audit page, and in sealed order for those who follow it."""

import logging
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import JSONObject

from apps.audit.entries import NotAnEntry, StreamEntry, read_entry, unread_entry
from apps.audit.models import Cursor, Detail, Entry, Place
from apps.audit.vocabulary import Event
from apps.core.references import Reference

Texts = dict[str, str]
Rows = QuerySet[Entry, tuple[UUID, str, datetime, bytes | memoryview, int | None, list[Texts]]]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StreamFilter:
    """What the audit page may ask for. Everything given must hold; nothing given is the whole stream."""

    events: Collection[Event] = ()
    about: Collection[Reference] = ()
    since: datetime | None = None
    until: datetime | None = None

    def conditions(self) -> Q:
        """The filter as a condition on entries: `about` is met by all its references together."""
        wanted = Q()
        if self.events:
            wanted &= Q(event__in=[event.value for event in self.events])
        if self.about:
            wanted &= Q(refs__contains=[str(name) for name in self.about])
        if self.since:
            wanted &= Q(at__gte=self.since)
        if self.until:
            wanted &= Q(at__lt=self.until)
        return wanted


def latest(wanted: StreamFilter | None = None, *, limit: int, before: UUID | None = None) -> list[StreamEntry]:
    """The newest entries first; `before` is the id of the last one already shown, an unknown one shows nothing."""
    rows = Entry.objects.filter((wanted or StreamFilter()).conditions())
    if before is not None:
        last = Entry.objects.filter(id=before).values_list("at", flat=True).first()
        if last is None:
            return []
        rows = rows.filter(Q(at__lt=last) | Q(id__lt=before), at__lte=last)
    return _read(rows.order_by("-at", "-id")[:limit])


def count_newer(wanted: StreamFilter, than: UUID, *, most: int) -> int:
    """How many entries came after one that somebody has read, none where it is unknown; counting ends at `most`."""
    read = Subquery(Entry.objects.filter(id=than).values("at"))
    rows = Entry.objects.filter(wanted.conditions(), Q(at__gt=read) | Q(id__gt=than), at__gte=read)
    return rows[:most].count()


def newest_rows(wanted: StreamFilter, *, limit: int) -> Rows:
    """The newest entries as rows that nobody has read yet: for a page that reads them together with others."""
    return _columns(Entry.objects.filter(wanted.conditions()).order_by("-at", "-id")[:limit])


def entries_in(rows: Rows) -> list[StreamEntry]:
    """The entries of such rows."""
    return [_entry(*row[:5], texts=_texts(row[5])) for row in rows]


def entries_about(about: Reference, *, limit: int, before: UUID | None = None) -> list[StreamEntry]:
    """What happened to one thing, newest first. Of a person: what they did too."""
    return latest(StreamFilter(about=(about,)), limit=limit, before=before)


def entries_about_any(references: Iterable[Reference], *, since: datetime, until: datetime, limit: int) -> list[StreamEntry]:
    """What happened to any of these things between two moments, newest first; the end is not included."""
    names = [str(name) for name in references]
    rows = Entry.objects.filter(refs__overlap=names, at__gte=since, at__lt=until)
    return _read(rows.order_by("-at", "-id")[:limit])


def entry_by_id(entry_id: UUID) -> StreamEntry | None:
    """One entry, or None when there is none."""
    found = _read(Entry.objects.filter(id=entry_id))
    return found[0] if found else None


def entries_by_ids(ids: Collection[UUID]) -> dict[UUID, StreamEntry]:
    """Many entries at once, by id; unknown ones are left out."""
    return {entry.id: entry for entry in _read(Entry.objects.filter(id__in=ids))}


def ready_cursor(cursor_name: str) -> None:
    """Let a reader have a cursor, before the transaction in which it reads.

    A row that is not committed yet would keep the second of two workers waiting for all that the first one does."""
    if not Cursor.objects.filter(name=cursor_name).exists():
        Cursor.objects.bulk_create([Cursor(name=cursor_name)], ignore_conflicts=True)


def follow(cursor_name: str, limit: int) -> list[StreamEntry]:
    """The next sealed entries for a reader, in sealed order; moves its cursor in the caller's transaction.

    A reader whose cursor is held by another worker gets nothing now: that worker is reading. So does one without a cursor."""
    cursor = Cursor.objects.select_for_update(skip_locked=True).filter(name=cursor_name).first()
    if cursor is None:
        return []
    positions = dict(
        Place.objects.filter(position__gt=cursor.position).order_by("position").values_list("entry_id", "position")[:limit],
    )
    if not positions:
        return []
    cursor.position = max(positions.values())
    cursor.save(update_fields=["position"])
    found = _read(Entry.objects.filter(id__in=positions))
    return sorted(found, key=lambda entry: entry.position or 0)


def stand_at_failure(cursor_name: str, entry: StreamEntry, *, tries: int) -> bool:
    """Move a reader that could do nothing with an entry before it, in the transaction that followed to it; behind it on the last try.

    True where it is passed."""
    assert entry.position is not None  # noqa: S101 - only sealed entries are followed
    cursor = Cursor.objects.get(name=cursor_name)
    failures = 1 + (cursor.failures_count if cursor.failing_position == entry.position else 0)
    is_passed = failures >= tries
    cursor.position = entry.position if is_passed else entry.position - 1
    cursor.failing_position, cursor.failures_count = (None, 0) if is_passed else (entry.position, failures)
    cursor.save()
    return is_passed


def _read(rows: QuerySet[Entry]) -> list[StreamEntry]:
    return entries_in(_columns(rows))


def _columns(rows: QuerySet[Entry]) -> Rows:
    texts = Detail.objects.filter(entry_id=OuterRef("id")).values(said=JSONObject(field="field", text="text"))
    found = rows.annotate(position=F("place__position"), texts=ArraySubquery(texts))
    return found.values_list("id", "event", "at", "body", "position", "texts")


def _texts(said: Iterable[Texts]) -> Texts:
    return {one["field"]: one["text"] for one in said}


def _entry(entry_id: UUID, event: str, at: datetime, body: bytes | memoryview, position: int | None, *, texts: Texts) -> StreamEntry:
    """One bad row keeps nobody from reading the others; the verifier and `verify_audit` name it."""
    try:
        entry = read_entry(bytes(body), texts=texts, position=position)
    except NotAnEntry as error:
        logger.warning("Entry %s: %s", entry_id, error)
    else:
        if entry.id == entry_id:
            return entry
        logger.warning("Entry %s: its bytes name another id.", entry_id)
    return unread_entry(entry_id, event=event, at=at, position=position)
