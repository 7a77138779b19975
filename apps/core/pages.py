"""Rendering: a whole page, or the fragment htmx asked for, from the same include; and the signed-in request."""

import hashlib
from typing import TYPE_CHECKING, Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django_htmx.middleware import HtmxDetails

if TYPE_CHECKING:
    from apps.accounts.models import Person


class PageRequest(HttpRequest):
    """A request of a signed-in person, for type checking."""

    user: "Person"
    htmx: HtmxDetails


def render_page(
    request: HttpRequest,
    template: str,
    context: dict[str, Any],
    *,
    fragment: str = "",
    status: int = 200,
) -> HttpResponse:
    """Render the page, or only `fragment` when htmx asks; a fragment carries an ETag and answers 304 when unchanged."""
    wants_fragment = bool(fragment) and getattr(request, "htmx", False)
    response = render(request, fragment if wants_fragment else template, context, status=status)
    response["Vary"] = "HX-Request, Cookie"
    if not wants_fragment:
        return response
    tag = f'"{hashlib.sha256(response.content).hexdigest()[:32]}"'
    if request.headers.get("If-None-Match") == tag:
        return HttpResponse(status=304, headers={"ETag": tag})
    response["ETag"] = tag
    response["Cache-Control"] = "private, no-cache"
    return response
