"""Requests with tokens nobody issued are counted, not recorded: a flood fills no table and keeps no row locked.

Each process counts by itself and writes at most once in five seconds; what a killed process had not written is lost."""

import threading
import time

from django.db import connection

EVERY_SECONDS = 5.0
ADD = """insert into gate_unknowntokens (day, count) values (current_date, %s)
on conflict (day) do update set count = gate_unknowntokens.count + excluded.count"""


class Tally:
    """What this process has counted and not written."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0
        self._written_at = float("-inf")

    def add(self) -> None:
        """Count one; write what has gathered when the last writing is long enough ago."""
        with self._lock:
            self._count += 1
            if time.monotonic() - self._written_at < EVERY_SECONDS:
                return
            count, self._count, self._written_at = self._count, 0, time.monotonic()
        with connection.cursor() as cursor:
            cursor.execute(ADD, [count])


unknown_tokens = Tally()
