"""Trusts in CI jobs: issuers, the list, one trust with what a second administrator decides, and trying a token."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.accounts.facts import are_two_administrators
from apps.accounts.freshness import anew, prove_first
from apps.catalog.facts import person_facts
from apps.core.acting import carried_out
from apps.core.pages import PageRequest, render_page
from apps.core.refusals import BadContent, Refused
from apps.gate.models import Issuer, Trust
from apps.gate.rules.trusting import why_not_confirm_trust, why_not_end_trust
from apps.gate.rules.workloads import IssuerKind
from apps.gate.trusting import add_issuer, confirm_trust, end_issuer, end_trust, propose_trust, waiting_facts
from apps.gate.trusts import get_issuer, get_trust
from apps.gate.trying import try_token
from apps.home.credential_forms import NewIssuer, NewTrust, Trying
from apps.home.facts.credentials import live_trusts, over_trusts, pins_told, shelf_of, trust_row
from apps.home.views.credentials import page_of, reading


@require_GET
def trusts(request: PageRequest) -> HttpResponse:
    """Whose jobs may ask, and who signs for them; `view=over` for trusts that were ended or have expired."""
    refusal = reading(request)
    issuers = Issuer.objects.filter(ended_at__isnull=True).order_by("name", "pk")
    context = {"issuers": issuers, "refusal": refusal, **page_of(request, live=live_trusts, over=over_trusts)}
    return render_page(request, "home/trusts.html", context)


@require_http_methods(["GET", "POST"])
def new_issuer(request: PageRequest) -> HttpResponse:
    """Enter who signs tokens of CI jobs."""
    if refusal := reading(request):
        raise Refused(refusal)
    form = NewIssuer(request.POST or None)
    if request.method == "POST" and carried_out(form, _add_issuer, request=request):
        return redirect("home:trusts")
    return render_page(request, "home/issuer_new.html", {"form": form}, status=422 if request.method == "POST" else 200)


def _add_issuer(*, name: str, url: str, kind: str, project_claim: str, request: PageRequest) -> None:
    issuer = add_issuer(name=name, url=url, kind=IssuerKind(kind), project_claim=project_claim, by=request.user.actor)
    messages.success(request, f"{issuer.name} is entered. It lets nobody in before a trust names a project.")


@require_POST
def issuer_end(request: PageRequest, public_id: UUID) -> HttpResponse:
    """Believe it no longer."""
    issuer = end_issuer(get_issuer(public_id).pk, by=request.user.actor)
    messages.success(request, f"{issuer.name} is ended, and every trust in its jobs.")
    return redirect("home:trusts")


@require_http_methods(["GET", "POST"])
def new_trust(request: PageRequest) -> HttpResponse:
    """Trust jobs of a project, or propose it."""
    if refusal := reading(request):
        raise Refused(refusal)
    form = NewTrust(request.POST or None, person=request.user)
    if request.method == "POST" and form.is_valid():
        if way := prove_first(request):
            return way
        try:
            trust = propose_trust(issuer_id=form.cleaned_data["issuer"].pk, pins=form.pins, scope=form.scope, by=request.user.actor)
        except BadContent as error:
            form.put_errors(error.errors)
        else:
            messages.success(request, _said(trust))
            return redirect("home:trust", trust.grant.public_id)
    context = {"form": form, "takes_two": are_two_administrators(), "issuers": Issuer.objects.filter(ended_at__isnull=True).exists()}
    return render_page(request, "home/trust_new.html", context, status=422 if request.method == "POST" else 200)


def _said(trust: Trust) -> str:
    if trust.in_force_at is None:
        return "It is proposed. Another administrator confirms it; until then it lets nobody in."
    return "It holds from now on."


@require_GET
def trust(request: PageRequest, public_id: UUID) -> HttpResponse:
    """One trust: its pins, its scope, and what can be done with it."""
    reading(request)
    about, now = get_trust(public_id), timezone.now()
    facts, waiting = person_facts(request.user), waiting_facts(about, now=now)
    context = {
        "row": trust_row(about, shelf_of([about.grant], reader=request.user), now=now),
        "pins": pins_told(about),
        "waits": about.in_force_at is None,
        "is_own": facts.canonical_id == waiting.proposed_by,
        "confirm_refusal": why_not_confirm_trust(facts, waiting),
        "end_refusal": why_not_end_trust(facts, waiting),
    }
    return render_page(request, "home/trust.html", context)


@require_POST
@anew
def trust_confirmation(request: PageRequest, public_id: UUID) -> HttpResponse:
    """Put it in force."""
    confirm_trust(get_trust(public_id).pk, by=request.user.actor)
    messages.success(request, "It holds from now on.")
    return redirect("home:trust", public_id)


@require_POST
def trust_end(request: PageRequest, public_id: UUID) -> HttpResponse:
    """End it, refuse it, or take it back."""
    end_trust(get_trust(public_id).pk, by=request.user.actor)
    messages.success(request, "It is ended. Its jobs are refused from now on.")
    return redirect("home:trusts")


@sensitive_post_parameters("token")
@require_http_methods(["GET", "POST"])
def trust_trial(request: PageRequest) -> HttpResponse:
    """Say of a token, or of claims, which check takes it and which does not. Nothing is kept."""
    if refusal := reading(request):
        raise Refused(refusal)
    form = Trying(request.POST or None)
    trial = try_token(form.cleaned_data["token"]) if request.method == "POST" and form.is_valid() else None
    # A token is a credential: it is not written back into the page.
    context = {"form": Trying() if trial else form, "trial": trial}
    response = render_page(request, "home/trust_trial.html", context, status=422 if request.method == "POST" and trial is None else 200)
    response["Cache-Control"] = "no-store"
    return response
