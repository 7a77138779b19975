"""How things are named across apps, in the stream and to people: never by foreign key, never by row number."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from apps.core.ids import id_text

UUID_TEXT = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True, order=True)
class Reference:
    """A kind and the immutable public id of one thing, such as `change:0198…`."""

    kind: str
    id: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.id}"


class Referable(Protocol):
    """Anything the stream can speak about."""

    @property
    def reference(self) -> Reference:
        """The immutable name of this thing."""


def reference(kind: str, public_id: UUID | str) -> Reference:
    """Name a thing by kind and public id."""
    return Reference(kind, id_text(public_id) if isinstance(public_id, UUID) else str(public_id))


def with_public_ids(references: Iterable[Reference]) -> set[Reference]:
    """Those that may name a row; a key, a part of the machinery or a text put into the stream by hand names none."""
    return {one for one in references if UUID_TEXT.fullmatch(one.id)}


def parse_number(text: str, *, prefix: str) -> int | None:
    """Read `CHG-1042` (any case) as 1042; None for anything else."""
    match = re.fullmatch(rf"{prefix}-([1-9][0-9]{{0,17}})", text.strip().upper())
    return int(match[1]) if match else None
