"""The model of a STANDARD change as the statement tells it: what binds its revisions, and whether it speaks for a leg."""

from base64 import b64decode
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from apps.changes.content import ModelRef, Rollback, Scope, part_from_bytes
from apps.changes.pre_approval import Granted, Where, Written, pre_approval
from apps.changes.rules import PreApproval
from apps.core.canonical import digest

Body = Mapping[str, Any]


def bound_model(leg: Body) -> ModelRef | None:
    """The version that binds every revision of the leg's change; None for other kinds."""
    said = leg["model"]
    return ModelRef(UUID(said["id"]), said["number"], digest(b64decode(said["body"]))) if said else None


def pre_approval_in(leg: Body, whole: Body, *, scope: Scope, rollback: Rollback, is_intact: bool) -> PreApproval | None:
    """What the model says about the leg; None where it approves nothing beforehand, and for other kinds."""
    said, service, environment = leg["model"], whole["service"], whole["environment"]
    if said is None:
        return None
    plan = part_from_bytes("plan", b64decode(said["plan"]))
    words = f"{service['name']} in {environment['name']}"
    where = Where(UUID(service["id"]), UUID(said["team"]), UUID(environment["id"]), words)
    granted = _granted(said, installation=UUID(whole["installation"]))
    return pre_approval(granted, Written(scope, plan, rollback, is_intact=is_intact), where=where)


def _granted(said: Body, *, installation: UUID) -> Granted:
    return Granted(
        installation=installation,
        model_id=UUID(said["id"]),
        name=said["name"],
        slug=said["slug"],
        number=said["number"],
        body=b64decode(said["body"]),
        author_id=UUID(said["author"]["id"]),
        author=said["author"]["name"],
        agreed_by_id=UUID(said["agreed_by"]["id"]) if said["agreed_by"] else None,
        agreed_by=said["agreed_by"]["name"] if said["agreed_by"] else "",
        made_at=datetime.fromisoformat(said["made_at"]),
        statement=b64decode(said["statement"]),
        key_id=said["key_id"],
        alg=said["alg"],
        signature=b64decode(said["signature"]),
        number_in_force=said["in_force"],
        is_retired=said["retired_at"] is not None,
    )
