"""The change page. A GET shows; it never writes."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from apps.audit.stream import count_newer
from apps.changes.access import get_change
from apps.changes.models import Change
from apps.core.pages import PageRequest, render_page
from apps.home.deciding_forms import LOCAL, Comment, NeededReason, Reason, Review, Shown, SlotTimes
from apps.home.facts.beside import about
from apps.home.facts.change_page import ChangePage, Looking, Verb, change_page
from apps.home.facts.exceptions import told_exceptions
from apps.home.facts.ladder import ladder

LARGEST_KEY = 2**63 - 1
MOST_NEWS = 20  # counted while a page stands open
FORMS: dict[str, type[Shown]] = {
    "comment": Comment,
    "withdraw": Reason,
    "return": NeededReason,
    "finish": NeededReason,
    "close": Review,
    "unsign": Reason,
}


def number_in(text: str) -> int | None:
    """A row's key from the address; None for anything else."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 20 and int(text) <= LARGEST_KEY else None


def id_in(text: str) -> UUID | None:
    """An entry's id from the address; None for anything else."""
    try:
        return UUID(text)
    except ValueError:
        return None


def looking_at(request: PageRequest) -> Looking:
    """What of the change the address asks for; what it cannot mean is left out."""
    given = request.GET
    return Looking(
        older=number_in(given.get("from", "")),
        newer=number_in(given.get("to", "")),
        before=id_in(given.get("before", "")),
        said_before=number_in(given.get("said", "")),
    )


@require_safe
def change(request: PageRequest, ref: str) -> HttpResponse:
    """Where the change stands; where the page asks again by itself, the ladder alone and how much happened since it was read."""
    found = get_change(request.user, ref)
    if request.htmx:
        seen = id_in(request.GET.get("seen", ""))
        news = count_newer(about(found), seen, most=MOST_NEWS) if seen else 0
        context = {"change": found, "rungs": ladder(found, person=request.user), "seen": seen, "news": news}
        return render_page(request, "home/change.html", context, fragment="home/_ladder.html")
    return change_answer(request, found)


def change_answer(request: PageRequest, change: Change, *, status: int = 200, **bound: Shown) -> HttpResponse:
    """The whole change page, with a form as it was sent where something in it was not taken."""
    page = change_page(change, request.user, now=timezone.now(), looking=looking_at(request))
    forms = {name: bound.get(name) or made(auto_id=f"{name}_%s") for name, made in FORMS.items()}
    context: dict[str, Any] = {"page": page, "change": change, "rungs": page.rungs, "forms": forms, "verbs": with_forms(page.verbs, forms)}
    context |= {"plans": with_slots(page, bound), "left": with_forms([verb for verb in page.verbs if not verb.is_plain], forms)}
    context |= {
        "seen": page.stream.newest,
        "neighbours": page.neighbours,
        "exceptions": told_exceptions(page.exceptions, now=timezone.now()),
    }
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
