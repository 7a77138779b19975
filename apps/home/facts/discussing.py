"""What people say about a change, who watches it, and the revisions one can put side by side."""

from dataclasses import dataclass

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


def discussion_of(change: Change, *, before: int | None = None) -> Discussion:
    """The newest comments, or those before one."""
    said = Comment.objects.filter(change=change).select_related("author")
    if before is not None:
        said = said.filter(pk__lt=before)
    rows = [*said.order_by("-pk")[: COMMENTS + 1]]
    shown = rows[:COMMENTS]
    return Discussion(shown[::-1], shown[-1].pk if len(rows) > COMMENTS else None)


def watchers_of(change: Change, person: Person) -> Watchers:
    """The reader first, so that a long list never hides whether they are on it."""
    rows = Watch.objects.filter(change=change).select_related("person").order_by("pk")[: 10 * WATCHERS]
    known = {row.person_id: row.person.name for row in rows}
    return Watchers([name for pk, name in known.items() if pk != person.pk][:WATCHERS], person.pk in known)


def revisions_of(change: Change) -> list[Revision]:
    """The revisions one can choose from, the newest first, without what they hold."""
    return [*change.revisions.only("number", "made_at", "author__name", "change").select_related("author").order_by("-number")[:REVISIONS]]
