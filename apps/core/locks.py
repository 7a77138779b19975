"""Locks, in the order calendar guard, target, change, deployment; and the database's clock, read after them."""

from datetime import datetime
from typing import Self, TypeVar

from django.db import connection, models

M = TypeVar("M", bound=models.Model)

# One advisory lock for "may anything begin now": an arbitrary constant, the same in every process.
CALENDAR_GUARD = 0x_CC_0001


def database_now() -> datetime:
    """The database's clock at this very moment, not at the start of the transaction."""
    with connection.cursor() as cursor:
        cursor.execute("select clock_timestamp()")
        (moment,) = cursor.fetchone()
    assert isinstance(moment, datetime)  # noqa: S101 - narrows the driver's Any
    return moment


def share_calendar_guard() -> None:
    """Taken by whoever begins something: no freeze, hold, policy or person changes until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock_shared(%s)", [CALENDAR_GUARD])


def take_calendar_guard() -> None:
    """Taken by whoever changes freezes, holds, policies or people: nothing begins until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(%s)", [CALENDAR_GUARD])


class Lockable(models.QuerySet[M]):
    """Adds the one way to lock a row."""

    def lock(self, pk: int, now: datetime | None = None) -> tuple[M, datetime]:
        """Lock one row for update and return it with the deciding moment; raises DoesNotExist.

        The moment is the database's clock after the lock was had; a caller's `now` is for tests and dry runs."""
        row = self.select_for_update(of=("self",)).get(pk=pk)
        return row, now or database_now()

    def open_now(self) -> Self:
        """Rows whose life has not ended."""
        return self.filter(retired_at__isnull=True)
