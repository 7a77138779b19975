"""Who is told after each sealing, and how they read on. Apps above register in `AppConfig.ready`; a follower calls `read_on`."""

import logging
from collections.abc import Callable

from django.db import DataError, Error, IntegrityError, transaction

from apps.audit.entries import StreamEntry
from apps.audit.record import record
from apps.audit.stream import follow, ready_cursor, stand_at_failure
from apps.audit.vocabulary import Event
from apps.core.actors import system
from apps.core.locks import database_now
from apps.core.references import reference

Follower = Callable[[], object]
React = Callable[[StreamEntry], object]

TRIES = 3

logger = logging.getLogger(__name__)
_followers: dict[str, Follower] = {}


def register(name: str, follower: Follower) -> None:
    """Call `follower` after each sealing; a name is taken once."""
    if _followers.setdefault(name, follower) is not follower:
        raise ValueError(f"Two followers are called {name}.")


def run_followers() -> None:
    """Let everyone read on. One that fails is logged and tried again after the next sealing; the others are not kept waiting."""
    for name, follower in _followers.items():
        try:
            follower()
        except Exception:
            logger.exception("The follower %s failed. It goes on where it stood after the next sealing.", name)


def read_on(name: str, react: React, *, limit: int) -> int:
    """React to every sealed entry behind the cursor of this name, which moves in the same transaction. Returns how many were read.

    An entry that cannot be reacted to keeps the later ones waiting for a few sealings; then it is passed, and the stream says so."""
    ready_cursor(name)
    read = 0
    while True:
        with transaction.atomic(durable=True):
            entries = follow(name, limit)
            failed = next((entry for entry in entries if not _can_react(name, entry, react)), None)
            is_passed = failed is not None and stand_at_failure(name, failed, tries=TRIES)
            if failed is not None and is_passed:
                _record_failure(name, failed)
        read += len(entries) if failed is None else entries.index(failed) + is_passed
        if not is_passed and (failed is not None or len(entries) < limit):
            return read


def _can_react(name: str, entry: StreamEntry, react: React) -> bool:
    """False where the entry is at fault: what a database says about itself, such as a lost connection or a deadlock, undoes everything."""
    try:
        with transaction.atomic():
            react(entry)
    except Exception as error:
        if isinstance(error, Error) and not isinstance(error, (IntegrityError, DataError)):
            raise
        logger.exception("The follower %s failed at entry %s (%s).", name, entry.id, entry.event)
        return False
    return True


def _record_failure(name: str, entry: StreamEntry) -> None:
    logger.error("The follower %s passes entry %s after %s tries.", name, entry.id, TRIES)
    if entry.event is Event.FOLLOWER_FAILED:  # one that fails at everything would answer itself for ever
        return
    record(
        Event.FOLLOWER_FAILED,
        subject=reference("entry", entry.id),
        by=system(name),
        at=database_now(),
        refs=entry.refs,
        data={"entry": entry.id, "follower": name, "position": entry.position, "told": str(entry.event)},
    )
