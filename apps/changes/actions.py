"""The durable verbs that need nothing but the change itself. Submitting, revising and signing lie in `approvals`."""

from datetime import datetime

from apps.accounts.steps import person_by_actor
from apps.audit.record import record
from apps.audit.vocabulary import Event
from apps.catalog.access import services_for
from apps.changes.content import Content
from apps.changes.facts import asker, asker_of, change_facts, references_of
from apps.changes.models import Change, Comment
from apps.changes.rules import why_not_close, why_not_create, why_not_finish, why_not_review, why_not_withdraw
from apps.changes.states import Kind, Outcome, State
from apps.changes.steps import create_draft, finish, withdraw
from apps.changes.transitions import move
from apps.core.actors import Actor
from apps.core.locks import database_now
from apps.core.refusals import BadContent, Refused
from apps.core.texts import read_text
from apps.core.verbs import verb

LONGEST_REASON, LONGEST_TEXT = 300, 10_000


@verb
def create_change(*, content: Content, by: Actor, now: datetime | None = None) -> Change:
    """Begin a NORMAL change as a draft. Raises Refused for who is no requester of its services, BadContent for its fields."""
    requester, now = person_by_actor(by), now or database_now()
    services = services_for(requester).filter(public_id__in=[item.service_id for item in content.scope.items])
    if refusal := why_not_create(by=asker_of(requester, services)):
        raise Refused(refusal)
    return create_draft(requester=requester, kind=Kind.NORMAL, content=content, by=by, at=now)


@verb
def comment_on_change(*, change_id: int, text: str, by: Actor, now: datetime | None = None) -> Comment:
    """Say something about a change; it is outside everything that is signed."""
    change, now = Change.objects.lock(change_id, now)
    said = read_text(text, field="text", longest=LONGEST_TEXT, empty=False)
    return _comment(change, said, by=by, at=now)


@verb
def withdraw_change(*, change_id: int, by: Actor, reason: str = "", now: datetime | None = None) -> Change:
    """Take a change back before anything of it was started."""
    change, now = Change.objects.lock(change_id, now)
    if refusal := why_not_withdraw(change_facts(change), by=asker(by, change)):
        raise Refused(refusal, about=change.reference)
    withdraw(change, by=by, at=now, reason=_reason(reason, empty=True))
    return change


@verb
def finish_change(*, change_id: int, by: Actor, reason: str, now: datetime | None = None) -> Change:
    """End a started change where it stands: what waits is skipped, the review follows."""
    change, now = Change.objects.lock(change_id, now)
    if refusal := why_not_finish(change_facts(change), by=asker(by, change)):
        raise Refused(refusal, about=change.reference)
    finish(change, by=by, at=now, reason=_reason(reason, empty=False))
    return change


@verb
def close_change(*, change_id: int, by: Actor, review: str = "", now: datetime | None = None) -> Change:
    """Close a change after its review; the review stays beside it as a comment."""
    change, now = Change.objects.lock(change_id, now)
    if refusal := why_not_close(change_facts(change), by=asker(by, change)):
        raise Refused(refusal, about=change.reference)
    said = read_text(review, field="review", longest=LONGEST_TEXT)
    if errors := why_not_review(Outcome(change.outcome), review=said):
        raise BadContent(errors)
    if said:
        _comment(change, said, by=by, at=now)
    move(change, State.CLOSED, by=by, at=now)
    return change


def _comment(change: Change, text: str, *, by: Actor, at: datetime) -> Comment:
    comment = Comment.objects.create(change=change, author=person_by_actor(by), at=at, text=text)
    record(
        Event.CHANGE_COMMENTED,
        subject=change,
        by=by,
        at=at,
        refs=references_of(change),
        data={"comment": comment.public_id},
        details={"text": text},
    )
    return comment


def _reason(text: str, *, empty: bool) -> str:
    return read_text(text, field="reason", longest=LONGEST_REASON, empty=empty)
