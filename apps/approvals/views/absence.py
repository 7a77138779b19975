"""Being away, and who signs in one's place meanwhile."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from apps.accounts.access import has_role
from apps.accounts.models import Person
from apps.accounts.roles import Role
from apps.approvals import actions
from apps.approvals.access import absences, away_people, delegations, get_absence, get_delegation
from apps.approvals.forms import AwaySheet, StandInSheet
from apps.approvals.models import Delegation
from apps.catalog.access import services_for
from apps.catalog.models import Service
from apps.core.acting import carried_out
from apps.core.actors import Actor
from apps.core.pages import PageRequest, render_page

IDS = "stand_in_%s"  # two forms of the page ask from when to when
MOST_OTHERS = 100


@require_GET
def absence_page(request: PageRequest) -> HttpResponse:
    """When one is away, who stands in, and for whom one stands in oneself."""
    return page(request)


@require_POST
def times(request: PageRequest) -> HttpResponse:
    """Say when somebody is away."""
    form = AwaySheet(request.POST, others=has_role(request.user, Role.ADMINISTRATOR))
    if carried_out(form, _enter, asking=request.user):
        messages.success(request, "Entered. Whoever waits for an agreement sees it in the forecast.")
        return redirect("approvals:absence")
    return page(request, away=form)


@require_POST
def time_end(request: PageRequest, public_id: UUID) -> HttpResponse:
    """Be there after all."""
    actions.cancel_absence(absence_id=get_absence(public_id).pk, by=request.user.actor)
    messages.success(request, "Cancelled.")
    return redirect("approvals:absence")


@require_POST
def stand_ins(request: PageRequest) -> HttpResponse:
    """Ask somebody to stand in."""
    form = StandInSheet(request.POST, person=request.user, auto_id=IDS)
    if carried_out(form, _ask, zone=request.user.time_zone, by=request.user.actor):
        messages.success(request, "They are told. What they sign in your place says so.")
        return redirect("approvals:absence")
    return page(request, stand_in=form)


@require_POST
def stand_in_end(request: PageRequest, public_id: UUID) -> HttpResponse:
    """End it early."""
    actions.end_delegation(delegation_id=get_delegation(request.user, public_id).pk, by=request.user.actor)
    messages.success(request, "Ended. What was signed meanwhile stays said.")
    return redirect("approvals:absence")


def page(request: PageRequest, **sent: forms.Form) -> HttpResponse:
    """The page; `sent` holds the form that was not taken: away or stand_in."""
    person, now = request.user, timezone.now()
    others = has_role(person, Role.ADMINISTRATOR)
    standing = delegations(now=now)
    context: dict[str, Any] = {
        "mine": absences(person, now=now),
        "away": away_people(now=now) if others else away_people(now=now).exclude(person=person),
        "others": others,
        "given": [(one, scope_words(one, person)) for one in standing.filter(person=person)],
        "taken": [(one, scope_words(one, person)) for one in standing.filter(delegate=person)],
        "elsewhere": standing.exclude(person=person).exclude(delegate=person)[:MOST_OTHERS] if others else (),
        "forms": {"away": AwaySheet(others=others), "stand_in": StandInSheet(person=person, auto_id=IDS)} | sent,
        "zone": person.time_zone,
    }
    return render_page(request, "approvals/absence.html", context, status=422 if sent else 200)


def scope_words(one: Delegation, person: Person) -> str:
    """For what somebody stands in, as far as the reader may see the services."""
    kinds = "every kind of change" if one.kinds is None else f"{', '.join(kind.lower() for kind in one.kinds)} changes"
    if one.service_ids is None:
        return f"Every service, {kinds}"
    names = [*services_for(person).filter(pk__in=one.service_ids).values_list("name", flat=True)]
    unseen = len(one.service_ids) - len(names)
    return f"{', '.join([*names, *([f'{unseen} you do not see'] if unseen else [])])}; {kinds}"


def _enter(*, asking: Person, starts_at: datetime, ends_at: datetime, person: Person | None = None) -> None:
    of = person or asking
    actions.enter_absence(person_id=of.pk, starts_at=starts_at, ends_at=ends_at, time_zone=asking.time_zone, by=asking.actor)


def _ask(
    *, delegate: Person, starts_at: datetime, ends_at: datetime, services: list[Service], kinds: list[str], zone: str, by: Actor
) -> None:
    wanted = [service.pk for service in services] or None
    actions.give_delegation(
        delegate_id=delegate.pk, starts_at=starts_at, ends_at=ends_at, service_ids=wanted, kinds=kinds or None, time_zone=zone, by=by
    )
