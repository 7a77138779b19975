"""What every page shares: a refusal becomes a page, nothing signed in is kept by a cache, nothing hides in it, and no body is endless."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import is_valid_path
from django.utils.cache import add_never_cache_headers

from apps.core.problems import problem_json
from apps.core.refusals import Refused
from apps.core.unmarked import name_unmarked

Handler = Callable[[HttpRequest], HttpResponse]
AROUND_FILES = 1_000_000  # what a form sends beside its largest file


def bounded_body(get_response: Handler) -> Handler:
    """Refuse a body that is longer than the largest file before any of it is written to the disk; nobody is signed in yet."""

    def handle(request: HttpRequest) -> HttpResponse:
        length = request.META.get("CONTENT_LENGTH") or "0"
        most = settings.EVIDENCE_MEGABYTES * 1_000_000 + AROUND_FILES
        if not length.isdecimal() or int(length[:20]) > most:
            return problem_json(413, "too_large", f"A request holds {settings.EVIDENCE_MEGABYTES} MB at most. Send less, or link to it.")
        return get_response(request)

    return handle


def nothing_hidden(get_response: Handler) -> Handler:
    """Name the hidden characters that no template marked: a name from elsewhere must not turn the page around it."""

    def handle(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if not response.streaming and response.get("Content-Type", "").startswith("text/html"):
            page = response.content.decode(response.charset)
            if (named := name_unmarked(page)) != page:
                response.content = named
        return response

    return handle


def never_cache_signed_in(get_response: Handler) -> Handler:
    """Keep pages of signed-in people out of every cache (Django CVE-2026-35192 was such a leak)."""

    def handle(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if request.user.is_authenticated and not response.has_header("Cache-Control"):
            add_never_cache_headers(response)
        return response

    return handle


def page_of_wrong_method(get_response: Handler) -> Handler:
    """Give a page to whoever opens an address that only takes what a form sends: the reload of a refused form, or an old link."""

    def handle(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if response.status_code != 405 or response.content or request.method != "GET":
            return response
        page = render(request, "errors/405.html", {"above": address_above(request.path)}, status=405)
        page["Allow"] = response["Allow"]
        return page

    return handle


def address_above(path: str) -> str:
    """The page an address belongs to, or the first one."""
    above = f"{path.rstrip('/').rpartition('/')[0]}/"
    return above if is_valid_path(above) else "/"


class refusal_page:  # noqa: N801 - a middleware is named like the function it is
    """Turn a Refused that no view caught into a 403 or 409 page with its reason and cure."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass every request on."""
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Answer a refusal; leave every other exception alone."""
        if not isinstance(error, Refused):
            return None
        return render(
            request,
            f"errors/{error.refusal.status}.html",
            {"refusal": error.refusal},
            status=error.refusal.status,
        )
