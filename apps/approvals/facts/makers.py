"""Who made what a change brings, for the policies that keep them out."""

from dataclasses import dataclass, replace
from uuid import UUID

from apps.approvals import policy_body
from apps.approvals.rules import QuorumFacts
from apps.changes.authors import hands_of
from apps.changes.models import Change

MAKERS = frozenset(policy_body.MAKERS)


@dataclass(frozen=True, slots=True)
class Makers:
    """Authors and committers by the id they stand as, and whether there may be more of them."""

    by_hand: dict[str, frozenset[UUID]]
    has_unknown: bool


def makers_of(change: Change) -> Makers:
    """Asked only where a policy keeps makers out. Four statements."""
    hands = hands_of(change)
    return Makers({"author": hands.authors, "committer": hands.committers}, bool(hands.unknown) or not hands.is_read)


def with_makers(quorum: QuorumFacts, makers: Makers) -> QuorumFacts:
    """The facts of a leg whose policy keeps makers out."""
    return replace(quorum, hands={**quorum.hands, **makers.by_hand}, has_unknown_makers=makers.has_unknown)
