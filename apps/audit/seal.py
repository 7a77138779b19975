"""Sealing: one sealer puts committed entries in an order that never changes and binds them to everything before.

What may be sealed: entries whose transaction ended before every transaction that still runs. No later commit can then
appear among them. What is sealed, and where, the seals' lists say; docs/adr/0010 tells why."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import DEFAULT_DB_ALIAS, ProgrammingError, connection, connections, transaction
from django.db.models import F, QuerySet

from apps.audit.entries import NotAnEntry, read_entry
from apps.audit.keys import installation_id
from apps.audit.merkle import head_hash, leaf_hash, merkle_root
from apps.audit.models import Entry, Seal
from apps.audit.record import record
from apps.audit.vocabulary import Event
from apps.core.actors import system
from apps.core.canonical import canonical_bytes
from apps.core.references import reference
from apps.core.verbs import sqlstate

SCHEMA = 1
SEALER = "sealer"
SEALER_LOCK = 0x_CC_0002
BATCH = 20_000
NO_HEAD = bytes(32)
NO_ID = "00000000-0000-0000-0000-000000000000"
NOT_PERMITTED = "42501"

Row = tuple[str, bytes, str, str]  # id, body, xid, the snapshot's xmin

# The order is that of an index, always; with stale statistics the planner would sort megabytes on disk instead.
LOCK = "select pg_try_advisory_xact_lock(%s), set_config('enable_sort', 'off', true), set_config('enable_bitmapscan', 'off', true)"
CLOCK = "select clock_timestamp()"
CLUSTER = "select system_identifier::text from pg_control_system()"
# A scalar subquery and not an anti-join: always one look into the index per candidate, whatever the statistics say.
NOT_PLACED = "(select place.position from audit_place place where place.entry_id = entry.id) is null"
CANDIDATE = "select entry.id::text, entry.body, entry.xid::text, pg_snapshot_xmin(pg_current_snapshot())::text from audit_entry entry"
SEALABLE = f"""
{CANDIDATE} where entry.xid >= %s::xid8 and entry.xid < pg_snapshot_xmin(pg_current_snapshot()) and {NOT_PLACED}
order by entry.xid, entry.id limit %s
"""
UNLISTED = f"{CANDIDATE} where entry.id > %s and {NOT_PLACED} order by entry.id limit %s"
# By hand: the driver would turn each of the ids into an object and back.
SEAL = """
insert into audit_seal (number, first_position, count, entry_ids, leaves, body, previous_head, head, sealed_at, system, floor)
values (%s, %s, %s, %s::uuid[], %s, %s, %s, %s, %s, %s, %s)
"""
PLACE = """
insert into audit_place (entry_id, position)
select listed.id, seal.first_position + listed.nr - 1
from audit_seal seal, unnest(seal.entry_ids) with ordinality as listed(id, nr) where seal.number = %s
"""
# Entries of a restored dump may carry the ids of transactions that this cluster has yet to begin: those are sealed already.
UNSEALED = f"from audit_entry entry where entry.xid >= %s::xid8 and entry.xid < pg_snapshot_xmax(pg_current_snapshot()) and {NOT_PLACED}"
TAIL_LIMIT = 10_000


class CannotSeal(Exception):
    """The role that was given may not seal; the text says which setting is missing."""


@dataclass(frozen=True, slots=True)
class Tip:
    """Where the sealed stream ends."""

    number: int
    position: int
    head: bytes
    system: str
    floor: str


@dataclass(frozen=True, slots=True)
class Standing:
    """How far the stream is sealed; `tail` is counted to TAIL_LIMIT. Whoever notes the head elsewhere has an anchor."""

    sealed_to: int
    tail: int
    head: str


NOTHING = Tip(0, 0, NO_HEAD, "", "0")


def seal_now() -> int:
    """Seal all that may be sealed and return how many entries that were; 0 while another sealer is at work."""
    sealed = 0
    while True:
        try:
            count = _seal_batch(SEALER if SEALER in connections else DEFAULT_DB_ALIAS)
        except ProgrammingError as error:
            if sqlstate(error) != NOT_PERMITTED:
                raise
            raise CannotSeal("This role may not seal the stream. Set DATABASE_SEALER_URL for the process that seals.") from error
        sealed += count
        if count < BATCH:
            return sealed


def seal_lag(now: datetime) -> timedelta:
    """How long the oldest entry has been waiting for its seal; zero when none waits."""
    with connection.cursor() as cursor:
        cursor.execute(f"select min(entry.at) {UNSEALED}", [_tip().floor])
        (oldest,) = cursor.fetchone()
    return max(now - oldest, timedelta()) if oldest else timedelta()


def sealed_positions() -> QuerySet[Seal, int]:
    """The last sealed position, or no row before the first seal: what the frame of every page shows, read together with others."""
    return Seal.objects.order_by("-number").values_list(F("first_position") + F("count") - 1, flat=True)[:1]


def standing() -> Standing:
    """How far the stream is sealed, and how many entries wait."""
    tip = _tip()
    with connection.cursor() as cursor:
        cursor.execute(f"select count(*) from (select {UNSEALED} limit {TAIL_LIMIT}) as tail", [tip.floor])
        (tail,) = cursor.fetchone()
    return Standing(tip.position, tail, tip.head.hex())


def _seal_batch(alias: str) -> int:
    with transaction.atomic(using=alias, durable=True), connections[alias].cursor() as cursor:
        # The lock comes in a statement of its own: the next one sees what the sealer before us has committed.
        cursor.execute(LOCK, [SEALER_LOCK])
        if not cursor.fetchone()[0]:
            return 0
        tip = _tip(alias)
        cursor.execute(CLUSTER)
        (cluster,) = cursor.fetchone()
        if tip.system != cluster:
            return _seal_unlisted(cursor, tip=tip, cluster=cluster)
        cursor.execute(SEALABLE, [tip.floor, BATCH])
        rows: list[Row] = cursor.fetchall()
        if rows:
            _seal(cursor, tip=tip, rows=rows, floor=rows[-1][2] if len(rows) == BATCH else rows[0][3], cluster=cluster)
        return len(rows)


def _seal_unlisted(cursor: Any, *, tip: Tip, cluster: str) -> int:  # noqa: ANN401 - Django's cursor has no type
    """Transaction ids mean nothing in another cluster: seal all that no seal lists, by id, in one transaction.

    What is not yet visible belongs to a transaction at or above the first snapshot's xmin: the next sealing begins there."""
    if tip is not NOTHING:
        _tell_of_move(tip, cluster=cluster)
    sealed, last, floor = 0, NO_ID, ""
    while True:
        cursor.execute(UNLISTED, [last, BATCH])
        rows: list[Row] = cursor.fetchall()
        if not rows:
            return sealed
        last, floor = rows[-1][0], floor or rows[0][3]
        tip = _seal(cursor, tip=tip, rows=rows, floor=floor, cluster=cluster)
        sealed += len(rows)
        if len(rows) < BATCH:
            return sealed


