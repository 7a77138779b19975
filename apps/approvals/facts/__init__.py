"""The queries that build the facts which the rules of sign-off decide on."""

from apps.approvals.facts.exceptions import (
    Judged,
    agreers_of,
    debtors_of,
    debts_of,
    due_exceptions,
    excepted_leg,
    exception_facts,
    exceptions_facts,
    exceptions_of,
    judged,
    overdue_exceptions,
    owing_exceptions,
    place_of,
    proofs_of,
    proved,
    read_exceptions,
    undecided_exceptions,
    waiting_exceptions,
)
from apps.approvals.facts.makers import MAKERS, makers_of, with_makers
from apps.approvals.facts.outlook import look_ahead
from apps.approvals.facts.people import standing_delegations
from apps.approvals.facts.policies import PolicyShelf, policies_for, policy_facts, policy_rows
from apps.approvals.facts.pre_approvals import pre_approvals_for
from apps.approvals.facts.proposals import proposal_facts, standing_policy, takes_two, waiting_proposal
from apps.approvals.facts.review import ReviewRows, newest, quorum_facts, review_facts
from apps.approvals.facts.sign_offs import BOUND, passkeys_behind, sign_off_facts, standing_sign_offs, stretch_of
from apps.approvals.facts.simulating import Asked, Supposed, who_must_sign, who_must_sign_change

__all__ = [
    "BOUND",
    "MAKERS",
    "Asked",
    "Judged",
    "PolicyShelf",
    "ReviewRows",
    "Supposed",
    "agreers_of",
    "debtors_of",
    "debts_of",
    "due_exceptions",
    "excepted_leg",
    "exception_facts",
    "exceptions_facts",
    "exceptions_of",
    "judged",
    "look_ahead",
    "makers_of",
    "newest",
    "overdue_exceptions",
    "owing_exceptions",
    "passkeys_behind",
    "place_of",
    "policies_for",
    "policy_facts",
    "policy_rows",
    "pre_approvals_for",
    "proofs_of",
    "proposal_facts",
    "proved",
    "quorum_facts",
    "read_exceptions",
    "review_facts",
    "sign_off_facts",
    "standing_delegations",
    "standing_policy",
    "standing_sign_offs",
    "stretch_of",
    "takes_two",
    "undecided_exceptions",
    "waiting_exceptions",
    "waiting_proposal",
    "who_must_sign",
    "who_must_sign_change",
    "with_makers",
]
