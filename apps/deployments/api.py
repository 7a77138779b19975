"""Deployments for CI: begin with a ticket, report, read. Plain views outside sessions and CSRF, as those of the gate."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TypedDict
from uuid import UUID

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse

from apps.catalog.versions import Version
from apps.core.locks import database_now
from apps.core.problems import problem_json
from apps.core.refusals import Refused
from apps.deployments.access import begun_and_open, deployment_by_id
from apps.deployments.documents import PATH, deployment_document, observation_document, report_document
from apps.deployments.inputs import LONGEST_BODY, read_beginning, read_object, read_observation, read_place, read_report
from apps.deployments.models import Deployment
from apps.deployments.observations import Observed, observe_target, report_unbegun
from apps.deployments.pipelines import begin_by_ticket, report_deployment
from apps.gate.api import told_as_problem
from apps.gate.callers import Caller, let_in
from apps.gate.inputs import IN_CHUNKS, NotReadable
from apps.gate.rules import Detail

NO_TARGET = "There is no such target, or this token is not for its service and environment."
CODE_ONLY = "Refused. The code says why; this token is told no words."
NOT_FOUND = "There is no such deployment, or this token is not for its service and environment."


class Seen(TypedDict):
    """Which version is said to run there, and what says so."""

    version: Version
    source: str


@told_as_problem
def deployments(request: HttpRequest) -> HttpResponse:
    """Begin a deployment: POST a ticket, get the deployment. GET finds the one that was begun and is not over."""
    if request.method in ("GET", "HEAD"):
        return _open(request, let_in(request))
    if wrong := _wrong(request, "POST", "GET", "HEAD"):
        return wrong
    caller = let_in(request)
    asked = read_beginning(read_object(_body(request)), key=request.headers.get("Idempotency-Key", ""), now=database_now())
    with _in_its_words(caller):
        begun = begin_by_ticket(replace(asked, run=caller.run(asked.run)), caller=caller, by=caller.actor)
    response = HttpResponse(begun.answer, status=201, content_type="application/json")
    response["Location"] = f"{settings.PUBLIC_URL}{PATH}/{begun.deployment.public_id}"
    if begun.is_replayed:
        response["Idempotency-Replayed"] = "true"
    return response


@told_as_problem
def deployment(request: HttpRequest, *, deployment_id: UUID) -> HttpResponse:
    """One deployment as it stands."""
    if wrong := _wrong(request, "GET"):
        return wrong
    caller = let_in(request)
    try:
        return JsonResponse(deployment_document(_found(caller, deployment_id), detail=caller.asker.detail))
    except Http404:
        return problem_json(404, "not_found", NOT_FOUND)


@told_as_problem
def reports(request: HttpRequest, *, deployment_id: UUID) -> HttpResponse:
    """Say what becomes of a deployment: POST a report."""
    if wrong := _wrong(request, "POST"):
        return wrong
    caller = let_in(request)
    try:
        found = _found(caller, deployment_id)
    except Http404:
        return problem_json(404, "not_found", NOT_FOUND)
    said = read_report(read_object(_body(request)), now=database_now())
    with _in_its_words(caller):
        caller.act_on(found.target)
        report = report_deployment(found.pk, said=said, by=caller.actor)
    report.deployment = _found(caller, deployment_id)  # as it stands now, its pipeline included
    return JsonResponse(report_document(report, detail=caller.asker.detail))


@told_as_problem
def observations(request: HttpRequest) -> HttpResponse:
    """Say what runs on a target: POST an observation."""
    return _seen(request, lambda target_id, caller, seen: observe_target(target_id, **seen, by=caller.actor))


@told_as_problem
def unbegun(request: HttpRequest) -> HttpResponse:
    """Say that something was deployed that has no deployment here: POST a report that names none."""
    return _seen(request, lambda target_id, caller, seen: report_unbegun(target_id, **seen, by=caller.actor, callers=caller.names))


@contextmanager
def _in_its_words(caller: Caller) -> Iterator[None]:
    """Whoever is told codes only reads no sentence of a refusal either: it may name a change, a freeze or a person."""
    try:
        yield
    except Refused as error:
        if caller.asker.detail is Detail.FULL:
            raise
        raise Refused(replace(error.refusal, reason=CODE_ONLY, cure="")) from error


def _seen(request: HttpRequest, take_in: Callable[[int, Caller, Seen], Observed]) -> HttpResponse:
    if wrong := _wrong(request, "POST"):
        return wrong
    caller = let_in(request)
    said = read_observation(read_object(_body(request)), credential=caller.credential)
    target = caller.target_of(said.place)
    if target is None:
        return problem_json(404, "not_found", NO_TARGET)
    seen = Seen(version=Version(said.label, said.place.identities), source=said.source)
    with _in_its_words(caller):
        caller.act_on(target)
        return JsonResponse(observation_document(take_in(target.pk, caller, seen)))


def _open(request: HttpRequest, caller: Caller) -> HttpResponse:
    """For jobs that share no file with the one that began: at most one, and never what another pipeline began."""
    place = read_place(dict(request.GET.lists()), credential=caller.credential)
    target = caller.target_of(place)
    if target is None:
        return problem_json(404, "not_found", NO_TARGET)
    found = begun_and_open(target, callers=caller.names, identities=place.identities)
    return JsonResponse({"deployments": [deployment_document(found, detail=caller.asker.detail)] if found else []})


def _found(caller: Caller, deployment_id: UUID) -> Deployment:
    found = deployment_by_id(deployment_id)
    if found is None or not caller.speaks_for(found.target):
        raise Http404
    return found


def _body(request: HttpRequest) -> bytes:
    length = int(request.META.get("CONTENT_LENGTH") or 0)
    if not length and "HTTP_TRANSFER_ENCODING" in request.META:
        raise NotReadable(IN_CHUNKS)
    if length > LONGEST_BODY:
        raise NotReadable(f"The body takes more than {LONGEST_BODY} bytes.")
    return request.body


def _wrong(request: HttpRequest, method: str, *more: str) -> HttpResponse | None:
    allowed = {method, "HEAD"} if method == "GET" else {method, *more}
    if request.method not in allowed:
        response = problem_json(405, "method_not_allowed", f"This address takes {method}{' and GET' if more else ''}.")
        response["Allow"] = ", ".join(sorted(allowed))
        return response
    if method == "POST" and request.content_type != "application/json":
        return problem_json(415, "not_json", "This address reads application/json.")
    return None
