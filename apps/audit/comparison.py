"""What finds an entry against what the entry says: columns against bytes, places against the seals' lists.

An export does not hold these columns, so only the database itself can be compared. Pages and filters read them."""

from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

from django.db import connection

from apps.audit.entries import NotAnEntry, read_entry
from apps.audit.models import Entry

CHUNK = 2_000
# Only what the bytes can say anew; `xid` finds what may be sealed and proves nothing.
COLUMNS = ("id", "event", "at", "subject", "refs", "body")
MISPLACED = """
select coalesce(listed.id, place.entry_id), listed.position, place.position
from (
    select item.id, seal.first_position + item.nr - 1 as position
    from audit_seal seal, unnest(seal.entry_ids) with ordinality as item(id, nr)
) as listed
full join audit_place place on place.entry_id = listed.id
where listed.position is distinct from place.position
order by 2, 3 limit 1
"""


def differences() -> Iterator[str]:
    """Yield each difference as a sentence; nothing when all agree."""
    with connection.cursor() as cursor:
        cursor.execute(MISPLACED)
        for entry_id, listed, placed in cursor.fetchall():
            yield f"entry {entry_id}: the seals list it at position {listed}, the index of places says {placed}"
    for row in Entry.objects.order_by("id").values_list(*COLUMNS).iterator(chunk_size=CHUNK):
        if wrong := _differing_column(*row):
            yield f"entry {row[0]}: its column {wrong} does not say what its bytes say"


def _differing_column(entry_id: UUID, event: str, at: datetime, subject: str, refs: list[str], body: bytes | memoryview) -> str | None:
    try:
        entry = read_entry(bytes(body), texts={}, position=None)
    except NotAnEntry:
        return "body"
    said = {"id": entry.id, "event": entry.event, "at": entry.at, "subject": str(entry.subject), "refs": [str(name) for name in entry.refs]}
    stored = {"id": entry_id, "event": event, "at": at, "subject": subject, "refs": refs}
    return next((column for column, value in stored.items() if said[column] != value), None)
