"""Refused attempts: the verb's transaction is gone, so the refusal is recorded in one of its own."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from django.db import transaction

from apps.audit.record import record
from apps.audit.vocabulary import Event
from apps.core.actors import Actor
from apps.core.locks import database_now
from apps.core.references import reference
from apps.core.refusals import Refused

P = ParamSpec("P")
T = TypeVar("T")


def recorded_refusal(event: Event) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Stack above `@verb`: a Refused is recorded as `event`, with its code, then raised on.

    Where even that cannot be recorded, the database's error is raised instead: nothing is refused unseen."""

    def around(action: Callable[P, T]) -> Callable[P, T]:
        @wraps(action)
        def run(*args: P.args, **kwargs: P.kwargs) -> T:
            try:
                return action(*args, **kwargs)
            except Refused as error:
                by = kwargs["by"]
                assert isinstance(by, Actor), "a verb takes its actor as `by`"  # noqa: S101 - a programming error, not input
                record_refusal(event, error=error, by=by)
                raise

        return run

    return around


def record_refusal(event: Event, *, error: Refused, by: Actor) -> None:
    """Record who was refused what, and with which code; the sentence itself may hold names and stays out."""
    actor = reference("person", by.person_id) if by.person_id else reference(by.kind.value.lower(), by.id)
    with transaction.atomic(durable=True):
        record(
            event,
            subject=error.about or actor,
            by=by,
            at=database_now(),
            refs=[actor],
            data={"code": error.refusal.code, "kind": error.refusal.kind},
        )
