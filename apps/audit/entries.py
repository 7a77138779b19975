"""An entry as readers get it, read from its stored bytes; knows no table."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from apps.audit.vocabulary import Event
from apps.core.actors import Actor, ActorKind, system
from apps.core.references import Reference

KNOWN = frozenset(event.value for event in Event)


class NotAnEntry(Exception):
    """The bytes are none that `record` has written."""


@dataclass(frozen=True, slots=True)
class StreamEntry:
    """One line of the stream. A detail that was erased is None; `position` is None until it is sealed.

    `event` is an Event, or the plain text of one that this version does not know."""

    id: UUID
    event: Event | str
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
    """Read an entry's bytes, with the texts that are still kept for it; raises NotAnEntry for any other bytes."""
    try:
        said = json.loads(body)
        by = said["by"]
        actor = Actor(ActorKind(by["kind"]), str(by["id"]), str(by.get("credential", "")), str(by.get("on_behalf_of", "")))
        actor.person_id  # noqa: B018 - raises where it is no id: readers ask for it
        return StreamEntry(
            id=UUID(said["id"]),
            event=_event(said["event"]),
            at=datetime.strptime(said["at"], "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC),
            by=actor,
            subject=read_reference(said["subject"]),
            refs=tuple(read_reference(text) for text in said["refs"]),
            data=_words(said["data"]),
            details={field: texts.get(field) for field in _words(said["details"])},
            position=position,
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise NotAnEntry(f"These bytes are no entry: {type(error).__name__}.") from error


def unread_entry(entry_id: UUID, *, event: str, at: datetime, position: int | None) -> StreamEntry:
    """What is shown for bytes that are no entry: that something is there. Nothing else in the row is believed."""
    itself = Reference("entry", str(entry_id))
    return StreamEntry(entry_id, f"{event} (unreadable)", at, system("unknown"), itself, (itself,), {}, {}, position)


def read_reference(text: str) -> Reference:
    """Read `change:0198…`."""
    kind, _, public_id = text.partition(":")
    return Reference(kind, public_id)


def _event(text: str) -> Event | str:
    """A worker of the version before may meet what a newer one wrote: that must stop neither pages nor followers."""
    return Event(text) if text in KNOWN else str(text)


def _words(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError("a member is not an object")
    return value
