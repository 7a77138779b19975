"""The pages about what runs and nobody declared: the list with the share of each month, one of them, and what becomes of it."""

from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET, require_POST

from apps.core.acting import carried_out
from apps.core.locks import database_now
from apps.core.pages import PageRequest, render_page
from apps.deployments.completeness import months_for, undeclared_for
from apps.deployments.forms import UndeclaredSettlement
from apps.deployments.models import Settled, Undeclared
from apps.deployments.observations import settle_undeclared, undeclared_refusal
from apps.deployments.shown import actor_names

PAGE = 50


@require_GET
def everything(request: PageRequest) -> HttpResponse:
    """All of them the person sees, open ones first."""
    view = "all" if request.GET.get("view") == "all" else "open"
    found = undeclared_for(request.user).order_by("-seen_at", "-pk")
    rows = list((found if view == "all" else found.filter(settled_at__isnull=True))[:PAGE])
    context = {"rows": rows, "view": view, "months": months_for(request.user, now=database_now()), "most": PAGE}
    return render_page(request, "deployments/undeclared.html", context)


@require_GET
def one(request: PageRequest, number: int) -> HttpResponse:
    """One of them."""
    return _answer(request, _found(request, number), UndeclaredSettlement())


@require_POST
def settle(request: PageRequest, number: int) -> HttpResponse:
    """Adopt it, or explain it."""
    found, form = _found(request, number), UndeclaredSettlement(request.POST)

    def act(*, outcome: str, reason: str) -> Undeclared:
        return settle_undeclared(found.pk, outcome=Settled(outcome), reason=reason, by=request.user.actor)

    if carried_out(form, act):
        return redirect("deployments:undeclared_one", number=found.pk)
    return _answer(request, found, form, status=422)


def _found(request: PageRequest, number: int) -> Undeclared:
    found = undeclared_for(request.user).filter(pk=number).first() if number < 2**63 else None
    if found is None:
        raise Http404
    return found


def _answer(request: PageRequest, found: Undeclared, form: UndeclaredSettlement, *, status: int = 200) -> HttpResponse:
    names = actor_names({found.seen_by, found.settled_by})
    refusal = undeclared_refusal(found, by=request.user.actor, adopts=False)
    context = {
        "found": found,
        "form": form,
        "refusal": refusal,
        "seen_by": names[found.seen_by],
        "settled_by": names.get(found.settled_by, ""),
    }
    return render_page(request, "deployments/undeclared_one.html", context, status=status)
