"""A change under review, with the quorum facts of each of its legs."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet

from apps.accounts.models import Person
from apps.approvals.facts.makers import MAKERS, Makers, makers_of, with_makers
from apps.approvals.facts.people import people_about
from apps.approvals.facts.policies import policies_for
from apps.approvals.facts.sign_offs import in_place_of, passkeys_behind, people_who_signed, sign_off_facts, standing_sign_offs
from apps.approvals.rules import Mandate, PersonFacts, PolicyFacts, QuorumFacts, ReviewFacts, SignOffFacts
from apps.audit.keys import installation_id
from apps.catalog.models import Environment
from apps.changes.content import PARTS
from apps.changes.facts import current_legs, person_id
from apps.changes.models import Change, Leg, Revision
from apps.core.canonical import digest


def review_facts(change: Change, *, now: datetime | None = None, legs: Collection[Leg] | None = None) -> ReviewFacts:
    """Everything the verbs of sign-off decide from. The number of statements grows with the services of the change alone.

    NOW says who stands in for whom; without it the database's clock does. LEGS are the current ones, read with all that is asked of them."""
    revision = newest(change)
    return ReviewFacts(
        ref=change.ref,
        state=change.state,
        revision=revision.number,
        revision_digest=revision.digest,
        revised_by=revision.author.name,
        revised_at=revision.made_at,
        requester_id=person_id(change.requester),
        legs=_quorums(change, revision, [*_legs(change)] if legs is None else legs, now=now),
        opened_at=change.submitted_at,
    )


def quorum_facts(change: Change, environment: Environment, *, now: datetime | None = None) -> tuple[QuorumFacts, ...]:
    """The quorum facts of the legs that go to one environment, one for each service."""
    return _quorums(change, newest(change), [*_legs(change).filter(environment=environment)], now=now)


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


def _quorums(change: Change, revision: Revision, legs: Collection[Leg], *, now: datetime | None) -> tuple[QuorumFacts, ...]:
    shelf = policies_for({leg.environment for leg in legs})
    sign_offs = [*standing_sign_offs(change)]
    signed, installation = people_who_signed(sign_offs), installation_id()
    hands = {"requester": frozenset({person_id(change.requester)}), "last_editor": frozenset({person_id(revision.author)})}
    # From the bytes, not from the columns: what was signed is what is stored.
    digests = {part: digest(bytes(getattr(revision, part))) for part in PARTS}
    makers: Makers | None = None
    passkeys = passkeys_behind(sign_offs)
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
        found.append(replace(quorum, mandates=mandates, before=change.not_after))
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
