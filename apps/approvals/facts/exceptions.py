"""Exceptions as the rules see them: what both statements say, who both persons are now, and what their team owes."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet

from apps.accounts.access import members_of
from apps.accounts.models import Person, Team
from apps.accounts.roles import Role
from apps.approvals.exception_proof import ExceptionClaim, SignatureClaim, proved_exception
from apps.approvals.exception_statement import AGREE, ASK, ExceptionStatement
from apps.approvals.facts.review import newest
from apps.approvals.facts.sign_offs import passkeys_behind
from apps.approvals.models import ExceptionSignature, LegException
from apps.approvals.proof import Enrolment, assertion_of
from apps.approvals.rules import (
    ASK_HOLDS,
    CHAIN_WITHIN,
    REMIND_BEFORE,
    Debt,
    Debtors,
    ExceptedLeg,
    ExceptionFacts,
    ExceptionState,
    Given,
    state_of,
    why_void,
)
from apps.audit.keys import installation_id
from apps.catalog.facts import PersonFacts, owners_of, people_facts
from apps.catalog.grants import people_with_role
from apps.changes.content import PARTS, revision_digest
from apps.changes.models import Change, Leg
from apps.core.canonical import digest

READ_WITH = (
    "leg__change__requester", "leg__change__revision__author__merged_into", "leg__change__made_from__model", "leg__service__team",
    "leg__environment", "leg__target__settings", "leg__item", "revision__change__made_from__model",
    "revision__change__requester", "revision__author", "team", "asked_by__merged_into", "agreed_by__merged_into",
)  # fmt: skip


def read_exceptions() -> QuerySet[LegException]:
    """Exceptions with all that their facts are made of; signatures in one more statement."""
    return LegException.objects.select_related(*READ_WITH).prefetch_related("signatures__person")


def debts_of(team: Team, *, now: datetime) -> tuple[Debt, ...]:
    """The reviews that a team owes and has not written in time, the oldest first; rows that prove nothing owe nothing."""
    owed = proved(read_exceptions().filter(team=team, pk__in=overdue_exceptions(now=now).values("pk")).order_by("review_due_at", "pk"))
    return tuple(Debt(one.ref, one.review_due_at) for one in owed if one.review_due_at)


def overdue_exceptions(*, now: datetime) -> QuerySet[LegException]:
    """Every exception whose review is overdue."""
    return owing_exceptions().filter(review_due_at__lte=now).order_by("review_due_at", "pk")


def owing_exceptions() -> QuerySet[LegException]:
    """Every exception that was agreed to and not reviewed."""
    return LegException.objects.filter(agreed_at__isnull=False, reviewed_at__isnull=True)


def due_exceptions(*, now: datetime) -> QuerySet[LegException]:
    """Those whose review is due soon and of which nobody was reminded."""
    return owing_exceptions().filter(review_due_at__gt=now, review_due_at__lte=now + REMIND_BEFORE, due_told_at__isnull=True)


def proved(found: Iterable[LegException]) -> list[LegException]:
    """Those of them, read with `read_exceptions`, whose signatures prove them."""
    rows = [*found]
    proofs = proofs_of(rows)
    return [one for one in rows if proofs[one.pk] is not None]


def excepted_leg(leg: Leg, *, now: datetime) -> ExceptedLeg:
    """One leg as an exception is asked for it; digests are of the stored bytes."""
    bare = _leg(leg, debts=debts_of(leg.service.team, now=now))
    waiting = {one.one.kind: one.one.ref for one in judged(waiting_exceptions(now=now).filter(leg=leg), now=now) if one.is_waiting}
    return replace(bare, waiting=waiting, given=given_for(leg, now=now))


def given_for(leg: Leg, *, now: datetime) -> tuple[Given, ...]:
    """What the place of a leg was given of late, whichever change it was for, the oldest first."""
    of_late = read_exceptions().filter(leg__target=leg.target_id, agreed_at__gt=now - CHAIN_WITHIN, agreed_at__lte=now)
    return tuple(Given(one.ref, one.reviewed_at is not None) for one in proved(of_late.order_by("agreed_at", "pk")))


def undecided_exceptions() -> QuerySet[LegException]:
    """Exceptions that nobody decided on and that nobody ended, however long ago they were asked for."""
    return read_exceptions().filter(agreed_at__isnull=True, refused_at__isnull=True, withdrawn_at__isnull=True, lapsed_at__isnull=True)


def waiting_exceptions(*, now: datetime) -> QuerySet[LegException]:
    """Exceptions that somebody may still decide on; of some what they were for is not so any more."""
    return undecided_exceptions().filter(asked_at__gt=now - ASK_HOLDS)


@dataclass(frozen=True, slots=True)
class Judged:
    """An exception with what the rules say of it now."""

    one: LegException
    facts: ExceptionFacts
    leg: ExceptedLeg
    state: ExceptionState
    void: str | None  # the code of what keeps it from counting

    @property
    def is_waiting(self) -> bool:
        """Whether a second person may still agree to it."""
        return self.state is ExceptionState.WAITING


def judged(found: Iterable[LegException], *, now: datetime) -> list[Judged]:
    """Where each exception, read with `read_exceptions`, stands; the statements grow with their services and teams alone."""
    rows, told = [*found], []
    facts = exceptions_facts(rows, now=now)
    for one in rows:
        leg = _leg(one.leg, debts=facts[one.pk].debts)
        state = state_of(facts[one.pk], leg=leg, now=now)
        told.append(Judged(one, facts[one.pk], leg, state, why_void(facts[one.pk], leg=leg, now=now)))
    return told


def debtors_of(one: LegException, person: Person) -> Debtors:
    """Who may write the review of an exception."""
    members = set(members_of(one.team).values_list("pk", flat=True))
    asker = one.asked_by.merged_into_id or one.asked_by_id
    return Debtors(one.team.name, person.pk in members, bool(members - {asker}))


def _leg(leg: Leg, *, debts: tuple[Debt, ...]) -> ExceptedLeg:
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
        debts=debts,
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
    managers = people_with_role(Role.RELEASE_MANAGER, leg.service)
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
        is_lapsed=one.lapsed_at is not None,
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
        due_at=one.review_due_at,
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
