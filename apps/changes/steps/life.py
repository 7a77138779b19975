"""The life of a change: each step is one move, decided by the caller under the change's lock."""

from datetime import datetime

from apps.changes.content import Content
from apps.changes.facts import change_facts, content_of, current_legs, risk_now
from apps.changes.models import Change
from apps.changes.rules import why_not_expire
from apps.changes.states import LegState, State
from apps.changes.steps.drafts import why_content_not_ready
from apps.changes.steps.models import why_not_as_modelled
from apps.changes.transitions import move, move_leg
from apps.core.actors import Actor
from apps.core.refusals import BadContent, Refused


def submit(change: Change, *, by: Actor, at: datetime) -> Content:
    """DRAFT to IN_REVIEW; raises BadContent naming every field that still lacks something. Returns the submitted content."""
    assert change.revision is not None  # noqa: S101 - create_draft wrote the first one in the same transaction
    content = content_of(change.revision)
    if errors := why_content_not_ready(content, now=at) | why_not_as_modelled(change.made_from, content):
        raise BadContent(errors)
    change.risk = risk_now(content, now=at).points
    change.save(update_fields=["risk"])
    move(change, State.IN_REVIEW, by=by, at=at)
    return content


def send_back(change: Change, *, by: Actor, at: datetime, reason: str) -> None:
    """IN_REVIEW to DRAFT: the requester shall say more."""
    move(change, State.DRAFT, by=by, at=at, reason=reason)


def approve(change: Change, *, by: Actor, at: datetime) -> None:
    """IN_REVIEW to APPROVED: the quorum of every leg is met. A milestone; the gate counts again."""
    move(change, State.APPROVED, by=by, at=at)


def reopen(change: Change, *, by: Actor, at: datetime, reason: str) -> None:
    """APPROVED or IN_PROGRESS to IN_REVIEW: an edit lapsed something."""
    move(change, State.IN_REVIEW, by=by, at=at, reason=reason)


def reject(change: Change, *, by: Actor, at: datetime, reason: str) -> None:
    """Say no for good."""
    move(change, State.REJECTED, by=by, at=at, reason=reason)


def withdraw(change: Change, *, by: Actor, at: datetime, reason: str) -> None:
    """Take it back before anything was started."""
    move(change, State.WITHDRAWN, by=by, at=at, reason=reason)


def finish(change: Change, *, by: Actor, at: datetime, reason: str = "") -> None:
    """End it where it stands: legs that wait are skipped, the outcome is computed, the review is owed."""
    for leg in current_legs(change).filter(state=LegState.WAITING):
        leg.change = change
        move_leg(leg, LegState.SKIPPED, by=by, at=at, reason=reason)
    move(change, State.POST_REVIEW, by=by, at=at, reason=reason)


def expire_unagreed(change: Change, *, by: Actor, at: datetime, reason: str) -> None:
    """IN_REVIEW to EXPIRED before its period is over: nobody agreed in the time given, and nothing was deployed."""
    move(change, State.EXPIRED, by=by, at=at, reason=reason)


def expire(change: Change, *, by: Actor, at: datetime) -> None:
    """End it because its period is over: EXPIRED, or POST_REVIEW where something was deployed. Raises Refused when it is not due."""
    facts = change_facts(change)
    if refusal := why_not_expire(facts, now=at):
        raise Refused(refusal, about=change.reference)
    if facts.touched:
        finish(change, by=by, at=at, reason="Its period is over.")
    else:
        move(change, State.EXPIRED, by=by, at=at, reason="Its period is over.")
