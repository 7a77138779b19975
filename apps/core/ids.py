"""Public ids: UUIDv7 (RFC 9562), so that new rows land together in an index."""

import secrets
from datetime import UTC, datetime, timedelta
from uuid import UUID

from uuid_utils.compat import uuid7

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)


def new_id() -> UUID:
    """A new public id."""
    return uuid7()


def id_at(moment: datetime) -> UUID:
    """A new public id that carries this moment instead of the process's clock: the partition of its row is known from it."""
    milliseconds = (moment - EPOCH) // MILLISECOND
    return UUID(int=milliseconds << 80 | 0x7 << 76 | secrets.randbits(12) << 64 | 0b10 << 62 | secrets.randbits(62))


def moment_in(public_id: UUID) -> datetime | None:
    """The moment that an id carries, to the millisecond; None for an id that carries none."""
    if public_id.version != 7:
        return None
    try:
        return EPOCH + (public_id.int >> 80) * MILLISECOND
    except OverflowError:
        return None
