"""Exceptions as the rules see them: what both statements say, who both persons are now, and what their team owes."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet

from apps.accounts.access import present_people
from apps.accounts.models import Person, Team
from apps.accounts.roles import Role
from apps.approvals.exception_proof import ExceptionClaim, SignatureClaim, proved_exception
from apps.approvals.exception_statement import AGREE, ASK, ExceptionStatement
from apps.approvals.facts.review import newest
from apps.approvals.facts.sign_offs import passkeys_behind
from apps.approvals.models import ExceptionSignature, LegException
from apps.approvals.proof import Enrolment, assertion_of
from apps.approvals.rules import Debt, ExceptedLeg, ExceptionFacts, ExceptionState, state_of
from apps.audit.keys import installation_id
from apps.catalog.facts import PersonFacts, owners_of, people_facts
from apps.changes.content import PARTS, revision_digest
from apps.changes.models import Change, Leg
from apps.core.canonical import digest

READ_WITH = (
    "leg__change__requester", "leg__service__team", "leg__environment", "leg__target__settings", "leg__item",
    "revision__change__requester", "revision__author", "team", "asked_by__merged_into", "agreed_by__merged_into",
)  # fmt: skip


def read_exceptions() -> QuerySet[LegException]:
    """Exceptions with all that their facts are made of; signatures in one more statement."""
    return LegException.objects.select_related(*READ_WITH).prefetch_related("signatures__person")


def debts_of(team: Team, *, now: datetime) -> tuple[Debt, ...]:
    """The reviews that a team owes and has not written in time, the oldest first."""
    owed = overdue_exceptions(now=now).filter(team=team)
    return tuple(Debt(one.ref, one.review_due_at) for one in owed if one.review_due_at)


def overdue_exceptions(*, now: datetime) -> QuerySet[LegException]:
    """Every exception whose review is overdue."""
    owed = LegException.objects.filter(agreed_at__isnull=False, reviewed_at__isnull=True, review_due_at__lte=now)
    return owed.order_by("review_due_at", "pk")


def excepted_leg(leg: Leg, *, now: datetime) -> ExceptedLeg:
    """One leg as an exception is asked for it; digests are of the stored bytes."""
    bare = _leg(leg, now=now)
    asked = [*waiting_exceptions().filter(leg=leg)]
    facts = exceptions_facts(asked, now=now)
    open_ones = {one.kind: one.ref for one in asked if state_of(facts[one.pk], leg=bare, now=now) is ExceptionState.WAITING}
    return replace(bare, waiting=open_ones)


def waiting_exceptions() -> QuerySet[LegException]:
    """Exceptions that nobody has decided on; some of them cannot be agreed to any more."""
    return read_exceptions().filter(agreed_at__isnull=True, refused_at__isnull=True, withdrawn_at__isnull=True)


def _leg(leg: Leg, *, now: datetime) -> ExceptedLeg:
    change, revision = leg.change, newest(leg.change)
    settings = leg.target.settings
    return ExceptedLeg(
        ref=change.ref,
        change_state=change.state,
        kind=change.kind,
        opened_at=change.submitted_at,
        place=place_of(leg),
        is_current=leg.is_current,
        leg_state=leg.state,
        failures_count=leg.failures_count,
        digests={part: digest(bytes(getattr(revision, part))) for part in PARTS},
        settings=digest(bytes(settings.body)) if settings else "",
        identities=tuple(sorted(leg.item.identities)),
        team=leg.service.team.name,
        debts=debts_of(leg.service.team, now=now),
    )


def place_of(leg: Leg) -> str:
    """A leg as sentences name it."""
    return f"{leg.service.name} in {leg.environment.name}"


def exception_facts(one: LegException, *, now: datetime) -> ExceptionFacts:
    """One exception as the rules see it."""
    return exceptions_facts([one], now=now)[one.pk]


def exceptions_facts(exceptions: Iterable[LegException], *, now: datetime) -> dict[int, ExceptionFacts]:
    """Many exceptions by row, read with `read_exceptions`; the statements grow with their services and teams alone."""
    found = [*exceptions]
    proofs = proofs_of(found)
    debts = {team: debts_of(team, now=now) for team in {one.team for one in found}}
    facts: dict[int, ExceptionFacts] = {}
    for service in {one.leg.service for one in found}:
        here = [one for one in found if one.leg.service_id == service.pk]
        people = people_facts({person for one in here for person in (one.asked_by, one.agreed_by) if person}, service)
        for one in here:
            facts[one.pk] = _facts(one, said=proofs[one.pk], people=people, debts=debts[one.team])
    return facts


def proofs_of(exceptions: Collection[LegException]) -> dict[int, ExceptionStatement | None]:
    """What each exception's signatures prove, by row; None where they prove nothing. Three statements at most, none without any."""
    if not exceptions:
        return {}
    installation, passkeys = installation_id(), passkeys_behind(each for one in exceptions for each in one.signatures.all())
    return {one.pk: proved_exception(_claim(one, installation=installation, passkeys=passkeys)) for one in exceptions}


