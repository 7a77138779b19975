"""What is shown for a version: kept as bytes, bound to a change when its content names the digest, or put on a leg."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef

from apps.accounts.models import Person
from apps.audit.record import record
from apps.audit.vocabulary import Event
from apps.catalog.models import Service
from apps.changes.content import Content
from apps.changes.content.checks import MOST_EVIDENCE
from apps.changes.evidence.keeping import keep, remove
from apps.changes.evidence.kinds import LONGEST_NAME, Found, link_bytes, look_at
from apps.changes.facts import references_of
from apps.changes.models import Change, EvidenceFile, EvidenceUpload, Leg
from apps.core.actors import Actor
from apps.core.refusals import BadContent, Refused, not_now
from apps.core.texts import read_line

MOST_WAITING = 200  # files of one person that no change holds yet
KEPT_WAITING = timedelta(days=1)
TOO_MANY_WAITING = not_now(
    "too_many_waiting",
    f"{MOST_WAITING} of your files wait for a change that holds them.",
    "Save a change with them, or come back tomorrow.",
)


@dataclass(frozen=True, slots=True)
class Piece:
    """Something to show: a name, and either bytes or a link."""

    name: str
    body: bytes = field(default=b"", repr=False)
    link: str = ""


@dataclass(frozen=True, slots=True)
class ShownFor:
    """The version it was made with, as far as it is known at upload."""

    service: Service | None = None
    label: str = ""
    identities: tuple[str, ...] = ()


def read_piece(piece: Piece) -> tuple[str, bytes, Found]:
    """The name, the bytes and what they are; raises BadContent naming `name`, `file` or `link`."""
    body = link_bytes(piece.link) if piece.link else piece.body
    name = read_line(piece.name or piece.link[:LONGEST_NAME], field="name", longest=LONGEST_NAME)
    return name, body, look_at(body, name="" if piece.link else name)


def add_upload(piece: Piece, *, person: Person, shown_for: ShownFor, at: datetime) -> EvidenceUpload:
    """Keep something until a change holds it; raises BadContent, and Refused for who has too much waiting."""
    name, body, found = read_piece(piece)
    if EvidenceUpload.objects.filter(person=person, change__isnull=True).count() >= MOST_WAITING:
        raise Refused(TOO_MANY_WAITING)
    file = keep(body, found, at=at)
    return EvidenceUpload.objects.create(
        file=file,
        name=name,
        person=person,
        at=at,
        service=shown_for.service,
        label=shown_for.label,
        identities=[*shown_for.identities],
    )


def bind_uploads(change: Change, content: Content, *, author: Person, by: Actor, at: datetime) -> None:
    """Let the change hold what its editor uploaded for it: each digest that the plan names and nothing of it shows yet."""
    wanted = {evidence.sha256 for evidence in content.plan.evidence}
    if not wanted:
        return
    bound = set(change.uploads.filter(leg__isnull=True, file__sha256__in=wanted).values_list("file__sha256", flat=True))
    waiting = EvidenceUpload.objects.select_for_update(of=("self",)).select_related("file")
    mine = waiting.filter(person=author, change__isnull=True, file__sha256__in=wanted - bound).order_by("-at", "-pk")
    newest = {upload.file.sha256: upload for upload in reversed(mine)}
    for upload in newest.values():
        _complete(upload, content)
        _attach(upload, change, by=by, at=at)


def _complete(upload: EvidenceUpload, content: Content) -> None:
    """What was uploaded before a version was chosen was shown for the version it is saved with."""
    items = content.scope.items
    if upload.identities or len(items) != 1:
        return
    upload.service = upload.service or Service.objects.filter(public_id=items[0].service_id).first()
    upload.label, upload.identities = items[0].label, [*items[0].identities]


def _attach(upload: EvidenceUpload, change: Change, *, by: Actor, at: datetime) -> None:
    upload.change, upload.attached_at = change, at
    upload.save(update_fields=["change", "attached_at", "service", "label", "identities"])
    _record(upload, change, None, by=by, at=at)


def _record(upload: EvidenceUpload, change: Change, leg: Leg | None, *, by: Actor, at: datetime) -> None:
    file = upload.file
    data: dict[str, object] = {"evidence": upload.public_id, "sha256": file.sha256, "kind": file.kind, "size": file.size}
    if leg is not None:
        data["leg"] = leg.public_id
    place = {"place": f"{leg.service.name} in {leg.environment.name}"} if leg else {}
    details = {"name": upload.name} | place
    record(Event.EVIDENCE_ATTACHED, subject=change, by=by, at=at, refs=references_of(change), data=data, details=details)


def show_on_leg(leg: Leg, piece: Piece, *, person: Person, by: Actor, at: datetime) -> tuple[EvidenceUpload, bool]:
    """Show something for a leg as it is: the row, and whether it is new. The same bytes twice are one row."""
    name, body, found = read_piece(piece)
    file = keep(body, found, at=at)
    shown = leg.uploads.filter(file=file).first()
    if shown is not None:
        return shown, False
    if leg.uploads.count() >= MOST_EVIDENCE:
        raise BadContent({"file": [f"{MOST_EVIDENCE} pieces of evidence are on this leg already. Put several into one archive."]})
    made = {"label": leg.item.label, "identities": leg.item.identities, "service": leg.service}
    held = {"change": leg.change, "leg": leg, "attached_at": at}
    shown = EvidenceUpload.objects.create(file=file, name=name, person=person, at=at, **made, **held)
    _record(shown, leg.change, leg, by=by, at=at)
    return shown, True


def clear_waiting(*, at: datetime, most: int) -> int:
    """Remove what waited for a change for longer than a day, and the bytes that nothing holds then."""
    old = EvidenceUpload.objects.filter(change__isnull=True, at__lt=at - KEPT_WAITING).order_by("pk")
    rows = [*old.select_for_update(of=("self",), skip_locked=True)[:most]]
    EvidenceUpload.objects.filter(pk__in=[row.pk for row in rows]).delete()
    loose = EvidenceFile.objects.filter(~Exists(EvidenceUpload.objects.filter(file=OuterRef("pk"))), kept_at__lt=at - KEPT_WAITING)
    for file in loose.order_by("pk").select_for_update(of=("self",), skip_locked=True)[:most]:
        if not file.uploads.exists():  # asked again behind the lock: somebody may have brought the same bytes meanwhile
            remove(file)
    return len(rows)
