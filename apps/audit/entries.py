"""An entry as readers get it, read from its stored bytes; knows no table."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from apps.audit.vocabulary import Event
from apps.core.actors import Actor, ActorKind
from apps.core.references import Reference


@dataclass(frozen=True, slots=True)
class StreamEntry:
    """One line of the stream. A detail that was erased is None; `position` is None until it is sealed."""

    id: UUID
    event: Event
    at: datetime
    by: Actor
    subject: Reference
    refs: tuple[Reference, ...]
    data: dict[str, Any]
    details: dict[str, str | None]
    position: int | None = None

    @property
    def is_sealed(self) -> bool:
        """Whether a seal lists it."""
        return self.position is not None

    def ref(self, kind: str) -> Reference | None:
        """The first thing of this kind that it names."""
        return next((named for named in self.refs if named.kind == kind), None)


def read_entry(body: bytes, *, texts: Mapping[str, str], position: int | None) -> StreamEntry:
    """Read an entry's bytes, with the texts that are still kept for it."""
    said = json.loads(body)
    by = said["by"]
    return StreamEntry(
        id=UUID(said["id"]),
        event=Event(said["event"]),
        at=datetime.strptime(said["at"], "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC),
        by=Actor(ActorKind(by["kind"]), by["id"], by.get("credential", ""), by.get("on_behalf_of", "")),
        subject=read_reference(said["subject"]),
        refs=tuple(read_reference(text) for text in said["refs"]),
        data=said["data"],
        details={field: texts.get(field) for field in said["details"]},
        position=position,
    )


def read_reference(text: str) -> Reference:
    """Read `change:0198…`."""
    kind, _, public_id = text.partition(":")
    return Reference(kind, public_id)
