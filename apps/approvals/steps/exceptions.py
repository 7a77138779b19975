"""Writing exceptions: each of the two signs, and the row carries what both say. They ask no roles; verbs do."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from secrets import token_hex

from apps.accounts.models import Person
from apps.approvals.exception_statement import ASK, ExceptionStatement
from apps.approvals.facts import newest, place_of
from apps.approvals.models import Act, ExceptionSignature, LegException
from apps.approvals.rules import COVERED, LIFTABLE, LONGEST_MINUTES, REVIEW_WITHIN, SHORTEST_MINUTES, ExceptedLeg, ExceptionKind
from apps.approvals.steps.deciding import LONGEST_REASON
from apps.approvals.steps.signing import EXCEPTION, Signed, signature_columns, taken_statement
from apps.audit.keys import installation_id
from apps.audit.record import record
from apps.audit.vocabulary import Event
from apps.changes.models import Leg, Revision
from apps.core.actors import Actor
from apps.core.references import Reference
from apps.core.refusals import BadContent, Refused
from apps.core.texts import read_text

NO_REASON = "Say why it cannot wait, so that the second person can judge it."


@dataclass(frozen=True, slots=True)
class Plea:
    """What somebody asks for: the kind, for GATE the rules, how long, and why."""

    kind: str
    minutes: int
    reason: str
    lifts: tuple[str, ...] = ()


def checked_plea(plea: Plea) -> Plea:
    """The plea in its canonical form; raises BadContent naming the field."""
    errors: dict[str, list[str]] = {}
    if plea.kind not in {*ExceptionKind}:
        errors["kind"] = [f"One of {', '.join(ExceptionKind)}."]
    if not SHORTEST_MINUTES <= plea.minutes <= LONGEST_MINUTES:
        errors["minutes"] = [f"From {SHORTEST_MINUTES} to {LONGEST_MINUTES} minutes."]
    if said := _why_not_lifts(plea):
        errors["lifts"] = [said]
    if errors:
        raise BadContent(errors)
    reason = read_text(plea.reason, field="reason", longest=LONGEST_REASON).strip()
    if not reason:
        raise BadContent({"reason": [NO_REASON]})
    return Plea(plea.kind, plea.minutes, reason, tuple(sorted({*plea.lifts})))


def _why_not_lifts(plea: Plea) -> str:
    named = {*plea.lifts}
    if plea.kind != ExceptionKind.GATE:
        return "Rules are named for an exception of the gate's rules alone." if named else ""
    if not named:
        return "Name at least one rule."
    unknown = sorted(named - {*LIFTABLE})
    return f"{', '.join(unknown)} cannot be lifted. Choose among {', '.join(LIFTABLE)}." if unknown else ""


def asked_statement(leg: Leg, facts: ExceptedLeg, plea: Plea, *, person: Person, by: Actor, at: datetime) -> ExceptionStatement:
    """What the first person would say, for signing and for showing it before; writes nothing."""
    revision = newest(leg.change)
    return ExceptionStatement(
        installation=str(installation_id()),
        change=str(leg.change.public_id),
        ref=leg.change.ref,
        revision=revision.number,
        revision_digest=revision.digest,
        leg=str(leg.public_id),
        target=str(leg.target.public_id),
        place=place_of(leg),
        identities=facts.identities,
        covers={part: facts.digests[part] for part in COVERED},
        settings=facts.settings,
        kind=plea.kind,
        lifts=plea.lifts,
        minutes=plea.minutes,
        reason=plea.reason,
        person_id=person.public_id,
        person_name=person.name,
        by=by.as_data(),
        at=at,
        nonce=token_hex(16),
    )


def agreed_statement(one: LegException, asked: ExceptionStatement, *, person: Person, by: Actor, at: datetime) -> ExceptionStatement:
    """What the second person would say: all that the first one did, and its hash."""
    first = one.signatures.get(act=ASK)
    said = {name: getattr(asked, name) for name in ExceptionStatement.__dataclass_fields__}
    mine = {"person_id": person.public_id, "person_name": person.name, "by": by.as_data(), "at": at, "nonce": token_hex(16)}
    return ExceptionStatement(**{**said, **mine, "asked": first.statement_hash})


def write_exception(
    leg: Leg, revision: Revision, drafted: ExceptionStatement, *, person: Person, by: Actor, at: datetime, signed: Signed | None
) -> LegException:
    """Store what the first person signed. Raises Refused."""
    data = _taken(leg, drafted, person=person, by=by, at=at, signed=signed)
    one = LegException.objects.create(
        leg=leg,
        revision=revision,
        team=leg.service.team,
        kind=drafted.kind,
        lifts=sorted(drafted.lifts),
        minutes=drafted.minutes,
        reason=drafted.reason,
        asked_at=at,
        asked_by=person,
    )
    said = _sign(one, Act.ASK, data, signed, person=person, by=by, at=at)
    record_exception(Event.EXCEPTION_ASKED, one, by=by, at=at, details={"reason": one.reason}, data=said)
    return one


def write_agreement(
    one: LegException, drafted: ExceptionStatement, *, person: Person, by: Actor, at: datetime, signed: Signed | None
) -> None:
    """Store what the second person signed; the minutes begin. Raises Refused."""
    data = _taken(one.leg, drafted, person=person, by=by, at=at, signed=signed)
    one.agreed_at, one.agreed_by = at, person
    one.ends_at, one.review_due_at = at + timedelta(minutes=one.minutes), at + REVIEW_WITHIN
    one.save(update_fields=["agreed_at", "agreed_by", "ends_at", "review_due_at"])
    said = _sign(one, Act.AGREE, data, signed, person=person, by=by, at=at)
    record_exception(Event.EXCEPTION_AGREED, one, by=by, at=at, data=said)


def end_exception(one: LegException, *, person: Person, by: Actor, at: datetime, reason: str) -> None:
    """Take it back, agreed or not. What has begun goes on."""
    one.withdrawn_at, one.withdrawn_by, one.end_reason = at, person, reason
    one.save(update_fields=["withdrawn_at", "withdrawn_by", "end_reason"])
    record_exception(Event.EXCEPTION_WITHDRAWN, one, by=by, at=at, details={"reason": reason})


def record_exception(
    event: Event,
    one: LegException,
    *,
    by: Actor,
    at: datetime,
    details: Mapping[str, str] | None = None,
    data: Mapping[str, object] | None = None,
) -> None:
    """Tell it of the exception, its change, its place, its team and both persons."""
    said: dict[str, object] = {"ref": one.ref, "kind": one.kind, "minutes": one.minutes, "lifts": one.lifts, **(data or {})}
    if one.ends_at and one.review_due_at:
        said |= {"until": one.ends_at, "due": one.review_due_at}
    record(event, subject=one, by=by, at=at, refs=refs_of_exception(one), data=said, details=details)


def refs_of_exception(one: LegException) -> list[Reference]:
    """What every entry about an exception also names."""
    leg = one.leg
    people = [person.reference for person in (one.asked_by, one.agreed_by) if person]
    places = [leg.service.reference, leg.environment.reference, leg.target.reference]
    return [leg.change.reference, leg.reference, one.team.reference, *places, *people]


def _taken(leg: Leg, drafted: ExceptionStatement, *, person: Person, by: Actor, at: datetime, signed: Signed | None) -> bytes:
    try:
        return taken_statement(signed, drafted, document=EXCEPTION, person=person, by=by, at=at)
    except Refused as error:
        raise Refused(error.refusal, about=error.about or leg.change.reference) from error


def _sign(one: LegException, act: Act, data: bytes, signed: Signed | None, *, person: Person, by: Actor, at: datetime) -> dict[str, object]:
    """Store a signature; returns what its entry says of it."""
    columns = signature_columns(data, signed, document=EXCEPTION, by=by, at=at)
    row = ExceptionSignature.objects.create(exception=one, act=act, person=person, given_at=at, **columns)
    return {"statement": row.statement_hash}
