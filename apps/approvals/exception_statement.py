"""The bytes that the two persons of an exception sign: what is asked for, and that it is agreed to. Pure.

The second one says everything the first one said, and names it by its hash."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from apps.approvals.statement import NotAStatement
from apps.core.canonical import NotCanonical, canonical_bytes, read_canonical

SCHEMA = 1
TYPE = "changecontrol/exception/v1"
PREFIX = TYPE.encode() + b"\n"
ASK, AGREE = "ASK", "AGREE"
MEMBERS = frozenset(
    {
        "schema", "type", "installation", "act", "change", "ref", "revision", "leg", "target", "place", "identities", "covers",
        "settings", "kind", "lifts", "minutes", "reason", "person", "by", "at", "nonce",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ExceptionStatement:
    """What one of the two said. `asked` is the hash of the first statement; empty in that one."""

    installation: str
    change: str
    ref: str
    revision: int
    revision_digest: str
    leg: str
    target: str
    place: str
    identities: tuple[str, ...]
    covers: Mapping[str, str]
    settings: str
    kind: str
    lifts: tuple[str, ...]
    minutes: int
    reason: str
    person_id: UUID
    person_name: str
    by: Mapping[str, str]
    at: datetime
    nonce: str
    asked: str = ""

    @property
    def act(self) -> str:
        """Whether it asks or agrees."""
        return AGREE if self.asked else ASK

    @property
    def terms(self) -> tuple[object, ...]:
        """What both of them must say alike."""
        return (
            self.installation, self.change, self.ref, self.revision, self.revision_digest, self.leg, self.target, self.place,
            self.identities, dict(self.covers), self.settings, self.kind, self.lifts, self.minutes, self.reason,
        )  # fmt: skip


def exception_bytes(said: ExceptionStatement) -> bytes:
    """Return the canonical bytes of a statement."""
    return canonical_bytes(
        {
            "schema": SCHEMA,
            "type": TYPE,
            "installation": said.installation,
            "act": said.act,
            "asked": said.asked or None,
            "change": said.change,
            "ref": said.ref,
            "revision": {"number": said.revision, "digest": said.revision_digest},
            "leg": said.leg,
            "target": said.target,
            "place": said.place,
            "identities": sorted(said.identities),
            "covers": said.covers,
            "settings": said.settings,
            "kind": said.kind,
            "lifts": sorted(said.lifts),
            "minutes": said.minutes,
            "reason": said.reason,
            "person": {"id": said.person_id, "name": said.person_name},
            "by": said.by,
            "at": said.at,
            "nonce": said.nonce,
        }
    )


def exception_message(data: bytes) -> bytes:
    """What the signature is over: the statement's bytes behind their type."""
    return PREFIX + data


def exception_challenge(data: bytes) -> bytes:
    """What a passkey is asked to sign: the hash of the very message that the server signs."""
    return hashlib.sha256(exception_message(data)).digest()


def read_exception(data: bytes) -> ExceptionStatement:
    """Read a statement back; raises NotAStatement for anything that is not exactly one."""
    try:
        body: dict[str, Any] = read_canonical(data)
        act = body.get("act")
        members = MEMBERS | {"asked"} if act == AGREE else MEMBERS
        if set(body) != members or act not in {ASK, AGREE} or (body["schema"], body["type"]) != (SCHEMA, TYPE):
            raise NotAStatement("The members or the type are not those of an exception's statement v1.")
        return ExceptionStatement(
            installation=body["installation"],
            change=body["change"],
            ref=body["ref"],
            revision=body["revision"]["number"],
            revision_digest=body["revision"]["digest"],
            leg=body["leg"],
            target=body["target"],
            place=body["place"],
            identities=tuple(body["identities"]),
            covers=dict(body["covers"]),
            settings=body["settings"],
            kind=body["kind"],
            lifts=tuple(body["lifts"]),
            minutes=body["minutes"],
            reason=body["reason"],
            person_id=UUID(body["person"]["id"]),
            person_name=body["person"]["name"],
            by=dict(body["by"]),
            at=datetime.fromisoformat(body["at"]),
            nonce=body["nonce"],
            asked=body.get("asked", ""),
        )
    except (NotCanonical, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise NotAStatement(f"These bytes are no exception's statement v1: {type(error).__name__}.") from error
