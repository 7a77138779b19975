"""Everybody, and what an administrator does to one person."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.accounts import actions
from apps.accounts.access import get_person, has_role, people_like
from apps.accounts.factors import stale_passkeys
from apps.accounts.forms import Grant, Join, Merger, NewIdentity, OwnEnd, Reason
from apps.accounts.freshness import prove_first
from apps.accounts.letters import send_invitation
from apps.accounts.models import Person, Team
from apps.accounts.owning import IN_A_LIST, owned_by
from apps.accounts.relying_party import relying_party
from apps.accounts.roles import Role
from apps.accounts.rules import why_not_administer
from apps.accounts.second_hand import is_administrator
from apps.accounts.steps import asker
from apps.accounts.views.person_page import person_page
from apps.core.acting import carried_out
from apps.core.actors import Actor
from apps.core.pages import PageRequest, render_page

MOST = 200


@require_GET
def everybody(request: PageRequest) -> HttpResponse:
    """Everybody who joined, with roles and teams."""
    text = request.GET.get("q", "")[:120]
    found = people_like(text, limit=MOST + 1)
    refusal = why_not_administer(asker(request.user.actor))
    owned = owned_by(*found[:MOST], reader=request.user, most=IN_A_LIST)
    people = [(person, owned.get(person.pk)) for person in found[:MOST]]
    context = {"people": people, "more": len(found) > MOST, "most": MOST, "text": text, "refusal": refusal}
    stale = {} if refusal else stale_passkeys()
    context |= {"stale": sum(stale.values()), "domains": ", ".join(sorted(stale)), "here": relying_party()}
    context["reviews"] = refusal is None or has_role(request.user, Role.AUDITOR)
    return render_page(request, "accounts/people.html", context)


@require_http_methods(["GET", "POST"])
def join(request: PageRequest) -> HttpResponse:
    """Let somebody join."""
    refusal = why_not_administer(asker(request.user.actor))
    form = Join(request.POST or None)
    made: list[Person] = []
    if request.method == "POST" and carried_out(form, lambda **given: made.append(actions.join_person(**given)), by=request.user.actor):
        messages.success(request, f"{made[0].name} joined. Make a one-time link below, or let them use “Forgotten password”.")
        return redirect("accounts:person", made[0].public_id)
    status = 422 if request.method == "POST" else 200
    return render_page(request, "accounts/join.html", {"form": form, "refusal": refusal}, status=status)


@require_GET
def person(request: PageRequest, public_id: UUID) -> HttpResponse:
    """One person: what they may do, where they belong, by what they are known."""
    return person_page(request, get_person(public_id))


@require_POST
def deactivation(request: PageRequest, public_id: UUID) -> HttpResponse:
    """End what a person can do."""
    about = get_person(public_id)
    is_own_end = about == request.user and why_not_administer(asker(request.user.actor)) is None
    form = (OwnEnd if is_own_end else Reason)(request.POST)
    if asked := proof_asked(request, when=is_administrator(about)):
        return asked
    if carried_out(form, actions.deactivate_person, person_id=about.pk, by=request.user.actor):
        return redirect("accounts:person", public_id)
    return person_page(request, about, deactivate=form)


@require_POST
def reactivation(request: PageRequest, public_id: UUID) -> HttpResponse:
    """Let a person act again."""
    about, form = get_person(public_id), Reason(request.POST)
    if asked := proof_asked(request, when=is_administrator(about)):
        return asked
    if carried_out(form, actions.reactivate_person, person_id=about.pk, by=request.user.actor):
        return redirect("accounts:person", public_id)
    return person_page(request, about, deactivate=form)


@require_POST
def invitation(request: PageRequest, public_id: UUID) -> HttpResponse:
    """Send a one-time link by mail, or show it, once."""
    about = get_person(public_id)
    link = actions.invite_person(about.pk, by=request.user.actor)
    if request.POST.get("how") == "mail":
        if said := send_invitation(about, link, by=request.user):
            messages.error(request, f"The mail did not leave: {said} Make a link and hand it over another way.")
        else:
            messages.success(request, f"The link is on its way to {about.email}. It works once, for three days.")
        return redirect("accounts:person", public_id)
    return render_page(request, "accounts/invitation.html", {"person": about, "link": link, "once": True})


@require_POST
def merger(request: PageRequest, public_id: UUID) -> HttpResponse:
    """Merge another person into this one."""
    keep = get_person(public_id)
    form = Merger(request.POST, keep=keep)
    if carried_out(form, lambda gone, by: actions.merge_persons(keep.pk, gone.pk, by=by), by=request.user.actor):
        messages.success(request, f"{form.cleaned_data['gone'].name} is merged into {keep.name}. Open changes are judged anew.")
        return redirect("accounts:person", public_id)
    return person_page(request, keep, merge=form)


@require_POST
def identities(request: PageRequest, public_id: UUID) -> HttpResponse:
    """Let something stand for this person."""
    about, form = get_person(public_id), NewIdentity(request.POST)
    if carried_out(form, actions.add_person_identity, person_id=about.pk, by=request.user.actor):
        return redirect("accounts:person", public_id)
    return person_page(request, about, identity=form)


@require_POST
def identity_removal(request: PageRequest, public_id: UUID, identity_id: int) -> HttpResponse:
    """Let it stand for this person no longer."""
    identity = get_object_or_404(get_person(public_id).identities, pk=identity_id)
    actions.remove_identity(identity.pk, by=request.user.actor)
    return redirect("accounts:person", public_id)


@require_POST
def roles(request: PageRequest, public_id: UUID) -> HttpResponse:
    """Grant a role."""
    about, form = get_person(public_id), Grant(request.POST)
    if asked := proof_asked(request, when=request.POST.get("role") == Role.ADMINISTRATOR):
        return asked
    if carried_out(form, _grant, person_id=about.pk, by=request.user.actor):
        return redirect("accounts:person", public_id)
    return person_page(request, about, grant=form)


@require_POST
def role_revocation(request: PageRequest, public_id: UUID, grant_id: int) -> HttpResponse:
    """Revoke a role."""
    about = get_person(public_id)
    grant = get_object_or_404(about.role_grants.filter(revoked_at__isnull=True), pk=grant_id)
    if asked := proof_asked(request, when=grant.role == Role.ADMINISTRATOR):
        return asked
    actions.revoke_role(about.pk, role=Role(grant.role), team_id=grant.team_id, by=request.user.actor)
    return redirect("accounts:person", public_id)


def proof_asked(request: PageRequest, *, when: bool) -> HttpResponse | None:
    """Where an administrator proves again who they are before another one is made or ended; who is none is refused by the verb."""
    if not when or why_not_administer(asker(request.user.actor)):
        return None
    return prove_first(request)


def _grant(*, person_id: int, role: Role, team: Team | None, by: Actor) -> None:
    actions.grant_role(person_id, role=role, team_id=team.pk if team else None, by=by)
