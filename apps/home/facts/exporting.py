"""Changes as a table for a spreadsheet: a line at a time, and no cell that a spreadsheet would take for a formula."""

import csv
from collections.abc import Iterator
from datetime import UTC, datetime
from io import StringIO

from django.db.models import QuerySet

from apps.changes.models import Change
from apps.home.facts.listing import Row, in_pieces
from apps.home.search.order import Order

EXPORTED = 10_000
HEADS = (
    "Change",
    "Title",
    "Kind",
    "State",
    "Outcome",
    "Risk",
    "Asked by",
    "Asked at",
    "Versions",
    "Environments",
    "Slot",
    "Not before",
    "Not after",
)
# What spreadsheets begin a formula with, in both widths, and the blanks they skip before it.
BEGINS = tuple("=+-@\t\r\n＝＋－＠")


def csv_lines(wanted: QuerySet[Change], order: Order, *, most: int = EXPORTED) -> Iterator[str]:
    """The table, head first. One that was cut says so in its last line."""
    yield "\ufeff" + line(HEADS)
    for count, row in enumerate(in_pieces(wanted, order, most=most + 1), start=1):
        yield line(cells(row)) if count <= most else line([f"Stopped after {most} changes. Add terms to the search for the others."])


def cells(row: Row) -> list[str]:
    """One change; moments in UTC."""
    change = row.change
    return [
        change.ref,
        change.title,
        change.kind.lower(),
        change.state.lower(),
        change.outcome.lower(),
        "" if change.risk is None else str(change.risk),
        change.requester.name,
        moment(change.created_at),
        "; ".join(f"{item.service.name} {item.label}" for item in row.items),
        "; ".join(dict.fromkeys(leg.environment.name for leg in row.legs)),
        moment(row.starts_at),
        moment(change.not_before),
        moment(change.not_after),
    ]


def line(values: list[str] | tuple[str, ...]) -> str:
    """One line of the file."""
    out = StringIO()
    csv.writer(out, lineterminator="\r\n").writerow([plain(value) for value in values])
    return out.getvalue()


def plain(text: str) -> str:
    """A cell that is text wherever it is opened: what begins like a formula gets an apostrophe in front."""
    return f"'{text}" if text.lstrip(" \u00a0").startswith(BEGINS) or text.startswith(BEGINS) else text


def moment(at: datetime | None) -> str:
    """A moment in UTC, or nothing."""
    return at.astimezone(UTC).isoformat(timespec="seconds") if at else ""
