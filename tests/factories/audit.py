"""Entries for tests, written by `record` as always: the stream has no other way in."""

from uuid import UUID, uuid4

from django.db import transaction

from apps.audit.entries import StreamEntry
from apps.audit.models import Cursor, PublicKey
from apps.audit.record import record
from apps.audit.stream import entry_by_id
from apps.audit.vocabulary import Event
from apps.core.actors import Actor, ActorKind
from apps.core.locks import database_now
from apps.core.references import Reference, reference
from apps.core.signing import ALG, key_id
from tests.conftest import NOW


def make_actor(person_id: UUID | None = None) -> Actor:
    """A person acting in the browser; the stream needs no row behind it."""
    return Actor(ActorKind.PERSON, str(person_id or uuid4()), "session")


def make_entry(event: Event = Event.CHANGE_CREATED, *, subject: Reference | None = None, by: Actor | None = None, **more) -> StreamEntry:
    """One committed entry (or one in the test's transaction)."""
    at = more.pop("at", None) or database_now()
    with transaction.atomic():
        entry_id = record(event, subject=subject or reference("change", uuid4()), by=by or make_actor(), at=at, **more)
    entry = entry_by_id(entry_id)
    assert entry is not None
    return entry


def make_entries(count: int, **more) -> list[StreamEntry]:
    """Several entries, each in a transaction of its own."""
    return [make_entry(data={"n": number}, **more) for number in range(count)]


def make_public_key(public: bytes = bytes(32)) -> PublicKey:
    """A key in the table alone, which no entry lists."""
    return PublicKey.objects.create(key_id=key_id(public), alg=ALG, public=public, endorsement=b"{}", signature=bytes(64), listed_at=NOW)


def make_cursor(name: str = "reader", position: int = 0) -> Cursor:
    """A reader that has read up to a position."""
    return Cursor.objects.create(name=name, position=position)
