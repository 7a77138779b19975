"""What anybody may fetch without signing in: the keys that tickets are signed with, and the client."""

from functools import cache
from pathlib import Path

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from apps.audit.keys import trusted_keys
from apps.gate.key_set import key_set

CLIENT = Path(__file__).parent / "client" / "ccgate.py"
FRESH = "public, max-age=60"  # a new key is known to clients a minute after it signs; they refuse what they do not know


@login_not_required
@require_safe
def keys(request: HttpRequest) -> HttpResponse:
    """The public keys of tickets with their times, as a JSON Web Key Set."""
    del request
    return _fresh(JsonResponse(key_set(trusted_keys()), content_type="application/jwk-set+json"))


@login_not_required
@require_safe
def client(request: HttpRequest) -> HttpResponse:
    """The client for CI, as it is in this version of the product."""
    del request
    response = HttpResponse(_client(), content_type="text/x-python; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="ccgate"'
    return _fresh(response)


@cache
def _client() -> bytes:
    return CLIENT.read_bytes()


def _fresh(response: HttpResponse) -> HttpResponse:
    response["Cache-Control"] = FRESH
    return response
