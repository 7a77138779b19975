"""What makes a function a verb: one durable transaction, retried when the database asks for it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from django.db import OperationalError, transaction

from apps.core.refusals import Refused, not_now

P = ParamSpec("P")
T = TypeVar("T")

TRIES = 3
# serialization_failure and deadlock_detected: the database undid everything and asks to be called again.
AGAIN = {"40001", "40P01"}
LOCK_TIMEOUT = "55P03"

BUSY = not_now(
    "busy",
    "Somebody else is changing this at the moment.",
    "Try again in a few seconds; nothing was changed.",
)


def sqlstate(error: BaseException) -> str:
    """The PostgreSQL error code behind a Django database error, or an empty string."""
    return getattr(error.__cause__, "sqlstate", None) or ""


_JOINED: ContextVar[Callable[[Any], None] | None] = ContextVar("joined", default=None)


@contextmanager
def joined_by(step: Callable[[Any], None]) -> Iterator[None]:
    """Let a step join the transaction of the verb that is called inside, after its writing; it is given what the verb returns.

    For what must be kept if and only if the verb is: the answer that was given under an Idempotency-Key."""
    token = _JOINED.set(step)
    try:
        yield
    finally:
        _JOINED.reset(token)


def verb(action: Callable[P, T]) -> Callable[P, T]:
    """Run `action` in its own durable transaction; at most three tries on deadlock or serialization failure.

    Raises Refused (NOT_NOW) where a lock could not be had in time. Never nested: an inner verb is an error."""

    @wraps(action)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        for left in reversed(range(TRIES)):
            try:
                with transaction.atomic(durable=True):
                    done = action(*args, **kwargs)
                    if step := _JOINED.get():
                        step(done)
                    return done
            except OperationalError as error:
                if sqlstate(error) == LOCK_TIMEOUT:
                    raise Refused(BUSY) from error
                if sqlstate(error) not in AGAIN or not left:
                    raise
        raise AssertionError("unreachable: the last try returns or raises")  # pragma: no cover - the loop always ends above

    return run
