"""What anybody may fetch without signing in: the keys that tickets are signed with, the client, and badges that were shared."""

import logging

import psycopg
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from apps.audit.keys import trusted_keys
from apps.gate.badge import NOT_FOUND, badge_answer, id_in, live_link, picture, place_words, standing_of
from apps.gate.client_file import client_bytes
from apps.gate.key_set import key_set
from apps.gate.rates import Buckets, whole_seconds
from apps.gate.rules.standing import UNKNOWN

logger = logging.getLogger(__name__)
badges = Buckets()
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
    response = HttpResponse(client_bytes(), content_type="text/x-python; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="ccgate"'
    return _fresh(response)


@login_not_required
@require_safe
def badge(request: HttpRequest, key: str) -> HttpResponse:
    """The badge of a target, for whoever has its address; never kept by anybody on the way, so that it is not green for longer than it is."""
    public_id = id_in(key)
    if public_id is None:
        return badge_answer(request, picture("badge", NOT_FOUND), status=404)
    if wait := badges.take(public_id, per_second=settings.GATE_UNKNOWN_RATE):
        response = badge_answer(request, picture("badge", UNKNOWN), status=429)
        response["Retry-After"] = str(whole_seconds(wait))
        return response
    try:
        link = live_link(public_id)
        said = picture(place_words(link.target), standing_of(link.target)) if link else picture("badge", NOT_FOUND)
    except (DatabaseError, psycopg.Error):  # what cannot be read is no green, and no broken picture that shows the last one
        logger.exception("a badge could not be told")
        return badge_answer(request, picture("badge", UNKNOWN), status=503)
    return badge_answer(request, said, status=200 if link else 404)


def _fresh(response: HttpResponse) -> HttpResponse:
    response["Cache-Control"] = FRESH
    return response
