"""Letting go of old answers: whole months, sealed, by the owner of the database; the stream keeps the hash of each for good.

Each step can be done again, so a run that was killed is finished by the next one."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import OperationalError, connections, transaction

from apps.audit.record import record
from apps.audit.seal import seal_lag
from apps.audit.stream import StreamFilter, latest
from apps.audit.vocabulary import Event
from apps.core.actors import Actor
from apps.core.ids import moment_in
from apps.core.locks import database_now
from apps.core.references import Reference, reference
from apps.core.refusals import BadContent, Kind, Refusal, Refused, not_now

OWNER, LOCK = "owner", 0x_CC_0011
PARENTS = ("gate_verdict", "gate_evaluation")
MONTH = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])")
# Before the last step the partition still belongs to its parent, or was being taken out of it when somebody pulled the plug.
THERE = "select relname from pg_class where relkind = 'r' and relname ~ %s order by relname"
PARENT = """select i.inhdetachpending from pg_inherits i where i.inhrelid = to_regclass(%s) and i.inhparent = to_regclass(%s)"""
COUNT = "select count(*) from {parent} where at >= %s and at < %s"
WAIT_SECONDS = 30  # for a reader that has been at it since before; nobody else waits meanwhile

NO_OWNER = not_now("no_owner", "The application may not drop tables.", "Set DATABASE_OWNER_URL for this command alone.")
AT_WORK = not_now("at_work", "Another run is dropping months.", "Wait for it; a run that was killed is finished by the next one.")
IS_READ = not_now(
    "is_read", f"Something has been reading the month for more than {WAIT_SECONDS} seconds.", "Run this again once it has ended."
)


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """A month of UTC, as the partitions are cut."""

    year: int
    month: int

    def __str__(self) -> str:
        return f"{self.year:04}-{self.month:02}"

    @property
    def reference(self) -> Reference:
        """What the stream calls it."""
        return reference("gate_month", str(self))

    @property
    def begins(self) -> datetime:
        """Its first moment."""
        return datetime(self.year, self.month, 1, tzinfo=UTC)

    def later(self, months: int) -> "Month":
        """So many months after it; before it where that is negative."""
        year, month = divmod(self.year * 12 + self.month - 1 + months, 12)
        return Month(year, month + 1)

    def table(self, parent: str) -> str:
        """The partition that holds it."""
        return f"{parent}_{self.year:04}_{self.month:02}"


def month_at(moment: datetime) -> Month:
    """The month that a moment lies in."""
    there = moment.astimezone(UTC)
    return Month(there.year, there.month)


def read_month(text: str) -> Month:
    """Read `2026-01`; raises BadContent."""
    found = MONTH.fullmatch(text.strip())
    if not found or int(found[1]) < 1:
        raise BadContent({"before": ["A month is written as 2026-01."]})
    return Month(int(found[1]), int(found[2]))


def months_before(before: Month, *, now: datetime | None = None) -> list[Month]:
    """The months still there that end before this one begins; Refused where months would go that GATE_KEEP_MONTHS keeps."""
    kept = month_at(now or database_now()).later(-settings.GATE_KEEP_MONTHS)
    if before > kept:
        said = f"GATE_KEEP_MONTHS keeps {settings.GATE_KEEP_MONTHS} whole months, so everything from {kept} on stays."
        raise Refused(not_now("is_kept", said, f"Name {kept} or an earlier month."))
    with connections["default"].cursor() as cursor:
        cursor.execute(THERE, [rf"^({'|'.join(PARENTS)})_\d{{4}}_\d{{2}}$"])
        found = {Month(int(name[-7:-3]), int(name[-2:])) for (name,) in cursor.fetchall()}
    return sorted(one for one in found if one < before)


@contextmanager
def alone() -> Iterator[None]:
    """One run at a time, by the owner; the lock ends with its session, however that ends."""
    if OWNER not in connections:
        raise Refused(NO_OWNER)
    with connections[OWNER].cursor() as cursor:
        cursor.execute("select pg_try_advisory_lock(%s)", [LOCK])
        if not cursor.fetchone()[0]:
            raise Refused(AT_WORK)
        try:
            yield
        finally:
            cursor.execute("select pg_advisory_unlock(%s)", [LOCK])


def drop_month(month: Month, *, by: Actor, now: datetime | None = None) -> None:
    """Tell the stream, then drop the month; inside `alone`. Refused while something of it is not sealed, or read by somebody."""
    at = now or database_now()
    if at - seal_lag(at) < month.later(1).begins:
        said = f"Not every answer of {month} is sealed in the audit stream."
        raise Refused(not_now("not_sealed", said, "Start the worker that seals (manage.py up), then run this again."))
    if not _told(month):
        _tell(month, by=by, at=at)
    with connections[OWNER].cursor() as cursor:
        cursor.execute("select set_config('lock_timeout', %s, false)", [f"{WAIT_SECONDS}s"])
        try:
            for parent in PARENTS:
                _take_out(cursor, parent, month.table(parent))
        except OperationalError as error:
            raise Refused(IS_READ) from error
        finally:
            cursor.execute("reset lock_timeout")


def _tell(month: Month, *, by: Actor, at: datetime) -> None:
    with transaction.atomic(), connections["default"].cursor() as cursor:
        counted: dict[str, object] = {}
        for parent in PARENTS:
            cursor.execute(COUNT.format(parent=parent), [month.begins, month.later(1).begins])
            counted[f"{parent.removeprefix('gate_')}s"] = cursor.fetchone()[0]
        record(Event.GATE_MONTH_DROPPED, subject=month.reference, by=by, at=at, data={"month": str(month), **counted})


def _take_out(cursor: Any, parent: str, table: str) -> None:  # noqa: ANN401 - Django's cursor has no type
    """Detach, without making a question wait behind a long reader, then drop."""
    cursor.execute(PARENT, [table, parent])
    if row := cursor.fetchone():
        cursor.execute(f"alter table {parent} detach partition {table} {'finalize' if row[0] else 'concurrently'}")
    cursor.execute(f"drop table if exists {table}")


def _told(month: Month) -> datetime | None:
    told = latest(StreamFilter(events=[Event.GATE_MONTH_DROPPED], about=[month.reference]), limit=1)
    return told[0].at if told else None


def why_gone(public_id: UUID) -> Refusal | None:
    """What to say of an evaluation that is not there: that its month was let go, where it was."""
    at = moment_in(public_id)
    told = _told(month_at(at)) if at else None
    if at is None or told is None:
        return None
    said = f"The gate's answers of {month_at(at)} were let go on {told:%Y-%m-%d}."
    cure = "The audit stream still holds the hash of each. A backup made before holds the answers."
    return Refusal("month_dropped", said, cure, Kind.GONE)
