"""What is counted over all processes, in one table: one statement per step, so that no two of them count past each other.

Django's cache is this table too, because allauth counts attempts there; nothing else belongs in it."""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.cache.backends.base import DEFAULT_TIMEOUT, BaseCache
from django.db import OperationalError, connection, transaction

from apps.core.verbs import LOCK_TIMEOUT, sqlstate

UNTIL = "clock_timestamp() + make_interval(secs => %s)"
INSERT = "insert into accounts_counted as counted (key, value, expires_at)"
PUT = f"{INSERT} values (%s, %s::jsonb, {UNTIL}) on conflict (key) do update set value = excluded.value, expires_at = excluded.expires_at"
ADD = f"{PUT} where counted.expires_at <= clock_timestamp()"
GET = "select value from accounts_counted where key = %s and expires_at > clock_timestamp()"
TOUCH = f"update accounts_counted set expires_at = {UNTIL} where key = %s and expires_at > clock_timestamp()"
FORGET = "delete from accounts_counted where key = %s and expires_at > clock_timestamp()"
FORGET_EXPIRED = "delete from accounts_counted where expires_at <= clock_timestamp()"
COUNT = f"""{INSERT} values (%s, to_jsonb(1), {UNTIL}) on conflict (key) do update set
  value = to_jsonb(case when counted.expires_at <= clock_timestamp() then 1 else (counted.value #>> '{{}}')::int + 1 end),
  expires_at = case when counted.expires_at <= clock_timestamp() then excluded.expires_at else counted.expires_at end
  returning (counted.value #>> '{{}}')::int, counted.expires_at"""
LONG = 366 * 24 * 3600
LONGEST_KEY = 250


@dataclass(frozen=True, slots=True)
class Attempt:
    """The how-manieth attempt this is, and when counting begins anew."""

    number: int
    until: datetime


def count_attempt(key: str, *, seconds: int) -> Attempt:
    """Count one attempt in the stretch that began with the first; it stands when the caller's transaction does."""
    with connection.cursor() as cursor:
        cursor.execute(COUNT, [_short(f"attempt:{key}"), seconds])
        return Attempt(*cursor.fetchone())


def forget_attempts(key: str) -> None:
    """Begin to count anew."""
    _run(FORGET, _short(f"attempt:{key}"))


def forget_expired() -> int:
    """Delete what counts no longer; the clock does it."""
    return _run(FORGET_EXPIRED)


class SharedCache(BaseCache):
    """Django's cache over the same table. Values are JSON. Inside a transaction a step waits for the other's end."""

    def __init__(self, place: str, params: dict[str, Any]) -> None:
        del place
        super().__init__(params)

    def add(self, key: str, value: object, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:  # noqa: ANN401 - Django's own signature
        """Keep the value unless one is kept; of several at once one is told True. Whoever waits too long is told False."""
        try:
            with transaction.atomic():  # a savepoint: the caller's transaction outlives a wait that was too long
                return bool(_run(ADD, self._key(key, version), json.dumps(value), self._seconds(timeout)))
        except OperationalError as error:
            if sqlstate(error) == LOCK_TIMEOUT:
                return False
            raise

    def get(self, key: str, default: Any = None, version: int | None = None) -> Any:  # noqa: ANN401 - Django's own signature
        """The value, or the default."""
        with connection.cursor() as cursor:
            cursor.execute(GET, [self._key(key, version)])
            row = cursor.fetchone()
        return json.loads(row[0]) if row else default

    def set(self, key: str, value: object, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> None:  # noqa: ANN401 - Django's own signature
        """Keep the value in place of what is kept."""
        _run(PUT, self._key(key, version), json.dumps(value), self._seconds(timeout))

    def touch(self, key: str, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:  # noqa: ANN401 - Django's own signature
        """Keep it for longer; False when it is not there."""
        return bool(_run(TOUCH, self._seconds(timeout), self._key(key, version)))

    def delete(self, key: str, version: int | None = None) -> bool:
        """Forget it; False when it is not there."""
        return bool(_run(FORGET, self._key(key, version)))

    def clear(self) -> None:
        """Forget everything."""
        _run("delete from accounts_counted")

    def _key(self, key: str, version: int | None) -> str:
        return _short(self.make_key(key, version=version))

    def _seconds(self, timeout: Any) -> float:  # noqa: ANN401 - a number, None, or Django's mark for "as usual"
        seconds = self.default_timeout if timeout is DEFAULT_TIMEOUT else timeout
        return LONG if seconds is None else float(seconds)


def _short(key: str) -> str:
    """A key fits its column, whatever somebody sends."""
    return key if len(key) <= LONGEST_KEY and key.isprintable() else hashlib.sha256(key.encode(errors="replace")).hexdigest()


def _run(statement: str, *values: str | float) -> int:
    with connection.cursor() as cursor:
        cursor.execute(statement, values or None)
        return int(cursor.rowcount)
