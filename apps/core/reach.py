"""The reach of a deployment as columns: deploy, bake, way back, and the freeze that follows.

A strict content policy forbids style attributes, so positions are classes `.from-N .to-N`."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo

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


def span_said(span: Span, *, zone: tzinfo) -> str:
    """Say one piece as it is read out; a piece within one minute has one time."""
    begins, ends = _clock(span.starts_at, zone), _clock(span.ends_at, zone)
    if span.kind == "freeze":
        return f"freeze from {begins}"
    return f"{span.word} {begins}" if _minute(span.starts_at) == _minute(span.ends_at) else f"{span.word} {begins} to {ends}"


def clocks_of(spans: list[Span], *, zone: tzinfo) -> list[tuple[Span, str, str]]:
    """Return what stands under each piece: when it begins, and when the way back ends. What a clock showed just before is not said again."""
    found: list[tuple[Span, str, str]] = []
    last: datetime | None = None
    for span in spans:
        shown = []
        for at in (span.starts_at, span.ends_at if span.kind == "back" else None):
            is_new = at is not None and _minute(at) != last
            shown.append(_clock(at, zone) if at is not None and is_new else "")
            last = _minute(at) if at is not None else last
        found.append((span, shown[0], shown[1]))
    return found


def _minute(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0)


def _clock(at: datetime, zone: tzinfo) -> str:
    return f"{at.astimezone(zone):%H:%M}"
