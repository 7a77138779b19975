"""Policies, sign-offs and stand-ins; exceptions beside them. What counts is derived, never written."""

from apps.approvals.models.agreement import (
    REJECTION,
    Absence,
    Decision,
    Delegation,
    Look,
    Meaning,
    Nudge,
    Policy,
    PolicyProposal,
    PolicyVersion,
    ProposalOutcome,
    SignOff,
)
from apps.approvals.models.doubts import Doubt
from apps.approvals.models.exceptions import Act, ExceptionSignature, LegException
from apps.approvals.models.implementing import Implementer
from apps.approvals.models.statements import SignedStatement

__all__ = [
    "REJECTION",
    "Absence",
    "Act",
    "Decision",
    "Delegation",
    "Doubt",
    "ExceptionSignature",
    "Implementer",
    "LegException",
    "Look",
    "Meaning",
    "Nudge",
    "Policy",
    "PolicyProposal",
    "PolicyVersion",
    "ProposalOutcome",
    "SignOff",
    "SignedStatement",
]
