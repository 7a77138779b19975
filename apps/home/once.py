"""Requests that may be sent again: under an Idempotency-Key the same request gets the same answer and changes nothing twice."""

import hashlib
import json
import re
from collections.abc import Callable
from typing import Any, TypeVar

from django.db import IntegrityError
from django.http import HttpResponse
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.access import actor_of
from apps.accounts.models import Person
from apps.changes.models import GivenAnswer
from apps.changes.steps.answers import KeyedRequest, answer_given, is_answered_elsewhere, keep_answer
from apps.core.refusals import BadContent, Refused, not_now
from apps.core.verbs import joined_by

KEY = re.compile(r"[\x21-\x7e]{1,200}")
OTHER = not_now("key_reused", "This Idempotency-Key was used for another request within 24 hours.", "Use one key per request.")
T = TypeVar("T")


def once(request: Request, *, person: Person, act: Callable[[], T], tell: Callable[[T], Response]) -> Response | HttpResponse:
    """Do it and tell what came of it; under a key that was answered before, tell the same again.

    A refusal is not kept: nothing was changed by it, so the same key may be tried again."""
    key = request.headers.get("Idempotency-Key", "")
    if not key:
        return tell(act())
    if not KEY.fullmatch(key):
        raise BadContent({"Idempotency-Key": ["A key is at most 200 printable characters without blanks."]})
    keyed = KeyedRequest(person, actor_of(request).credential, key, asked_in(request))
    if given := answer_given(keyed):
        return told_again(given, keyed)
    told: list[Response] = []

    def keep(done: T) -> None:
        answer = tell(done)
        body = JSONRenderer().render(answer.data).decode()
        keep_answer(keyed, status=answer.status_code, body=body, location=answer.headers.get("Location", ""))
        told[:] = [answer]

    try:
        with joined_by(keep):
            act()
    except IntegrityError as error:
        given = answer_given(keyed) if is_answered_elsewhere(error) else None
        if given is None:
            raise
        return told_again(given, keyed)
    return told[0]


def asked_in(request: Request) -> str:
    """The digest of a request: what is asked, of which address."""
    said: Any = json.dumps(request.data, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(f"{request.method} {request.path}\n{said}".encode(errors="backslashreplace")).hexdigest()


def told_again(given: GivenAnswer, keyed: KeyedRequest) -> HttpResponse:
    """The answer that was given; another request under the same key is refused."""
    if given.asked != keyed.asked:
        raise Refused(OTHER)
    headers = {"Idempotency-Replayed": "true"} | ({"Location": given.location} if given.location else {})
    return HttpResponse(given.body, status=given.status, content_type="application/json", headers=headers)
