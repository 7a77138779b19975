"""Writing the stream: `record` joins the caller's transaction, so what is told and what it tells stand or fall together."""

import hashlib
import hmac
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, connections, transaction

from apps.audit.nudge import nudge
from apps.audit.vocabulary import URGENT, Event
from apps.core.actors import Actor
from apps.core.canonical import canonical_data, canonical_json, canonical_text, utc_microseconds
from apps.core.ids import id_text, new_id
from apps.core.references import Referable, Reference, reference

SCHEMA = 1
SALT_BYTES = 32

# Written by hand and without `xid`: the app role may insert the other columns only, and entry and details are one trip.
INSERT = "insert into audit_entry (id, event, at, subject, refs, body) values (%s, %s, %s, %s, %s, %s)"
INSERT_WITH_DETAILS = f"""
with entry as ({INSERT} returning id)
insert into audit_detail (entry_id, field, salt, text)
select entry.id, detail.* from entry, unnest(%s::text[], %s::bytea[], %s::text[]) as detail
"""


@dataclass(frozen=True, slots=True)
class Draft:
    """An entry as it will be inserted: its columns, and the erasable texts with their salts."""

    columns: tuple[UUID, Event, datetime, str, list[str], bytes]
    details: tuple[list[str], list[bytes], list[str]]


def record(
    event: Event,
    *,
    subject: Referable | Reference,
    by: Actor,
    at: datetime,
    refs: Iterable[Reference] = (),
    data: Mapping[str, object] | None = None,
    details: Mapping[str, str] | None = None,
) -> UUID:
    """Add one entry to the stream; `data` holds codes and numbers, `details` names and free text (erasable).

    Raises NotCanonical when a value has no canonical form."""
    draft = compose(event, subject=subject, by=by, at=at, refs=refs, data=data, details=details)
    insert(draft)
    if event in URGENT:
        transaction.on_commit(nudge, robust=True)
    return draft.columns[0]


def compose(
    event: Event,
    *,
    subject: Referable | Reference,
    by: Actor,
    at: datetime,
    refs: Iterable[Reference] = (),
    data: Mapping[str, object] | None = None,
    details: Mapping[str, str] | None = None,
) -> Draft:
    """Make the bytes of an entry. The acting person is among its references: their stream is what they did and what was done."""
    about, person = str(subject if isinstance(subject, Reference) else subject.reference), by.person_id
    actor = [reference("person", person)] if person else []
    named = sorted({about, *map(str, actor), *map(str, refs)})
    entry_id = new_id()
    texts = {field: canonical_text(text) for field, text in (details or {}).items() if text}
    salts = {field: secrets.token_bytes(SALT_BYTES) for field in texts}
    body = canonical_json(  # of these only what others give may be in another form
        {
            "schema": SCHEMA,
            "id": id_text(entry_id),
            "event": event.value,
            "at": utc_microseconds(at),
            "by": {key: canonical_text(text) for key, text in by.as_data().items()},
            "subject": canonical_text(about),
            "refs": [canonical_text(name) for name in named],
            "data": canonical_data(data or {}),
            "details": {field: commitment(salts[field], field, text) for field, text in texts.items()},
        }
    )
    return Draft((entry_id, event, at, about, named, body), (list(texts), list(salts.values()), list(texts.values())))


def insert(draft: Draft, *, using: str = DEFAULT_DB_ALIAS) -> None:
    """Insert a composed entry in one statement, in the transaction of that connection."""
    with connections[using].cursor() as cursor:
        if draft.details[0]:
            cursor.execute(INSERT_WITH_DETAILS, (*draft.columns, *draft.details))
        else:
            cursor.execute(INSERT, draft.columns)


def commitment(salt: bytes, field: str, text: str) -> str:
    """A commitment to erasable text: HMAC-SHA-256 keyed with the salt, over the field's name and the text."""
    return hmac.digest(salt, field.encode() + b"\x00" + text.encode(), hashlib.sha256).hex()
