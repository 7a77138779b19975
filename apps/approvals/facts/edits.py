"""Who last changed each part of a change, and when: an edit of one part says nothing about another."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.db.models.functions import Coalesce

from apps.approvals.rules import editor_of
from apps.changes.content import PARTS
from apps.changes.models import Change, Revision

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Edit:
    """The last one of a part; the person by the id they stand as."""

    by: UUID
    at: datetime


def edit_rows(change: Change) -> QuerySet[Revision, Row]:
    """The revisions of a change, oldest first: who made each, when, and the digests of its parts."""
    stands_as = Coalesce("author__merged_into__public_id", "author__public_id")
    rows = Revision.objects.filter(change=change).order_by("number")
    return rows.values_list("number", stands_as, "made_at", *(f"{part}_digest" for part in PARTS))


def last_edits(rows: Iterable[Row], *, upto: int) -> Mapping[str, Edit]:
    """By part, the newest revision that says something else than the one before it; a part is made with the first one."""
    found: dict[str, Edit] = {}
    before: tuple[Any, ...] = (None,) * len(PARTS)
    for number, by, at, *digests in rows:
        if number <= upto:
            found |= {part: Edit(by, at) for part, was, now in zip(PARTS, before, digests, strict=True) if was != now}
            before = tuple(digests)
    return found


def editors_in(edits: Mapping[str, Edit]) -> dict[str, frozenset[UUID]]:
    """The hands of the last editors, as exclusions ask for them."""
    return {editor_of(part): frozenset({edit.by}) for part, edit in edits.items()}
