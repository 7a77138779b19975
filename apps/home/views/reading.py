"""The list of changes and the change page. A GET shows; it never writes."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import HttpResponse, QueryDict
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from apps.changes.access import get_change
from apps.changes.models import Change
from apps.core.pages import PageRequest, render_page
from apps.home.deciding_forms import LOCAL, Comment, NeededReason, Reason, Review, Shown, SlotTimes
from apps.home.facts.change_page import ChangePage, Verb, change_page
from apps.home.facts.ladder import ladder
from apps.home.facts.listing import VIEWS, Query, listing

LONGEST_SEARCH = 120
LARGEST_KEY = 2**63 - 1
FORMS: dict[str, type[Shown]] = {
    "comment": Comment,
    "withdraw": Reason,
    "return": NeededReason,
    "finish": NeededReason,
    "close": Review,
    "unsign": Reason,
}


@require_safe
def changes(request: PageRequest) -> HttpResponse:
    """The changes of one view that hold the words, a page at a time."""
    asked = request.GET.get("view", "")
    text = request.GET.get("q", "").replace("\x00", "")[:LONGEST_SEARCH].strip()
    query = Query(asked if asked in VIEWS else "open", text, number_in(request.GET.get("before", "")))
    found = listing(request.user, query)
    words = QueryDict(mutable=True)
    words.update({"view": query.view, "q": query.text})
    here = f"{reverse('home:changes')}?{words.urlencode()}"
    context = {
        "rows": found.rows,
        "query": query,
        "views": [(key, word, key == query.view) for key, word in VIEWS.items()],
        "newest_url": here if query.before else "",
        "older_url": f"{here}&before={found.older_than}" if found.older_than else "",
    }
    return render_page(request, "home/changes.html", context)


def number_in(text: str) -> int | None:
    """A row's key from the address; None for anything else."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 20 and int(text) <= LARGEST_KEY else None


def id_in(text: str) -> UUID | None:
    """An entry's id from the address; None for anything else."""
    try:
        return UUID(text)
    except ValueError:
        return None


@require_safe
def change(request: PageRequest, ref: str) -> HttpResponse:
    """Where the change stands; the ladder alone, where the page asks again by itself."""
    found = get_change(request.user, ref)
    if request.htmx:
        context = {"change": found, "rungs": ladder(found, person=request.user)}
        return render_page(request, "home/change.html", context, fragment="home/_ladder.html")
    return change_answer(request, found)


def change_answer(request: PageRequest, change: Change, *, status: int = 200, **bound: Shown) -> HttpResponse:
    """The whole change page, with a form as it was sent where something in it was not taken."""
    compared, before = number_in(request.GET.get("compare", "")), id_in(request.GET.get("before", ""))
    page = change_page(change, request.user, now=timezone.now(), compared=compared, before=before)
    forms = {name: bound.get(name) or made(auto_id=f"{name}_%s") for name, made in FORMS.items()}
    context: dict[str, Any] = {"page": page, "change": change, "rungs": page.rungs, "forms": forms, "verbs": with_forms(page.verbs, forms)}
    context |= {"plans": with_slots(page, bound), "left": with_forms([verb for verb in page.verbs if not verb.is_plain], forms)}
    return render_page(request, "home/change.html", context, status=status)


def with_forms(verbs: list[Verb], forms: dict[str, Shown]) -> list[dict[str, Any]]:
    """Each verb with the form it needs."""
    return [{"verb": verb, "form": forms.get(verb.key)} for verb in verbs]


def with_slots(page: ChangePage, bound: dict[str, Shown]) -> list[dict[str, Any]]:
    """Each plan with the form that moves it."""
    rows = []
    for plan in page.plans:
        slot, key = plan.rung.slot, f"slot_{plan.rung.leg.public_id.hex}"
        start = {"starts_at": local(slot.starts_at), "ends_at": local(slot.ends_at)} if slot else {}
        rows.append({"plan": plan, "form": bound.get(key) or SlotTimes(initial=start, auto_id=f"{key}_%s")})
    return rows


def local(moment: datetime) -> str:
    """A moment as the browser's field for local times wants it."""
    return timezone.localtime(moment).strftime(LOCAL)
