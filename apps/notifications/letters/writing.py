"""From a row to the mail it orders: looked at now, so that nothing old is told."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from django.core.mail import EmailMultiAlternatives
from django.urls import reverse

from apps.accounts.access import names_of
from apps.accounts.models import Person
from apps.approvals.models import Delegation, LegException
from apps.audit.entries import StreamEntry
from apps.audit.sentences import actor_name
from apps.audit.stream import entry_by_id
from apps.changes.models import Change
from apps.core.references import reference
from apps.deployments.models import Deployment
from apps.gate.proposals import Proposal
from apps.incidents.models import Incident
from apps.notifications.facts.standing import Ending, ending_of, told_and_waiting
from apps.notifications.facts.subjects import Subject, is_restricted, subject_named
from apps.notifications.kinds import NEEDED
from apps.notifications.letters.accounts import account_letter
from apps.notifications.letters.changes import change_letter
from apps.notifications.letters.exceptions import exception_letter
from apps.notifications.letters.places import delegation_letter, deployment_letter, incident_letter
from apps.notifications.letters.proposals import proposal_letter
from apps.notifications.letters.rendering import is_address, message_of
from apps.notifications.letters.shape import Letter, Line, Reader, Section, address_of
from apps.notifications.models import Delivery, Digest, Order
from apps.notifications.states import State

SOMEBODY = "Somebody"


@dataclass(frozen=True, slots=True)
class Written:
    """The mail to send; or none, with how the row ends. `left_out` are rows of a digest that are told no more."""

    message: EmailMultiAlternatives | None = None
    ending: State = State.SUPERSEDED
    said: str = ""
    left_out: Mapping[int, Ending] = field(default_factory=dict)


def write_mail(mail: Order, *, now: datetime) -> Written:
    """Write what is ordered, as things are now."""
    if not is_address(mail.person.email):
        return Written(ending=State.FAILED, said="Mail cannot be sent to the address of this person. An administrator corrects it.")
    if isinstance(mail, Digest):
        return write_digest(mail, now=now)
    letter = letter_of(mail, now=now)
    if isinstance(letter, Letter):
        return Written(message_of(mail, letter, thread=mail.thread))
    return Written(ending=letter[0], said=letter[1])


def letter_of(delivery: Delivery, *, now: datetime, is_short: bool = False) -> Letter | Ending:
    """The letter of one row, or how the row ends without one."""
    subject, entry = subject_named(delivery.subject), entry_by_id(delivery.entry_id)
    if ending := ending_of(delivery, subject, now=now):
        return ending
    if subject is None or entry is None:
        return State.SUPPRESSED, "What it is about cannot be read."
    reader = Reader(delivery.person, now)
    return _letter(delivery, subject, entry=entry, reader=reader, is_short=is_short)


def _letter(delivery: Delivery, subject: Subject, *, entry: StreamEntry, reader: Reader, is_short: bool) -> Letter:
    is_brief = is_restricted(subject)
    match subject:
        case Change():
            by = doer(entry)
            return change_letter(delivery, subject, entry=entry, by=by, reader=reader, is_brief=is_brief, is_short=is_short)
        case Deployment():
            return deployment_letter(delivery, subject, is_brief=is_brief)
        case Incident():
            return incident_letter(delivery, subject, reader=reader, is_brief=is_brief)
        case LegException():
            return exception_letter(delivery, subject, reader=reader, is_brief=is_brief)
        case Proposal():
            return proposal_letter(delivery, subject, reader=reader)
        case Person():
            return account_letter(delivery, subject, entry=entry, by=doer(entry), reader=reader)
        case Delegation():
            return delegation_letter(delivery, subject, reader=reader)


def doer(entry: StreamEntry) -> str:
    """Who did it, by name."""
    people = [one for one in (entry.by.person_id, entry.by.on_behalf_of) if one]
    names = {str(name): text for name, text in names_of([reference("person", one) for one in people]).items()}
    return actor_name(entry.by, lambda text: names.get(text, SOMEBODY))


def write_digest(digest: Digest, *, now: datetime) -> Written:
    """One mail about all rows of a digest that still hold: what waits for the person first."""
    waiting: dict[str, Line] = {}
    news: dict[str, Line] = {}
    left_out: dict[int, Ending] = {}
    for row in digest.deliveries.filter(state=State.QUEUED).order_by("pk"):
        row.person = digest.person
        letter = letter_of(row, now=now, is_short=True)
        if isinstance(letter, Letter):
            (waiting if row.kind in NEEDED else news)[f"{letter.subject} {letter.url}"] = _line(letter)
        else:
            left_out[row.pk] = letter
    if not waiting and not news:
        return Written(said="Nothing of it was still true.", left_out=left_out)
    waiting = {f"{letter.subject} {letter.url}": _line(letter) for letter in _still_waiting(digest, now=now)} | waiting
    return Written(message_of(digest, _digest_letter([*waiting.values()], [*news.values()])), left_out=left_out)


def _line(letter: Letter) -> Line:
    return Line(letter.subject, letter.short, letter.url)


def _still_waiting(digest: Digest, *, now: datetime) -> list[Letter]:
    """What the person was told of before and still waits for them: a digest says what waits now, not what is new alone."""
    found: list[Letter] = []
    for row in told_and_waiting(digest.person):
        row.person = digest.person
        letter = letter_of(row, now=now, is_short=True)
        if isinstance(letter, Letter):
            found.append(letter)
    return found


def _digest_letter(waiting: list[Line], news: list[Line]) -> Letter:
    counts = " and ".join(
        part for part in (f"{len(waiting)} waiting for you" if waiting else "", f"{len(news)} news" if news else "") if part
    )
    return Letter(
        subject=f"Your digest: {counts}",
        lead=f"Now: {counts}. What is no longer true was left out.",
        cure="Each link opens a page; nothing is decided by opening it.",
        url=address_of(reverse("home:home")),
        word="Open what waits for you",
        because="you chose to be told of these in a digest",
        sections=(Section("Waits for you", tuple(waiting)), Section("News", tuple(news))),
    )
