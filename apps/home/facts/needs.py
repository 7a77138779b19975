"""What a change comes after and what comes after it, as far as a person may see both."""

from dataclasses import dataclass

from django.db.models import Q

from apps.accounts.models import Person
from apps.changes.access import changes_for
from apps.changes.models import Change, Dependency


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The changes before and after, the oldest first."""

    needs: list[Change]
    needed_by: list[Change]


def neighbours_of(change: Change, person: Person) -> Neighbours:
    """Both sides in one statement; somebody else's draft is not there."""
    seen = changes_for(person).values("pk")
    rows = Dependency.objects.filter(Q(change=change, needs__in=seen) | Q(needs=change, change__in=seen), ended_at__isnull=True)
    found = [*rows.select_related("change", "needs").order_by("change_id", "needs_id")]
    return Neighbours(
        [row.needs for row in found if row.change_id == change.pk], [row.change for row in found if row.needs_id == change.pk]
    )