def exceptions_of(change: Change) -> QuerySet[LegException]:
    """Every exception ever asked for a change, the newest first."""
    return read_exceptions().filter(leg__change=change).order_by("-pk")


def agreers_of(leg: Leg) -> list[Person]:
    """Who may be the second person for a leg, by name: release managers and owners who are present."""
    managers = present_people(Role.RELEASE_MANAGER, leg.service.team)
    found = {person.pk: person for person in (*managers, *(owner for _, owner in owners_of(leg.service) if owner.is_present))}
    return sorted(found.values(), key=lambda person: (person.name, person.pk))


def _facts(
    one: LegException,
    *,
    said: ExceptionStatement | None,
    people: Mapping[UUID, PersonFacts],
    debts: tuple[Debt, ...],
) -> ExceptionFacts:
    return ExceptionFacts(
        id=one.public_id,
        ref=one.ref,
        kind=one.kind,
        lifts=frozenset(one.lifts),
        asked_by=people[one.asked_by.public_id],
        asked_at=one.asked_at,
        covers=said.covers if said else {},
        settings=said.settings if said else "",
        identities=said.identities if said else (),
        signature_ok=said is not None,
        agreed_by=people[one.agreed_by.public_id] if one.agreed_by else None,
        agreed_at=one.agreed_at,
        ends_at=one.ends_at,
        is_refused=one.refused_at is not None,
        is_withdrawn=one.withdrawn_at is not None,
        review_due_at=one.review_due_at,
        reviewed_at=one.reviewed_at,
        debts=tuple(debt for debt in debts if debt.ref != one.ref),
        reason=one.reason,
    )


def _claim(one: LegException, *, installation: UUID, passkeys: Mapping[bytes, Enrolment]) -> ExceptionClaim:
    signatures = {signature.act: _signature(signature, passkeys) for signature in one.signatures.all()}
    return ExceptionClaim(
        installation=installation,
        change_id=one.leg.change.public_id,
        revision=one.revision.number,
        revision_digest=revision_digest(one.revision.bound, part_digests=one.revision.part_digests),
        leg_id=one.leg.public_id,
        target_id=one.leg.target.public_id,
        kind=one.kind,
        lifts=frozenset(one.lifts),
        minutes=one.minutes,
        reason=one.reason,
        asked_by=one.asked_by.public_id,
        asked_at=one.asked_at,
        ask=signatures.get(ASK),
        agreed_by=one.agreed_by.public_id if one.agreed_by else None,
        agreed_at=one.agreed_at,
        ends_at=one.ends_at,
        agree=signatures.get(AGREE),
    )


def _signature(row: ExceptionSignature, passkeys: Mapping[bytes, Enrolment]) -> SignatureClaim:
    columns = (row.credential_id, row.authenticator_data, row.client_data, row.assertion)
    return SignatureClaim(
        statement=bytes(row.statement),
        statement_hash=row.statement_hash,
        signature=bytes(row.signature),
        key_id=row.key_id,
        alg=row.alg,
        person_id=row.person.public_id,
        given_at=row.given_at,
        assertion=assertion_of(*(bytes(column) for column in columns), rp_id=row.rp_id, origin=row.origin),
        passkey=passkeys.get(bytes(row.credential_id)),
    )
