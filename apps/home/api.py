"""The API for changes: create, read, revise, submit, comment, withdraw. Thin: a gateway, a verb, a document."""

from typing import Any

from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser, get_encoding  # type: ignore[attr-defined]  # newer than the stubs
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.views import APIView

from apps.accounts.access import actor_of
from apps.accounts.models import Person
from apps.approvals.actions import ask_for_change, revise_change, submit_change
from apps.changes.access import get_change
from apps.changes.actions import comment_on_change, withdraw_change
from apps.changes.facts import content_of
from apps.changes.models import Change, Comment, Revision
from apps.changes.states import Kind
from apps.core.strict_json import read_json
from apps.home.facts.change_document import change_document
from apps.home.finding_api import FoundChanges
from apps.home.once import once
from apps.home.reading import check_kind, edited_content, named_changes, named_model, new_content
from apps.home.schema import (
    IDEMPOTENCY_KEY,
    ChangeInput,
    ChangeOutput,
    CommentInput,
    CommentOutput,
    Problem,
    RevisionInput,
    WithdrawalInput,
)

LONGEST = 1_000_000
NOT_IN: dict[int, type[Problem]] = {401: Problem, 403: Problem}
UNSEEN: dict[int, type[Problem]] = {404: Problem, **NOT_IN}
UNABLE: dict[int, type[Problem]] = {409: Problem, 422: Problem, **UNSEEN}


