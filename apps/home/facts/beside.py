"""What the change page shows beside the legs and the sign-offs, as rows that are read together with those."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from apps.accounts.models import Person
from apps.approvals.facts import exceptions_of
from apps.approvals.models import LegException
from apps.audit.stream import Rows, StreamFilter, newest_rows
from apps.audit.vocabulary import Event
from apps.catalog.models import Target
from apps.changes.facts import content_of, risk_rows
from apps.changes.mentions import Called, called_rows
from apps.changes.models import Change, Comment, Dependency, EvidenceUpload, Move, Revision, Watch
from apps.changes.readings import ReadingRows, reading_rows
from apps.home.facts.discussing import comment_rows, revision_rows, watch_rows
from apps.home.facts.evidence import uploads_of
from apps.home.facts.life import moves_of
from apps.home.facts.needs import neighbour_rows

ENTRIES = 30

# Bookkeeping of machines: in the audit stream for whoever needs it, not on the page people read.
QUIET = frozenset(
    {Event.TARGET_OCCUPIED, Event.TARGET_FREED, Event.RESERVATION_MADE, Event.RESERVATION_RELEASED}
    | {Event.DEPLOYMENT_CLAIMED, Event.DEPLOYMENT_VERIFYING, Event.CHECK_PASSED}
)
TOLD = [event for event in Event if event not in QUIET]


@dataclass(frozen=True, slots=True)
class Beside:
    """The rows, each of them not read until somebody reads them all."""

    moves: QuerySet[Move]
    comments: QuerySet[Comment]
    watches: QuerySet[Watch]
    neighbours: QuerySet[Dependency]
    exceptions: QuerySet[LegException]
    uploads: QuerySet[EvidenceUpload]
    readings: ReadingRows
    called: Called
    risks: QuerySet[Target]
    entries: Rows
    revisions: QuerySet[Revision]  # what one can choose from
    compared: QuerySet[Revision]  # what is put beside the newest one

    @property
    def all(self) -> tuple[QuerySet[Any, Any], ...]:
        """Every one of them."""
        return (
            *(self.moves, self.comments, self.watches, self.neighbours, self.exceptions),
            *(
                self.uploads,
                *self.readings.all,
                self.called.people,
                self.called.teams,
                self.risks,
                self.entries,
                self.revisions,
                self.compared,
            ),
        )


def beside(change: Change, newest: Revision, person: Person, *, now: datetime, said_before: int | None, numbers: set[int]) -> Beside:
    """What is beside this change; NUMBERS are the revisions that are compared."""
    has_older, content = newest.number > 1, content_of(newest)
    return Beside(
        moves=moves_of(change),
        comments=comment_rows(change, before=said_before),
        watches=watch_rows(change),
        neighbours=neighbour_rows(change, person),
        exceptions=exceptions_of(change),
        uploads=uploads_of(change),
        readings=reading_rows(newest),
        called=called_rows(content.story.told),
        risks=risk_rows(content, now=now),
        entries=newest_rows(about(change), limit=ENTRIES + 1),
        revisions=revision_rows(change) if has_older else change.revisions.none(),
        compared=change.revisions.select_related("author").filter(number__in=numbers - {newest.number}),
    )


def about(change: Change) -> StreamFilter:
    """What of the stream the page tells."""
    return StreamFilter(events=TOLD, about=(change.reference,))
