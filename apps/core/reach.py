"""The reach of a deployment as columns: deploy, bake, way back, and the freeze that follows.

A strict content policy forbids style attributes, so positions are classes `.from-N .to-N`."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

COLUMNS = 72
# How many columns the words of a piece take on a phone; the way back says when it begins and when it ends.
WIDTHS = {"run": 12, "bake": 12, "back": 19, "freeze": 12}


@dataclass(frozen=True, slots=True)
class Span:
    """One piece of a line, from one column to another; its words stand where they cover no others."""

    kind: str
    word: str
    start: int
    end: int
    starts_at: datetime
    ends_at: datetime
    words_at: int = 0


def column(moment: datetime, *, start: datetime, end: datetime, columns: int = COLUMNS) -> int:
    """Return the grid line nearest to MOMENT between START and END, kept inside the line."""
    whole = (end - start).total_seconds()
    share = (moment - start).total_seconds() / whole if whole > 0 else 0.0
    return min(columns, max(0, round(share * columns)))


def reach_spans(
    starts_at: datetime,
    *,
    deploy: timedelta,
    bake: timedelta,
    way_back: timedelta,
    freeze_at: datetime | None = None,
) -> list[Span]:
    """Return the pieces of one reach; a freeze more than two reaches away is left off the line."""
    moments = [starts_at, starts_at + deploy, starts_at + deploy + bake, starts_at + deploy + bake + way_back]
    whole = moments[-1] - starts_at
    near = freeze_at if freeze_at and moments[-1] <= freeze_at <= starts_at + 3 * whole else None
    end = near + whole / 2 if near else starts_at + whole * 1.25
    kinds = (("run", "deploy"), ("bake", "bake"), ("back", "way back"))
    pieces = [(kind, word, a, b) for (kind, word), a, b in zip(kinds, moments, moments[1:], strict=False) if b > a]
    if near:
        pieces.append(("freeze", "freeze", near, end))
    spans = []
    for kind, word, begins, ends in pieces:
        first = column(begins, start=starts_at, end=end)
        spans.append(Span(kind, word, first, max(first + 1, column(ends, start=starts_at, end=end)), begins, ends))
    return [replace(span, words_at=at) for span, at in zip(spans, words_of(spans), strict=True)]


def words_of(spans: list[Span]) -> list[int]:
    """Return the column of each piece's words: at its beginning, moved aside where pieces are shorter than their words."""
    free, places = 0, []
    for span in spans:
        places.append(max(span.start, free))
        free = places[-1] + WIDTHS[span.kind]
    limit = COLUMNS
    for number, span in reversed([*enumerate(spans)]):
        places[number] = min(places[number], limit - WIDTHS[span.kind])
        limit = places[number]
    return places
