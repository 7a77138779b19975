"""The pages about what runs and nobody declared: the list with the share of each month, one of them, and what becomes of it."""

from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET, require_POST

from apps.core.acting import carried_out
from apps.core.locks import database_now
from apps.core.pages import PageRequest, render_page
from apps.deployments.completeness import months_for, undeclared_for
from apps.deployments.forms import UndeclaredSettlement, place_before
from apps.deployments.models import Settled, Undeclared
from apps.deployments.observations import settle_undeclared, undeclared_refusal
from apps.deployments.shown import actor_names

PAGE = 50


@require_GET
def everything(request: PageRequest) -> HttpResponse:
    """Those the person sees and nobody settled, newest first; `view=all` for all of them."""
    view, before = "all" if request.GET.get("view") == "all" else "open", place_before(request.GET.get("before", ""))
    found = undeclared_for(request.user).order_by("-pk")
    if view == "open":
        found = found.filter(settled_at__isnull=True)
    if before is not None:
        found = found.filter(pk__lt=before)
    rows = list(found[: PAGE + 1])
    context = {"rows": rows[:PAGE], "view": view, "is_later": before is not None, "months": months_for(request.user, now=database_now())}
    context["older_url"] = f"?view={view}&before={rows[PAGE - 1].pk}" if len(rows) > PAGE else ""
    context["newest_url"] = f"?view={view}" if before is not None else ""
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
