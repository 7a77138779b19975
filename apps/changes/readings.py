"""What was read from repositories: which ways open changes take, what was kept of them, and which are still to be read."""

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from apps.catalog.repositories.passage import UNNAMED, Passage, from_body
from apps.changes.facts import content_of, current_legs, with_before
from apps.changes.models import Change, FailedReading, Leg, Revision, VersionReading
from apps.changes.states import OPEN, values

GIT = "git:"
Key = tuple[int, str, str, str]


@dataclass(frozen=True, slots=True)
class Way:
    """From what runs (empty: nothing; UNNAMED: something without a commit) to what is asked for, in one service's repository."""

    service_id: int
    repository: str
    repository_id: str
    base: str
    commit: str

    @property
    def key(self) -> Key:
        """By which a reading is kept."""
        return self.service_id, self.repository_id, self.base, self.commit


@dataclass(frozen=True, slots=True)
class Gone:
    """One way of a change with the places that take it, and what was read of it; None while nothing was, FAILED says why."""

    way: Way
    places: tuple[str, ...]
    passage: Passage | None
    failed: FailedReading | None = None


def commit_in(identities: Iterable[str]) -> str:
    """The full commit id among identities, or an empty text."""
    return next((text.removeprefix(GIT) for text in identities if text.startswith(GIT)), "")


def base_in(identities: Collection[str]) -> str:
    """Where a way begins: the commit that runs, an empty text where nothing does, UNNAMED where what runs names no commit."""
    return commit_in(identities) or (UNNAMED if identities else "")


def way_of(leg: Leg) -> Way | None:
    """The way a leg takes, its item, service and what it replaces read with it; None for a version without a commit."""
    commit = commit_in(leg.item.identities)
    service = leg.service
    if not commit:
        return None
    return Way(service.pk, service.repository, service.repository_id, base_in(leg.before["identities"]), commit)


@dataclass(frozen=True, slots=True)
class ReadingRows:
    """What was read of some ways and what could not be, as rows that a page reads together with others."""

    kept: QuerySet[VersionReading]
    failed: QuerySet[FailedReading]

    @property
    def all(self) -> tuple[QuerySet[VersionReading], QuerySet[FailedReading]]:
        """Both."""
        return self.kept, self.failed


def ways_of(change: Change, legs: Iterable[Leg] | None = None, *, rows: ReadingRows | None = None) -> list[Gone]:
    """Every way the change takes, each with what was read of it; why it could not be only where ROWS are given.

    One statement each for its legs and for the readings, where not given."""
    places: dict[Way, list[str]] = {}
    for leg in current_legs(change) if legs is None else legs:
        if way := way_of(leg):
            places.setdefault(way, []).append(f"{leg.service.name} in {leg.environment.name}")
    kept, failed = kept_readings(places, rows=rows.kept if rows else None), {key_of(row): row for row in (rows.failed if rows else ())}
    return [Gone(way, tuple(named), kept.get(way.key), failed.get(way.key)) for way, named in places.items()]


def key_of(row: VersionReading | FailedReading) -> Key:
    """The way that a row is about."""
    return row.service_id, row.repository_id, row.base, row.commit


def kept_readings(ways: Iterable[Way], *, rows: Iterable[VersionReading] | None = None) -> dict[Key, Passage]:
    """What was kept of these ways, by key. One statement, and none where the rows are given."""
    wanted = {way.key for way in ways}
    found = {key_of(row): row for row in (rows_about(wanted).kept if rows is None else rows)}
    return {key: from_body(row.body, base=row.base, commit=row.commit) for key, row in found.items() if key in wanted}


def reading_rows(revision: Revision) -> ReadingRows:
    """The readings that a revision's ways may be among, for a page that reads them together with others."""
    items = content_of(revision).scope.items
    about = {
        "service__public_id__in": {item.service_id for item in items},
        "commit__in": {commit for item in items if (commit := commit_in(item.identities))},
    }
    return ReadingRows(VersionReading.objects.filter(**about), FailedReading.objects.filter(**about))


def rows_about(keys: Collection[Key]) -> ReadingRows:
    """The readings of these services to these commits: a few more than the keys name, found by the indexes of the constraints."""
    about = {"service__in": {key[0] for key in keys}, "commit__in": {key[3] for key in keys}}
    return ReadingRows(VersionReading.objects.filter(**about), FailedReading.objects.filter(**about))


def ways_to_read(*, most: int, now: datetime) -> list[Way]:
    """Ways that open changes take, that nobody has read and that may be tried now; services without a repository have none.

    The newest changes first, but one of each repository before the second of any: one that does not answer keeps nobody waiting."""
    legs = Leg.objects.filter(is_current=True, change__state__in=values(OPEN)).exclude(service__repository="")
    found: dict[Way, None] = {}
    for leg in with_before(legs).select_related("item", "service").order_by("-change_id", "pk").iterator(chunk_size=500):
        if way := way_of(leg):
            found.setdefault(way)
    rows = rows_about({way.key for way in found})
    kept, failed = set(map(key_of, rows.kept.defer("body"))), {key_of(row): row for row in rows.failed}
    due = [way for way in found if way.key not in kept and (way.key not in failed or failed[way.key].next_at <= now)]
    turns: Counter[str] = Counter()
    ranked = []
    for way in due:
        ranked.append((way.key in failed, turns[way.repository], way))
        turns[way.repository] += 1
    return [way for _, _, way in sorted(ranked, key=lambda one: one[:2])][:most]
