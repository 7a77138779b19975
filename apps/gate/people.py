"""The people in the statement's answer: as rules see them, and in whose place one of them signed."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from apps.approvals.rules import PersonFacts, Stretch
from apps.core.ids import read_id

Body = Mapping[str, Any]


def person_in(body: Body) -> PersonFacts:
    """A person as rules see them."""
    return PersonFacts(
        id=read_id(body["id"]),
        name=body["name"],
        is_active=body["active"],
        roles=frozenset(body["roles"] or ()),
        team_ids=frozenset(read_id(team) for team in body["teams"] or ()),
        owner_of=frozenset(body["owner_of"] or ()),
        canonical_id=read_id(body["canonical"]),
        stands_for=frozenset(read_id(one) for one in body["stands_for"] or ()),
        inactive_until=datetime.fromisoformat(body["inactive_until"]) if body["inactive_until"] else None,
    )


def place_in(body: Body | None, *, signer: PersonFacts, at: datetime) -> dict[str, Any]:
    """In whose place a sign-off was given, and whether that person had asked for it then; nothing where it was one's own."""
    if body is None:
        return {}
    holder = person_in(body["person"])
    stretch = Stretch(
        person_id=holder.id,
        delegate_id=read_id(body["delegate"]),
        starts_at=datetime.fromisoformat(body["starts_at"]),
        ends_at=datetime.fromisoformat(body["ends_at"]),
        ended_at=datetime.fromisoformat(body["ended_at"]) if body["ended_at"] else None,
        service_ids=None if body["services"] is None else frozenset(body["services"]),
        kinds=None if body["kinds"] is None else frozenset(body["kinds"]),
    )
    covered = stretch.covers(delegate_id=signer.canonical_id, at=at, service_id=body["service"], kind=body["kind"])
    return {"stands_for": holder, "is_mandated": covered}
