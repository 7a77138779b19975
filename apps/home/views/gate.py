"""The pages of the gate: what was asked, one answer explained, asking for oneself. A GET shows; nothing here is recorded."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import Http404, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_safe

from apps.catalog.access import get_target
from apps.core.pages import PageRequest, render_page
from apps.core.refusals import BadContent
from apps.gate.client_file import client_digest
from apps.gate.snippets import SNIPPETS, Place
from apps.home.facts.badge import badge_shown
from apps.home.facts.evaluation import change_url, explained
from apps.home.facts.gate_asking import NO_TARGET, ask_gate
from apps.home.facts.gate_log import PAGE, VIEWS, cursor, gate_log, words_for
from apps.home.gate_form import GatePlace, GateQuestion
from apps.home.search.gate_terms import GATE_SPECS
from apps.home.search.grammar import LONGEST, parse, printed

LONGEST_CURSOR = 40


@require_safe
def gate(request: PageRequest) -> HttpResponse:
    """The log: who asked for what, and the last answer; an id alone leads to its page."""
    text = request.GET.get("q", "")[: LONGEST + 1].strip()
    after = request.GET.get("after", "")[:LONGEST_CURSOR]
    if found := cursor(text):
        return redirect("home:gate_evaluation", found)
    log = gate_log(request.user, text, now=timezone.now(), after=after)
    here = printed(parse(text, specs=GATE_SPECS))
    context = {"log": log, "text": text, "after": after, "size": PAGE, "specs": GATE_SPECS.values()}
    context |= {"tokens": [(word, said, address(rest)) for word, said, rest in words_for(log.query)]}
    context |= {"views": [(name, address(search), search == here) for name, search in VIEWS.items()]}
    context |= {"newest_url": address(text) if after else "", "older_url": address(text, log.page.next_after)}
    return render_page(request, "home/gate.html", context)


def address(text: str, after: UUID | None = None) -> str:
    """The log's address for a search; with AFTER, of the page behind it."""
    words = QueryDict(mutable=True)
    words["q"] = text
    if after:
        words["after"] = str(after)
    return f"?{words.urlencode()}"


@require_safe
def gate_evaluation(request: PageRequest, public_id: UUID) -> HttpResponse:
    """One evaluation: the question, its answers, and what the gate says of it now."""
    one = explained(request.user, public_id)
    context = {"one": one, "now_url": change_url(one.now, request.user)}
    return render_page(request, "home/gate_evaluation.html", context)


@require_safe
def gate_asking(request: PageRequest) -> HttpResponse:
    """Ask as a person: judged at this moment, recorded nowhere, no ticket."""
    form = GateQuestion(request.GET if "service" in request.GET else None, person=request.user)
    context: dict[str, Any] = {"form": form}
    if form.is_bound and form.is_valid():
        try:
            asked = ask_gate(request.user, **form.cleaned_data)
        except BadContent as error:
            form.put_errors(error.errors)
        else:
            context |= {"asked": asked, "now_url": change_url(asked.foresight, request.user)}
    return render_page(request, "home/gate_asking.html", context, status=422 if form.errors else 200)


@require_safe
def gate_pipelines(request: PageRequest) -> HttpResponse:
    """Choose the place that a pipeline deploys to."""
    form = GatePlace(request.GET if "service" in request.GET else None, person=request.user)
    if form.is_bound and form.is_valid():
        try:
            target = get_target(request.user, form.cleaned_data["service"], form.cleaned_data["environment"])
        except Http404:
            form.add_error("environment", NO_TARGET)
        else:
            return redirect("home:gate_pipeline", target.service.slug, target.environment.slug)
    return render_page(request, "home/gate_pipelines.html", {"form": form}, status=422 if form.errors else 200)


@require_safe
def gate_pipeline(request: PageRequest, slug: str, environment: str) -> HttpResponse:
    """What to paste into a pipeline so that it asks before it deploys there."""
    target = get_target(request.user, slug, environment)
    chosen = SNIPPETS.get(request.GET.get("for", ""), SNIPPETS["github"])
    place = Place(settings.PUBLIC_URL, client_digest(), target.service.slug, target.environment.slug)
    context = {"target": target, "snippet": chosen, "text": chosen.write(place), "digest": place.sha256}
    context |= {"badge": badge_shown(request.user, target)}
    context |= {"tabs": [(one.name, f"?for={one.key}", one is chosen) for one in SNIPPETS.values()]}
    return render_page(request, "home/gate_pipeline.html", context)
