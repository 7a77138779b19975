"""The API for changes: create, read, revise, submit. Thin: a gateway, a verb, a document."""

from io import BytesIO
from typing import Any

from django.urls import reverse
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.views import APIView

from apps.accounts.access import actor_of
from apps.accounts.models import Person
from apps.approvals.actions import revise_change, submit_change
from apps.changes.access import get_change
from apps.changes.actions import create_change
from apps.changes.facts import content_of
from apps.changes.models import Change
from apps.home.facts.change_document import change_document
from apps.home.reading import edited_content, new_content
from apps.home.schema import ChangeInput, ChangeOutput, Problem, RevisionInput

LONGEST = 1_000_000
NOT_IN: dict[int, type[Problem]] = {401: Problem, 403: Problem}
UNSEEN: dict[int, type[Problem]] = {404: Problem, **NOT_IN}
UNABLE: dict[int, type[Problem]] = {409: Problem, 422: Problem, **UNSEEN}


class BoundedJSON(JSONParser):
    """JSON of a length a change can have, nested no deeper than one is."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:  # noqa: ANN401 - REST framework's own signature
        """Read at most LONGEST bytes; raises ParseError for more, and for nesting that no change has."""
        data = stream.read(LONGEST + 1)
        if len(data) > LONGEST:
            raise ParseError(f"The body is longer than {LONGEST} bytes.")
        try:
            return super().parse(BytesIO(data), media_type, parser_context)
        except RecursionError as error:
            raise ParseError("The body is nested too deeply.") from error


class Changes(APIView):
    """The changes of the installation."""

    parser_classes = (BoundedJSON,)

    @extend_schema(
        operation_id="create_change",
        request=ChangeInput,
        responses={201: ChangeOutput, 400: Problem, 422: Problem, **NOT_IN},
        tags=["changes"],
    )
    def post(self, request: Request) -> Response:
        """Ask for a change: a draft that only its requester sees until it is submitted."""
        person = _person(request)
        content = new_content(_read(ChangeInput, request), person=person, now=timezone.now())
        change = create_change(content=content, by=actor_of(request))
        return _answer(person, change.ref, status=201)


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
        responses={200: ChangeOutput, 201: ChangeOutput, 400: Problem, **UNABLE},
        tags=["changes"],
    )
    def post(self, request: Request, ref: str) -> Response:
        """Save an edit: 201 with a new revision, 200 where nothing differs. Sign-offs that covered what changed lapse."""
        person = _person(request)
        change, given = get_change(person, ref), _read(RevisionInput, request)
        assert change.revision is not None  # noqa: S101 - every change has its first revision
        content = edited_content(content_of(change.revision), given, person=person)
        digest = given["revision_digest"] or change.revision.digest
        revision = revise_change(change_id=change.pk, content=content, by=actor_of(request), revision_digest=digest)
        return _answer(person, ref, status=201 if revision else 200)


class Submission(APIView):
    """The submission of a change."""

    @extend_schema(operation_id="submit_change", request=None, responses={200: ChangeOutput, **UNABLE}, tags=["changes"])
    def post(self, request: Request, ref: str) -> Response:
        """Ask for agreement. 422 names every field that still lacks something; the answer says who can agree."""
        person = _person(request)
        submit_change(change_id=get_change(person, ref).pk, by=actor_of(request))
        return _answer(person, ref)


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
