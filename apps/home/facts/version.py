"""What a version turns out to be: the commit a name means, and the commits and files since what runs. Asking never writes."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from apps.accounts.models import Person
from apps.catalog.access import get_service, targets_of
from apps.catalog.models import Service, Target
from apps.catalog.repositories.git import OBJECT_ID, NoCommit
from apps.catalog.repositories.mirrors import NotYet
from apps.catalog.repositories.names import NameKind, Resolved, resolve
from apps.catalog.repositories.opening import open_repository
from apps.catalog.repositories.passage import MOST_BEHIND, UNNAMED, Hand, Passage, Touched, read_passage
from apps.changes.aspects import Derived, aspects_of
from apps.changes.authors import persons_behind
from apps.changes.content import Aspect, Content, ItemContent
from apps.changes.models import Change, Leg
from apps.changes.readings import Gone, ReadingRows, base_in, commit_in, ways_of
from apps.core.refusals import BadContent

MOST_SHOWN_COMMITS, MOST_SHOWN_FILES, MOST_BASES = 10, 20, 3
SHORT = 8
LONGEST_ASKED = 200
CONFIG = "config:"
UNKNOWN = {
    False: "What runs there is not in the repository, so the commits since then cannot be listed.",
    True: "What runs there names no commit, so the commits since then cannot be listed.",
}
WORDS = {NameKind.BRANCH: "The branch", NameKind.TAG: "The tag", NameKind.SHORT: "The short id", NameKind.FULL: "The commit"}


@dataclass(frozen=True, slots=True)
class CommitShown:
    """One commit, with who made it as they are known here."""

    id: str
    at: datetime
    subject: str
    who: tuple[tuple[str, bool], ...]  # a name, and whether somebody here is known by it


@dataclass(frozen=True, slots=True)
class PassageShown:
    """A way from what runs to what is asked for, as much of it as a page shows."""

    places: tuple[str, ...]
    base: str
    commit: str
    count: str = ""
    commits: tuple[CommitShown, ...] = ()
    files: tuple[Touched, ...] = ()
    file_count: str = ""
    behind: str = ""
    note: str = ""
    unknown: tuple[str, ...] = ()
    tried_at: datetime | None = None  # where it could not be read
    next_at: datetime | None = None

    @property
    def hidden_commits(self) -> bool:
        """Whether there are more than the page shows."""
        return bool(self.count) and not self.count.startswith(f"{len(self.commits)} ")

    @property
    def hidden_files(self) -> bool:
        """Whether there are more than the page shows."""
        return bool(self.file_count) and not self.file_count.startswith(f"{len(self.files)} ")


@dataclass(frozen=True, slots=True)
class VersionShown:
    """The answer to what was written: a commit, or a sentence why not; `waits` while a mirror is being fetched."""

    asked: str
    resolved: Resolved | None = None
    problem: str = ""
    waits: bool = False
    passages: tuple[PassageShown, ...] = ()
    derived: tuple[Derived, ...] = ()

    @property
    def is_name(self) -> bool:
        """Whether a name was turned into a commit: the name may mean another one tomorrow."""
        return self.resolved is not None and self.resolved.kind is not NameKind.FULL

    @property
    def word(self) -> str:
        """What kind of name it was."""
        return WORDS[self.resolved.kind] if self.resolved else ""

    @property
    def label_hint(self) -> str:
        """A name for the version that people could use."""
        if self.resolved is None:
            return ""
        short = self.resolved.commit[:SHORT]
        return {NameKind.TAG: self.asked, NameKind.BRANCH: f"{self.asked} at {short}"}.get(self.resolved.kind, short)

    @property
    def aspects(self) -> str:
        """The aspects derived, for the script that ticks them."""
        return " ".join(one.aspect.value for one in self.derived)


def version_shown(person: Person, *, slug: str, asked: str, environments: Sequence[str] = ()) -> VersionShown | None:
    """What a version means for a service; None where nothing was written, 404 for a service that the person may not see."""
    service = get_service(person, slug) if slug else None
    asked = asked.strip()
    if service is None or not asked or len(asked) > LONGEST_ASKED:
        return None
    try:
        repository = open_repository(service.repository)
        resolved = resolve(repository, asked)
        ways = {
            base: (places, read_passage(repository, base=base, commit=resolved.commit)) for base, places in bases(service, environments)
        }
    except NotYet as error:
        return VersionShown(asked, problem=str(error), waits=True)
    except NoCommit as error:
        return VersionShown(asked, problem="" if not service.repository and OBJECT_ID.fullmatch(asked.lower()) else str(error))
    passages = [passage for _, passage in ways.values()]
    known = names_behind(passages)
    shown = tuple(passage_shown(places, passage, known) for places, passage in ways.values())
    return VersionShown(asked, resolved, passages=shown, derived=derived(passages))


def bases(service: Service, environments: Collection[str | UUID]) -> list[tuple[str, tuple[str, ...]]]:
    """What runs in the environments named, by short name or id, else on the highest rung: each commit with the places where it runs."""
    targets = [target for target in targets_of(service) if target.retired_at is None and target.environment.retired_at is None]
    chosen = [one for one in targets if {one.environment.slug, one.environment.public_id} & {*environments}] or targets[-1:]
    found: dict[str, list[str]] = {}
    for target in chosen:
        found.setdefault(base_in(target.running_identities), []).append(place(target))
    return [(base, tuple(places)) for base, places in found.items()][-MOST_BASES:]


def place(target: Target) -> str:
    """A target in words, with what runs there."""
    runs = f" ({target.running_label} runs)" if target.running_label else ""
    return f"{target.service.name} in {target.environment.name}{runs}"


def commit_of(service: Service, asked: str, *, sent: Mapping[str, str]) -> str:
    """The full id of the commit that a form asks for; what its sender was shown is what they get. Raises BadContent on `commit`."""
    asked = asked.strip()
    seen = sent.get("commit_seen", "")
    if sent.get("commit_asked", "").strip() == asked and OBJECT_ID.fullmatch(seen):
        return seen
    is_full = OBJECT_ID.fullmatch(asked.lower()) is not None
    if not asked or (is_full and not service.repository):
        return asked.lower()
    try:
        repository = open_repository(service.repository)
    except NoCommit as error:
        if is_full:
            return asked.lower()  # it names itself; whether the repository knows it is read as soon as that answers
        raise BadContent({"commit": [str(error)]}) from error
    try:
        return resolve(repository, asked).commit
    except NoCommit as error:
        raise BadContent({"commit": [str(error)]}) from error


def with_aspects(content: Content, *, services: Mapping[UUID, Service]) -> Content:
    """Where nobody said what is touched, the version says it: a configuration by itself, a commit by its files as far as they can be read."""
    if content.scope.aspects:
        return content
    found = {aspect for item in content.scope.items for aspect in aspects_behind(item, services.get(item.service_id))}
    return replace(content, scope=replace(content.scope, aspects=frozenset(found)))


def aspects_behind(item: ItemContent, service: Service | None) -> frozenset[Aspect]:
    """What one item's version touches."""
    config = {Aspect.CONFIGURATION for text in item.identities if text.startswith(CONFIG)}
    commit = commit_in(item.identities)
    if not commit or service is None or not service.repository:
        return frozenset(config)
    return derived_aspects(service, commit, [each.id for each in item.environments]) | config


