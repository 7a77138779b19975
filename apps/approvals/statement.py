"""Statement v1: the exact bytes a person signs off. Written once and stored; never made again to verify. Pure."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from apps.core.canonical import NotCanonical, canonical_bytes, read_canonical

SCHEMA = 1
TYPE = "changecontrol/sign-off/v1"
GOOD_FOR = timedelta(minutes=5)  # from the moment a statement is put before a person until they sign it
PREFIX = TYPE.encode() + b"\n"  # keeps a statement's signature from being taken for another document's
MEMBERS = frozenset(
    {
        "schema", "type", "installation", "change", "ref", "revision", "covers", "rules", "policies", "settings",
        "decision", "meaning", "reason", "person", "by", "at", "nonce",
    }
)  # fmt: skip


class NotAStatement(Exception):
    """The bytes are no statement of a schema we know."""


@dataclass(frozen=True, slots=True, order=True)
class StatedRule:
    """One rule the person spoke for: whose policy, which rule, for which target, in which group, meaning what."""

    policy: str
    rule: str
    target: str
    group: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Statement:
    """What one person said about one revision."""

    installation: str
    change: str
    ref: str
    revision: int
    revision_digest: str
    covers: Mapping[str, str]
    rules: tuple[StatedRule, ...]
    policies: Mapping[str, str]
    settings: Mapping[str, str]
    decision: str
    meaning: str
    reason: str
    person_id: UUID
    person_name: str
    by: Mapping[str, str]
    at: datetime
    nonce: str

    @property
    def groups(self) -> frozenset[tuple[str, str]]:
        """The groups it speaks for, each with its target: what the rules count by."""
        return frozenset((one.group, one.target) for one in self.rules)


def statement_bytes(statement: Statement) -> bytes:
    """Return the canonical bytes of a statement."""
    return canonical_bytes(
        {
            "schema": SCHEMA,
            "type": TYPE,
            "installation": statement.installation,
            "change": statement.change,
            "ref": statement.ref,
            "revision": {"number": statement.revision, "digest": statement.revision_digest},
            "covers": statement.covers,
            "rules": [asdict(one) for one in sorted(set(statement.rules))],
            "policies": [{"policy": policy, "digest": digest} for policy, digest in sorted(statement.policies.items())],
            "settings": statement.settings,
            "decision": statement.decision,
            "meaning": statement.meaning,
            "reason": statement.reason,
            "person": {"id": statement.person_id, "name": statement.person_name},
            "by": statement.by,
            "at": statement.at,
            "nonce": statement.nonce,
        }
    )


def signed_message(data: bytes) -> bytes:
    """What the signature is over: the statement's bytes behind their type."""
    return PREFIX + data


def challenge_of(data: bytes) -> bytes:
    """What a passkey is asked to sign: the hash of the very message that the server signs."""
    return hashlib.sha256(signed_message(data)).digest()


def read_statement(data: bytes) -> Statement:
    """Read a statement back; raises NotAStatement for anything that is not exactly one."""
    try:
        body: dict[str, Any] = read_canonical(data)
        if set(body) != MEMBERS or (body["schema"], body["type"]) != (SCHEMA, TYPE):
            raise NotAStatement("The members or the type are not those of statement v1.")
        return Statement(
            installation=body["installation"],
            change=body["change"],
            ref=body["ref"],
            revision=body["revision"]["number"],
            revision_digest=body["revision"]["digest"],
            covers=dict(body["covers"]),
            rules=tuple(StatedRule(**one) for one in body["rules"]),
            policies={one["policy"]: one["digest"] for one in body["policies"]},
            settings=dict(body["settings"]),
            decision=body["decision"],
            meaning=body["meaning"],
            reason=body["reason"],
            person_id=UUID(body["person"]["id"]),
            person_name=body["person"]["name"],
            by=dict(body["by"]),
            at=datetime.fromisoformat(body["at"]),
            nonce=body["nonce"],
        )
    except (NotCanonical, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise NotAStatement(f"These bytes are no statement v1: {type(error).__name__}.") from error
