"""What a change comes after and what comes after it, as far as a person may see both."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Q, QuerySet

from apps.accounts.models import Person
from apps.changes.access import sees_change
from apps.changes.models import Change, Dependency


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The changes before and after, the oldest first."""

    needs: list[Change]
    needed_by: list[Change]


def neighbour_rows(change: Change, person: Person) -> QuerySet[Dependency]:
    """Both sides; somebody else's draft is not there."""
    before = Q(change=change) & Q(sees_change(person, "needs"))
    after = Q(needs=change) & Q(sees_change(person, "change"))
    rows = Dependency.objects.filter(before | after, ended_at__isnull=True)
    unread = [f"{side}__{field}" for side in ("change", "needs") for field in ("words", "searched")]
    return rows.select_related("change", "needs").defer(*unread).order_by("change_id", "needs_id")


def neighbours_in(rows: Iterable[Dependency], change: Change) -> Neighbours:
    """What comes before this change and what after."""
    return Neighbours([row.needs for row in rows if row.change_id == change.pk], [row.change for row in rows if row.needs_id == change.pk])
