"""Plain functions that join the caller's transaction: writing policies and sign-offs. They ask no roles; verbs do."""

from apps.approvals.steps.deciding import Choice, choice_in, decide, present, proposed_statement, read_reason, refuse
from apps.approvals.steps.exceptions import Plea, checked_plea
from apps.approvals.steps.implementing import note_implementer
from apps.approvals.steps.policies import add_proposal, checked_policy, decide_proposal, end_policy, set_policy
from apps.approvals.steps.sign_offs import JUDGE, Decided, drafted_statement, end_sign_offs, note_lapses, settle, write_sign_off
from apps.approvals.steps.signing import Signed, signer, why_not_proved

__all__ = [
    "JUDGE",
    "Choice",
    "Decided",
    "Plea",
    "Signed",
    "add_proposal",
    "checked_plea",
    "checked_policy",
    "choice_in",
    "decide",
    "decide_proposal",
    "drafted_statement",
    "end_policy",
    "end_sign_offs",
    "note_implementer",
    "note_lapses",
    "present",
    "proposed_statement",
    "read_reason",
    "refuse",
    "set_policy",
    "settle",
    "signer",
    "why_not_proved",
    "write_sign_off",
]
