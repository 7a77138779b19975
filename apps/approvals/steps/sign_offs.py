"""Writing sign-offs: the statement first, then its signature, then the row that carries both, then the entry."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from secrets import token_hex

from apps.accounts.models import Person
from apps.approvals.facts import review_facts
from apps.approvals.models import Decision, Delegation, SignOff
from apps.approvals.rules import QuorumFacts, ReviewFacts, Seat, all_met, spoken_for, stands, to_come
from apps.approvals.statement import StatedRule, Statement
from apps.approvals.steps.signing import SIGN_OFF, Signed, signature_columns, taken_statement
from apps.audit.keys import installation_id
from apps.audit.names import actor_text
from apps.audit.record import record
from apps.audit.vocabulary import Event
from apps.changes.facts import references_of
from apps.changes.models import Change, Revision
from apps.changes.states import State
from apps.changes.steps import approve, reopen
from apps.core.actors import Actor, system
from apps.core.references import Reference
from apps.core.refusals import Refused

JUDGE = system("agreement")  # who counts again after something that nobody did to the change itself


@dataclass(frozen=True, slots=True)
class Decided:
    """What a person decided, and the seats they spoke for."""

    person: Person
    decision: str
    meaning: str
    seats: tuple[Seat, ...]
    reason: str = ""


def write_sign_off(change: Change, revision: Revision, *, decided: Decided, signed: Signed, by: Actor, at: datetime) -> SignOff:
    """Sign and store one decision, in the very bytes that were read and proved. Raises Refused.

    An earlier one of theirs on the same revision with the same meaning is withdrawn: the newest one speaks. A rejection is
    said of everything, so it withdraws every one."""
    drafted = drafted_statement(change, revision, decided=decided, by=by, at=at)
    try:
        data = taken_statement(signed, drafted, document=SIGN_OFF, person=decided.person, by=by, at=at)
    except Refused as error:
        raise Refused(error.refusal, about=error.about or change.reference) from error
    earlier = SignOff.objects.filter(revision=revision, person=decided.person, withdrawn_at__isnull=True)
    if decided.decision != Decision.REJECT:
        earlier = earlier.filter(meaning=decided.meaning)
    replaced = [str(one) for one in earlier.values_list("public_id", flat=True)]
    earlier.update(withdrawn_at=at, withdrawn_by=actor_text(by))
    sign_off = SignOff.objects.create(
        change=change,
        revision=revision,
        person=decided.person,
        requester=change.requester,
        is_solo=decided.person == change.requester,
        delegation=_delegation(decided.seats),
        decision=decided.decision,
        meaning=decided.meaning,
        covered_parts=sorted(drafted.covers),
        given_at=at,
        **signature_columns(data, signed, document=SIGN_OFF, by=by, at=at),
    )
    _record_given(sign_off, replaced=replaced, reason=decided.reason, by=by, at=at)
    return sign_off


def end_sign_offs(sign_off: SignOff, *, by: Actor, at: datetime, reason: str) -> None:
    """Take back everything the person said about this change: an older agreement does not come back by an edit.

    The rows and their statements stay."""
    standing = SignOff.objects.filter(change=sign_off.change_id, person=sign_off.person_id, withdrawn_at__isnull=True)
    ended = [str(one) for one in standing.values_list("public_id", flat=True)]
    standing.update(withdrawn_at=at, withdrawn_by=actor_text(by))
    record(
        Event.SIGN_OFF_WITHDRAWN,
        subject=sign_off,
        by=by,
        at=at,
        refs=refs_of(sign_off),
        data={"revision": sign_off.revision.number, "sign_offs": sorted(ended)},
        details={"name": sign_off.person.name, "reason": reason},
    )


def note_lapses(change: Change, before: ReviewFacts, *, by: Actor, at: datetime) -> None:
    """Tell which sign-offs an edit lapsed. Nothing is written to them: that they lapsed is derived from their bytes."""
    after = review_facts(change)
    for one in {one.id: one for leg in before.legs for one in leg.sign_offs}.values():
        changed = sorted(part for part, seen in one.covered.items() if after.legs and after.legs[0].digests.get(part) != seen)
        if not changed or not stands(one.covered, digests=before.legs[0].digests):
            continue
        sign_off = SignOff.objects.select_related("change", "person").get(public_id=one.id)
        record(
            Event.SIGN_OFF_LAPSED,
            subject=sign_off,
            by=by,
            at=at,
            refs=refs_of(sign_off),
            data={"revision": after.revision, "parts": changed},
            details={"name": one.person.name},
        )


def settle(change: Change, *, by: Actor, at: datetime, reason: str) -> None:
    """Keep the milestone true after anything that bears on it: APPROVED as long as the quorum of every leg is met."""
    legs = review_facts(change).legs
    met = all_met(legs)
    if met and change.state == State.IN_REVIEW:
        _note_pre_approval(change, legs, by=by, at=at)
        approve(change, by=by, at=at)
    elif not met and change.state in {State.APPROVED, State.IN_PROGRESS}:
        reopen(change, by=by, at=at, reason=reason)


def _note_pre_approval(change: Change, legs: Iterable[QuorumFacts], *, by: Actor, at: datetime) -> None:
    """Tell that nobody had to sign, and by which version of which model."""
    places = [leg for leg in to_come(legs) if leg.required == "APPROVED" and leg.is_pre_approved]
    version = change.made_from
    if not places or version is None:
        return
    data = {"number": version.number, "model": version.model.public_id, "digest": version.digest, "legs": [leg.leg_id for leg in places]}
    details = {"name": version.model.name, "places": ", ".join(f"{leg.service} in {leg.environment}" for leg in places)}
    refs = [version.model.reference, *references_of(change)]
    record(Event.CHANGE_PRE_APPROVED, subject=change, by=by, at=at, refs=refs, data=data, details=details)


def refs_of(sign_off: SignOff) -> list[Reference]:
    """What every entry about a sign-off also names: the change, what it touches, and who signed."""
    asked = [sign_off.delegation.person.reference] if sign_off.delegation else []
    return [sign_off.change.reference, sign_off.person.reference, *asked, *references_of(sign_off.change)]


def drafted_statement(change: Change, revision: Revision, *, decided: Decided, by: Actor, at: datetime) -> Statement:
    """What a decision would say, for signing and for showing it before; writes nothing."""
    seats, digests = decided.seats, revision.part_digests
    return Statement(
        installation=str(installation_id()),
        change=str(change.public_id),
        ref=change.ref,
        revision=revision.number,
        revision_digest=revision.digest,
        covers={part: digests[part] for seat in seats for part in seat.rule.parts},
        rules=tuple(_stated(seat) for seat in seats),
        policies={str(seat.leg.policy.id): seat.leg.policy.digest for seat in seats if seat.leg.policy},
        settings={target: of for seat in seats for target, of in seat.leg.settings.items()},
        decision=decided.decision,
        meaning=decided.meaning,
        reason=decided.reason,
        person_id=decided.person.public_id,
        person_name=decided.person.name,
        by=speaking(by, _delegation(seats)).as_data(),
        at=at,
        nonce=token_hex(16),
    )


def speaking(by: Actor, delegation: Delegation | None) -> Actor:
    """Who speaks: a person for themselves, or in the place of whom they stand in for."""
    return replace(by, on_behalf_of=str(delegation.person.public_id)) if delegation else by


def _delegation(seats: Sequence[Seat]) -> Delegation | None:
    """What lets the person fill these seats, which are of one voice; None where it is their own."""
    mandate = next((seat.mandate for seat in seats), None)
    return Delegation.objects.select_related("person").get(public_id=mandate) if mandate else None


def _stated(seat: Seat) -> StatedRule:
    policy = str(seat.leg.policy.id) if seat.leg.policy else ""
    group, target = spoken_for(seat.rule.group, facts=seat.leg)
    return StatedRule(policy=policy, rule=seat.rule.key, target=target, group=group, meaning=seat.rule.meaning)


def _record_given(sign_off: SignOff, *, replaced: list[str], reason: str, by: Actor, at: datetime) -> None:
    record(
        Event.SIGN_OFF_GIVEN,
        subject=sign_off,
        by=speaking(by, sign_off.delegation),
        at=at,
        refs=refs_of(sign_off),
        data={
            "decision": sign_off.decision,
            "meaning": sign_off.meaning,
            "revision": sign_off.revision.number,
            "digest": sign_off.revision.digest,
            "parts": sign_off.covered_parts,
            "statement": sign_off.statement_hash,
            "solo": sign_off.is_solo,
            "replaces": replaced,
        },
        details={"name": sign_off.person.name, "reason": reason},
    )
