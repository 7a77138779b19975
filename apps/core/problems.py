"""API errors as RFC 9457 problem JSON, from one place."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views.defaults import bad_request, page_not_found, server_error
from rest_framework import exceptions
from rest_framework.response import Response

from apps.core.refusals import BadContent, Refusal, Refused

MEDIA_TYPE = "application/problem+json"
SOME_FIELDS = "Some fields need another value."
HEADERS = {"WWW-Authenticate": "auth_header", "Retry-After": "wait"}
TITLES = {
    400: "Not readable",
    401: "Not signed in",
    403: "Not allowed",
    404: "Not found",
    405: "Not a method here",
    406: "Not a form we answer in",
    409: "Not now",
    410: "Let go",
    413: "Too large",
    415: "Not a form we read",
    422: "Not acceptable",
    429: "Too many requests",
    500: "Failed",
    503: "Could not tell",
}


def name_problems(result: dict[str, Any], generator: object, request: object, public: object) -> dict[str, Any]:
    """Let the OpenAPI document say in which form errors come; a hook of the generator, which knows one form for all answers."""
    del generator, request, public
    for operations in result["paths"].values():
        for operation in operations.values():
            for status, told in operation["responses"].items():
                content = told.get("content", {})
                if status >= "400" and "application/json" in content:
                    content[MEDIA_TYPE] = content.pop("application/json")
    return result


def problem_body(status: int, code: str, detail: str, **more: object) -> dict[str, object]:
    """The members of a problem; `code` is stable, `detail` is for a person."""
    return {
        "type": f"/docs/problems#{code}",
        "title": TITLES.get(status, "Problem"),
        "status": status,
        "code": code,
        "detail": detail,
    } | more


def problem_json(status: int, code: str, detail: str, **more: object) -> JsonResponse:
    """A problem as the answer of a plain view."""
    return JsonResponse(
        problem_body(status, code, detail, **more),
        status=status,
        content_type=MEDIA_TYPE,
    )


def no_such_address(request: HttpRequest, exception: Exception) -> HttpResponse:
    """What an address that leads nowhere answers: a problem to a program, a page to a person."""
    if request.path.startswith("/api/"):
        return problem_json(
            404, "not_found", "There is no such address.", cure="The addresses are in docs/openapi.yaml; none ends in a slash."
        )
    return page_not_found(request, exception)


def cannot_be_taken(request: HttpRequest, exception: Exception) -> HttpResponse:
    """What a request that no view was asked about answers, such as one for another host's name: a problem to a program."""
    if request.path.startswith("/api/"):
        cure = "Send it by the name people type: that of PUBLIC_URL."
        return problem_json(400, "not_readable", "The request is not in the form the server expects, or is for another host.", cure=cure)
    return bad_request(request, exception)


def failed(request: HttpRequest) -> HttpResponse:
    """What is answered where we failed: a problem to a program, a page to a person."""
    if request.path.startswith("/api/"):
        return problem_json(500, "failed", "The server failed at this. It was done whole or not at all.", cure="Look before you repeat it.")
    return server_error(request)


def refusal_body(refusal: Refusal) -> dict[str, object]:
    """A refusal as a problem, its cure beside it."""
    return problem_body(refusal.status, refusal.code, refusal.reason, cure=refusal.cure)


def field_errors(errors: object, prefix: str = "") -> list[dict[str, str]]:
    """Flatten nested serializer errors to `{field, code, message}` rows; fields are dotted paths."""
    match errors:
        case dict():
            # What REST framework says about an object as a whole is said on the object's own path.
            paths = {key: prefix if key == "non_field_errors" else f"{prefix}.{key}".strip(".") for key in errors}
            return [row for key, value in errors.items() for row in field_errors(value, paths[key])]
        case list() if any(isinstance(item, dict) for item in errors):
            return [row for at, item in enumerate(errors) for row in field_errors(item, f"{prefix}.{at}".strip("."))]
        case list():
            return [row for item in errors for row in field_errors(item, prefix)]
        case _:
            return [
                {
                    "field": prefix,
                    "code": str(getattr(errors, "code", "not_acceptable")),
                    # Half a surrogate pair, quoted from the request, is nothing that UTF-8 can answer with.
                    "message": str(errors).encode(errors="backslashreplace").decode(),
                }
            ]


def bad_content_body(error: BadContent) -> dict[str, object]:
    """Bad input as a problem that names every field."""
    return problem_body(
        422,
        "not_acceptable",
        "Some fields need another value.",
        errors=field_errors(error.errors),
    )


def problem_response(error: Exception, context: dict[str, Any]) -> Response | None:
    """The exception handler of REST framework; anything unknown stays an exception."""
    del context
    body = body_of(error)
    if body is None:
        return None
    headers = {header: str(value) for header, name in HEADERS.items() if (value := getattr(error, name, None))}
    return Response(body, status=int(str(body["status"])), headers=headers, content_type=MEDIA_TYPE)


def body_of(error: Exception) -> dict[str, object] | None:
    """The problem that tells this exception, or None for one we do not anticipate."""
    match error:
        case Refused():
            return refusal_body(error.refusal)
        case BadContent():
            return bad_content_body(error)
        case exceptions.ValidationError():
            return problem_body(422, "not_acceptable", SOME_FIELDS, errors=field_errors(error.detail))
        case Http404():
            return problem_body(404, "not_found", "There is nothing here that you may see.")
        case PermissionDenied():
            return problem_body(403, "not_allowed", "This is for somebody with another role.")
        case exceptions.APIException():
            return problem_body(error.status_code, str(getattr(error.detail, "code", error.default_code)), str(error.detail))
    return None
