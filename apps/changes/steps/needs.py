"""What a change comes after: rows beside the revision, so that nothing signed is touched by them."""

from collections.abc import Collection
from datetime import datetime

from apps.audit.names import actor_text
from apps.audit.record import record
from apps.audit.vocabulary import Event
from apps.changes.facts import standing_needs
from apps.changes.models import Change, Dependency
from apps.changes.rules import why_not_needs
from apps.core.actors import Actor
from apps.core.refusals import BadContent


def set_needs(change: Change, needs: Collection[Change], *, by: Actor, at: datetime) -> bool:
    """Let a locked change come after exactly these; False when it does already. Raises BadContent for a circle."""
    wanted = {other.pk: other for other in needs}
    standing = {row.needs_id: row for row in change.dependencies.filter(ended_at__isnull=True).select_related("needs")}
    if wanted.keys() == standing.keys():
        return False
    if errors := why_not_needs(change.ref, [other.ref for other in wanted.values()], standing=standing_needs(wanted.values())):
        raise BadContent(errors)
    for pk in standing.keys() - wanted.keys():
        _end(standing[pk], by=by, at=at)
    for pk in sorted(wanted.keys() - standing.keys()):
        Dependency.objects.create(change=change, needs=wanted[pk], since_at=at, since_by=actor_text(by))
        _tell(Event.DEPENDENCY_ADDED, change, wanted[pk], by=by, at=at)
    return True


def _end(row: Dependency, *, by: Actor, at: datetime) -> None:
    row.ended_at, row.ended_by = at, actor_text(by)
    row.save(update_fields=["ended_at", "ended_by"])
    _tell(Event.DEPENDENCY_ENDED, row.change, row.needs, by=by, at=at)


def _tell(event: Event, change: Change, needs: Change, *, by: Actor, at: datetime) -> None:
    record(event, subject=change, by=by, at=at, refs=[needs.reference], data={"needs": needs.ref})
