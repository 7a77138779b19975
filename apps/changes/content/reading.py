"""Stored bytes back to content. One reader per part and schema, kept for ever; digests are checked over the bytes as they were."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from apps.changes.content.parts import (
    PARTS,
    Aspect,
    Content,
    EnvironmentRef,
    Evidence,
    ItemContent,
    Period,
    Plan,
    Rollback,
    Scope,
    Step,
    StepBy,
    Story,
    Strategy,
)
from apps.core.canonical import UnknownSchema

Body = Mapping[str, Any]


def part_from_bytes(part: str, body: bytes | memoryview) -> Any:  # noqa: ANN401 - the dataclass that PART is read as
    """One part read back, where the others are not needed; raises UnknownSchema when we cannot know what its members mean."""
    members: dict[str, Any] = json.loads(bytes(body))
    readers = READERS[part]
    if members.get("schema") not in readers:
        raise UnknownSchema(f"Schema {members.get('schema')!r} of {part} is not known here; {max(readers)} is the newest.")
    return readers[members["schema"]](members)


def content_from_bytes(parts: Mapping[str, bytes | memoryview]) -> Content:
    """The content whose bytes these are; raises UnknownSchema."""
    return Content(**{part: part_from_bytes(part, parts[part]) for part in PARTS})


def _scope(body: Body) -> Scope:
    return Scope(
        items=tuple(_item(item) for item in body["items"]),
        aspects=frozenset(Aspect(aspect) for aspect in body["aspects"]),
        reason=body["reason"],
        impact=body["impact"],
    )


def _item(body: Body) -> ItemContent:
    return ItemContent(
        service_id=UUID(body["service"]["id"]),
        service_name=body["service"]["name"],
        label=body["version"]["label"],
        identities=tuple(body["version"]["identities"]),
        repository=body["version"]["repository"],
        environments=tuple(EnvironmentRef(UUID(each["id"]), each["name"]) for each in body["environments"]),
    )


def _step(body: Body) -> Step:
    return Step(body["what"], StepBy(body["by"]), body.get("expected_seconds"), body["verify"])


def _plan(body: Body) -> Plan:
    return Plan(
        steps=tuple(_step(step) for step in body["steps"]),
        evidence=tuple(Evidence(each["name"], each["sha256"], each["kind"]) for each in body["evidence"]),
    )


def _rollback(body: Body) -> Rollback:
    return Rollback(
        strategy=Strategy(body["strategy"]) if "strategy" in body else None,
        steps=tuple(_step(step) for step in body["steps"]),
        trigger=body["trigger"],
        seconds_to_restore=body.get("seconds_to_restore"),
        irreversible=tuple(body["irreversible"]),
        data_strategy=body["data_strategy"],
        reason=body["reason"],
        point_of_no_return=body.get("point_of_no_return"),
    )


def _period(body: Body) -> Period:
    not_before = body.get("not_before")
    return Period(
        not_before=datetime.fromisoformat(not_before) if not_before else None,
        not_after=datetime.fromisoformat(body["not_after"]),
        zone=body["zone"],
    )


def _story(body: Body) -> Story:
    return Story(body["title"], tuple(body["labels"]), tuple(body["told"]), body["description"])


READERS: Final[dict[str, dict[int, Callable[[Body], Any]]]] = {
    "scope": {1: _scope},
    "plan": {1: _plan},
    "rollback": {1: _rollback},
    "period": {1: _period},
    "story": {1: _story},
}
