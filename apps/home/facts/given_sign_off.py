"""One sign-off that was given: its statement told from the stored bytes, what proves it, and what it counts for now."""

from dataclasses import dataclass
from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404

from apps.accounts.models import Passkey, Person
from apps.approvals.facts import BOUND, passkeys_behind, review_facts
from apps.approvals.facts.sign_offs import WHO
from apps.approvals.models import Decision, SignOff
from apps.approvals.proof import claim_of, stated, statement_holds
from apps.approvals.rules import QuorumFacts, ReviewFacts, SignOffFacts, counted_by_voice, voice_of, why_not_counted
from apps.audit.keys import installation_id
from apps.audit.names import read_actor
from apps.changes.models import Change
from apps.home.facts.signed import PROVED_BY, meaning_words, speaks, why_words
from apps.home.facts.stating import ToldStatement, told_statement


@dataclass(frozen=True, slots=True)
class Counts:
    """One rule that the sign-off spoke for, and what keeps it from counting there; nothing: it counts."""

    rule: str
    place: str
    why_not: str


@dataclass(frozen=True, slots=True)
class GivenSignOff:
    """The whole page."""

    sign_off: SignOff
    told: ToldStatement | None  # None: the bytes are no statement
    printed_name: str
    meaning: str
    proof: str
    passkey: Passkey | None
    holds: bool  # whether signature, key, passkey and every column agree with the statement, verified now
    counts: list[Counts]
    withdrawn_by: str

    @property
    def now(self) -> str:
        """What the person is called today, where that is something else."""
        return self.sign_off.person.name if self.sign_off.person.name != self.printed_name else ""


def given_sign_off(change: Change, public_id: UUID) -> GivenSignOff:
    """The page of one sign-off of a change, taken back or not; 404 for one that is not of this change."""
    row = _rows(change).filter(public_id=public_id).first()
    if row is None:
        raise Http404
    review, data = review_facts(change), bytes(row.statement)
    said = stated(data)
    enrolled = passkeys_behind([row])
    claim = claim_of(row, installation=installation_id(), passkey=enrolled.get(bytes(row.credential_id)))
    return GivenSignOff(
        sign_off=row,
        told=told_statement(data, review=review) if said else None,
        printed_name=said.person_name if said else row.person.name,
        meaning=meaning_words(decision=row.decision, meaning=row.meaning),
        proof=PROVED_BY.get(said.by.get("credential", ""), "") if said else "",
        passkey=Passkey.objects.filter(credential_id=row.credential_id).first() if row.credential_id else None,
        holds=statement_holds(claim),
        counts=counts_of(review, public_id),
        withdrawn_by=_name_of(row.withdrawn_by),
    )


def counts_of(review: ReviewFacts, public_id: UUID) -> list[Counts]:
    """The rules that an agreement which was not taken back spoke for, leg by leg."""
    found = []
    for leg in review.legs:
        one = next((one for one in leg.sign_offs if one.id == public_id and one.decision == Decision.APPROVE), None)
        if one is not None and leg.policy is not None and leg.asks_somebody:
            rules = [rule for rule in leg.policy.rules if speaks(one, rule=rule, leg=leg)]
            found += [Counts(rule.label, f"{leg.service} in {leg.environment}", _why_not(one, rule.key, leg)) for rule in rules]
    return found


def _why_not(one: SignOffFacts, key: str, leg: QuorumFacts) -> str:
    assert leg.policy is not None  # noqa: S101 - its rules are gone through
    rule = next(rule for rule in leg.policy.rules if rule.key == key)
    code = why_not_counted(one, rule=rule, facts=leg)
    if code is not None:
        return why_words(one, code=code, rule=rule, leg=leg)
    heard = counted_by_voice(leg)[key].get(voice_of(one))
    return "" if heard and heard.id == one.id else "A later one of the same person speaks for them."


def _rows(change: Change) -> QuerySet[SignOff]:
    return SignOff.objects.filter(change=change).select_related(*BOUND, *WHO)


def _name_of(actor: str) -> str:
    of = read_actor(actor).person_id if actor else None
    return Person.objects.values_list("name", flat=True).filter(public_id=of).first() or "" if of else ""
