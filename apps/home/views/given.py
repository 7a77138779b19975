"""Sign-offs that were given, one by one."""

from uuid import UUID

from django.http import HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from apps.changes.access import get_change
from apps.core.pages import PageRequest, render_page
from apps.home.facts.given_sign_off import given_sign_off as read_sign_off


@require_safe
def given_sign_off(request: PageRequest, ref: str, public_id: UUID) -> HttpResponse:
    """One sign-off: the bytes that were signed, what proves them, and what they count for now."""
    change = get_change(request.user, ref)
    context = {"change": change, "page": read_sign_off(change, public_id), "now": timezone.now()}
    return render_page(request, "home/given_sign_off.html", context)
