"""Environments: the ladder."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.catalog import actions
from apps.catalog.access import environments_in_order, get_environment
from apps.catalog.facts import environment_facts
from apps.catalog.forms import REQUIRED, EnvironmentSheet
from apps.catalog.models import ChangeRequired
from apps.catalog.rules import why_not_configure, why_not_retire_place
from apps.catalog.steps import asker
from apps.core.acting import carried_out
from apps.core.pages import PageRequest, render_page

FIELDS = ("name", "slug", "rank", "change_required", "time_zone")


@require_GET
def environments(request: PageRequest) -> HttpResponse:
    """The ladder, the lowest rung first."""
    rows = [(rung, REQUIRED[ChangeRequired(rung.change_required)]) for rung in environments_in_order()]
    return render_page(request, "catalog/environments.html", {"rows": rows, "refusal": why_not_configure(asker(request.user.actor))})


@require_http_methods(["GET", "POST"])
def new_environment(request: PageRequest) -> HttpResponse:
    """Add a rung."""
    form = EnvironmentSheet(request.POST or None)
    if request.method == "POST" and carried_out(form, actions.create_environment, by=request.user.actor):
        if form.cleaned_data["change_required"] == ChangeRequired.APPROVED:
            messages.warning(
                request, f"Nothing goes to {form.cleaned_data['name']} until a policy says who must agree there: write one next."
            )
        return redirect("catalog:environments")
    context = {"form": form, "refusal": why_not_configure(asker(request.user.actor))}
    return render_page(request, "catalog/environment_form.html", context, status=422 if request.method == "POST" else 200)


@require_http_methods(["GET", "POST"])
def environment(request: PageRequest, slug: str) -> HttpResponse:
    """Change a rung."""
    about = get_environment(slug)
    form = EnvironmentSheet(request.POST or None, initial={field: getattr(about, field) for field in FIELDS})
    if request.method == "POST" and carried_out(form, actions.change_environment, environment_id=about.pk, by=request.user.actor):
        return redirect("catalog:environments")
    asking = asker(request.user.actor)
    context: dict[str, Any] = {"form": form, "environment": about, "refusal": why_not_configure(asking)}
    context["retire_refusal"] = why_not_retire_place(asking, environment_facts(about))
    return render_page(request, "catalog/environment_form.html", context, status=422 if request.method == "POST" else 200)


@require_POST
def environment_retirement(request: PageRequest, slug: str) -> HttpResponse:
    """End an environment."""
    actions.retire_environment(get_environment(slug).pk, by=request.user.actor)
    return redirect("catalog:environments")
