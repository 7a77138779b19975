"""The gate over HTTP: plain views, outside sessions and CSRF. An error of ours is told as 503 and is never a yes."""

import logging
import secrets
from collections.abc import Callable
from functools import wraps
from uuid import UUID

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from apps.core.compact_json import ascii_json
from apps.core.problems import MEDIA_TYPE, bad_content_body, problem_json, refusal_body
from apps.core.refusals import BadContent, Refused
from apps.gate.actions import note_dead_token
from apps.gate.counting import unknown_tokens
from apps.gate.door import JITTER, Told, TurnedAway, authenticate, let_in_by
from apps.gate.evaluate import Reply, UnknownToken, answer, look_again
from apps.gate.inputs import IN_CHUNKS, LONGEST_BODY, NotReadable, read_body, read_question
from apps.gate.retention import why_gone
from apps.gate.rules import AskerKind

logger = logging.getLogger(__name__)
Answering = Callable[..., HttpResponse]
PATH = "/api/v1/gate/evaluations"
SOON = 5  # seconds
UNKNOWN = Told(401, "unknown_token", "Nobody issued this token.", "Use a gate token of this installation.")


def told_as_problem(view: Answering) -> Answering:
    """Tell every refusal as problem JSON, and whatever we did not foresee as "could not tell"."""

    @wraps(view)
    def run(request: HttpRequest, **path: object) -> HttpResponse:
        try:
            response = _let_in_or_told(view, request, **path)
        except NotReadable as error:
            response = problem_json(400, "not_readable", str(error))
        except BadContent as error:
            response = JsonResponse(bad_content_body(error), status=422, content_type=MEDIA_TYPE)
        except Refused as error:
            response = JsonResponse(refusal_body(error.refusal), status=error.refusal.status, content_type=MEDIA_TYPE)
        except TurnedAway as error:
            response = error.response
        except Exception:
            logger.exception("the gate could not tell")
            response = problem_json(503, "could_not_tell", "The gate could not tell. This is no yes.", cure="Ask again in a few seconds.")
            response["Retry-After"] = str(SOON + secrets.randbelow(JITTER + 1))  # those who wait do not come back together
        headers = response.headers
        headers["Content-Length"] = str(len(response.content))
        headers["Cache-Control"] = "no-store"
        headers["X-Content-Type-Options"] = "nosniff"
        return response

    return csrf_exempt(login_not_required(run))


def _let_in_or_told(view: Answering, request: HttpRequest, **path: object) -> HttpResponse:
    try:
        return view(request, **path)
    except UnknownToken as error:
        return _not_let_in(error)  # what fails in noting it is told like any error of ours


@told_as_problem
def evaluations(request: HttpRequest) -> HttpResponse:
    """Put a question to the gate: POST a question, get a verdict."""
    if request.method != "POST":
        return _only("POST")
    if request.content_type != "application/json":
        return problem_json(415, "not_json", "The gate reads application/json.")
    credential = authenticate(request)
    question, dry_run = read_question(read_body(_bounded(request)), credential=credential, key=request.META.get("HTTP_IDEMPOTENCY_KEY", ""))
    reply = answer(question, dry_run=dry_run)
    let_in_by(credential)
    return _response(reply)


@told_as_problem
def evaluation(request: HttpRequest, *, evaluation_id: UUID) -> HttpResponse:
    """Judge an earlier question at this moment; records nothing and hands out no ticket."""
    if request.method not in {"GET", "HEAD"}:
        return _only("GET, HEAD")
    credential = authenticate(request)
    reply = look_again(evaluation_id, credential=credential)
    let_in_by(credential)
    if reply is None and (gone := why_gone(evaluation_id)):
        raise Refused(gone)
    if reply is None:
        return problem_json(404, "not_found", "This token has put no such question to the gate.")
    return _response(reply)


def _response(reply: Reply) -> HttpResponse:
    response = HttpResponse(ascii_json(reply.body), status=201 if reply.is_new else 200, content_type="application/json")
    if reply.evaluation:
        response.headers["Location"] = f"{settings.PUBLIC_URL}{PATH}/{reply.evaluation}"
    if reply.body["retry_after"]:
        response["Retry-After"] = str(reply.body["retry_after"])
    return response


def _bounded(request: HttpRequest) -> bytes:
    # Before reading: a body is never held in memory only to be refused.
    length = int(request.META.get("CONTENT_LENGTH") or 0)
    if not length and "HTTP_TRANSFER_ENCODING" in request.META:
        raise NotReadable(IN_CHUNKS)
    if length > LONGEST_BODY:
        raise NotReadable(f"The body takes more than {LONGEST_BODY} bytes. A question fits into one thousand.")
    return request.read(LONGEST_BODY + 1)


def _not_let_in(error: UnknownToken) -> HttpResponse:
    if error.asker.id is None:
        unknown_tokens.add()
        return TurnedAway(UNKNOWN).response
    note_dead_token(error.asker, at=error.now)
    kind = "trust" if error.asker.kind is AskerKind.WORKLOAD else "token"
    said = f"The {kind} {error.asker.name} has expired or was revoked, or its owner is not active."
    return TurnedAway(Told(401, "token_over", said, "Use a new one; an administrator issues it.")).response


def _only(methods: str) -> HttpResponse:
    response = problem_json(405, "method_not_allowed", f"This address takes {methods}.")
    response["Allow"] = methods
    return response
