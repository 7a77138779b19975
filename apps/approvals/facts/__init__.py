"""The queries that build the facts which the rules of sign-off decide on."""

from apps.approvals.facts.policies import PolicyShelf, policies_for, policy_facts
from apps.approvals.facts.review import newest, quorum_facts, review_facts
from apps.approvals.facts.sign_offs import BOUND, sign_off_facts, standing_sign_offs

__all__ = [
    "BOUND",
    "PolicyShelf",
    "newest",
    "policies_for",
    "policy_facts",
    "quorum_facts",
    "review_facts",
    "sign_off_facts",
    "standing_sign_offs",
]
