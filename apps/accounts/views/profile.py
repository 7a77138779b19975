"""One's own page: name, zone, personal tokens."""

from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from apps.accounts import actions
from apps.accounts.access import get_token, roles_of, teams_of
from apps.accounts.facts import hours_of
from apps.accounts.forms import Hours, NewToken, Profile
from apps.accounts.freshness import anew
from apps.accounts.owning import ON_A_PAGE, owned_by
from apps.accounts.roles import PURPOSE
from apps.core.acting import carried_out
from apps.core.pages import PageRequest, render_page

SECOND_FORM_IDS = "token_%s"  # two forms of the page have a name


@require_http_methods(["GET", "POST"])
def profile(request: PageRequest) -> HttpResponse:
    """How one is shown, and one's tokens."""
    me = request.user
    form = Profile(request.POST or None, initial={"name": me.name, "time_zone": me.time_zone})
    if request.method == "POST":
        if carried_out(form, actions.rename_person, person_id=me.pk, by=me.actor):
            messages.success(request, "Saved.")
            return redirect("accounts:profile")
        return profile_page(request, profile=form)
    return profile_page(request)


@require_POST
def hours(request: PageRequest) -> HttpResponse:
    """When one works."""
    form = Hours(request.POST)
    if carried_out(form, actions.set_working_hours, person_id=request.user.pk, by=request.user.actor):
        messages.success(request, "Saved.")
        return redirect("accounts:profile")
    return profile_page(request, hours=form)


@require_POST
@anew
def tokens(request: PageRequest) -> HttpResponse:
    """Issue a token and show it, once."""
    form = NewToken(request.POST, auto_id=SECOND_FORM_IDS)
    made: list[actions.Issued] = []
    if carried_out(form, lambda **given: made.append(actions.issue_personal_token(**given)), by=request.user.actor):
        return render_page(request, "accounts/token.html", {"issued": made[0], "once": True})
    return profile_page(request, token=form)


@require_POST
def token_revocation(request: PageRequest, public_id: UUID) -> HttpResponse:
    """End a token at once."""
    token = actions.revoke_personal_token(get_token(request.user, public_id).pk, by=request.user.actor)
    messages.success(request, f"The token {token.name} is revoked.")
    return redirect("accounts:profile")


def profile_page(request: PageRequest, **sent: forms.Form) -> HttpResponse:
    """The page; `sent` holds the form that was not taken: profile, hours or token."""
    me = request.user
    working = hours_of(me)
    shown = {
        "profile": Profile(initial={"name": me.name, "time_zone": me.time_zone}),
        "hours": Hours(initial={"days": sorted(working.days), "begins": working.begins, "ends": working.ends}),
        "token": NewToken(auto_id=SECOND_FORM_IDS),
    }
    context = {
        "person": me,
        "roles": [(role.label, PURPOSE[role]) for role in sorted(roles_of(me))],
        "teams": teams_of(me),
        "owning": owned_by(me, reader=me, most=ON_A_PAGE).get(me.pk),
        "tokens": me.tokens.filter(revoked_at__isnull=True, expires_at__gt=timezone.now()).order_by("-issued_at"),
        "forms": shown | sent,
    }
    return render_page(request, "accounts/profile.html", context, status=422 if sent else 200)
