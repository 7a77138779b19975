"""Reviews of who may act: who can do what, and who could have approved their own change."""

from django.http import HttpResponse, StreamingHttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from apps.accounts.access import has_role
from apps.accounts.roles import Role
from apps.catalog.access import get_service, services_for
from apps.core.pages import PageRequest, render_page
from apps.core.refusals import Refused, not_allowed
from apps.home.facts.access_review import MOST, review_lines, reviewed
from apps.home.facts.own_approvals import exposures, own_approvals

LONGEST = 120
NOT_A_REVIEWER = not_allowed(
    "not_a_reviewer", "Reviews of access are for administrators and auditors.", "An administrator can give you one of the two roles."
)


@require_safe
def access(request: PageRequest) -> HttpResponse:
    """Who can do what, for everything or for one service."""
    _check(request)
    text, slug = request.GET.get("q", "")[:LONGEST], request.GET.get("service", "")
    service = get_service(request.user, slug) if slug else None
    rows = reviewed(request.user, text=text, service=service, most=MOST + 1)
    services = services_for(request.user).filter(retired_at__isnull=True).order_by("name")
    context = {"rows": rows[:MOST], "more": len(rows) > MOST, "most": MOST, "text": text, "service": service, "services": services}
    return render_page(request, "home/access.html", context)


@require_safe
def access_export(request: PageRequest) -> StreamingHttpResponse:
    """The same as a table to tick off."""
    _check(request)
    headers = {"Content-Disposition": 'attachment; filename="access-review.csv"'}
    return StreamingHttpResponse(review_lines(request.user), content_type="text/csv; charset=utf-8", headers=headers)


@require_safe
def own_approval(request: PageRequest) -> HttpResponse:
    """Who could have approved their own change, and where somebody did."""
    _check(request)
    found = exposures(request.user)
    context = {"exposures": found, "open": sum(one.is_open for one in found), "own": own_approvals(request.user, now=timezone.now())}
    return render_page(request, "home/own_approvals.html", context)


def _check(request: PageRequest) -> None:
    if not (has_role(request.user, Role.ADMINISTRATOR) or has_role(request.user, Role.AUDITOR)):
        raise Refused(NOT_A_REVIEWER)