def derived_aspects(service: Service, commit: str, environments: Collection[str | UUID] = ()) -> frozenset[Aspect]:
    """What the touched files say about a change; empty where the repository cannot tell now."""
    try:
        repository = open_repository(service.repository)
        read = [read_passage(repository, base=base, commit=commit) for base, _ in bases(service, environments)]
    except NoCommit:
        return frozenset()
    return frozenset(one.aspect for one in derived(read))


def derived(passages: Iterable[Passage]) -> tuple[Derived, ...]:
    """The aspects of all files touched on any of the ways."""
    files = {(file.path, file.new_image) for passage in passages for file in passage.files}
    return aspects_of(sorted(files))


def stored_passages(change: Change, legs: Iterable[Leg] | None = None, *, rows: ReadingRows | None = None) -> list[PassageShown]:
    """What was read for a change, without asking git; a way that was not read yet says so, and one that could not be says why."""
    ways = ways_of(change, legs, rows=rows)
    known = names_behind(gone.passage for gone in ways if gone.passage)
    return [passage_shown(gone.places, gone.passage, known) if gone.passage else unread(gone) for gone in ways]


def unread(gone: Gone) -> PassageShown:
    """Why there is no list of commits."""
    base, commit = "" if gone.way.base == UNNAMED else gone.way.base, gone.way.commit
    if not gone.way.repository:
        return PassageShown(gone.places, base, commit, note="The service names no repository, so nobody can say which commits these are.")
    if gone.failed is None:
        return PassageShown(
            gone.places, base, commit, note="The repository has not been read yet. It is read within a minute of the submission."
        )
    return PassageShown(gone.places, base, commit, note=gone.failed.reason, tried_at=gone.failed.tried_at, next_at=gone.failed.next_at)


def names_behind(passages: Iterable[Passage]) -> dict[Hand, str]:
    """The names, as they are known here, of those who made the commits."""
    hands = {hand for passage in passages for commit in passage.commits for hand in (*commit.authors, commit.committer)}
    persons = persons_behind(hands)
    return {hand: persons[hand.mailbox].name for hand in hands if hand.mailbox in persons}


def passage_shown(places: tuple[str, ...], passage: Passage, known: Mapping[Hand, str]) -> PassageShown:
    """As much of a passage as a page shows, each number said as what it is."""
    if not passage.is_known:
        return PassageShown(places, "" if passage.base == UNNAMED else passage.base, passage.commit, note=UNKNOWN[passage.base == UNNAMED])
    commits = tuple(
        CommitShown(one.id, one.at, one.subject, tuple((known.get(hand, hand.name or hand.email), hand in known) for hand in one.authors))
        for one in passage.commits[:MOST_SHOWN_COMMITS]
    )
    hands = {hand for one in passage.commits for hand in (*one.authors, one.committer)}
    return PassageShown(
        places,
        passage.base,
        passage.commit,
        counted(len(passage.commits), "commit", more=passage.has_more_commits),
        commits,
        passage.files[:MOST_SHOWN_FILES],
        counted(len(passage.files), "file", more=passage.has_more_files),
        counted(min(passage.behind, MOST_BEHIND), "commit", more=passage.behind > MOST_BEHIND) if passage.behind else "",
        "" if passage.base else "Nothing runs there yet: these are all its commits.",
        tuple(sorted(str(hand) for hand in hands if hand not in known)),
    )


def counted(count: int, word: str, *, more: bool) -> str:
    """A number of things, and whether it is only where counting stopped."""
    return f"{'more than ' if more else ''}{count} {word}{'' if count == 1 and not more else 's'}"
