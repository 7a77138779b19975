"""A change under review, with the quorum facts of each of its legs."""

from collections.abc import Collection, Mapping
from uuid import UUID

from django.db.models import QuerySet

from apps.approvals.facts.people import people_about
from apps.approvals.facts.policies import policies_for
from apps.approvals.facts.sign_offs import people_who_signed, sign_off_facts, standing_sign_offs
from apps.approvals.rules import PersonFacts, PolicyFacts, QuorumFacts, ReviewFacts, SignOffFacts
from apps.audit.keys import installation_id
from apps.catalog.models import Environment
from apps.changes.content import PARTS
from apps.changes.facts import current_legs, person_id
from apps.changes.models import Change, Leg, Revision
from apps.core.canonical import digest


def review_facts(change: Change) -> ReviewFacts:
    """Everything the verbs of sign-off decide from. The number of statements grows with the services of the change alone."""
    revision = newest(change)
    return ReviewFacts(
        ref=change.ref,
        state=change.state,
        revision=revision.number,
        revision_digest=revision.digest,
        revised_by=revision.author.name,
        revised_at=revision.made_at,
        requester_id=person_id(change.requester),
        legs=_quorums(change, revision, [*_legs(change)]),
        opened_at=change.submitted_at,
    )


def quorum_facts(change: Change, environment: Environment) -> tuple[QuorumFacts, ...]:
    """The quorum facts of the legs that go to one environment, one for each service."""
    return _quorums(change, newest(change), [*_legs(change).filter(environment=environment)])


def newest(change: Change) -> Revision:
    """The revision that is decided on."""
    assert change.revision_id is not None  # noqa: S101 - create_draft wrote the first one in the same transaction
    return Revision.objects.select_related("author__merged_into").get(pk=change.revision_id)


def _legs(change: Change) -> QuerySet[Leg]:
    return current_legs(change).select_related("service__team", "environment", "target__settings")


def _quorums(change: Change, revision: Revision, legs: Collection[Leg]) -> tuple[QuorumFacts, ...]:
    shelf = policies_for({leg.environment for leg in legs})
    sign_offs = [*standing_sign_offs(change)]
    signed, installation = people_who_signed(sign_offs), installation_id()
    hands = {"requester": frozenset({person_id(change.requester)}), "last_editor": frozenset({person_id(revision.author)})}
    # From the bytes, not from the columns: what was signed is what is stored.
    digests = {part: digest(bytes(getattr(revision, part))) for part in PARTS}
    known: dict[tuple[int, PolicyFacts | None], dict[UUID, PersonFacts]] = {}
    found: list[QuorumFacts] = []
    for leg in legs:
        policy = shelf.find(environment_id=leg.environment_id, service_id=leg.service_id, kind=change.kind)
        key = (leg.service_id, policy)
        if key not in known:
            known[key] = people_about(leg.service, policy=policy, more=signed)
        people = known[key]
        said = tuple(sign_off_facts(one, person=people[one.person.public_id], installation=installation) for one in sign_offs)
        found.append(_quorum(leg, policy, people=people, digests=digests, hands=hands, sign_offs=said))
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
