"""Writes the stream, with what else proves something, as lines that the verifier reads without us.

An entry's line is its stored bytes, so that a person can read and search the file. Format: docs/verify.md."""

import json
import tempfile
from base64 import b64encode
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import IO, Any
from uuid import UUID

from django.db import connection, transaction

from apps.audit.keys import installation_id
from apps.audit.models import Detail, Entry, PublicKey, Seal
from apps.audit.seal import NOT_PLACED
from apps.core.locks import database_now

FORMAT = "changecontrol/export/v1"
RAW_START = b'{"at":"'
CHUNK = 5_000
IN_MEMORY_BYTES = 8_000_000

Exporter = Callable[[], Iterable[Mapping[str, object]]]

_exporters: dict[str, Exporter] = {}


def register(kind: str, exporter: Exporter) -> None:
    """Add lines of one kind to every export; `exporter` yields their content, bytes are written as base64."""
    if _exporters.setdefault(kind, exporter) is not exporter:
        raise ValueError(f"Two exporters write {kind}.")


def export_file() -> IO[bytes]:
    """The export as an open temporary file, ready to be read; the caller closes it."""
    file = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY_BYTES)  # noqa: SIM115 - handed to the caller
    write_export(file)
    file.seek(0)
    return file


def write_export(out: IO[bytes]) -> None:
    """Write one consistent picture of the stream."""
    joins = connection.in_atomic_block
    with transaction.atomic():
        if not joins:
            with connection.cursor() as cursor:
                cursor.execute("set transaction isolation level repeatable read, read only")
        number = 0
        for number, line in enumerate(_lines(), start=1):  # noqa: B007 - counted for the last line
            out.write(line + b"\n")
        out.write(_line("end", lines=number + 1) + b"\n")


def _lines() -> Iterator[bytes]:
    yield _line("header", format=FORMAT, installation=installation_id(), exported_at=database_now(), kinds=sorted(_exporters))
    for key in PublicKey.objects.order_by("listed_at", "key_id", "signature"):
        yield _line("key", key_id=key.key_id, alg=key.alg, public=key.public, endorsement=key.endorsement, signature=key.signature)
    for seal in Seal.objects.order_by("number").iterator(chunk_size=1):
        yield _line(
            "seal",
            number=seal.number,
            first_position=seal.first_position,
            count=seal.count,
            entry_ids=seal.entry_ids,
            leaves=seal.leaves,
            body=seal.body,
            previous_head=bytes(seal.previous_head).hex(),
            head=bytes(seal.head).hex(),
        )
        for start in range(0, len(seal.entry_ids), CHUNK):
            yield from _entries(seal.entry_ids[start : start + CHUNK])
    tail = _unlisted()
    yield _line("tail", count=len(tail))
    for start in range(0, len(tail), CHUNK):
        yield from _entries(tail[start : start + CHUNK])
    for kind, exporter in _exporters.items():
        for content in exporter():
            yield _line(kind, **content)


def _unlisted() -> list[UUID]:
    """Every entry that no seal lists, whatever its transaction id says."""
    with connection.cursor() as cursor:
        cursor.execute(f"select entry.id from audit_entry entry where {NOT_PLACED} order by entry.id")
        return [entry_id for (entry_id,) in cursor.fetchall()]


def _entries(ids: Sequence[UUID]) -> Iterator[bytes]:
    bodies = dict(Entry.objects.filter(id__in=ids).values_list("id", "body"))
    details: dict[UUID, list[tuple[str, bytes, str]]] = defaultdict(list)
    rows = Detail.objects.filter(entry_id__in=ids).order_by("entry_id", "field")
    for entry_id, field, salt, text in rows.values_list("entry_id", "field", "salt", "text"):
        details[entry_id].append((field, bytes(salt), text))
    for entry_id in ids:
        if entry_id not in bodies:
            yield _line("missing", id=entry_id)
            continue
        body = bytes(bodies[entry_id])
        # Bytes that somebody has tampered with may not survive as a line: those are wrapped.
        yield body if body.startswith(RAW_START) and b"\n" not in body else _line("entry", id=entry_id, body=body)
        for field, salt, text in details.get(entry_id, ()):
            yield _line("detail", field=field, salt=salt, text=text)


def _line(kind: str, **content: object) -> bytes:
    return json.dumps({"kind": kind, **content}, default=_plain, ensure_ascii=False, separators=(",", ":")).encode()


def _plain(value: Any) -> str:  # noqa: ANN401 - whatever JSON does not know
    match value:
        case bytes() | memoryview():
            return b64encode(value).decode()
        case datetime():
            return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        case UUID():
            return str(value)
        case _:
            raise TypeError(f"{type(value).__name__} has no form in an export.")
