"""Who made what a change brings and who had it deployed, for the policies that keep them out."""

from dataclasses import dataclass, replace
from uuid import UUID

from apps.approvals import policy_body
from apps.approvals.models import Implementer
from apps.approvals.rules import QuorumFacts
from apps.changes.authors import hands_of
from apps.changes.facts import person_id
from apps.changes.models import Change

MAKERS = frozenset((*policy_body.MAKERS, policy_body.IMPLEMENTER))


@dataclass(frozen=True, slots=True)
class Makers:
    """Authors, committers and whoever started a deployment, by the id they stand as; and whether there may be more authors."""

    by_hand: dict[str, frozenset[UUID]]
    has_unknown: bool


def makers_of(change: Change) -> Makers:
    """Asked only where a policy keeps makers out. Five statements."""
    hands, started = hands_of(change), Implementer.objects.filter(leg__change=change).select_related("person__merged_into")
    by_hand = {"author": hands.authors, "committer": hands.committers}
    by_hand[policy_body.IMPLEMENTER] = frozenset(person_id(one.person) for one in started)
    return Makers(by_hand, bool(hands.unknown) or not hands.is_read)


def with_makers(quorum: QuorumFacts, makers: Makers) -> QuorumFacts:
    """The facts of a leg whose policy keeps makers out."""
    asks_authors = quorum.policy is not None and bool(quorum.policy.exclude & set(policy_body.MAKERS))
    return replace(quorum, hands={**quorum.hands, **makers.by_hand}, has_unknown_makers=makers.has_unknown and asks_authors)
