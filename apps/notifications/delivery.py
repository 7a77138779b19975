"""Sending what is due: claim, look whether it still holds, write the mail, hand it over, say what became of it."""

import logging
import smtplib
import time
from dataclasses import dataclass

from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.base import BaseEmailBackend

from apps.core.locks import database_now
from apps.notifications.access import due_mail, senders_at_work
from apps.notifications.lease import Lease, LeaseLost, claim_mail, drop_from_digest, end_mail, own_name, postpone_mail
from apps.notifications.letters import write_mail
from apps.notifications.models import OrderType
from apps.notifications.states import State

MOST_AT_ONCE = 2  # a mail server that hangs keeps this many workers from other work, and no more
BOUND_SECONDS = 10.0
FINAL_CODES = range(500, 600)
LONGEST_ANSWER = 300
UNWRITTEN = "It could not be written. The workers' log says why."

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a mail did not go. Final: the server will say the same again. Wide: it says so of every mail, so this is no time for others."""

    said: str
    is_final: bool = False
    is_wide: bool = True


def send_due(*, seconds: float = BOUND_SECONDS, holder: str = "") -> int:
    """Send what is due for a few seconds; returns how many tries were made. It stops where the mail server cannot be reached."""
    until, tries = time.monotonic() + seconds, 0
    for model, pk in due_mail():
        if time.monotonic() >= until or senders_at_work() >= MOST_AT_ONCE:
            break
        trouble = send_one(model, pk, holder=holder)
        tries += 1
        if trouble is not None and trouble.is_wide:
            break
    return tries


def send_one(model: OrderType, pk: int, *, holder: str = "") -> Trouble | None:
    """One try of one mail. Whoever is called too often, too late or at the same time as others does nothing."""
    lease = claim_mail(model, pk, holder=holder or own_name())
    if lease is None:
        return None
    try:
        return work(lease)
    except LeaseLost as error:
        logger.warning("%s stops: %s", lease.holder, error)
        return None
    except Exception:
        # A mistake of ours in one mail must neither keep its lease, which is one of few, nor end the others' turn.
        logger.exception("A mail could not be written.")
        postpone_mail(lease, said=UNWRITTEN)
        return Trouble(UNWRITTEN, is_wide=False)


def work(lease: Lease) -> Trouble | None:
    """Send a claimed mail, or end it because it is no longer true or not to be sent."""
    mail = lease.model.objects.select_related("person__merged_into").get(pk=lease.pk)
    mail.person = mail.person.merged_into or mail.person  # whoever was merged is told as who they are now; the row keeps whom it was for
    written = write_mail(mail, now=database_now())
    drop_from_digest(lease, written.left_out)
    if written.message is None:
        end_mail(lease, written.ending, said=written.said)
        return None
    trouble = transmit(written.message)
    if trouble is None:
        end_mail(lease, State.SENT)
    elif trouble.is_final:
        end_mail(lease, State.FAILED, said=trouble.said)
    else:
        postpone_mail(lease, said=trouble.said)
    return trouble


def transmit(message: EmailMessage) -> Trouble | None:
    """Hand a mail to the server; None when it was taken."""
    connection = get_connection()
    try:
        connection.open()
        connection.send_messages([message])
    except (smtplib.SMTPException, OSError) as error:
        return trouble_of(error)
    finally:
        hang_up(connection)
    return None


def hang_up(connection: BaseEmailBackend) -> None:
    """Close the conversation; what was said about the mail itself stands whatever happens here."""
    try:
        connection.close()
    except (smtplib.SMTPException, OSError) as error:
        logger.info("The mail server did not say goodbye (%s).", type(error).__name__)


def trouble_of(error: Exception) -> Trouble:
    """What a failure means: of the address, of this mail, or of the way to the server, which may be put right."""
    match error:
        case smtplib.SMTPRecipientsRefused(recipients=recipients):
            code, answer = next(iter(recipients.values()), (450, b""))
            return Trouble(f"The mail server refused the address: {_answer(code, answer)}", is_final=code in FINAL_CODES, is_wide=False)
        case smtplib.SMTPDataError(smtp_code=code, smtp_error=answer):
            return Trouble(f"The mail server refused the mail: {_answer(code, answer)}", is_final=code in FINAL_CODES, is_wide=False)
        case smtplib.SMTPSenderRefused(smtp_code=code, smtp_error=answer):
            return Trouble(f"The mail server refused the sender: {_answer(code, answer)}")
        case smtplib.SMTPAuthenticationError(smtp_code=code, smtp_error=answer):
            return Trouble(f"The mail server refused the sign-in: {_answer(code, answer)}")
        case smtplib.SMTPResponseException(smtp_code=code, smtp_error=answer):
            return Trouble(f"The mail server answered {_answer(code, answer)}")
        case smtplib.SMTPException():
            return Trouble(f"The conversation with the mail server broke off: {_plain(str(error)) or type(error).__name__}.")
        case _:
            return Trouble(f"The mail server cannot be reached: {_plain(str(error)) or type(error).__name__}.")


def _answer(code: int, answer: bytes | str) -> str:
    text = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else str(answer)
    return f"{code} {_plain(text)}".strip()


def _plain(text: str) -> str:
    """One line without anything that hides or steers."""
    return "".join(char if char.isprintable() else " " for char in text).strip()[:LONGEST_ANSWER]
