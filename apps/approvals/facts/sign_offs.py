"""Sign-offs as facts: what the statement says, never what a column says."""

from collections.abc import Iterable
from dataclasses import replace
from uuid import UUID

from django.db.models import QuerySet

from apps.approvals.models import SignOff
from apps.approvals.proof import claim_of, proved_statement, stated
from apps.approvals.rules import PersonFacts, SignOffFacts
from apps.changes.models import Change

# What the digest of a revision is made of; it is made anew to prove a sign-off.
BOUND = ("change", "revision__change__requester", "revision__author")


def standing_sign_offs(change: Change) -> QuerySet[SignOff]:
    """The sign-offs of a change that were not withdrawn, oldest first."""
    found = SignOff.objects.filter(change=change, withdrawn_at__isnull=True).select_related(*BOUND, "person__merged_into")
    return found.order_by("given_at", "pk")


def sign_off_facts(sign_off: SignOff, *, person: PersonFacts, installation: UUID) -> SignOffFacts:
    """One sign-off as the rules read it. Where the proof fails nothing of the statement is believed to have been signed."""
    proved = proved_statement(claim_of(sign_off, installation=installation))
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
    return replace(bare, covered=said.covers, groups=said.groups, settings=said.settings)


def people_who_signed(sign_offs: Iterable[SignOff]) -> set[int]:
    """The row ids of whoever signed."""
    return {sign_off.person_id for sign_off in sign_offs}
