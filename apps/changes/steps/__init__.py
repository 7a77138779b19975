"""What apps above may do with a change inside their own transaction, its row locked by them. These ask no roles: verbs do."""

from apps.changes.steps.drafts import add_revision, create_draft, why_content_not_ready
from apps.changes.steps.legs import leg_done, leg_failed, leg_rolled_back, leg_skipped, leg_started
from apps.changes.steps.life import approve, expire, expire_unagreed, finish, reject, reopen, send_back, submit, withdraw
from apps.changes.steps.needs import set_needs

__all__ = [
    "add_revision",
    "approve",
    "create_draft",
    "expire",
    "expire_unagreed",
    "finish",
    "leg_done",
    "leg_failed",
    "leg_rolled_back",
    "leg_skipped",
    "leg_started",
    "reject",
    "reopen",
    "send_back",
    "set_needs",
    "submit",
    "why_content_not_ready",
    "withdraw",
]
