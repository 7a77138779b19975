"""Who works on a mail now: claimed by one, for a while by the database's clock. The attempt is the fence of every write-back.

A lost worker's mail is taken up again: it may have gone out already, so both carry one Message-ID and mail programs show one."""

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from apps.audit.record import record
from apps.audit.vocabulary import Event
from apps.core.actors import system
from apps.core.locks import database_now
from apps.core.references import reference
from apps.core.verbs import verb
from apps.notifications.kinds import Timing
from apps.notifications.models import Delivery, Digest, Order, OrderType
from apps.notifications.rules import MOST_TRIES, wait_after
from apps.notifications.states import State
from apps.notifications.transitions import LONGEST_SAID, move

LEASE = timedelta(minutes=2)  # longer than a conversation with a mail server in which every answer comes at the last moment
SENDER = system("mail")
WORN_OUT = f"{MOST_TRIES} workers took it up and none of them came back. The workers' log says why."


class LeaseLost(Exception):
    """The lease ended and another worker has it: whatever was to be written is not written."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A claim that was had."""

    model: OrderType
    pk: int
    attempt: int
    holder: str


def own_name() -> str:
    """Name this process as a holder is called: host and process id."""
    return f"{socket.gethostname()}:{os.getpid()}"[:120]


@verb
def claim_mail(model: OrderType, pk: int, *, holder: str, length: timedelta = LEASE) -> Lease | None:
    """Take a mail for one try; None when it is not due, when another worker has it, or when it has worn out too many."""
    mail = model.objects.due().select_for_update(skip_locked=True, of=("self",)).filter(pk=pk).first()
    if mail is None or (isinstance(mail, Delivery) and mail.timing != Timing.NOW):
        return None  # what waits for a digest is sent with it
    now = database_now()
    if mail.tries >= MOST_TRIES:
        give_up(mail, said=WORN_OUT)
        return None
    mail.attempt, mail.tries = mail.attempt + 1, mail.tries + 1
    mail.holder, mail.lease_expires_at = holder, now + length
    mail.save()
    return Lease(model, mail.pk, mail.attempt, holder)


@verb
def end_mail(lease: Lease, goal: State, *, said: str = "") -> None:
    """Say what became of a claimed mail; raises LeaseLost when it is not ours any more."""
    mail, now = _own(lease), database_now()
    if goal is State.FAILED:
        give_up(mail, said=said)
        return
    move(mail, goal, at=now, said=said)
    if isinstance(mail, Digest):
        _end_digested(mail, goal, said=said)


@verb
def postpone_mail(lease: Lease, *, said: str) -> None:
    """The try met something that may pass: wait longer each time, then give up; raises LeaseLost when it is not ours any more."""
    mail = _own(lease)
    wait = wait_after(mail.tries)
    if wait is None:
        give_up(mail, said=said)
        return
    mail.holder, mail.lease_expires_at = "", None
    mail.said, mail.wake_at = said[:LONGEST_SAID], database_now() + wait
    mail.save()


@verb
def drop_from_digest(lease: Lease, left_out: Mapping[int, tuple[State, str]]) -> None:
    """End what stands in a digest no more; raises LeaseLost when the digest is not ours any more."""
    if not left_out:
        return
    _own(lease)
    now = database_now()
    for row in Delivery.objects.select_for_update(of=("self",)).filter(pk__in=left_out, state=State.QUEUED).order_by("pk"):
        goal, said = left_out[row.pk]
        move(row, goal, at=now, said=said)


def give_up(mail: Order, *, said: str) -> None:
    """Fail a locked mail for good; that somebody could not be told is itself told."""
    now = database_now()
    move(mail, State.FAILED, at=now, said=said)
    if isinstance(mail, Digest):
        _end_digested(mail, State.FAILED, said=said)
    subject = mail.subject if isinstance(mail, Delivery) else str(mail.reference)
    kind, _, public_id = subject.partition(":")
    data = {"kind": mail.kind if isinstance(mail, Delivery) else "DIGEST", "tries": mail.tries, "delivery": mail.public_id}
    refs = [mail.person.reference, reference(kind, public_id)]
    record(Event.NOTIFICATION_FAILED, subject=mail.reference, by=SENDER, at=now, refs=refs, data=data, details={"reason": mail.said})


def _own(lease: Lease) -> Order:
    found = lease.model.objects.select_for_update(of=("self",)).filter(pk=lease.pk, attempt=lease.attempt, holder=lease.holder).first()
    if found is None or found.lease_expires_at is None:
        raise LeaseLost(f"Attempt {lease.attempt} of {lease.model.__name__.lower()} {lease.pk} lost its lease.")
    return found


def _end_digested(digest: Digest, goal: State, *, said: str) -> None:
    """What was in a digest ends as the digest did; what was left out of it has ended before."""
    now = database_now()
    for row in Delivery.objects.select_for_update(of=("self",)).filter(digest=digest, state=State.QUEUED).order_by("pk"):
        move(row, goal, at=now, said=said)
