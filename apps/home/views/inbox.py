"""The inbox: what waits for the person, what they decided, what they sign in another's place. A GET shows; it never writes."""

from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from apps.core.pages import PageRequest, render_page
from apps.gate.proposals import proposals_waiting_for
from apps.home.facts.exceptions import exceptions_waiting_for
from apps.home.facts.inbox import (
    PAGE,
    counted_for_signature,
    decided_by,
    delegated_to,
    scope_words,
    stand_ins_of,
    unproved_words,
    waiting_for_signature,
)
from apps.home.facts.owed_reviews import reviews_owed_by
from apps.home.views.reading import number_in

TABS = {"waiting": "Waiting for me", "decided": "Decided by me", "delegated": "In another's place"}


@require_safe
def inbox(request: PageRequest) -> HttpResponse:
    """One of the three lists; what waits for the person unless another is asked for."""
    now, asked = timezone.now(), request.GET.get("tab", "")
    tab = asked if asked in TABS else "waiting"
    context: dict[str, Any] = {"tab": tab, "tabs": [(key, word, key == tab) for key, word in TABS.items()]}
    match tab:
        case "decided":
            context["decided"] = decided_by(request.user, before=number_in(request.GET.get("before", "")))
        case "delegated":
            given = stand_ins_of(request.user, now=now)
            words = scope_words(given)
            context |= {"queue": delegated_to(request.user, now=now), "stand_ins": [(one, words[one.pk]) for one in given]}
        case _:
            queue = waiting_for_signature(request.user, now=now)
            context |= {
                "queue": queue,
                "unproved": unproved_words(request.user, queue.wanted),
                "exceptions": exceptions_waiting_for(request.user, now=now),
                "proposals": proposals_waiting_for(request.user, now=now),
                "reviews": reviews_owed_by(request.user, now=now),
            }
    return render_page(request, "home/inbox.html", context | {"most": PAGE})


@require_safe
def inbox_count(request: PageRequest) -> HttpResponse:
    """How many wait, for the navigation: the number of the first page, kept by the browser for a moment.

    Asked for without a script it is the inbox itself."""
    if not request.htmx:
        return inbox(request)
    word = counted_for_signature(request.user, now=timezone.now()).word
    answer = render_page(request, "home/_inbox_count.html", {"count": word})
    answer["Cache-Control"], answer["Vary"] = "private, max-age=20", "HX-Request, Cookie"
    return answer
