"""What a requester does with a change that others agree to: submit and revise it. And what time does: expire it."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from apps.approvals.facts import review_facts
from apps.approvals.rules import why_not_stale
from apps.approvals.steps import note_lapses, settle
from apps.changes.content import Content
from apps.changes.facts import asker, change_facts
from apps.changes.models import Change, Revision
from apps.changes.rules import why_not_revise, why_not_submit
from apps.changes.steps import add_revision, expire, submit
from apps.changes.steps.drafts import UNSAID
from apps.core.actors import Actor, system
from apps.core.locks import share_calendar_guard
from apps.core.refusals import Refused
from apps.core.verbs import verb

QUORUM = system("quorum")


@verb
def submit_change(*, change_id: int, by: Actor, now: datetime | None = None) -> Change:
    """Ask for agreement. Raises BadContent naming every field that still lacks something.

    Where nobody's agreement is needed, or enough of what was given before still stands, it is approved at once."""
    share_calendar_guard()
    change, now = Change.objects.lock(change_id, now)
    if refusal := why_not_submit(change_facts(change), by=asker(by, change)):
        raise Refused(refusal, about=change.reference)
    submit(change, by=by, at=now)
    settle(change, by=QUORUM, at=now, reason="")
    return change


@verb
def revise_change(
    *,
    change_id: int,
    content: Content,
    by: Actor,
    revision_digest: str = "",
    asked_as: Mapping[UUID, str] = UNSAID,
    now: datetime | None = None,
) -> Revision | None:
    """Save an edit; None when nothing differs. The sign-offs that covered what changed lapse, the others stand.

    Where `revision_digest` says what was edited, another revision in between refuses it: nobody overwrites unseen.
    ASKED_AS says for a service which branch or tag its commit was written as.
    Raises BadContent, and Refused where the change is over or a started leg freezes its item."""
    share_calendar_guard()
    change, now = Change.objects.lock(change_id, now)
    if refusal := why_not_revise(change_facts(change), by=asker(by, change)):
        raise Refused(refusal, about=change.reference)
    before = review_facts(change)
    if revision_digest and (refusal := why_not_stale(before, revision_digest=revision_digest)):
        raise Refused(refusal, about=change.reference)
    revision = add_revision(change, content=content, by=by, at=now, asked_as=asked_as)
    if revision is not None:
        note_lapses(change, before, by=by, at=now)
        settle(change, by=QUORUM, at=now, reason=f"Revision {revision.number} is not agreed to yet.")
    return revision


@verb
def expire_change(*, change_id: int, by: Actor, now: datetime | None = None) -> Change:
    """End a change whose period is over. Silence never approves: what was not agreed in time is not agreed."""
    change, now = Change.objects.lock(change_id, now)
    expire(change, by=by, at=now)
    return change
