"""Erasing a text from the stream for good: two administrators, the owner role, and an entry that tells of it."""

from collections.abc import Callable
from uuid import UUID

from django.db import connections, transaction

from apps.audit.models import Detail
from apps.audit.record import compose, insert
from apps.audit.vocabulary import Event
from apps.core.actors import Actor, ActorKind
from apps.core.references import reference
from apps.core.refusals import Refused, not_allowed, not_now

OWNER = "owner"

# The name somebody signs in with and their password -> the public id of that active administrator, else None.
Witness = Callable[[str, str], UUID | None]

_witnesses: list[Witness] = []


def register_witness(witness: Witness) -> None:
    """Say who can tell administrators; the app that knows people registers it once."""
    if _witnesses and _witnesses[0] is not witness:
        raise ValueError("Two witnesses are registered.")
    _witnesses[:] = [witness]


def administrator(name: str, *, password: str) -> UUID:
    """The administrator who proves to be one; raises Refused (NOT_ALLOWED) for everybody else."""
    found = _witnesses[0](name, password) if _witnesses else None
    if found is None:
        raise Refused(not_allowed("not_an_administrator", f"{name} and this password are of no active administrator."))
    return found


def erase_detail(entry_id: UUID, *, field: str, first: UUID, second: UUID, reason: str) -> None:
    """Delete a text with its salt and record who did it and why, together. The entry keeps the commitment, which now fits nothing.

    Raises Refused when the two are one person, the reason is missing or there is no such text."""
    if first == second:
        raise Refused(not_allowed("two_persons", "Both are the same administrator.", "A second one has to agree."))
    if not reason.strip():
        raise Refused(not_now("no_reason", "The reason is missing.", "Say why the text is erased; it stays in the stream."))
    if OWNER not in connections:
        raise Refused(not_now("no_owner", "Only the owner role may erase.", "Set DATABASE_OWNER_URL for this command."))
    with transaction.atomic(using=OWNER, durable=True), connections[OWNER].cursor() as cursor:
        cursor.execute("select set_config('changecontrol.erasing', %s, true), clock_timestamp()", [f"{entry_id}:{field}"])
        _, now = cursor.fetchone()
        erased, _ = Detail.objects.using(OWNER).filter(entry_id=entry_id, field=field).delete()
        if not erased:
            raise Refused(not_now("no_such_detail", f"Entry {entry_id} has no text {field}, or it was erased before."))
        draft = compose(
            Event.DETAIL_ERASED,
            subject=reference("entry", entry_id),
            by=Actor(ActorKind.PERSON, str(first), "command"),
            at=now,
            refs=[reference("person", second)],
            data={"entry": entry_id, "field": field},
            details={"reason": reason},
        )
        insert(draft, using=OWNER)
