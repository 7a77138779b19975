"""The list of changes: a search, keyset pages, and each row's ladder, in a fixed number of statements."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import OperationalError
from django.db.models import OuterRef, QuerySet, Subquery
from django.utils import timezone

from apps.accounts.models import Person
from apps.approvals.models import Decision, SignOff
from apps.changes.access import changes_for
from apps.changes.models import Change, Item, Leg, SavedSearch
from apps.core.together import read_together
from apps.core.verbs import sqlstate
from apps.home.search.grammar import Problem, Query, Term, parse, printed, printed_term
from apps.home.search.matching import matching
from apps.home.search.order import Order, cursor_at, order_named, ordered
from apps.home.search.terms import SPECS, words_of
from apps.schedule.models import Slot

PAGE, COUNTED = 25, 500
USUAL = "state:open"
VIEWS = {
    "Open": USUAL,
    "Mine": "is:mine state:open",
    "Watched": "is:watched",
    "My drafts": "is:mine state:draft",
    "Review owed": "state:post_review",
    "Over": "state:ended",
    "All": "",
}
TOO_LONG = "57014"  # query_canceled: the statement ran into its time limit


@dataclass(frozen=True, slots=True)
class Ask:
    """What the address asks for."""

    text: str = USUAL
    sort: str = "newest"
    after: str = ""
    size: int = PAGE


@dataclass(frozen=True, slots=True)
class Row:
    """One change with what the list says about it."""

    change: Change
    items: list[Item]
    legs: list[Leg]
    starts_at: datetime | None  # the earliest slot of what can still go
    is_solo: bool = False  # whether whoever asked for it signed it alone


@dataclass(frozen=True, slots=True)
class Token:
    """One term as people read it, and the search without it."""

    word: str
    said: str
    without: str


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of the list."""

    rows: list[Row]
    query: Query
    order: Order
    problems: tuple[Problem, ...] = ()
    next_cursor: str = ""
    count: int = 0  # at most COUNTED + 1

    @property
    def count_words(self) -> str:
        """How many there are, counted no further than is cheap."""
        if self.count > COUNTED:
            return f"more than {COUNTED} changes"
        return f"{self.count} change{'' if self.count == 1 else 's'}"

    @property
    def tokens(self) -> list[Token]:
        """The search as it was read."""
        return [token(term, self.query) for term in self.query.terms]


def token(term: Term, query: Query) -> Token:
    """A term in words."""
    rest = printed(query.without(term))
    if not term.key:
        return Token("without" if term.is_negated else "words", printed_term(Term("", term.values)), rest)
    return Token(*words_of(SPECS[term.key], term.values, op=term.op, is_negated=term.is_negated), rest)


def found_by(
    person: Person, text: str, *, sort: str, now: datetime | None = None
) -> tuple[QuerySet[Change], Query, Order, tuple[Problem, ...]]:
    """The changes a search means, what was read, the order, and what cannot be read: then the rows are not to be shown."""
    query = parse(text)
    wanted, problems = matching(changes_for(person).defer("words", "searched"), query, person=person, now=now or timezone.now())
    return wanted, query, order_named(sort, query), problems


def listing(person: Person, ask: Ask, *, now: datetime | None = None, beside: Iterable[QuerySet[Any, Any]] = ()) -> Listing:
    """A page at a time, flat in the number of changes. A search that cannot be read shows no rows: half of it would be another one.

    BESIDE are rows that the page reads together with these; where there are none of these they are read when they are asked for."""
    wanted, query, order, problems = found_by(person, ask.text, sort=ask.sort, now=now)
    if problems:
        return Listing([], query, order, problems)
    try:
        found = list(ordered(wanted, order, after=ask.after).select_related("requester")[: ask.size + 1])
        count = len(found) if len(found) <= ask.size and not ask.after else counted(wanted)
    except OperationalError as error:
        if sqlstate(error) != TOO_LONG:
            raise
        return Listing([], query, order, (too_long(query),))
    shown = found[: ask.size]
    cursor = cursor_at(shown[-1], order) if len(found) > ask.size else ""
    return Listing(rows_of(shown, beside=beside), query, order, next_cursor=cursor, count=count)


def too_long(query: Query) -> Problem:
    """What is said of a search that the database gave up."""
    return Problem(printed(query), "The search took too long.", "Add state:open, service: or after: to look at less.")


def counted(wanted: QuerySet[Change]) -> int:
    """How many there are, up to one more than is counted."""
    return wanted.order_by()[: COUNTED + 1].count()


def rows_of(changes: Iterable[Change], *, beside: Iterable[QuerySet[Any, Any]] = ()) -> list[Row]:
    """The changes with their items, and their legs with when they are planned; with what else a page wants, in one statement."""
    shown = [*changes]
    items: dict[int, list[Item]] = defaultdict(list)
    legs: dict[int, list[Leg]] = defaultdict(list)
    named = Item.objects.filter(change__in=shown, is_current=True).select_related("service").order_by("position")
    planned = Subquery(Slot.objects.filter(leg=OuterRef("pk")).values("starts_at"))
    going = Leg.objects.filter(change__in=shown, is_current=True).select_related("environment", "service").annotate(starts_at=planned)
    going = going.order_by("environment__rank", "pk")
    alone = SignOff.objects.filter(change__in=shown, is_solo=True, decision=Decision.APPROVE, withdrawn_at__isnull=True)
    alone = alone.only("change")
    read_together(named, going, alone, *beside)
    solo = {one.change_id for one in alone}
    for item in named:
        items[item.change_id].append(item)
    for leg in going:
        legs[leg.change_id].append(leg)
    return [Row(change, items[change.pk], legs[change.pk], first_start(legs[change.pk]), change.pk in solo) for change in shown]


def first_start(legs: Iterable[Leg]) -> datetime | None:
    """When the first of what can still go is planned."""
    return min((at for leg in legs if leg.is_open and (at := getattr(leg, "starts_at", None))), default=None)


def saved_searches(person: Person) -> QuerySet[SavedSearch]:
    """What a person keeps, by name."""
    return SavedSearch.objects.filter(person=person).order_by("name")


def in_pieces(wanted: QuerySet[Change], order: Order, *, most: int, piece: int = 500) -> Iterator[Row]:
    """Up to `most` rows, read a piece at a time by key: an export neither holds them all nor a cursor of the database."""
    after, left = "", most
    while left > 0:
        found = list(ordered(wanted, order, after=after).select_related("requester")[: min(piece, left)])
        yield from rows_of(found)
        if len(found) < piece:
            return
        after, left = cursor_at(found[-1], order), left - len(found)
