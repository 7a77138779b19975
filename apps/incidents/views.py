"""The pages of incidents: the list, one with its timeline, and what people say and do about it."""

from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.catalog.access import targets_for
from apps.core.pages import PageRequest, render_page
from apps.core.refusals import BadContent
from apps.incidents.access import arrivals_before, get_incident, get_timeline_entry, incidents_for, may_stop_something, names_of
from apps.incidents.actions import correct_timeline, note_on_timeline, open_incident, recover_incident, resolve_incident
from apps.incidents.facts import key_times, timeline
from apps.incidents.forms import Ending, Note, Opening, Shown
from apps.incidents.models import Incident
from apps.incidents.refusals import recover_refusal, resolve_refusal
from apps.incidents.states import State

PAGE = 50


@require_GET
def incidents(request: PageRequest) -> HttpResponse:
    """All incidents the person sees, newest first; `view=open` for those not resolved."""
    view = "all" if request.GET.get("view") == "all" else "open"
    before = request.GET.get("before", "")
    found = incidents_for(request.user).order_by("-pk")
    if view == "open":
        found = found.exclude(state=State.RESOLVED)
    if before.isascii() and before.isdigit() and len(before) < 19:
        found = found.filter(pk__lt=int(before))
    rows = list(found[: PAGE + 1])
    older = f"?view={view}&before={rows[PAGE - 1].pk}" if len(rows) > PAGE else ""
    context = {"rows": rows[:PAGE], "view": view, "older_url": older, "newest_url": f"?view={view}" if before else ""}
    return render_page(request, "incidents/incidents.html", context)


@require_http_methods(["GET", "POST"])
def new(request: PageRequest) -> HttpResponse:
    """Say that something is wrong for users."""
    form = Opening(request.POST if request.method == "POST" else None)
    targets = {target.public_id: target for target in targets_for(request.user)}
    if not may_stop_something(request.user):
        del form.fields["hold"]
    form.fields["target"].widget.choices = [("", "Choose"), *((key, str(target)) for key, target in targets.items())]
    if form.is_valid() and form.cleaned_data["target"] not in targets:
        form.add_error("target", "There is nothing of this name. Choose where from the list.")
    if not form.is_valid():
        return render_page(request, "incidents/new.html", {"form": form}, status=422 if form.is_bound else 200)
    given = {"hold": False} | form.cleaned_data
    try:
        made = open_incident(targets[given.pop("target")].pk, **given, by=request.user.actor)
    except BadContent as error:
        form.put_errors(error.errors)
        return render_page(request, "incidents/new.html", {"form": form}, status=422)
    return redirect("incidents:incident", number=made.pk)


@require_GET
def incident(request: PageRequest, number: int) -> HttpResponse:
    """One incident; its timeline is asked for again while it is not resolved."""
    found = get_incident(request.user, number)
    if request.htmx and request.GET.get("seen") != found.state:
        return HttpResponse(status=204, headers={"HX-Refresh": "true"})  # buttons and key times change with the state
    return answer(request, found)


@require_POST
def note(request: PageRequest, number: int) -> HttpResponse:
    """Write on the timeline."""
    found, form = get_incident(request.user, number), Note(request.POST)
    return taken(request, found, form, key="note_form", act=lambda given: note_on_timeline(found.pk, by=request.user.actor, **given))


@require_http_methods(["GET", "POST"])
def correction(request: PageRequest, number: int, entry_id: UUID) -> HttpResponse:
    """Put a better entry in the place of one."""
    old = get_timeline_entry(request.user, number, entry_id)
    form = Note(request.POST) if request.method == "POST" else Note(initial={"text": old.text, "occurred_at": old.occurred_at})
    if request.method == "POST" and form.is_valid():
        try:
            correct_timeline(old.pk, by=request.user.actor, **form.cleaned_data)
        except BadContent as error:
            form.put_errors(error.errors)
        else:
            return redirect("incidents:incident", number=number)
    context = {"incident": old.incident, "old": old, "form": form}
    return render_page(request, "incidents/correction.html", context, status=422 if form.is_bound else 200)


@require_POST
def recover(request: PageRequest, number: int) -> HttpResponse:
    """Say that users are well again."""
    found, form = get_incident(request.user, number), Ending(request.POST)
    return taken(request, found, form, key="end_form", act=lambda given: recover_incident(found.pk, by=request.user.actor, **given))


@require_POST
def resolve(request: PageRequest, number: int) -> HttpResponse:
    """Say that it is over."""
    found, form = get_incident(request.user, number), Ending(request.POST)
    return taken(request, found, form, key="end_form", act=lambda given: resolve_incident(found.pk, by=request.user.actor, **given))


def taken(request: PageRequest, found: Incident, form: Shown, *, key: str, act: Callable[[dict[str, Any]], object]) -> HttpResponse:
    """Carry out what a form says, or show what is wrong with it."""
    if form.is_valid():
        try:
            act(form.cleaned_data)
        except BadContent as error:
            form.put_errors(error.errors)
        else:
            messages.success(request, f"{found.ref} has it.")
            return redirect("incidents:incident", number=found.pk)
    return answer(request, found, status=422, **{key: form})


def answer(request: PageRequest, found: Incident, *, status: int = 200, **forms: Shown) -> HttpResponse:
    """The page, or its timeline."""
    by, only_key = request.user.actor, request.GET.get("show") != "all"
    lines, count = timeline(found, reader=request.user, names_of=partial(names_of, reader=request.user), only_key=only_key)
    context = {
        "incident": found,
        "lines": lines,
        "count": count,
        "only_key": only_key,
        "moments": key_times(found, now=timezone.now()),
        "arrivals": arrivals_before(found),
        "recover_refusal": recover_refusal(found, by=by),
        "resolve_refusal": resolve_refusal(found, by=by),
        "note_form": Note(),
        "end_form": Ending(),
    }
    return render_page(request, "incidents/incident.html", context | forms, fragment="incidents/_timeline.html", status=status)
