"""Where bytes are kept: in chunks in the database, or under FILES_DIR by their digest. What comes out is what went in, or nothing."""

import hashlib
import logging
import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from uuid import uuid4

from django.conf import settings

from apps.changes.evidence.kinds import Found
from apps.changes.models import EvidenceChunk, EvidenceFile
from apps.core.refusals import Refused, not_now

logger = logging.getLogger(__name__)

CHUNK = 1_048_576
TRIES = 3
GONE = "{name} is missing from the files of this installation."
DAMAGED = "{name} is not what was uploaded: its bytes have another digest."
NOT_KEPT = not_now(
    "evidence_not_kept", "The file could not be written here.", "An administrator looks at FILES_DIR: its space and its rights."
)
RESTORE = "An administrator restores it from the backup; the digest says which file it is."


def keep(body: bytes, found: Found, *, at: datetime) -> EvidenceFile:
    """The row of these bytes, made and locked in the caller's transaction; two who bring the same bytes get the same row."""
    sha256 = hashlib.sha256(body).hexdigest()
    row = EvidenceFile(sha256=sha256, size=len(body), kind=found.kind.value, counted=found.counted, link=found.link, kept_at=at)
    row.is_outside = settings.FILES_DIR is not None and not found.link
    for _ in range(TRIES):
        EvidenceFile.objects.bulk_create([row], ignore_conflicts=True)
        kept = EvidenceFile.objects.select_for_update(no_key=True).filter(sha256=sha256).first()
        if kept is not None:
            _write(kept, body)
            return kept
    raise Refused(not_now("busy", "The same file is being removed at this moment.", "Try again in a few seconds."))


def _write(kept: EvidenceFile, body: bytes) -> None:
    """Write the bytes where they are not there yet: the row was made a moment ago, or its file was lost."""
    if kept.is_outside:
        path = path_of(kept.sha256)
        if not path.is_file():
            _write_file(path, body)
    elif not kept.chunks.exists():
        for position, start in enumerate(range(0, len(body), CHUNK)):
            EvidenceChunk.objects.create(file=kept, position=position, body=body[start : start + CHUNK])


def path_of(sha256: str) -> Path:
    """Where the file of a digest lies."""
    root = settings.FILES_DIR
    if root is None:
        raise Refused(
            not_now("files_dir_unset", "This file lies in a directory that is no longer set.", "An administrator sets FILES_DIR.")
        )
    return Path(root) / "evidence" / sha256[:2] / sha256


def _write_file(path: Path, body: bytes) -> None:
    """Written beside and renamed: a crash leaves no half of a file under its digest."""
    draft = path.with_name(f".{path.name}.{uuid4().hex}.coming")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with draft.open("xb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        with suppress(OSError):
            draft.unlink()
        logger.exception("Evidence is not kept under %s", path.parent)
        raise Refused(NOT_KEPT) from error


def checked(kept: EvidenceFile, *, name: str) -> Iterator[bytes]:
    """The bytes in pieces, once they were found to be those of the digest; raises Refused where they are gone or others."""
    made, size = hashlib.sha256(), 0
    try:
        for piece in _pieces(kept):
            made.update(piece)
            size += len(piece)
    except OSError as error:
        raise Refused(not_now("evidence_missing", GONE.format(name=name), RESTORE)) from error
    if made.hexdigest() != kept.sha256:
        said = DAMAGED if size else GONE
        raise Refused(not_now("evidence_damaged" if size else "evidence_missing", said.format(name=name), RESTORE))
    return _pieces(kept)


def _pieces(kept: EvidenceFile) -> Iterator[bytes]:
    if not kept.is_outside:
        for position in range((kept.size + CHUNK - 1) // CHUNK):
            row = kept.chunks.filter(position=position).first()
            yield bytes(row.body) if row else b""
        return
    with path_of(kept.sha256).open("rb") as file:
        while piece := file.read(CHUNK):
            yield piece


def remove(kept: EvidenceFile) -> None:
    """Remove bytes that nothing holds, its row locked by the caller. A file goes first: without its row it would be found by nobody."""
    if kept.is_outside:
        path_of(kept.sha256).unlink(missing_ok=True)
    kept.chunks.all().delete()
    EvidenceFile.objects.filter(pk=kept.pk).delete()
