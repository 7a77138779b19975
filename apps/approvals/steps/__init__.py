"""Plain functions that join the caller's transaction: writing policies and sign-offs. They ask no roles; verbs do."""

from apps.approvals.steps.policies import end_policy, set_policy
from apps.approvals.steps.sign_offs import Decided, drafted_statement, end_sign_offs, note_lapses, settle, write_sign_off

__all__ = ["Decided", "drafted_statement", "end_policy", "end_sign_offs", "note_lapses", "set_policy", "settle", "write_sign_off"]
