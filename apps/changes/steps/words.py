"""The words a change is found by: what its newest revision says, and what people said about it."""

from collections.abc import Iterable, Iterator

from apps.changes.content import Content, Step
from apps.changes.models import Change, Comment
from apps.core.words import words_in

MOST = 100_000  # characters; the index of words takes a document of a megabyte and no more


def words_of(change: Change, content: Content) -> str:
    """What a search without a key finds a change by, the most telling first."""
    talk = Comment.objects.filter(change=change).order_by("pk").values_list("text", flat=True) if change.revision_id else ()
    return joined([*said_in(content), *talk])


def add_words(change: Change, text: str) -> None:
    """Let a change be found by what somebody just said about it."""
    change.words = joined([change.words, text])
    change.save(update_fields=["words"])


def joined(texts: Iterable[str]) -> str:
    """The words of some texts as they are stored."""
    words = " ".join(word for text in texts for word in words_in(text))
    return words if len(words) <= MOST else words[:MOST].rpartition(" ")[0]


def said_in(content: Content) -> Iterator[str]:
    """Every text of the content that people write for people."""
    scope, rollback, story = content.scope, content.rollback, content.story
    yield story.title
    yield from (item.service_name for item in scope.items)
    yield from (item.label for item in scope.items)
    yield from (*story.labels, scope.reason, scope.impact, story.description)
    yield from _steps(content.plan.steps)
    yield from (rollback.trigger, rollback.data_strategy, rollback.reason, *rollback.irreversible)
    yield from _steps(rollback.steps)


def _steps(steps: Iterable[Step]) -> Iterator[str]:
    for step in steps:
        yield step.what
        yield step.verify
