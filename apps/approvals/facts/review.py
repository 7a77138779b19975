"""A change under review, with the quorum facts of each of its legs."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet

from apps.accounts.models import Person
from apps.approvals.facts.edits import Row, edit_rows, editors_in, last_edits
from apps.approvals.facts.makers import MAKERS, Makers, makers_of, with_makers
from apps.approvals.facts.people import people_about
from apps.approvals.facts.policies import PolicyShelf, policy_rows
from apps.approvals.facts.pre_approvals import pre_approvals_of
from apps.approvals.facts.sign_offs import in_place_of, passkeys_behind, people_who_signed, sign_off_facts, standing_sign_offs
from apps.approvals.models import SignOff
from apps.approvals.rules import Mandate, PersonFacts, PolicyFacts, QuorumFacts, ReviewFacts, SignOffFacts
from apps.audit.keys import installation_ids
from apps.catalog.models import Environment
from apps.changes.content import PARTS
from apps.changes.facts import current_legs, person_id
from apps.changes.models import Change, Leg, Revision
from apps.core.canonical import digest
from apps.core.together import read_together


@dataclass(frozen=True, slots=True)
class ReviewRows:
    """What the facts are made of, as far as the change alone says it: read here, or by a page together with the rest of it."""

    legs: Collection[Leg]  # the current ones, read with all that is asked of them
    shelf: PolicyShelf
    sign_offs: Collection[SignOff]
    installation: UUID
    edits: Collection[Row]  # as `edit_rows` reads them


def review_rows(change: Change, legs: QuerySet[Leg] | None = None) -> ReviewRows:
    """The rows, in one statement; LEGS are the current ones or some of them."""
    wanted = _legs(change) if legs is None else legs
    policies = policy_rows(change.legs.filter(is_current=True).values("environment"))
    sign_offs, installation, edits = standing_sign_offs(change), installation_ids(), edit_rows(change)
    read_together(wanted, policies, sign_offs, installation, edits)
    return ReviewRows([*wanted], PolicyShelf(policies), [*sign_offs], installation[0], [*edits])


def review_facts(change: Change, *, now: datetime | None = None, rows: ReviewRows | None = None) -> ReviewFacts:
    """Everything the verbs of sign-off decide from. The number of statements grows with the services of the change alone.

    NOW says who stands in for whom; without it the database's clock does."""
    revision, read = newest(change), rows or review_rows(change)
    edits = last_edits(read.edits, upto=revision.number)
    return ReviewFacts(
        ref=change.ref,
        state=change.state,
        revision=revision.number,
        revision_digest=revision.digest,
        revised_by=revision.author.name,
        revised_at=revision.made_at,
        requester_id=person_id(change.requester),
        legs=_quorums(change, revision, read, now=now),
        opened_at=change.submitted_at,
        changed_at={part: edit.at for part, edit in edits.items()},
    )


def quorum_facts(change: Change, environment: Environment, *, now: datetime | None = None) -> tuple[QuorumFacts, ...]:
    """The quorum facts of the legs that go to one environment, one for each service."""
    return _quorums(change, newest(change), review_rows(change, _legs(change).filter(environment=environment)), now=now)


def newest(change: Change) -> Revision:
    """The revision that is decided on."""
    assert change.revision_id is not None  # noqa: S101 - create_draft wrote the first one in the same transaction
    known = change.revision if Change.revision.is_cached(change) else None  # written once, so what was read with the change holds
    if (
        known is not None
        and known.pk == change.revision_id
        and Revision.author.is_cached(known)
        and Person.merged_into.is_cached(known.author)
    ):
        return known
    return Revision.objects.select_related("author__merged_into").get(pk=change.revision_id)


def _legs(change: Change) -> QuerySet[Leg]:
    return current_legs(change).select_related("service__team", "environment", "target__settings")


def _quorums(change: Change, revision: Revision, rows: ReviewRows, *, now: datetime | None) -> tuple[QuorumFacts, ...]:
    legs, shelf, sign_offs, installation = rows.legs, rows.shelf, rows.sign_offs, rows.installation
    signed = people_who_signed(sign_offs)
    hands = {"requester": frozenset({person_id(change.requester)}), **editors_in(last_edits(rows.edits, upto=revision.number))}
    # From the bytes, not from the columns: what was signed is what is stored.
    digests = {part: digest(bytes(getattr(revision, part))) for part in PARTS}
    makers: Makers | None = None
    passkeys = passkeys_behind(sign_offs)
    beforehand = pre_approvals_of(change, revision, legs, installation=installation)
    known: dict[tuple[int, PolicyFacts | None], tuple[dict[UUID, PersonFacts], tuple[Mandate, ...]]] = {}
    found: list[QuorumFacts] = []
    for leg in legs:
        policy = shelf.find(environment_id=leg.environment_id, service_id=leg.service_id, kind=change.kind, risk=change.risk)
        key = (leg.service_id, policy)
        if key not in known:
            known[key] = people_about(leg.service, policy=policy, kind=change.kind, more=signed, now=now)
        people, mandates = known[key]
        given = [
            (one, sign_off_facts(one, person=people[one.person.public_id], installation=installation, passkeys=passkeys))
            for one in sign_offs
        ]
        said = tuple(in_place_of(one, facts, service_id=leg.service_id, people=people) for one, facts in given)
        quorum = _quorum(leg, policy, people=people, digests=digests, hands=hands, sign_offs=said)
        if policy and policy.exclude & MAKERS:
            makers = makers or makers_of(change)
            quorum = with_makers(quorum, makers)
        found.append(replace(quorum, mandates=mandates, pre_approval=beforehand.get(leg.pk), before=change.not_after))
    return tuple(found)


def _quorum(
    leg: Leg,
    policy: PolicyFacts | None,
    *,
    people: Mapping[UUID, PersonFacts],
    digests: Mapping[str, str],
    hands: Mapping[str, frozenset[UUID]],
    sign_offs: tuple[SignOffFacts, ...],
) -> QuorumFacts:
    settings = leg.target.settings
    return QuorumFacts(
        leg_id=leg.public_id,
        target_id=leg.target.public_id,
        service_id=leg.service.public_id,
        service=leg.service.name,
        environment=leg.environment.name,
        required=leg.environment.change_required,
        policy=policy,
        digests=digests,
        sign_offs=sign_offs,
        hands=hands,
        people=tuple(people.values()),
        settings={str(leg.target.public_id): digest(bytes(settings.body))} if settings else {},
        leg_state=leg.state,
    )
