"""What a passkey signed, as the gate's statement tells it beside a sign-off."""

from base64 import b64decode
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from apps.approvals.proof import Enrolment, assertion_of


def passkey_in(body: Mapping[str, Any] | None) -> dict[str, Any]:
    """The assertion of a claim, and the passkey it names as it was enrolled; nothing where no passkey signed."""
    if body is None:
        return {}
    assertion = assertion_of(*map(b64decode, body["columns"]), rp_id=body["rp_id"], origin=body["origin"])
    return {"assertion": assertion, "passkey": _enrolment(body["enrolment"])}


def _enrolment(body: Mapping[str, Any] | None) -> Enrolment | None:
    if body is None:
        return None
    return Enrolment(
        person_id=UUID(body["person"]),
        public_key=b64decode(body["public_key"]),
        rp_id=body["rp_id"],
        added_at=datetime.fromisoformat(body["enrolled_at"]),
        removed_at=datetime.fromisoformat(body["removed_at"]) if body["removed_at"] else None,
    )
