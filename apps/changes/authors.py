"""Who made the commits that a change brings: persons known here, and those nobody here is known by."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from uuid import UUID

from apps.accounts.identities import MAIL_KINDS
from apps.accounts.models import Identity, Person
from apps.catalog.repositories.passage import Hand
from apps.changes.facts import person_id
from apps.changes.models import Change
from apps.changes.readings import Gone, commit_in, ways_of

CONFIG = "config:"


@dataclass(frozen=True, slots=True)
class Hands:
    """Authors and committers as persons, by the id they stand as; `unknown` are those no identity names, as the commits print them.

    `is_read` false: not every commit was read (yet), or what is brought names none, so there may be more of them."""

    authors: frozenset[UUID]
    committers: frozenset[UUID]
    unknown: tuple[str, ...]
    is_read: bool


def hands_of(change: Change) -> Hands:
    """Whose hands are in what the change brings: of a commit its makers, of a document whoever uploaded it. Of an artifact without
    a commit nobody can tell. Four statements."""
    items = [item.identities for item in change.items.filter(is_current=True)]
    digests = {text.removeprefix(CONFIG) for identities in items for text in identities if text.startswith(CONFIG)}
    shown = change.uploads.filter(file__sha256__in=digests, leg__isnull=True).select_related("file", "person__merged_into")
    by_digest = {upload.file.sha256: person_id(upload.person) for upload in shown}
    hands = hands_in(ways_of(change))
    told = all(commit_in(identities) or _document(identities) in by_digest for identities in items)
    return replace(hands, authors=hands.authors | frozenset(by_digest.values()), is_read=hands.is_read and told)


def _document(identities: Iterable[str]) -> str:
    return next((text.removeprefix(CONFIG) for text in identities if text.startswith(CONFIG)), "")


def hands_in(ways: Iterable[Gone]) -> Hands:
    """Of the commits alone, for ways that are loaded already. One statement."""
    ways = [*ways]
    passages = [gone.passage for gone in ways if gone.passage is not None]
    authors = {hand for passage in passages for commit in passage.commits for hand in commit.authors}
    committers = {commit.committer for passage in passages for commit in passage.commits}
    known = persons_behind(authors | committers)
    return Hands(
        authors=frozenset(person_id(known[hand.mailbox]) for hand in authors if hand.mailbox in known),
        committers=frozenset(person_id(known[hand.mailbox]) for hand in committers if hand.mailbox in known),
        unknown=tuple(sorted(str(hand) for hand in authors | committers if hand.mailbox not in known)),
        is_read=all(gone.passage is not None and gone.passage.is_whole for gone in ways),
    )


def persons_behind(hands: Iterable[Hand]) -> dict[str, Person]:
    """The person each mailbox stands for; a verified identity alone counts. One statement."""
    mails = {mail for hand in hands if (mail := hand.mailbox) and "\x00" not in mail}
    rows = Identity.objects.filter(kind__in=[*MAIL_KINDS], value__in=mails, verified_at__isnull=False)
    return {row.value: row.person for row in rows.select_related("person__merged_into")}
