"""Evidence through the API: a file or a link, for one leg or for the plan. The same bytes twice are one piece, so a repeat changes nothing."""

import hashlib
from dataclasses import replace
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts.access import actor_of
from apps.accounts.models import Person
from apps.approvals.actions import revise_change
from apps.changes.access import get_change
from apps.changes.actions import attach_evidence, upload_evidence
from apps.changes.content import Evidence
from apps.changes.evidence.kinds import Kind
from apps.changes.facts import asker, change_facts, content_of, current_legs
from apps.changes.models import Change, EvidenceFile, EvidenceUpload, Leg
from apps.changes.rules import why_not_revise
from apps.changes.steps.evidence import Piece, ShownFor, read_piece
from apps.core.refusals import BadContent, Refused
from apps.home.api import BoundedJSON
from apps.home.facts.change_page import newest_of
from apps.home.schema import Problem
from apps.home.sent import TextField
from apps.home.views.evidence import name_of


class EvidenceLinkInput(serializers.Serializer[object]):
    """A link to a pipeline run."""

    link = TextField(required=False, allow_blank=True, default="", help_text="https:// alone.")
    name = TextField(required=False, allow_blank=True, default="", help_text="What it is called; without one, the file's name or the link.")
    environment = TextField(
        required=False,
        allow_blank=True,
        default="",
        help_text="Short name of the environment it was seen in: a fact of that leg. Without one it goes into the plan.",
    )
    service = TextField(
        required=False, allow_blank=True, default="", help_text="Short name of the service, where the change holds several."
    )


class EvidenceFileInput(EvidenceLinkInput):
    """A file, or a link."""

    file = serializers.FileField(required=False, allow_empty_file=True)


class EvidenceOutput(serializers.Serializer[object]):
    """What is kept, and the revision that names it or stood when it was shown."""

    name = serializers.CharField()
    kind = serializers.ChoiceField([kind.value.lower() for kind in Kind])
    sha256 = serializers.CharField()
    size = serializers.IntegerField()
    counted = serializers.DictField()
    link = serializers.CharField()
    environment = serializers.CharField()
    revision = serializers.IntegerField(help_text="The newest revision of the change, afterwards.")


class ChangeEvidence(APIView):
    """The evidence of a change."""

    parser_classes = (BoundedJSON, MultiPartParser)

    @extend_schema(
        operation_id="attach_evidence",
        request={"application/json": EvidenceLinkInput, "multipart/form-data": EvidenceFileInput},
        responses={
            200: EvidenceOutput,
            201: EvidenceOutput,
            400: Problem,
            401: Problem,
            403: Problem,
            404: Problem,
            409: Problem,
            413: Problem,
            422: Problem,
        },
        tags=["changes"],
    )
    def post(self, request: Request, ref: str) -> Response:
        """Show something: 201 when it is new, 200 when it was there. For a leg no sign-off lapses; in the plan, those that covered it do."""
        person = request.user
        assert isinstance(person, Person)  # noqa: S101 - the permission class lets nobody else through
        change = get_change(person, ref)
        given = _read(request)
        leg, piece = _leg(change, given), _piece(given)
        if leg is not None:
            upload, is_new = attach_evidence(change_id=change.pk, leg_id=leg.pk, piece=piece, by=actor_of(request))
            return _answer(change, evidence=_named(upload), file=upload.file, leg=leg, is_new=is_new)
        return self._into_plan(request, change, piece, given)

    def _into_plan(self, request: Request, change: Change, piece: Piece, given: dict[str, Any]) -> Response:
        by = actor_of(request)
        if refusal := why_not_revise(change_facts(change), by=asker(by, change)):
            raise Refused(refusal, about=change.reference)
        revision = newest_of(change)
        content = content_of(revision)
        sha256 = hashlib.sha256(read_piece(piece)[1]).hexdigest()
        there = next((one for one in content.plan.evidence if one.sha256 == sha256), None)
        kept = change.uploads.filter(file__sha256=sha256, leg__isnull=True).select_related("file").first()
        if there and kept:
            return _answer(change, evidence=there, file=kept.file, leg=None, is_new=False)
        upload = upload_evidence(piece=piece, shown_for=_shown_for(change, given), by=by, change_id=change.pk)
        if there:
            return _answer(change, evidence=there, file=upload.file, leg=None, is_new=True)
        plan = replace(content.plan, evidence=(*content.plan.evidence, _named(upload)))
        revise_change(change_id=change.pk, content=replace(content, plan=plan), by=by, revision_digest=revision.digest)
        return _answer(change, evidence=_named(upload), file=upload.file, leg=None, is_new=True)


def _read(request: Request) -> dict[str, Any]:
    shape = EvidenceFileInput(data=request.data) if request.FILES else EvidenceLinkInput(data=request.data)
    shape.is_valid(raise_exception=True)
    read: dict[str, Any] = shape.validated_data
    return read


def _piece(given: dict[str, Any]) -> Piece:
    file = given.get("file")
    if bool(file) == bool(given["link"]):
        raise BadContent({"link": ["Send either a file or a link."]})
    return Piece(given["name"] or name_of(file), file.read()) if file else Piece(given["name"], link=given["link"])


def _leg(change: Change, given: dict[str, Any]) -> Leg | None:
    """The leg that is named; None where no environment is."""
    if not given["environment"]:
        return None
    legs = [leg for leg in current_legs(change) if leg.environment.slug == given["environment"]]
    found = [leg for leg in legs if given["service"] in {"", leg.service.slug}]
    if not legs:
        raise BadContent({"environment": [f"{change.ref} does not go to {given['environment']}. Name one of its environments."]})
    if not found:
        raise BadContent({"service": [f"{change.ref} does not bring {given['service']} there. Name one of its services."]})
    if len(found) > 1:
        raise BadContent({"service": [f"Several services go there: {', '.join(leg.service.slug for leg in found)}. Name one."]})
    return found[0]


def _shown_for(change: Change, given: dict[str, Any]) -> ShownFor:
    items = change.items.filter(is_current=True).select_related("service")
    named = [item for item in items if given["service"] in {"", item.service.slug}]
    if given["service"] and not named:
        raise BadContent({"service": [f"{change.ref} does not bring {given['service']}. Name one of its services."]})
    return ShownFor(named[0].service, named[0].label, tuple(named[0].identities)) if len(named) == 1 else ShownFor()


def _named(upload: EvidenceUpload) -> Evidence:
    return Evidence(upload.name, upload.file.sha256, upload.file.kind.lower())


def _answer(change: Change, *, evidence: Evidence, file: EvidenceFile, leg: Leg | None, is_new: bool) -> Response:
    change.refresh_from_db()
    body = {
        "name": evidence.name,
        "kind": file.kind.lower(),
        "sha256": evidence.sha256,
        "size": file.size,
        "counted": file.counted,
        "link": file.link,
        "environment": leg.environment.slug if leg else "",
        "revision": newest_of(change).number,
    }
    return Response(EvidenceOutput(body).data, status=201 if is_new else 200)
