"""Follows the stream and writes down whose agreement is in doubt; the cursor moves in the same transaction. Judges nothing."""

from apps.approvals.facts.doubts import changes_in_doubt, touched_by
from apps.approvals.models import Doubt
from apps.audit.entries import StreamEntry
from apps.audit.followers import read_on

CURSOR = "approvals"
BATCH = 200
PIECE = 1000  # rows that are written at once


def follow_stream() -> int:
    """Read on from where we stood. Returns how many entries were read."""
    return read_on(CURSOR, react, limit=BATCH)


def react(entry: StreamEntry) -> None:
    """Put every change that one entry may have touched in doubt; twice the same entry only has it counted twice."""
    touched = touched_by(entry)
    if touched is None:
        return
    found = changes_in_doubt(touched).order_by("pk").values_list("pk", flat=True)
    doubts = [Doubt(change_id=change, reason=touched.reason, raised_at=entry.at) for change in found]
    Doubt.objects.bulk_create(doubts, batch_size=PIECE)
