"""The orders a list has, and where a page of one begins: by the sort key and the row's id, never by counting rows."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet

from apps.changes.models import Change
from apps.home.search.grammar import CONTROL, Query

NUMBER, RISK = "id", "risk"
LARGEST = 2**63 - 1
LONGEST_TITLE, LAST_YEAR, MOST_POINTS = 200, 9999, 32_767


@dataclass(frozen=True, slots=True)
class Order:
    """One order: what it sorts by, with a minus where it falls, and how people call it."""

    key: str
    by: str
    word: str

    @property
    def column(self) -> str:
        """The column without its direction."""
        return self.by.removeprefix("-")

    @property
    def falls(self) -> bool:
        """Whether the largest comes first."""
        return self.by.startswith("-")

    @property
    def tie_falls(self) -> bool:
        """Which way the id goes among equal ones: as its index has it, so that no page is sorted."""
        return self.falls is not (self.column == RISK)

    @property
    def fields(self) -> tuple[str, ...]:
        """What the database sorts by; the id tells equal ones apart."""
        return (self.by,) if self.column == NUMBER else (self.by, "-id" if self.tie_falls else "id")


ORDERS = {
    order.key: order
    for order in (
        Order("newest", "-id", "newest first"),
        Order("oldest", "id", "oldest first"),
        Order("until", "not_after", "by the end of the period"),
        Order("latest", "-not_after", "by the end of the period, the last first"),
        Order("risk", "-risk", "the riskiest first"),
        Order("safest", "risk", "the least risky first"),
        Order("title", "title", "by title"),
        Order("z-a", "-title", "by title from Z"),
    )
}
DATED = frozenset({"before", "after"})


def order_named(key: str, query: Query) -> Order:
    """The order somebody asked for, newest first otherwise. A search by days goes by the moment, so that one index serves both."""
    order = ORDERS.get(key, ORDERS["newest"])
    if order.column == NUMBER and any(term.key in DATED for term in query.terms):
        return Order(order.key, "-created_at" if order.falls else "created_at", order.word)
    return order


def ordered(changes: QuerySet[Change], order: Order, *, after: str = "") -> QuerySet[Change]:
    """The rows in order, those behind a cursor alone; a cursor of another order or of nobody's making is none."""
    if order.column in {"not_after", RISK}:
        changes = changes.filter(**{f"{order.column}__isnull": False})
    if place := read_cursor(after, order):
        value, pk = place
        beyond, tie = "lt" if order.falls else "gt", "lt" if order.tie_falls else "gt"
        if order.column == NUMBER:
            changes = changes.filter(**{f"pk__{beyond}": pk})
        else:
            farther = Q(**{f"{order.column}__{beyond}": value}) | Q(**{f"pk__{tie}": pk})
            changes = changes.filter(farther, **{f"{order.column}__{beyond}e": value})
    return changes.order_by(*order.fields)


def cursor_at(change: Change, order: Order) -> str:
    """Where the page behind this row begins, as text for an address."""
    value = getattr(change, order.column)
    said = [order.by, value.isoformat() if isinstance(value, datetime) else value, change.pk]
    return urlsafe_b64encode(json.dumps(said, separators=(",", ":")).encode()).decode().rstrip("=")


def read_cursor(text: str, order: Order) -> tuple[Any, int] | None:
    """What a cursor says; None for anything else."""
    try:
        by, value, pk = json.loads(urlsafe_b64decode(text.encode() + b"=" * (-len(text) % 4)))
    except (ValueError, TypeError, RecursionError):
        return None
    if by != order.by or type(pk) is not int or not 0 < pk <= LARGEST:
        return None
    if order.column == NUMBER:
        return value, pk
    read = READERS[order.column](value)
    return None if read is None else (read, pk)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and len(value) <= LONGEST_TITLE and not CONTROL.search(value) else None


def _points(value: object) -> int | None:
    return value if type(value) is int and 0 <= value <= MOST_POINTS else None


def _moment(value: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return moment if moment and moment.tzinfo and moment.year < LAST_YEAR else None


READERS: dict[str, Callable[[object], object]] = {"title": _text, RISK: _points, "not_after": _moment, "created_at": _moment}
