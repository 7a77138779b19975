"""The pages of deployments: the list, one of them live, and what people do to it."""

from collections.abc import Callable
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET, require_POST

from apps.changes.access import get_leg
from apps.core.pages import PageRequest, render_page
from apps.core.prose import name_hidden
from apps.core.refusals import BadContent
from apps.deployments.access import deployments_for, get_deployment
from apps.deployments.actions import abort_deployment, order_deployment, roll_back_deployment, settle_deployment
from apps.deployments.facts import log_text
from apps.deployments.forms import Narrowing, Shown, StopReason, WayBackReason, place_before, settlement_of
from apps.deployments.models import Deployment
from apps.deployments.rules.orders import Truth
from apps.deployments.shown import actor_names, page_context, seen_changes

PAGE = 50
VIEWS = {"all": "All", "open": "On their way"}


@require_GET
def deployments(request: PageRequest) -> HttpResponse:
    """All deployments the person sees, newest first; `view=open` for those on their way; of one service or environment, or of all."""
    view = "open" if request.GET.get("view") == "open" else "all"
    form, before = Narrowing(request.GET, person=request.user), place_before(request.GET.get("before", ""))
    found = deployments_for(request.user).order_by("-pk") if form.is_valid() else Deployment.objects.none()
    found = found.filter(form.places)
    if view == "open":
        found = found.open()  # type: ignore[attr-defined]  # the stub forgets the queryset's own methods
    if before is not None:
        found = found.filter(pk__lt=before)
    rows = list(found[: PAGE + 1])
    names, seen = actor_names({row.ordered_by for row in rows}), seen_changes(request.user, rows)
    context = {
        "rows": [(row, names[row.ordered_by], seen.get(row.pk)) for row in rows[:PAGE]],
        "view": view,
        "form": form,
        "is_narrowed": form.has_changed(),
        "views": [(word, form.address(view=key), key == view) for key, word in VIEWS.items()],
        "older_url": form.address(view=view, before=str(rows[PAGE - 1].pk)) if len(rows) > PAGE else "",
        "newest_url": form.address(view=view) if before is not None else "",
    }
    return render_page(request, "deployments/deployments.html", context, status=422 if form.errors else 200)


@require_GET
def deployment(request: PageRequest, number: int) -> HttpResponse:
    """One deployment; its live part is asked for again until the state it was drawn with has passed."""
    found = get_deployment(request.user, number)
    if request.htmx and request.GET.get("seen") != found.state:
        return HttpResponse(status=204, headers={"HX-Refresh": "true"})  # buttons and head change with the state
    return answer(request, found)


@require_GET
def log(request: PageRequest, number: int) -> HttpResponse:
    """The whole log as plain text; what nobody would see in it is named."""
    return HttpResponse(name_hidden(log_text(get_deployment(request.user, number))), content_type="text/plain; charset=utf-8")


@require_POST
def order(request: PageRequest, leg_id: UUID) -> HttpResponse:
    """Order the deployment of one leg."""
    made = order_deployment(get_leg(request.user, str(leg_id)).pk, by=request.user.actor)
    messages.success(request, f"{made.ref} is ordered. It begins when the gate allows it; this page follows it.")
    return redirect("deployments:deployment", number=made.pk)


@require_POST
def stop(request: PageRequest, number: int) -> HttpResponse:
    """Stop it before its switch."""
    found, form = get_deployment(request.user, number), StopReason(request.POST)
    return taken(
        request, found, form, key="stop_form", act=lambda given: abort_deployment(found.pk, by=request.user.actor, reason=given["reason"])
    )


@require_POST
def roll_back(request: PageRequest, number: int) -> HttpResponse:
    """Undo it; the page of the way back follows."""
    found, form = get_deployment(request.user, number), WayBackReason(request.POST)
    return taken(
        request,
        found,
        form,
        key="back_form",
        act=lambda given: roll_back_deployment(found.pk, by=request.user.actor, reason=given["reason"]),
    )


@require_POST
def settle(request: PageRequest, number: int) -> HttpResponse:
    """Say what is true on its target."""
    found = get_deployment(request.user, number)
    form = settlement_of(is_external=found.is_external)(request.POST)

    def act(given: dict[str, str]) -> Deployment:
        return settle_deployment(found.pk, truth=Truth(given["truth"]), reason=given["reason"], by=request.user.actor)

    return taken(request, found, form, key="settle_form", act=act)


def taken(request: PageRequest, found: Deployment, form: Shown, *, key: str, act: Callable[[dict[str, str]], Deployment]) -> HttpResponse:
    """Carry out what a form says, or show what is wrong with it."""
    if form.is_valid():
        try:
            done = act(form.cleaned_data)
        except BadContent as error:
            form.put_errors(error.errors)
        else:
            return redirect("deployments:deployment", number=done.pk)
    return answer(request, found, status=422, **{key: form})


def answer(request: PageRequest, found: Deployment, *, status: int = 200, **forms: Shown) -> HttpResponse:
    """The page, or its live part."""
    settle_form = settlement_of(is_external=found.is_external)()
    context = {"stop_form": StopReason(), "back_form": WayBackReason(), "settle_form": settle_form} | forms
    context |= page_context(found, request.user)
    return render_page(request, "deployments/deployment.html", context, fragment="deployments/_live.html", status=status)
