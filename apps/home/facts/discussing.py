"""What people say about a change, who watches it, and the revisions one can put side by side."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db.models import QuerySet

from apps.accounts.models import Person
from apps.changes.models import Change, Comment, Revision, Watch

COMMENTS, REVISIONS, WATCHERS = 20, 100, 20


@dataclass(frozen=True, slots=True)
class Discussion:
    """A page of comments, the oldest of it first, and where the ones before it are found."""

    comments: list[Comment]
    earlier: int | None


@dataclass(frozen=True, slots=True)
class Watchers:
    """Who is told of what happens, and whether the reader is among them."""

    names: list[str]
    is_mine: bool


def comment_rows(change: Change, *, before: int | None = None) -> QuerySet[Comment]:
    """The newest comments, or those before one: one more than is shown."""
    said = Comment.objects.filter(change=change).select_related("author")
    if before is not None:
        said = said.filter(pk__lt=before)
    return said.order_by("-pk")[: COMMENTS + 1]


def discussion_in(rows: Sequence[Comment]) -> Discussion:
    """A page of comments, of the newest first."""
    shown = rows[:COMMENTS]
    return Discussion([*shown][::-1], shown[-1].pk if len(rows) > COMMENTS else None)


def watch_rows(change: Change) -> QuerySet[Watch]:
    """Who watches, as many as a page could name."""
    return Watch.objects.filter(change=change).select_related("person").order_by("pk")[: 10 * WATCHERS]


def watchers_in(rows: Iterable[Watch], person: Person) -> Watchers:
    """The reader first, so that a long list never hides whether they are on it."""
    known = {row.person_id: row.person.name for row in rows}
    return Watchers([name for pk, name in known.items() if pk != person.pk][:WATCHERS], person.pk in known)


def revision_rows(change: Change) -> QuerySet[Revision]:
    """The revisions one can choose from, the newest first, without what they hold."""
    return change.revisions.only("number", "made_at", "author__name", "change").select_related("author").order_by("-number")[:REVISIONS]
