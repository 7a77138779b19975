"""The gate answers before sessions, CSRF and sign-in are looked at: a pipeline has none of them, and it is asked most."""

from collections.abc import Callable
from functools import cache

from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, URLResolver
from django.urls.resolvers import RegexPattern

from apps.core.problems import problem_json

PREFIX = "/api/v1/gate/"


def gate_first(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Answer what is below the gate's prefix here; hand everything else on."""

    def handle(request: HttpRequest) -> HttpResponse:
        if not request.path_info.startswith(PREFIX):
            return get_response(request)
        try:
            found = _routes().resolve(request.path_info)
        except Resolver404:
            return problem_json(404, "not_found", "The gate has no such address.")
        response: HttpResponse = found.func(request, *found.args, **found.kwargs)
        return response

    return handle


@cache
def _routes() -> URLResolver:
    return URLResolver(RegexPattern(r"^/api/v1/"), "apps.gate.api_urls")
