"""Public ids: UUIDv7 (RFC 9562), so that new rows land together in an index."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from uuid import UUID

import orjson
from uuid_utils.compat import uuid7

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND, MILLISECOND = timedelta(microseconds=1), timedelta(milliseconds=1)


def new_id() -> UUID:
    """A new public id."""
    return uuid7()


@lru_cache(maxsize=16_384)
def read_id(text: str) -> UUID:
    """The id that a text writes. Remembered: making one takes longer than all else that is done with it, and the same come again."""
    return UUID(text)


def id_text(public_id: UUID) -> str:
    """The text of an id: what `str` makes of it, in half the time. An answer of the gate writes forty."""
    return orjson.dumps(public_id)[1:-1].decode()


def id_at(moment: datetime) -> UUID:
    """A new public id that carries this moment instead of the process's clock: the partition of its row is known from it."""
    return uuid7(nanoseconds=(moment - EPOCH) // MICROSECOND * 1000)


def moment_in(public_id: UUID) -> datetime | None:
    """The moment that an id carries, to the millisecond; None for an id that carries none, or one after which no other comes."""
    if public_id.version != 7:
        return None
    try:
        return EPOCH + ((public_id.int >> 80) + 1) * MILLISECOND - MILLISECOND
    except OverflowError:
        return None
