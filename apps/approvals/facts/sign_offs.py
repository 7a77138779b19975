"""Sign-offs as facts: what the statement says, never what a column says."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from uuid import UUID

from django.db.models import QuerySet

from apps.accounts.models import Passkey
from apps.approvals.models import Delegation, SignedStatement, SignOff
from apps.approvals.proof import Enrolment, claim_of, proved_statement, stated
from apps.approvals.rules import PersonFacts, SignOffFacts, Stretch
from apps.changes.models import Change

# What the digest of a revision is made of; it is made anew to prove a sign-off.
BOUND = ("change", "revision__change__requester", "revision__change__made_from__model", "revision__author")
UNREAD = tuple(f"revision__change__made_from__{name}" for name in ("body", "statement", "signature"))
WHO = ("person__merged_into", "delegation__person__merged_into", "delegation__delegate__merged_into")


def standing_sign_offs(change: Change) -> QuerySet[SignOff]:
    """The sign-offs of a change that were not withdrawn, oldest first."""
    found = SignOff.objects.filter(change=change, withdrawn_at__isnull=True).select_related(*BOUND, *WHO).defer(*UNREAD)
    return found.order_by("given_at", "pk")


def passkeys_behind(signed: Iterable[SignedStatement]) -> dict[bytes, Enrolment]:
    """The passkeys that signed rows name, by credential, removed ones too; one statement, and none where no passkey signed."""
    named = {bytes(one.credential_id) for one in signed if one.credential_id}
    found = Passkey.objects.filter(credential_id__in=named).select_related("person") if named else ()
    return {
        bytes(one.credential_id): Enrolment(one.person.public_id, bytes(one.public_key), one.rp_id, one.enrolled_at, one.removed_at)
        for one in found
    }


def sign_off_facts(sign_off: SignOff, *, person: PersonFacts, installation: UUID, passkeys: Mapping[bytes, Enrolment]) -> SignOffFacts:
    """One sign-off as the rules read it. Where the proof fails nothing of the statement is believed to have been signed."""
    claim = claim_of(sign_off, installation=installation, passkey=passkeys.get(bytes(sign_off.credential_id)))
    proved = proved_statement(claim)
    said = proved or stated(bytes(sign_off.statement))
    bare = SignOffFacts(
        id=sign_off.public_id,
        person=person,
        decision=sign_off.decision,
        meaning=sign_off.meaning,
        covered={},
        groups=frozenset(),
        given_at=sign_off.given_at,
        signature_ok=proved is not None,
        revision=sign_off.revision.number,
    )
    if said is None:
        return bare
    told = replace(bare, printed_name=said.person_name, proof=said.by.get("credential", ""), reason=said.reason)
    return replace(told, covered=said.covers, groups=said.groups, settings=said.settings)


def people_who_signed(sign_offs: Iterable[SignOff]) -> set[int]:
    """The row ids of whoever signed, and of those in whose place somebody did."""
    given = [*sign_offs]
    asked = {one.delegation.person.merged_into_id or one.delegation.person_id for one in given if one.delegation}
    return {sign_off.person_id for sign_off in given} | asked


def in_place_of(sign_off: SignOff, given: SignOffFacts, *, service_id: int, people: Mapping[UUID, PersonFacts]) -> SignOffFacts:
    """The sign-off with whose place it was given in, as one service sees them; the row was proved to name that person."""
    if sign_off.delegation is None:
        return given
    stretch = stretch_of(sign_off.delegation)
    signer = given.person.canonical_id
    covered = stretch.covers(delegate_id=signer, at=sign_off.given_at, service_id=service_id, kind=sign_off.change.kind)
    return replace(given, stands_for=people[stretch.person_id], is_mandated=covered)


def stretch_of(delegation: Delegation) -> Stretch:
    """A delegation as rules see it; persons and whom they are merged into are read with it."""
    person, delegate = delegation.person.merged_into or delegation.person, delegation.delegate.merged_into or delegation.delegate
    return Stretch(
        person_id=person.public_id,
        delegate_id=delegate.public_id,
        starts_at=delegation.starts_at,
        ends_at=delegation.ends_at,
        ended_at=delegation.ended_at,
        service_ids=None if delegation.service_ids is None else frozenset(delegation.service_ids),
        kinds=None if delegation.kinds is None else frozenset(delegation.kinds),
    )
