"""Who is not signed in is asked to, and comes back to a page; times are shown in the zone of whoever reads."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme

SAFE = {"GET", "HEAD"}


class sign_in_first(LoginRequiredMiddleware):  # noqa: N801 - a middleware is named like the function it is
    """Ask for a sign-in. Behind it waits the page somebody was on: an address that only takes what was sent has none to show."""

    def handle_no_permission(self, request: HttpRequest, view_func: Callable[..., Any]) -> HttpResponseRedirect:
        """Lead to the sign-in."""
        if request.method in SAFE:
            return super().handle_no_permission(request, view_func)
        return redirect_to_login(page_before(request), self.get_login_url(view_func), self.get_redirect_field_name(view_func))


def page_before(request: HttpRequest) -> str:
    """The page of ours that something was sent from, or the first one."""
    said = request.headers.get("Referer", "")
    if not url_has_allowed_host_and_scheme(said, allowed_hosts={request.get_host()}, require_https=request.is_secure()):
        return "/"
    parts = urlsplit(said)
    return f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"


def reader_zone(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Activate the signed-in person's zone for this request only."""

    def handle(request: HttpRequest) -> HttpResponse:
        if not request.user.is_authenticated:
            return get_response(request)
        with timezone.override(ZoneInfo(request.user.time_zone)):
            return get_response(request)

    return handle
