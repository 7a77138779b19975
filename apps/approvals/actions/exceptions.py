"""Exceptions: asked by one person, agreed to by another, taken back, reviewed; each under the change's lock."""

from datetime import datetime

from apps.accounts.models import Person
from apps.approvals.exception_statement import ASK, ExceptionStatement, exception_bytes, read_exception
from apps.approvals.facts import (
    debtors_of,
    due_exceptions,
    excepted_leg,
    exception_facts,
    newest,
    overdue_exceptions,
    read_exceptions,
    undecided_exceptions,
)
from apps.approvals.models import LegException
from apps.approvals.rules import (
    ASK_HOLDS,
    LEAST_REVIEW,
    why_not_agree_exception,
    why_not_ask_exception,
    why_not_refuse_exception,
    why_not_review_exception,
    why_not_withdraw_exception,
)
from apps.approvals.statement import NotAStatement
from apps.approvals.steps import Signed, present, read_reason, why_not_proved
from apps.approvals.steps.exceptions import (
    Plea,
    agreed_statement,
    asked_statement,
    checked_plea,
    end_exception,
    record_exception,
    write_agreement,
    write_exception,
)
from apps.approvals.steps.signing import UNREADABLE
from apps.audit.attempts import recorded_refusal
from apps.audit.vocabulary import Event
from apps.catalog.facts import person_facts
from apps.changes.models import Change, Leg
from apps.core.actors import Actor
from apps.core.locks import database_now, share_calendar_guard, take_calendar_guard
from apps.core.refusals import BadContent, Refusal, Refused
from apps.core.texts import read_text
from apps.core.verbs import verb

LONGEST_REVIEW = 10_000
NO_REFUSAL = "Say why, so that the one who asked knows what to do."
SUPERSEDED = "It could not be agreed to any more; a new one was asked for."
PLACES = ("change__requester", "service__team", "environment", "target__settings", "item")


@recorded_refusal(Event.EXCEPTION_REFUSED)
def draft_exception(*, leg_id: int, plea: Plea, by: Actor, now: datetime | None = None) -> bytes:
    """The bytes that the first person would sign now. Nothing is locked; only a refusal is written. Raises BadContent."""
    leg, at = Leg.objects.select_related(*PLACES).get(pk=leg_id), now or database_now()
    person = present(leg.change, by)
    said = _asked(leg, plea, person=person, by=by, at=at)
    _refuse(leg.change, why_not_proved(by))
    return exception_bytes(said)


@recorded_refusal(Event.EXCEPTION_REFUSED)
@verb
def ask_exception(
    *, leg_id: int, plea: Plea | None = None, by: Actor, signed: Signed | None = None, now: datetime | None = None
) -> LegException:
    """Ask for an exception for one leg, as it is in the newest revision. It lifts nothing before a second person agrees."""
    share_calendar_guard()
    leg, at = _lock(leg_id, now)
    person = present(leg.change, by)
    said = _asked(leg, _plea(plea, signed, leg.change), person=person, by=by, at=at)
    _end_void(leg, said.kind, person=person, by=by, at=at)
    return write_exception(leg, newest(leg.change), said, person=person, by=by, at=at, signed=signed)


@recorded_refusal(Event.EXCEPTION_REFUSED)
def draft_exception_agreement(*, exception_id: int, by: Actor, now: datetime | None = None) -> bytes:
    """The bytes that the second person would sign now. Nothing is locked; only a refusal is written."""
    one, at = read_exceptions().get(pk=exception_id), now or database_now()
    person = present(one.leg.change, by)
    said = _agreed(one, person=person, by=by, at=at)
    _refuse(one.leg.change, why_not_proved(by))
    return exception_bytes(said)


@recorded_refusal(Event.EXCEPTION_REFUSED)
@verb
def agree_exception(*, exception_id: int, by: Actor, signed: Signed | None = None, now: datetime | None = None) -> LegException:
    """Agree as the second person: from now on it passes what it names, for its minutes; its review is owed."""
    share_calendar_guard()
    one, at = _lock_exception(exception_id, now)
    person = present(one.leg.change, by)
    said = _agreed(one, person=person, by=by, at=at)
    write_agreement(one, said, person=person, by=by, at=at, signed=signed)
    return one


@recorded_refusal(Event.EXCEPTION_REFUSED)
@verb
def refuse_exception(*, exception_id: int, by: Actor, reason: str, now: datetime | None = None) -> LegException:
    """Say no as the second person, with a reason."""
    share_calendar_guard()
    one, at = _lock_exception(exception_id, now)
    person, leg = present(one.leg.change, by), excepted_leg(one.leg, now=at)
    facts = person_facts(person, one.leg.service)
    _refuse(one.leg.change, why_not_refuse_exception(exception_facts(one, now=at), leg=leg, person=facts, by=by))
    one.refused_at, one.refused_by, one.end_reason = at, person, read_reason(reason, cure=NO_REFUSAL)
    one.save(update_fields=["refused_at", "refused_by", "end_reason"])
    record_exception(Event.EXCEPTION_DECLINED, one, by=by, at=at, details={"reason": one.end_reason})
    return one


@recorded_refusal(Event.EXCEPTION_REFUSED)
@verb
def withdraw_exception(*, exception_id: int, by: Actor, reason: str = "", now: datetime | None = None) -> LegException:
    """Take it back before it ends. Nothing begins by it from now on; what has begun goes on, and the review stays owed."""
    take_calendar_guard()
    one, at = _lock_exception(exception_id, now)
    person = present(one.leg.change, by)
    facts, leg = person_facts(person, one.leg.service), excepted_leg(one.leg, now=at)
    _refuse(one.leg.change, why_not_withdraw_exception(exception_facts(one, now=at), leg=leg, person=facts, by=by, now=at))
    end_exception(one, person=person, by=by, at=at, reason=read_reason(reason))
    return one


