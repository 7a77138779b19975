"""The durable verbs of agreement."""

from apps.approvals.actions.asking import ask_for_change
from apps.approvals.actions.chasing import chase_agreement
from apps.approvals.actions.exceptions import (
    agree_exception,
    ask_exception,
    draft_exception,
    draft_exception_agreement,
    lapse_exception,
    refuse_exception,
    review_exception,
    tell_due,
    tell_overdue,
    withdraw_exception,
)
from apps.approvals.actions.policies import confirm_policy, end_policy_proposal, propose_policy, retire_policy, write_policy
from apps.approvals.actions.rejudging import rejudge_change
from apps.approvals.actions.requests import expire_change, revise_change, submit_change
from apps.approvals.actions.sign_offs import (
    draft_statement,
    look_at_change,
    send_back_change,
    sign_statement,
    withdraw_sign_off,
)
from apps.approvals.actions.standing_in import cancel_absence, end_delegation, enter_absence, give_delegation

__all__ = [
    "agree_exception",
    "ask_exception",
    "ask_for_change",
    "cancel_absence",
    "chase_agreement",
    "confirm_policy",
    "draft_exception",
    "draft_exception_agreement",
    "draft_statement",
    "end_delegation",
    "end_policy_proposal",
    "enter_absence",
    "expire_change",
    "give_delegation",
    "lapse_exception",
    "look_at_change",
    "propose_policy",
    "refuse_exception",
    "rejudge_change",
    "retire_policy",
    "review_exception",
    "revise_change",
    "send_back_change",
    "sign_statement",
    "submit_change",
    "tell_due",
    "tell_overdue",
    "withdraw_exception",
    "withdraw_sign_off",
    "write_policy",
]