def _tell_of_move(tip: Tip, *, cluster: str) -> None:
    """Record the move before anything is sealed here; a sealer that was killed in between finds it told."""
    told = Entry.objects.filter(event=Event.STREAM_MOVED, place__isnull=True).values_list("body", flat=True)
    if any(_told_goal(bytes(body)) == cluster for body in told):
        return
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(CLOCK)
        (now,) = cursor.fetchone()
        data = {"from": tip.system, "to": cluster, "after_seal": tip.number}
        record(Event.STREAM_MOVED, subject=reference("stream", installation_id()), by=system("sealer"), at=now, data=data)


def _told_goal(body: bytes) -> object:
    """Where an entry says that the stream went; None for bytes that somebody else put there: they must not stop the sealer."""
    try:
        return read_entry(body, texts={}, position=None).data.get("to")
    except NotAnEntry:
        return None


def _seal(cursor: Any, *, tip: Tip, rows: Sequence[Row], floor: str, cluster: str) -> Tip:  # noqa: ANN401
    cursor.execute(CLOCK)
    (now,) = cursor.fetchone()
    leaves = [leaf_hash(row[1]) for row in rows]
    first = tip.position + 1
    body = canonical_bytes(
        {
            "schema": SCHEMA,
            "number": tip.number + 1,
            "first_position": first,
            "count": len(rows),
            "root": merkle_root(leaves).hex(),
            "previous_head": tip.head.hex(),
            "system": cluster,
            "installation": installation_id(),
            "sealed_at": now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        }
    )
    head = head_hash(tip.head, body)
    ids = "{" + ",".join(row[0] for row in rows) + "}"
    cursor.execute(SEAL, [tip.number + 1, first, len(rows), ids, b"".join(leaves), body, tip.head, head, now, cluster, floor])
    cursor.execute(PLACE, [tip.number + 1])
    return Tip(tip.number + 1, first + len(rows) - 1, head, cluster, floor)


def _tip(alias: str = DEFAULT_DB_ALIAS) -> Tip:
    fields = ("number", "first_position", "count", "head", "system", "floor")
    last = Seal.objects.using(alias).order_by("-number").values_list(*fields).first()
    if last is None:
        return NOTHING
    number, first, count, head, cluster, floor = last
    return Tip(number, first + count - 1, bytes(head), cluster, str(floor))
