"""The durable verbs of badges: share the one of a target, end it."""

from datetime import datetime

from apps.audit.names import actor_text
from apps.audit.record import record
from apps.audit.vocabulary import Event
from apps.catalog.facts import target_facts
from apps.catalog.models import Target
from apps.catalog.steps import asker, target_refs
from apps.core.actors import Actor
from apps.core.refusals import Refused
from apps.core.verbs import verb
from apps.gate.models import BadgeLink
from apps.gate.rules.badges import why_not_end_badge, why_not_share_badge


@verb
def share_badge(target_id: int, *, by: Actor, now: datetime | None = None) -> BadgeLink:
    """Let whoever has the address see whether the target is open. An address that was ended stays ended: this makes another."""
    target, now = Target.objects.lock(target_id, now)
    is_shared = BadgeLink.objects.filter(target=target, ended_at__isnull=True).exists()
    asking, place = asker(by, target.service), target_facts(target)
    if refusal := why_not_share_badge(asking, place, is_restricted=target.service.is_restricted, is_shared=is_shared):
        raise Refused(refusal, about=target.reference)
    link = BadgeLink.objects.create(target=target, made_at=now, made_by=actor_text(by))
    record(Event.BADGE_SHARED, subject=link, refs=[target.reference, *target_refs(target)], by=by, at=now)
    return link


@verb
def end_badge(target_id: int, *, by: Actor, now: datetime | None = None) -> BadgeLink:
    """Take the address back: it shows nothing from now on."""
    target, now = Target.objects.lock(target_id, now)
    link = BadgeLink.objects.filter(target=target, ended_at__isnull=True).first()
    if refusal := why_not_end_badge(asker(by, target.service), is_shared=link is not None):
        raise Refused(refusal, about=target.reference)
    assert link is not None  # noqa: S101 - refused otherwise
    link.ended_at, link.ended_by = now, actor_text(by)
    link.save(update_fields=["ended_at", "ended_by"])
    record(Event.BADGE_ENDED, subject=link, refs=[target.reference, *target_refs(target)], by=by, at=now)
    return link
