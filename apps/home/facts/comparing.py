"""Two revisions of a change side by side, in the shape of the diff component."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from apps.changes.content import PARTS
from apps.changes.diff import Difference, changed_parts, differences
from apps.changes.facts import content_of
from apps.changes.models import Change, Revision
from apps.home.facts.telling import listed


@dataclass(frozen=True, slots=True)
class Comparison:
    """What differs between two revisions."""

    older: Revision
    newer: Revision
    rows: list[dict[str, object]]
    changed: frozenset[str]
    same: str  # which parts are byte for byte the same
    was_word: str
    now_word: str


def compare(older: Revision, newest: Revision, *, signed: Collection[str] = PARTS) -> Comparison:
    """Field by field; the parts whose bytes are equal are named. `signed` are the parts that somebody's signature covers."""
    found = differences(content_of(older), content_of(newest))
    before, now = older.part_digests, newest.part_digests
    same = [part for part in PARTS if before[part] == now[part]]
    return Comparison(
        older=older,
        newer=newest,
        rows=diff_rows(found, signed=signed),
        changed=changed_parts(found),
        same=f"{listed(same).capitalize()} {'are' if len(same) > 1 else 'is'} byte for byte the same." if same else "",
        was_word=f"Revision {older.number}",
        now_word=f"Revision {newest.number}",
    )


def diff_rows(found: Iterable[Difference], *, signed: Collection[str]) -> list[dict[str, object]]:
    """Differences in the shape of the diff component."""
    return [
        {
            "part": one.part.capitalize(),
            "field": one.label,
            "was": one.old or "",
            "now": one.new or "",
            "note": "" if one.part in signed else "Not signed by anybody.",
            "outside": one.part not in signed,
        }
        for one in found
    ]


def revision_with(change: Change, digest: str) -> Revision | None:
    """The revision somebody had before them, by its digest; None for one that is not of this change."""
    return change.revisions.select_related("author").filter(digest=digest).first()
