"""The evidence of a change as pages show it: what its plan names, and what was shown for each leg."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404

from apps.accounts.models import Person
from apps.changes.access import changes_for
from apps.changes.content import Content, Evidence
from apps.changes.evidence.kinds import Kind
from apps.changes.evidence.telling import Summary, summary_of
from apps.changes.facts import asker_of, change_facts, content_of, current_legs
from apps.changes.models import Change, EvidenceUpload, Leg, Revision
from apps.changes.rules import Asker, ChangeFacts, why_not_show_evidence
from apps.core.refusals import Refusal

KINDS = {kind.value.lower(): kind for kind in Kind}
UNKNOWN = Summary("named by digest", "hash", "")


@dataclass(frozen=True, slots=True)
class PieceShown:
    """One piece of evidence; without an upload the plan names a digest whose bytes are not kept here."""

    name: str
    kind: str
    sha256: str
    summary: Summary
    upload: EvidenceUpload | None = None
    stale: str = ""  # the version it was shown for, where that is not the version asked for
    value: str = ""
    is_version: bool = False

    @property
    def link(self) -> str:
        """Where a link leads; empty for a file, and for what is no address of the web, however it was kept."""
        link = self.upload.file.link if self.upload else ""
        return link if link.startswith("https://") else ""

    @property
    def size(self) -> int | None:
        """How many bytes, where they are kept."""
        return self.upload.file.size if self.upload else None

    @property
    def counted(self) -> dict[str, Any]:
        """What was counted in it."""
        counted: dict[str, Any] = self.upload.file.counted if self.upload else {}
        return counted


@dataclass(frozen=True, slots=True)
class LegShown:
    """A leg and what was shown for it."""

    leg: Leg
    place: str
    pieces: list[PieceShown]


@dataclass(frozen=True, slots=True)
class EvidenceBoard:
    """What a page shows; `refusal` says why this person cannot add to a leg."""

    change: Change
    pieces: list[PieceShown]
    legs: list[LegShown]
    refusal: Refusal | None

    @property
    def count(self) -> int:
        """All pieces."""
        return len(self.pieces) + sum(len(leg.pieces) for leg in self.legs)


def evidence_board(
    change: Change,
    revision: Revision,
    person: Person,
    *,
    facts: ChangeFacts | None = None,
    by: Asker | None = None,
    legs: list[Leg] | None = None,
    uploads: Collection[EvidenceUpload] | None = None,
) -> EvidenceBoard:
    """The evidence of one revision and of the legs: a statement for each thing that was not given."""
    content = content_of(revision)
    uploads = [*uploads_of(change)] if uploads is None else uploads
    legs = [*current_legs(change)] if legs is None else legs
    asker = by or asker_of(person, [leg.service for leg in legs])
    return EvidenceBoard(
        change=change,
        pieces=plan_pieces(content, [upload for upload in uploads if upload.leg_id is None]),
        legs=[leg_shown(leg, [upload for upload in uploads if upload.leg_id == leg.pk]) for leg in legs],
        refusal=why_not_show_evidence(facts or change_facts(change, legs), by=asker),
    )


def uploads_of(change: Change) -> QuerySet[EvidenceUpload]:
    """Everything shown for a change, oldest first."""
    return change.uploads.select_related("file", "person", "service").order_by("at", "pk")


def plan_pieces(content: Content, uploads: Iterable[EvidenceUpload]) -> list[PieceShown]:
    """What the plan names, each with the bytes behind it where they are kept."""
    by_digest = {upload.file.sha256: upload for upload in uploads}
    versions = {item.service_id: item.identities for item in content.scope.items}
    configs = {text.removeprefix("config:") for identities in versions.values() for text in identities if text.startswith("config:")}
    found = []
    for evidence in content.plan.evidence:
        upload = by_digest.get(evidence.sha256)
        asked = versions.get(upload.service.public_id, ()) if upload and upload.service else ()
        found.append(shown(evidence, upload, asked=asked, is_version=evidence.sha256 in configs))
    return found


def leg_shown(leg: Leg, uploads: Iterable[EvidenceUpload]) -> LegShown:
    """A leg with its pieces."""
    pieces = [shown(evidence_from(upload), upload, asked=tuple(leg.item.identities)) for upload in uploads]
    return LegShown(leg, f"{leg.service.name} in {leg.environment.name}", pieces)


def evidence_from(upload: EvidenceUpload) -> Evidence:
    """What a plan would say of an upload."""
    return Evidence(name=upload.name, sha256=upload.file.sha256, kind=upload.file.kind.lower())


def shown(evidence: Evidence, upload: EvidenceUpload | None, *, asked: tuple[str, ...] = (), is_version: bool = False) -> PieceShown:
    """One piece. `asked` is the version the change asks for now: evidence of another one says so."""
    if upload is None:
        kind = KINDS.get(evidence.kind)
        told = summary_of(kind, {}) if kind and kind not in {Kind.JUNIT, Kind.SARIF} else UNKNOWN
        return PieceShown(evidence.name, evidence.kind, evidence.sha256, told, value=evidence.sha256, is_version=is_version)
    stale = upload.label or "another version" if upload.identities and asked and set(upload.identities) != set(asked) else ""
    told = summary_of(Kind(upload.file.kind), upload.file.counted)
    value = str(upload.public_id) if upload.change_id is None else evidence.sha256
    return PieceShown(evidence.name, evidence.kind, evidence.sha256, told, upload, stale, value, is_version)


def waiting_of(person: Person) -> list[EvidenceUpload]:
    """What a person uploaded and no change holds yet, newest first."""
    return [
        *EvidenceUpload.objects.filter(person=person, change__isnull=True)
        .select_related("file", "person", "service")
        .order_by("-at", "-pk")
    ]


def get_upload(person: Person, public_id: UUID) -> EvidenceUpload:
    """An upload of a change that the person may see, or one of their own that no change holds yet; 404 otherwise."""
    upload = EvidenceUpload.objects.select_related("file").filter(public_id=public_id).first()
    if upload is None:
        raise Http404
    may = changes_for(person).filter(pk=upload.change_id).exists() if upload.change_id else upload.person_id == person.pk
    if not may:
        raise Http404
    return upload
