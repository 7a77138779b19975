"""Asking for a change in one go: begun, placed after others and submitted, or nothing of it."""

from collections.abc import Collection, Mapping
from datetime import datetime
from uuid import UUID

from apps.accounts.steps import person_by_actor
from apps.approvals.actions.requests import QUORUM
from apps.approvals.steps import settle
from apps.catalog.access import services_for
from apps.changes.content import Content
from apps.changes.facts import asker_of
from apps.changes.models import Change, ChangeModelVersion
from apps.changes.rules import why_not_create
from apps.changes.states import Kind
from apps.changes.steps import create_draft, set_needs, submit
from apps.changes.steps.drafts import UNSAID
from apps.changes.steps.models import kind_of
from apps.core.actors import Actor
from apps.core.locks import database_now, share_calendar_guard
from apps.core.refusals import Refused
from apps.core.verbs import verb


@verb
def ask_for_change(
    *,
    content: Content,
    by: Actor,
    is_submitted: bool = False,
    needs: Collection[int] = (),
    made_from: int | None = None,
    is_emergency: bool = False,
    asked_as: Mapping[UUID, str] = UNSAID,
    now: datetime | None = None,
) -> Change:
    """Begin a change and, where asked, submit it at once. NEEDS are the changes it comes after, MADE_FROM a model's version,
    which says what kind of change it is; without one it is NORMAL, or EMERGENCY where that is said. Where a model approves it beforehand, nobody is asked.
    ASKED_AS says for a service which branch or tag its commit was written as.

    Raises Refused for who is no requester of its services, BadContent naming every field that lacks something; then nothing is kept."""
    if is_submitted:
        share_calendar_guard()
    requester, now = person_by_actor(by), now or database_now()
    services = services_for(requester).filter(public_id__in=[item.service_id for item in content.scope.items])
    if refusal := why_not_create(by=asker_of(requester, services)):
        raise Refused(refusal)
    version = ChangeModelVersion.objects.select_related("model").get(pk=made_from) if made_from is not None else None
    kind = Kind.EMERGENCY if is_emergency and version is None else kind_of(version)
    change = create_draft(requester=requester, kind=kind, content=content, by=by, at=now, made_from=version, asked_as=asked_as)
    if needs:
        set_needs(change, [*Change.objects.filter(pk__in=needs)], by=by, at=now)
    if is_submitted:
        submit(change, by=by, at=now)
        settle(change, by=QUORUM, at=now, reason="")
    return change
