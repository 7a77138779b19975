"""The list of changes: filters, keyset pages, and each row's ladder, in a fixed number of statements."""

from collections import defaultdict
from dataclasses import dataclass

from django.db.models import QuerySet

from apps.accounts.models import Person
from apps.changes.access import changes_for
from apps.changes.models import Change, Item, Leg
from apps.changes.states import ENDED, OPEN, State
from apps.core.references import parse_number

PAGE = 25
VIEWS = {"open": "Open", "mine": "Mine", "drafts": "My drafts", "ended": "Over", "all": "All"}


@dataclass(frozen=True, slots=True)
class Query:
    """What the address asks for."""

    view: str = "open"
    text: str = ""
    before: int | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One change with what the list says about it."""

    change: Change
    items: list[Item]
    legs: list[Leg]


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of the list."""

    rows: list[Row]
    older_than: int | None  # the key of the next page


def listing(person: Person, query: Query) -> Listing:
    """The newest changes first, a page at a time, flat in their number."""
    wanted = matching(viewed(changes_for(person), person, query.view), query.text)
    if query.before is not None:
        wanted = wanted.filter(pk__lt=query.before)
    found = list(wanted.select_related("requester").order_by("-pk")[: PAGE + 1])
    shown = found[:PAGE]
    legs: dict[int, list[Leg]] = defaultdict(list)
    items: dict[int, list[Item]] = defaultdict(list)
    for item in Item.objects.filter(change__in=shown, is_current=True).select_related("service").order_by("position"):
        items[item.change_id].append(item)
    for leg in (
        Leg.objects.filter(change__in=shown, is_current=True).select_related("environment", "service").order_by("environment__rank", "pk")
    ):
        legs[leg.change_id].append(leg)
    rows = [Row(change, items[change.pk], legs[change.pk]) for change in shown]
    return Listing(rows, older_than=shown[-1].pk if len(found) > PAGE else None)


def viewed(changes: QuerySet[Change], person: Person, view: str) -> QuerySet[Change]:
    """The changes of a saved view."""
    match view:
        case "mine":
            return changes.filter(requester=person)
        case "drafts":
            return changes.filter(requester=person, state=State.DRAFT)
        case "ended":
            return changes.filter(state__in=sorted(ENDED))
        case "all":
            return changes
    return changes.filter(state__in=sorted(OPEN))


def matching(changes: QuerySet[Change], text: str) -> QuerySet[Change]:
    """Changes whose reference is the text, or whose title or service holds it."""
    number = parse_number(text, prefix="CHG")
    if number is not None:
        return changes.filter(pk=number)
    if not text:
        return changes
    by_service = Item.objects.filter(is_current=True, service__name__icontains=text).values("change")
    return changes.filter(title__icontains=text) | changes.filter(pk__in=by_service)
