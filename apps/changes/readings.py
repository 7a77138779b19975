"""What was read from repositories: which ways open changes take, what was kept of them, and which are still to be read."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from django.db.models import QuerySet

from apps.catalog.repositories.passage import UNNAMED, Passage, from_body
from apps.changes.facts import current_legs
from apps.changes.models import Change, Leg, VersionReading
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
    """One way of a change with the places that take it, and what was read of it; None while nothing was."""

    way: Way
    places: tuple[str, ...]
    passage: Passage | None


def commit_in(identities: Iterable[str]) -> str:
    """The full commit id among identities, or an empty text."""
    return next((text.removeprefix(GIT) for text in identities if text.startswith(GIT)), "")


def base_in(identities: Collection[str]) -> str:
    """Where a way begins: the commit that runs, an empty text where nothing does, UNNAMED where what runs names no commit."""
    return commit_in(identities) or (UNNAMED if identities else "")


def way_of(leg: Leg) -> Way | None:
    """The way a leg takes, its item, service and target read with it; None for a version without a commit."""
    commit = commit_in(leg.item.identities)
    service = leg.service
    if not commit:
        return None
    return Way(service.pk, service.repository, service.repository_id, base_in(leg.target.running_identities), commit)


def ways_of(change: Change, legs: Iterable[Leg] | None = None) -> list[Gone]:
    """Every way the change takes, each with what was read of it. One statement, and another one where its legs are not given."""
    places: dict[Way, list[str]] = {}
    for leg in current_legs(change) if legs is None else legs:
        if way := way_of(leg):
            places.setdefault(way, []).append(f"{leg.service.name} in {leg.environment.name}")
    kept = kept_readings(places)
    return [Gone(way, tuple(named), kept.get(way.key)) for way, named in places.items()]


def kept_readings(ways: Iterable[Way]) -> dict[Key, Passage]:
    """What was kept of these ways, by key. One statement."""
    wanted = {way.key for way in ways}
    found = {(row.service_id, row.repository_id, row.base, row.commit): row for row in _rows(wanted)}
    return {key: from_body(row.body, base=row.base, commit=row.commit) for key, row in found.items() if key in wanted}


def _rows(keys: Collection[Key]) -> QuerySet[VersionReading]:
    """The readings of these services to these commits: a few more than the keys name, found by the index of the constraint."""
    return VersionReading.objects.filter(service__in={key[0] for key in keys}, commit__in={key[3] for key in keys})


def ways_to_read(*, most: int) -> list[Way]:
    """Ways that open changes take and nobody has read, the newest changes first; services without a repository have none."""
    legs = Leg.objects.filter(is_current=True, change__state__in=values(OPEN)).exclude(service__repository="")
    found: dict[Way, None] = {}
    for leg in legs.select_related("item", "service", "target").order_by("-change_id", "pk").iterator(chunk_size=500):
        if way := way_of(leg):
            found.setdefault(way)
    kept = set(_rows({way.key for way in found}).values_list("service", "repository_id", "base", "commit"))
    return [way for way in found if way.key not in kept][:most]
