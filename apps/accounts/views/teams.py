"""Teams and who is in them."""

from uuid import UUID

from django import forms
from django.contrib import messages
from django.db.models import Count, Q
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.accounts import actions
from apps.accounts.access import get_person, get_team, teams
from apps.accounts.facts import team_facts
from apps.accounts.forms import Name, NewMember, NewTeam
from apps.accounts.models import Team
from apps.accounts.rules import why_not_administer, why_not_retire_team
from apps.accounts.steps import asker
from apps.core.acting import carried_out
from apps.core.pages import PageRequest, render_page


@require_http_methods(["GET", "POST"])
def every_team(request: PageRequest) -> HttpResponse:
    """Every team, and a form for a new one."""
    form = NewTeam(request.POST or None)
    if request.method == "POST" and carried_out(form, actions.create_team, by=request.user.actor):
        return redirect("accounts:team", form.cleaned_data["slug"])
    counted = teams().annotate(member_count=Count("memberships", filter=Q(memberships__ended_at__isnull=True)))
    context = {"teams": counted, "form": form, "refusal": why_not_administer(asker(request.user.actor))}
    return render_page(request, "accounts/teams.html", context, status=422 if request.method == "POST" else 200)


@require_GET
def team(request: PageRequest, slug: str) -> HttpResponse:
    """One team."""
    return team_page(request, get_team(slug))


@require_POST
def name(request: PageRequest, slug: str) -> HttpResponse:
    """Rename a team."""
    about, form = get_team(slug), Name(request.POST)
    if carried_out(form, actions.rename_team, team_id=about.pk, by=request.user.actor):
        return redirect("accounts:team", slug)
    return team_page(request, about, rename=form)


@require_POST
def retirement(request: PageRequest, slug: str) -> HttpResponse:
    """Retire a team."""
    about = actions.retire_team(get_team(slug).pk, by=request.user.actor)
    messages.success(request, f"{about.name} is retired.")
    return redirect("accounts:teams")


@require_POST
def members(request: PageRequest, slug: str) -> HttpResponse:
    """Put a person into a team."""
    about, form = get_team(slug), NewMember(request.POST)
    if carried_out(form, lambda person, by: actions.start_membership(about.pk, person.pk, by=by), by=request.user.actor):
        return redirect("accounts:team", slug)
    return team_page(request, about, member=form)


@require_POST
def member_end(request: PageRequest, slug: str, public_id: UUID) -> HttpResponse:
    """Take a person out of a team."""
    actions.end_membership(get_team(slug).pk, get_person(public_id).pk, by=request.user.actor)
    return redirect("accounts:team", slug)


def team_page(request: PageRequest, about: Team, **sent: forms.Form) -> HttpResponse:
    """The page; `sent` holds the form that was not taken: rename or member."""
    asking = asker(request.user.actor)
    context = {
        "team": about,
        "members": about.memberships.filter(ended_at__isnull=True).select_related("person").order_by("person__name"),
        "refusal": why_not_administer(asking),
        "retire_refusal": why_not_retire_team(asking, team_facts(about)),
        "forms": {"rename": Name(initial={"name": about.name}), "member": NewMember()} | sent,
    }
    return render_page(request, "accounts/team.html", context, status=422 if sent else 200)
