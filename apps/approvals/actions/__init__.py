"""The durable verbs of agreement."""

from apps.approvals.actions.policies import retire_policy, write_policy
from apps.approvals.actions.requests import expire_change, revise_change, submit_change
from apps.approvals.actions.sign_offs import approve_change, reject_change, send_back_change, withdraw_sign_off

__all__ = [
    "approve_change",
    "expire_change",
    "reject_change",
    "retire_policy",
    "revise_change",
    "send_back_change",
    "submit_change",
    "withdraw_sign_off",
    "write_policy",
]
