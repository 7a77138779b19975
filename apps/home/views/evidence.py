"""Evidence: taking files and links, for the request form, for a leg and by themselves; giving files back, never as a page."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.files.uploadedfile import UploadedFile
from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_http_methods, require_safe

from apps.catalog.access import services_for
from apps.catalog.models import Service
from apps.catalog.repositories.git import OBJECT_ID
from apps.catalog.versions import read_identities
from apps.changes.access import get_change, get_leg
from apps.changes.actions import attach_evidence, upload_evidence
from apps.changes.content import Evidence
from apps.changes.evidence.keeping import checked
from apps.changes.evidence.kinds import LONGEST_NAME
from apps.changes.facts import asker_of, content_of
from apps.changes.models import Change, EvidenceUpload
from apps.changes.rules import why_not_create
from apps.changes.steps.evidence import Piece, ShownFor
from apps.core.pages import PageRequest, render_page
from apps.core.refusals import BadContent
from apps.core.texts import why_not_line
from apps.home.evidence_fields import EvidenceInput
from apps.home.facts.change_page import newest_of
from apps.home.facts.evidence import (
    PieceShown,
    evidence_board,
    evidence_from,
    get_upload,
    plan_pieces,
    shown,
    uploads_of,
    waiting_of,
)

GONE = "A ticked piece of evidence is not there any more. Upload it again, or leave it out."
FIELDS = {"file": "evidence_file", "link": "evidence_link", "name": "evidence_link_name"}
LONGEST_LABEL = 120
ONLY_ROW = "items-0-"
VERSION_FIELDS = ("service", "label", "commit", "commit_asked", "commit_seen", "digests")


@dataclass
class EvidenceFields:
    """The evidence of a form: what to show, and what to put into the plan."""

    form: EvidenceInput
    pieces: list[PieceShown] = field(default_factory=list)
    chosen: str = ""  # the digest of the piece that is the version itself
    ref: str = ""  # the change that is edited; empty for a new one

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """What the plan names."""
        return tuple(Evidence(piece.name, piece.sha256, piece.kind) for piece in self.pieces)

    @property
    def documents(self) -> list[PieceShown]:
        """The pieces of which one can be the version itself: a link is none."""
        return [piece for piece in self.pieces if not piece.link]

    @property
    def config_digest(self) -> str:
        """The `config` identity, where a document says what changes; empty otherwise."""
        return self.chosen

    @property
    def errors(self) -> list[str]:
        """Everything that was not taken."""
        return [str(sentence) for said in self.form.errors.values() for sentence in said] if self.form.is_bound else []


def kept_fields(change: Change | None) -> EvidenceFields:
    """The evidence of the newest revision, every piece ticked; none for a new change."""
    pieces = kept_pieces(change) if change else []
    return EvidenceFields(
        EvidenceInput(), pieces, next((piece.sha256 for piece in pieces if piece.is_version), ""), change.ref if change else ""
    )


def kept_pieces(change: Change) -> list[PieceShown]:
    """What the plan names already."""
    uploads = [upload for upload in uploads_of(change) if upload.leg_id is None]
    return plan_pieces(content_of(newest_of(change)), uploads)


def sent_fields(
    request: PageRequest,
    *,
    change: Change | None,
    service: Service | None = None,
    label: str = "",
    identities: tuple[str, ...] = (),
) -> EvidenceFields:
    """Read what was ticked and keep what was sent; a file that is not taken is said on its field, the others are kept."""
    form = EvidenceInput(request.POST, request.FILES)
    found = EvidenceFields(form, ref=change.ref if change else "")
    if form.is_valid():
        made_with = ShownFor(service, label, identities) if service or identities else sent_version(request)
        found.pieces = [*ticked(request, form, change), *kept_now(request, form, made_with)]
        found.pieces = [*{(piece.name, piece.sha256): piece for piece in found.pieces}.values()]
        found.chosen = version_among(form, found.pieces)
    return found


def ticked(request: PageRequest, form: EvidenceInput, change: Change | None) -> list[PieceShown]:
    """The pieces that stay: own uploads by id, pieces of the newest revision by digest."""
    known = {piece.sha256: piece for piece in (kept_pieces(change) if change else [])}
    known |= {str(upload.public_id): shown(evidence_from(upload), upload) for upload in waiting_of(request.user)}
    if any(value not in known for value in form.values):
        form.add_error("evidence", GONE)
    return [known[value] for value in form.values if value in known]


def kept_now(request: PageRequest, form: EvidenceInput, made_with: ShownFor) -> list[PieceShown]:
    """Keep the files and the link that were sent, each in a transaction of its own."""
    uploads = (keep_piece(request, form, piece, made_with) for piece in pieces_sent(form))
    return [shown(evidence_from(upload), upload) for upload in uploads if upload]


def pieces_sent(form: EvidenceInput) -> list[Piece]:
    """Everything new in the form."""
    data = form.cleaned_data
    pieces = [Piece(name_of(file), file.read()) for file in data.get("evidence_file", [])]
    link = data.get("evidence_link", "").strip()
    return [*pieces, Piece(data.get("evidence_link_name", ""), link=link)] if link else pieces


def keep_piece(request: PageRequest, form: EvidenceInput, piece: Piece, made_with: ShownFor) -> EvidenceUpload | None:
    """Keep one piece; None where it cannot be taken, which is then said on its field."""
    try:
        return upload_evidence(piece=piece, shown_for=made_with, by=request.user.actor)
    except BadContent as error:
        put_errors(form, error, piece)
        return None


def put_errors(form: EvidenceInput, error: BadContent, piece: Piece) -> None:
    """What is wrong with a piece, on the field it came by; several files have one field."""
    for name, sentences in error.errors.items():
        target = FIELDS[name] if piece.link else "evidence_file"
        form.add_error(
            target, [sentence if piece.link or piece.name in sentence else f"{piece.name}: {sentence}" for sentence in sentences]
        )


def name_of(file: "UploadedFile[Any]") -> str:
    """The name of a file as it can be kept and signed: one line, nothing that turns the writing, its ending kept."""
    name = (file.name or "").strip()
    if len(name) > LONGEST_NAME:
        stem, dot, ending = name.rpartition(".")
        ending = f"{dot}{ending}" if len(ending) < 20 else ""
        name = f"{(stem or name)[: LONGEST_NAME - 1 - len(ending)]}…{ending}"
    return "file" if why_not_line(name, longest=LONGEST_NAME) else name


def sent_version(request: PageRequest) -> ShownFor:
    """The version the form asks for at this moment, as far as it can be read; several services have none in common."""
    given = {name: request.POST.get(f"{ONLY_ROW}{name}", "").replace("\x00", "").strip() for name in VERSION_FIELDS}
    if request.POST.get("items-1-service"):
        return ShownFor()
    service = services_for(request.user).filter(slug=given["service"]).first()
    commit = given["commit_seen"] if given["commit_asked"] == given["commit"] else given["commit"]
    pairs = [("git", commit)] if OBJECT_ID.fullmatch(commit.lower()) else []
    pairs += [("sha256", line) for line in given["digests"].split()]
    try:
        identities = read_identities(pairs) if pairs else ()
    except BadContent:  # said on its own field when the form is saved
        identities = ()
    label = "" if why_not_line(given["label"], longest=LONGEST_LABEL) else given["label"]
    return ShownFor(service, label, identities)


def version_among(form: EvidenceInput, pieces: list[PieceShown]) -> str:
    """The digest of the document that is the version, where one of the pieces was chosen as that."""
    value = form.cleaned_data.get("evidence_version", "")
    chosen = next((piece for piece in pieces if value and value in {piece.value, piece.sha256}), None)
    if value and (chosen is None or chosen.link):
        form.add_error("evidence_version", "A version is a document among the evidence. Choose a file, or none.")
        return ""
    return chosen.sha256 if chosen else ""


@require_http_methods(["GET", "POST"])
def evidence(request: PageRequest) -> HttpResponse:
    """What one uploaded and no change holds yet; for the request form, its part that shows evidence."""
    if request.method == "POST":
        ref = request.POST.get("evidence_change", "") if request.htmx else ""
        change = get_change(request.user, ref) if ref else None
        fields = sent_fields(request, change=change)
        status = 422 if fields.errors else 200
        if request.htmx:
            context = {"evidence": fields, "evidence_form": fields.form}
            return render_page(request, "home/evidence.html", context, fragment="home/_evidence_fields.html", status=status)
        if not fields.errors:
            messages.success(request, "Kept for a day. A change that names it keeps it for good.")
            return redirect("home:evidence")
        return waiting_page(request, fields.form, status=status)
    return waiting_page(request, EvidenceInput())


def waiting_page(request: PageRequest, form: EvidenceInput, *, status: int = 200) -> HttpResponse:
    """The page of what waits."""
    pieces = [shown(evidence_from(upload), upload) for upload in waiting_of(request.user)]
    refusal = why_not_create(by=asker_of(request.user, []))
    return render_page(request, "home/evidence.html", {"pieces": pieces, "evidence_form": form, "refusal": refusal}, status=status)


@require_http_methods(["GET", "POST"])
def leg_evidence(request: PageRequest, ref: str, leg: UUID) -> HttpResponse:
    """Show something for one leg: nothing that was signed lapses."""
    change, found = get_change(request.user, ref), get_leg(request.user, leg)
    if found.change_id != change.pk:
        raise Http404
    form = EvidenceInput(request.POST, request.FILES) if request.method == "POST" else EvidenceInput()
    if request.method == "POST" and form.is_valid():
        shown_for_leg(request, form, change=change, leg_id=found.pk)
        if not form.errors:
            messages.success(request, f"Shown for {found.service.name} in {found.environment.name}. No sign-off lapsed.")
            return redirect("home:change", ref=change.ref)
    board = evidence_board(change, newest_of(change), request.user)
    row = next(one for one in board.legs if one.leg.pk == found.pk)
    context = {"change": change, "board": board, "row": row, "evidence_form": form, "refusal": board.refusal}
    return render_page(request, "home/leg_evidence.html", context, status=422 if form.errors else 200)


def shown_for_leg(request: PageRequest, form: EvidenceInput, *, change: Change, leg_id: int) -> None:
    """Every piece that was sent, each in a transaction of its own."""
    pieces = pieces_sent(form)
    if not pieces:
        form.add_error("evidence_file", "There is nothing to show. Choose a file, or write a link.")
    for piece in pieces:
        try:
            attach_evidence(change_id=change.pk, leg_id=leg_id, piece=piece, by=request.user.actor)
        except BadContent as error:
            put_errors(form, error, piece)


@require_safe
def evidence_file(request: PageRequest, public_id: UUID) -> HttpResponse | StreamingHttpResponse:
    """The bytes as they were uploaded: to keep, never to be shown by a browser in our name."""
    upload = get_upload(request.user, public_id)
    if upload.file.link:
        return redirect("home:evidence")
    answer = StreamingHttpResponse(checked(upload.file, name=upload.name), content_type="application/octet-stream")
    answer["Content-Disposition"] = content_disposition_header(as_attachment=True, filename=upload.name) or "attachment"
    answer["Content-Length"] = str(upload.file.size)
    answer["X-Content-Type-Options"] = "nosniff"
    answer["Content-Security-Policy"] = "sandbox; default-src 'none'"
    return answer
