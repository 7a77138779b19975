"""Services, who owns them and where they live."""

from typing import Any
from uuid import UUID

from django import forms
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.accounts.access import get_person
from apps.accounts.models import Person, Team
from apps.accounts.roles import FOR_ONE_SERVICE, Role
from apps.catalog import actions
from apps.catalog.access import get_service, may_see, services_for, targets_of
from apps.catalog.facts import owners_of, service_facts
from apps.catalog.forms import OWNERS, NewOwner, NewRole, NewTarget, ServiceSheet
from apps.catalog.grants import roles_for
from apps.catalog.models import Environment, OwnerKind, Service
from apps.catalog.rules import why_not_configure, why_not_retire_place
from apps.catalog.steps import asker
from apps.core.acting import carried_out
from apps.core.actors import Actor
from apps.core.pages import PageRequest, render_page

FIELDS = ("name", "slug", "tier", "time_zone", "description", "repository", "repository_id", "is_restricted")
MOST = 500


@require_GET
def services(request: PageRequest) -> HttpResponse:
    """Every service one may see."""
    text = request.GET.get("q", "").replace("\x00", "")[:120].strip()
    found = [*services_for(request.user, text=text)[: MOST + 1]]
    context = {
        "services": found[:MOST],
        "more": len(found) > MOST,
        "most": MOST,
        "text": text,
        "refusal": why_not_configure(asker(request.user.actor)),
    }
    return render_page(request, "catalog/services.html", context)


@require_http_methods(["GET", "POST"])
def new_service(request: PageRequest) -> HttpResponse:
    """Enter a service."""
    form, made = ServiceSheet(request.POST or None), []
    if request.method == "POST" and carried_out(form, lambda **given: made.append(_create(**given)), by=request.user.actor):
        seen = may_see(request.user, made[0])
        return redirect("catalog:service", made[0].slug) if seen else redirect("catalog:services")
    context = {"form": form, "refusal": why_not_configure(asker(request.user.actor))}
    return render_page(request, "catalog/service_form.html", context, status=422 if request.method == "POST" else 200)


@require_GET
def service(request: PageRequest, slug: str) -> HttpResponse:
    """One service."""
    return service_page(request, get_service(request.user, slug))


@require_http_methods(["GET", "POST"])
def service_change(request: PageRequest, slug: str) -> HttpResponse:
    """Change a service."""
    about = get_service(request.user, slug)
    form = ServiceSheet(request.POST or None, initial={**{field: getattr(about, field) for field in FIELDS}, "team": about.team.slug})
    made: list[Service] = []
    if request.method == "POST" and carried_out(form, lambda **given: made.append(_change(about, **given)), by=request.user.actor):
        seen = may_see(request.user, made[0])
        return redirect("catalog:service", made[0].slug) if seen else redirect("catalog:services")
    context = {"form": form, "service": about, "refusal": why_not_configure(asker(request.user.actor))}
    return render_page(request, "catalog/service_form.html", context, status=422 if request.method == "POST" else 200)


@require_POST
def service_retirement(request: PageRequest, slug: str) -> HttpResponse:
    """End a service."""
    about = actions.retire_service(get_service(request.user, slug).pk, by=request.user.actor)
    return redirect("catalog:service", about.slug)


@require_POST
def owners(request: PageRequest, slug: str) -> HttpResponse:
    """Name an owner."""
    about, form = get_service(request.user, slug), NewOwner(request.POST)
    if carried_out(form, _own, service=about, by=request.user.actor):
        return redirect("catalog:service", about.slug)
    return service_page(request, about, owner=form)


@require_POST
def owner_end(request: PageRequest, slug: str, kind: str, public_id: UUID) -> HttpResponse:
    """End an ownership."""
    about, owner = get_service(request.user, slug), get_person(public_id)
    actions.end_ownership(about.pk, owner.pk, kind=OwnerKind(kind), by=request.user.actor)
    return redirect("catalog:service", about.slug) if may_see(request.user, about) else redirect("catalog:services")


@require_POST
def roles(request: PageRequest, slug: str) -> HttpResponse:
    """Give a role for the service alone."""
    about, form = get_service(request.user, slug), NewRole(request.POST)
    if carried_out(form, _give, service=about, by=request.user.actor):
        return redirect("catalog:service", about.slug)
    return service_page(request, about, role=form)


@require_POST
def role_end(request: PageRequest, slug: str, role: str, public_id: UUID) -> HttpResponse:
    """Take a role for the service away."""
    about, holder = get_service(request.user, slug), get_person(public_id)
    given = next((one for one in FOR_ONE_SERVICE if one.value.lower() == role), None)
    if given is None:
        raise Http404
    actions.end_service_role(about.pk, holder.pk, role=given, by=request.user.actor)
    return redirect("catalog:service", about.slug) if may_see(request.user, about) else redirect("catalog:services")


@require_POST
def targets(request: PageRequest, slug: str) -> HttpResponse:
    """Let a service live in an environment."""
    about, form = get_service(request.user, slug), NewTarget(request.POST)
    if carried_out(form, _live, service=about, by=request.user.actor):
        return redirect("catalog:target", about.slug, form.cleaned_data["environment"].slug)
    return service_page(request, about, target=form)


def service_page(request: PageRequest, about: Service, **sent: forms.Form) -> HttpResponse:
    """The page; `sent` holds the form that was not taken: owner, role or target."""
    asking = asker(request.user.actor, about)
    context: dict[str, Any] = {
        "service": about,
        "owners": [(kind, OWNERS[OwnerKind(kind)], person) for kind, person in owners_of(about)],
        "workers": [(role.lower(), Role(role).label, person) for role, person in roles_for(about)],
        "targets": targets_of(about),
        "aliases": about.aliases.order_by("slug"),
        "refusal": why_not_configure(asking),
        "retire_refusal": why_not_retire_place(asking, service_facts(about)),
        "forms": {"owner": NewOwner(), "role": NewRole(auto_id="role_%s"), "target": NewTarget()} | sent,
    }
    return render_page(request, "catalog/service.html", context, status=422 if sent else 200)


def _create(*, team: Team, by: Actor, **given: Any) -> Service:  # noqa: ANN401 - the form's cleaned fields
    return actions.create_service(team_id=team.pk, by=by, **given)


def _change(about: Service, *, team: Team, by: Actor, **given: Any) -> Service:  # noqa: ANN401 - the form's cleaned fields
    return actions.change_service(about.pk, team_id=team.pk, by=by, **given)


def _own(*, service: Service, person: Person, kind: OwnerKind, by: Actor) -> None:
    actions.start_ownership(service.pk, person.pk, kind=kind, by=by)


def _give(*, service: Service, person: Person, role: Role, by: Actor) -> None:
    actions.give_service_role(service.pk, person.pk, role=role, by=by)


def _live(*, service: Service, environment: Environment, by: Actor) -> None:
    actions.create_target(service.pk, environment.pk, by=by)
