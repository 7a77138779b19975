"""Gate tokens: the list, one token, issuing and rotating in the browser. A secret is in one answer and nowhere else."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.accounts.freshness import prove_first
from apps.accounts.roles import Role
from apps.catalog.facts import person_facts
from apps.catalog.models import Environment
from apps.core.pages import PageRequest, render_page
from apps.core.refusals import BadContent, Refusal, Refused
from apps.deployments.shown import actor_names
from apps.gate.actions import Issued, issue_gate_token, revoke_gate_token, rotate_gate_token
from apps.gate.rules.tokens import why_not_revoke, why_not_rotate
from apps.gate.rules.trusting import NOT_ADMINISTRATOR, why_not_configure
from apps.home.credential_forms import LONGEST_NAMES, Rotation, Scoped
from apps.home.facts.credentials import Page, get_token, live_tokens, over_tokens, shelf_of, token_row
from apps.home.facts.suggesting import named_services


def reading(request: PageRequest) -> Refusal | None:
    """Let administrators and auditors read these pages; say why this one may change nothing here."""
    facts = person_facts(request.user)
    if not facts.roles & {Role.ADMINISTRATOR, Role.AUDITOR}:
        raise Refused(NOT_ADMINISTRATOR)
    return why_not_configure(facts)


@require_GET
def gate_tokens(request: PageRequest) -> HttpResponse:
    """Tokens that may be used: what they may ask, until when, and when they were last used; `view=over` for the others."""
    refusal = reading(request)
    return render_page(request, "home/gate_tokens.html", {"refusal": refusal, **page_of(request, live=live_tokens, over=over_tokens)})


def page_of(request: PageRequest, *, live: Callable[..., Page], over: Callable[..., Page]) -> dict[str, Any]:
    """What a list of credentials shows: a page of those in use, or of those that are over."""
    is_over = request.GET.get("view") == "over"
    view, name, listed = ("over", "before", over) if is_over else ("live", "after", live)
    found = listed(reader=request.user, now=timezone.now(), given=request.GET.get(name, ""))
    older = f"?view={view}&{name}={found.cut}" if found.cut else ""
    newest = f"?view={view}" if found.is_later else ""
    return {"rows": found.rows, "is_over": is_over, "is_later": found.is_later, "older_url": older, "newest_url": newest}


@require_http_methods(["GET", "POST"])
def new_gate_token(request: PageRequest) -> HttpResponse:
    """Issue one and show it, once."""
    if refusal := reading(request):
        raise Refused(refusal)
    form = Scoped(request.POST or None, person=request.user)
    if request.method == "POST" and form.is_valid():
        if way := prove_first(request):
            return way
        try:
            return _once(request, _issue(form, request))
        except BadContent as error:
            form.put_errors(error.errors)
    return render_page(request, "home/gate_token_new.html", {"form": form}, status=422 if request.method == "POST" else 200)


@require_GET
def gate_services(request: PageRequest) -> HttpResponse:
    """How the names of services in a form could go on; asked for without a script, the form."""
    if refusal := reading(request):
        raise Refused(refusal)
    if not request.htmx:
        return render_page(request, "home/gate_token_new.html", {"form": Scoped(person=request.user)})
    found = named_services(request.user, request.GET.get("services", "")[:LONGEST_NAMES])
    return render_page(request, "home/_suggestions.html", {"found": found})


@require_GET
def gate_token(request: PageRequest, public_id: UUID) -> HttpResponse:
    """One token, and what can be done with it."""
    refusal = reading(request)
    return _page(request, public_id, Rotation(), refusal)


@require_POST
def gate_token_rotation(request: PageRequest, public_id: UUID) -> HttpResponse:
    """Issue the next secret for it and show it, once; both work for a while."""
    refusal = reading(request)
    form, token = Rotation(request.POST), get_token(public_id)
    if refusal is None and (way := prove_first(request)):
        return way
    if form.is_valid():
        return _once(request, rotate_gate_token(token.pk, by=request.user.actor, **form.cleaned_data))
    return _page(request, public_id, form, refusal, status=422)


@require_POST
def gate_token_revocation(request: PageRequest, public_id: UUID) -> HttpResponse:
    """End it at once."""
    reading(request)
    token = revoke_gate_token(get_token(public_id).pk, by=request.user.actor)
    messages.success(request, f"The token {token.name} is revoked. Whoever carries it is refused from now on.")
    return redirect("home:gate_tokens")


def _issue(form: Scoped, request: PageRequest) -> Issued:
    scope = form.scope
    places = None if scope.environment_ids is None else list(Environment.objects.filter(pk__in=scope.environment_ids))
    return issue_gate_token(
        name=scope.name,
        actions=scope.actions,
        days=scope.days,
        services=form.cleaned_data["services"],
        environments=places,
        detail=scope.detail,
        by=request.user.actor,
    )


def _once(request: PageRequest, issued: Issued) -> HttpResponse:
    response = render_page(request, "home/gate_token_issued.html", {"issued": issued, "once": True})
    response["Cache-Control"] = "no-store"
    return response


def _page(request: PageRequest, public_id: UUID, form: Rotation, refusal: Refusal | None, status: int = 200) -> HttpResponse:
    token, now = get_token(public_id), timezone.now()
    names = actor_names({token.issued_by, token.revoked_by})
    context = {
        "row": token_row(token, shelf_of([token], reader=request.user), now=now),
        "form": form,
        "issued_by": names[token.issued_by],
        "revoked_by": names.get(token.revoked_by, ""),
        "rotation_refusal": refusal or why_not_rotate(token.name, is_live=token.is_live(now)),
        "revocation_refusal": refusal or why_not_revoke(token.name, is_revoked=token.revoked_at is not None),
    }
    return render_page(request, "home/gate_token.html", context, status=status)