class BoundedJSON(JSONParser):
    """JSON of a length a change can have, nested no deeper than one is, with no name twice."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:  # noqa: ANN401 - REST framework's own signature
        """Read at most LONGEST bytes; raises ParseError for more, and for what is no JSON that everybody reads alike."""
        del media_type
        data = stream.read(LONGEST + 1)
        if len(data) > LONGEST:
            raise ParseError(f"The body is longer than {LONGEST} bytes.")
        try:
            return read_json(data.decode(get_encoding(parser_context or {})))
        except RecursionError as error:
            raise ParseError("The body is nested too deeply.") from error
        except ValueError as error:
            raise ParseError(f"JSON parse error - {error}") from error


class Changes(FoundChanges):
    """The changes of the installation."""

    parser_classes = (BoundedJSON,)

    @extend_schema(
        operation_id="create_change",
        request=ChangeInput,
        parameters=[IDEMPOTENCY_KEY],
        responses={201: ChangeOutput, 400: Problem, 409: Problem, 422: Problem, **NOT_IN},
        tags=["changes"],
    )
    def post(self, request: Request) -> Response | HttpResponse:
        """Ask for a change: a draft that only its requester sees, or with `submit` one that is in review at once.

        Where it is submitted at once and something is missing, 422 names it and nothing is created."""
        person, given = _person(request), _read(ChangeInput, request)
        version = named_model(given["model"])
        check_kind(given["kind"], version=version)
        content = new_content(given, person=person, now=timezone.now(), version=version)
        needs = [change.pk for change in named_changes(given["needs"], person=person)]

        def act() -> Change:
            made_from, is_emergency = version.pk if version else None, given["kind"] == Kind.EMERGENCY
            return ask_for_change(
                content=content,
                by=actor_of(request),
                is_submitted=given["submit"],
                needs=needs,
                made_from=made_from,
                is_emergency=is_emergency,
            )

        return once(request, person=person, act=act, tell=lambda change: _answer(person, change.ref, status=201))


class OneChange(APIView):
    """One change by its reference."""

    @extend_schema(operation_id="read_change", responses={200: ChangeOutput, **UNSEEN}, tags=["changes"])
    def get(self, request: Request, ref: str) -> Response:
        """The change as it stands: content, legs, and what their agreement still needs."""
        return _answer(_person(request), ref)


class Revisions(APIView):
    """The revisions of a change."""

    parser_classes = (BoundedJSON,)

    @extend_schema(
        operation_id="revise_change",
        request=RevisionInput,
        parameters=[IDEMPOTENCY_KEY],
        responses={200: ChangeOutput, 201: ChangeOutput, 400: Problem, **UNABLE},
        tags=["changes"],
    )
    def post(self, request: Request, ref: str) -> Response | HttpResponse:
        """Save an edit: 201 with a new revision, 200 where nothing differs. Sign-offs that covered what changed lapse."""
        person = _person(request)
        change, given = get_change(person, ref), _read(RevisionInput, request)
        assert change.revision is not None  # noqa: S101 - every change has its first revision
        content = edited_content(content_of(change.revision), given, person=person)
        digest = given["revision_digest"] or change.revision.digest

        def act() -> Revision | None:
            return revise_change(change_id=change.pk, content=content, by=actor_of(request), revision_digest=digest)

        return once(request, person=person, act=act, tell=lambda revision: _answer(person, ref, status=201 if revision else 200))


class Submission(APIView):
    """The submission of a change."""

    @extend_schema(
        operation_id="submit_change",
        request=None,
        parameters=[IDEMPOTENCY_KEY],
        responses={200: ChangeOutput, 400: Problem, **UNABLE},
        tags=["changes"],
    )
    def post(self, request: Request, ref: str) -> Response | HttpResponse:
        """Ask for agreement. 422 names every field that still lacks something; the answer says who can agree."""
        person = _person(request)
        change = get_change(person, ref)

        def act() -> Change:
            return submit_change(change_id=change.pk, by=actor_of(request))

        return once(request, person=person, act=act, tell=lambda _: _answer(person, ref))


class Withdrawal(APIView):
    """The withdrawal of a change."""

    parser_classes = (BoundedJSON,)

    @extend_schema(
        operation_id="withdraw_change",
        request=WithdrawalInput,
        parameters=[IDEMPOTENCY_KEY],
        responses={200: ChangeOutput, 400: Problem, **UNABLE},
        tags=["changes"],
    )
    def post(self, request: Request, ref: str) -> Response | HttpResponse:
        """Take a change back before anything of it was started."""
        person = _person(request)
        change, given = get_change(person, ref), _read(WithdrawalInput, request)

        def act() -> Change:
            return withdraw_change(change_id=change.pk, by=actor_of(request), reason=given["reason"])

        return once(request, person=person, act=act, tell=lambda _: _answer(person, ref))


class Comments(APIView):
    """What is said about a change."""

    parser_classes = (BoundedJSON,)

    @extend_schema(
        operation_id="comment_on_change",
        request=CommentInput,
        parameters=[IDEMPOTENCY_KEY],
        responses={201: CommentOutput, 400: Problem, **UNABLE},
        tags=["changes"],
    )
    def post(self, request: Request, ref: str) -> Response | HttpResponse:
        """Say something about a change, outside everything that is signed."""
        person = _person(request)
        change, given = get_change(person, ref), _read(CommentInput, request)

        def act() -> Comment:
            return comment_on_change(change_id=change.pk, text=given["text"], by=actor_of(request))

        return once(request, person=person, act=act, tell=_said)


def _said(comment: Comment) -> Response:
    author = {"id": comment.author.public_id, "name": comment.author.name}
    body = {"id": comment.public_id, "author": author, "at": comment.at, "text": comment.text}
    return Response(CommentOutput(body).data, status=201)


def _person(request: Request) -> Person:
    assert isinstance(request.user, Person)  # noqa: S101 - the permission class lets nobody else through
    return request.user


def _read(shape: type[Serializer[Any]], request: Request) -> dict[str, Any]:
    given = shape(data=request.data)
    given.is_valid(raise_exception=True)
    read: dict[str, Any] = given.validated_data
    return read


def _answer(person: Person, ref: str, *, status: int = 200) -> Response:
    change: Change = get_change(person, ref)
    headers = {"Location": reverse("api:change", args=[change.ref])} if status == 201 else {}
    return Response(ChangeOutput(change_document(change)).data, status=status, headers=headers)
