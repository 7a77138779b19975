"""The gate answers before sessions, CSRF and sign-in are looked at: a pipeline has none of them, and it is asked most."""

from collections.abc import Callable, Iterable
from functools import lru_cache
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from django.core.handlers.wsgi import WSGIRequest
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, ResolverMatch, URLResolver
from django.urls.resolvers import RegexPattern
from django.utils.log import log_response

from apps.core.problems import problem_json

PREFIX = "/api/v1/gate/"
_ROUTES = URLResolver(RegexPattern(r"^/api/v1/"), "apps.gate.api_urls")


def gate_first(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Answer what is below the gate's prefix here; hand everything else on."""

    def handle(request: HttpRequest) -> HttpResponse:
        return _answer(request) if request.path_info.startswith(PREFIX) else get_response(request)

    return handle


def gate_before(application: WSGIApplication) -> WSGIApplication:
    """The same in front of Django's handler: what it does around every request costs the gate as much as judging.

    Of that only two things are needed here: the care for Django's own connection, where an answer has used one, and the log."""

    def serve(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if not environ["PATH_INFO"].startswith(PREFIX):
            return application(environ, start_response)
        django = connections[DEFAULT_DB_ALIAS]
        _let_go(django)
        request = WSGIRequest(environ)
        response = _answer(request)
        _let_go(django)
        if response.status_code >= 400:
            log_response("%s: %s", response.reason_phrase, request.path, response=response, request=request)
        start_response(f"{response.status_code} {response.reason_phrase}", list(response.items()))
        return [response.content]

    return serve


def _let_go(django: BaseDatabaseWrapper) -> None:
    """Close Django's own connection where there is one that is broken or too old."""
    if django.connection is not None:
        django.close_if_unusable_or_obsolete()


def _answer(request: HttpRequest) -> HttpResponse:
    try:
        found = _found(request.path_info)
    except Resolver404:
        return problem_json(404, "not_found", "The gate has no such address.")
    response: HttpResponse = found.func(request, *found.args, **found.kwargs)
    return response


@lru_cache(maxsize=64)  # nearly all ask at one address
def _found(path: str) -> ResolverMatch:
    return _ROUTES.resolve(path)