@recorded_refusal(Event.EXCEPTION_REFUSED)
@verb
def review_exception(*, exception_id: int, by: Actor, review: str, prevention: str, now: datetime | None = None) -> LegException:
    """Write the review: what happened, and what is done so that no exception is needed again."""
    one, at = _lock_exception(exception_id, now)
    person = present(one.leg.change, by)
    leg, facts = excepted_leg(one.leg, now=at), exception_facts(one, now=at)
    who, debtors = person_facts(person, one.leg.service), debtors_of(one, person)
    _refuse(one.leg.change, why_not_review_exception(facts, leg=leg, person=who, debtors=debtors, by=by, now=at))
    one.review, one.prevention = _told(review, "review"), _told(prevention, "prevention")
    one.reviewed_at, one.reviewed_by = at, person
    one.save(update_fields=["review", "prevention", "reviewed_at", "reviewed_by"])
    record_exception(Event.EXCEPTION_REVIEWED, one, by=by, at=at, details={"review": one.review, "prevention": one.prevention})
    return one


@verb
def tell_overdue(*, exception_id: int, by: Actor, now: datetime | None = None) -> bool:
    """Record once that a review is overdue. False where it is not, or was told before."""
    one, at = _lock_exception(exception_id, now)
    if one.overdue_told_at is not None or not overdue_exceptions(now=at).filter(pk=one.pk).exists():
        return False
    one.overdue_told_at = at
    one.save(update_fields=["overdue_told_at"])
    record_exception(Event.EXCEPTION_OVERDUE, one, by=by, at=at)
    return True


@verb
def tell_due(*, exception_id: int, by: Actor, now: datetime | None = None) -> bool:
    """Record once that a review is due soon. False where it is not, or was told before."""
    one, at = _lock_exception(exception_id, now)
    if not due_exceptions(now=at).filter(pk=one.pk).exists():
        return False
    one.due_told_at = at
    one.save(update_fields=["due_told_at"])
    record_exception(Event.EXCEPTION_REMINDED, one, by=by, at=at)
    return True


@verb
def lapse_exception(*, exception_id: int, by: Actor, now: datetime | None = None) -> bool:
    """End a request that nobody decided on in time. False where somebody did, or still may."""
    one, at = _lock_exception(exception_id, now)
    if not one.is_waiting or one.asked_at > at - ASK_HOLDS:
        return False
    one.lapsed_at = at
    one.save(update_fields=["lapsed_at"])
    record_exception(Event.EXCEPTION_LAPSED, one, by=by, at=at)
    return True


def _asked(leg: Leg, plea: Plea, *, person: Person, by: Actor, at: datetime) -> ExceptionStatement:
    facts = excepted_leg(leg, now=at)
    refusal = why_not_ask_exception(facts, kind=plea.kind, person=person_facts(person, leg.service), by=by)
    _refuse(leg.change, refusal)
    return asked_statement(leg, facts, checked_plea(plea), person=person, by=by, at=at)


def _agreed(one: LegException, *, person: Person, by: Actor, at: datetime) -> ExceptionStatement:
    leg, facts = excepted_leg(one.leg, now=at), exception_facts(one, now=at)
    second = person_facts(person, one.leg.service)
    _refuse(one.leg.change, why_not_agree_exception(facts, leg=leg, person=second, by=by, now=at))
    return agreed_statement(one, read_exception(bytes(one.signatures.get(act=ASK).statement)), person=person, by=by, at=at)


def _end_void(leg: Leg, kind: str, *, person: Person, by: Actor, at: datetime) -> None:
    """One that still waits would have refused the new one: what is left cannot be agreed to any more."""
    for one in undecided_exceptions().filter(leg=leg, kind=kind):
        end_exception(one, person=person, by=by, at=at, reason=SUPERSEDED)


def _plea(plea: Plea | None, signed: Signed | None, change: Change) -> Plea:
    """What a signed statement says was asked for, else the plea itself; raises Refused where it is no statement."""
    if signed is None:
        assert plea is not None  # noqa: S101 - one of the two is given
        return plea
    try:
        said = read_exception(signed.statement)
    except NotAStatement as error:
        raise Refused(UNREADABLE, about=change.reference) from error
    return Plea(said.kind, said.minutes, said.reason, said.lifts)


def _told(text: str, field: str) -> str:
    said = read_text(text, field=field, longest=LONGEST_REVIEW).strip()
    if not said:
        raise BadContent({field: ["This is empty. Write it."]})
    if len(said) < LEAST_REVIEW:
        raise BadContent({field: [f"{len(said)} of at least {LEAST_REVIEW} characters. Say it so that somebody else learns from it."]})
    return said


def _lock(leg_id: int, now: datetime | None) -> tuple[Leg, datetime]:
    change_id = Leg.objects.values_list("change_id", flat=True).get(pk=leg_id)
    _, at = Change.objects.lock(change_id, now)
    return Leg.objects.select_related(*PLACES).get(pk=leg_id), at


def _lock_exception(exception_id: int, now: datetime | None) -> tuple[LegException, datetime]:
    leg_id = LegException.objects.values_list("leg_id", flat=True).get(pk=exception_id)
    _, at = _lock(leg_id, now)
    return read_exceptions().get(pk=exception_id), at


def _refuse(change: Change, refusal: Refusal | None) -> None:
    if refusal:
        raise Refused(refusal, about=change.reference)
