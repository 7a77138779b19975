"""What the log leaves out, so that whoever asks too often cannot fill it."""

import logging
import threading
from collections.abc import Callable
from time import monotonic

TOO_MANY = 429
EVERY_SECONDS = 60


class SparingOfRefusals(logging.Filter):
    """Lets one line about requests that came too often through in a minute; the next one says how many were left out."""

    def __init__(self, *, clock: Callable[[], float] = monotonic) -> None:
        super().__init__()
        self._clock, self._lock = clock, threading.Lock()
        self._next, self._left_out = 0.0, 0

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether this line is written."""
        if getattr(record, "status_code", None) != TOO_MANY:
            return True
        with self._lock:
            now = self._clock()
            if now < self._next:
                self._left_out += 1
                return False
            left_out, self._left_out, self._next = self._left_out, 0, now + EVERY_SECONDS
        if left_out:
            record.msg, record.args = "%s (and %d more since the last such line)", (record.getMessage(), left_out)
        return True
