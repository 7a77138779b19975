"""Tickets: an in-toto statement in a DSSE envelope, signed with Ed25519. Making and verifying; spending is in `steps`.

The envelope's key id only says which public key to try; nothing in it is believed before the signature verifies."""

import hashlib
import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from apps.core.canonical import utc_seconds
from apps.core.compact_json import sorted_ascii_json
from apps.core.ids import id_text
from apps.core.signing import SigningKey, verifies
from apps.gate.rules import Action

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "urn:changecontrol:ticket:v1"
LONGEST_LIFE = timedelta(minutes=60)
ROLLBACK_LIFE = timedelta(hours=24)
LONGEST_PAYLOAD = 32_768
ALGORITHMS = {"git": "gitCommit", "sha256": "sha256", "config": "sha256"}

Keys = Callable[[str], bytes | None]


class NotATicket(Exception):
    """The envelope is not a ticket of ours that holds now; `code` is stable."""

    def __init__(self, code: str, said: str) -> None:
        super().__init__(said)
        self.code = code


@dataclass(frozen=True, slots=True)
class Permit:
    """What a ticket permits: once, this action with these identities on this target, from when until when."""

    id: UUID
    installation: UUID
    evaluation: UUID
    action: Action
    service: str
    environment: str
    asked: tuple[str, str]  # service and environment by the names the question used: today's, or older ones that still work
    target: UUID
    identities: tuple[str, ...]
    change: str  # CHG-<number>; empty where no change is needed
    leg: str
    revision_digest: str
    settings_digest: str
    policy_digest: str
    not_before: datetime
    expires_at: datetime
    offline_seconds: int = 0  # for how long after it was handed out it permits a start that we are told of later

    @property
    def binds(self) -> str:
        """One digest of everything it permits, times and ids of its making left out."""
        parts = (
            self.action,
            id_text(self.target),
            *self.identities,
            self.leg,
            self.revision_digest,
            self.settings_digest,
            self.policy_digest,
            self.offline_seconds,
        )
        return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Signed:
    """A permit with its signature: what is stored of a ticket."""

    payload: bytes
    key_id: str
    signature: bytes

    @property
    def envelope(self) -> dict[str, Any]:
        """The DSSE envelope that is handed out."""
        return {
            "payloadType": PAYLOAD_TYPE,
            "payload": b64encode(self.payload).decode(),
            "signatures": [{"keyid": self.key_id, "sig": b64encode(self.signature).decode()}],
        }


def issue(permit: Permit, *, key: SigningKey) -> Signed:
    """Sign a permit."""
    payload = sorted_ascii_json(_statement(permit))
    signature = key.sign(pae(payload))
    return Signed(payload, signature.key_id, signature.value)


def pae(payload: bytes, payload_type: str = PAYLOAD_TYPE) -> bytes:
    """DSSE's pre-authentication encoding: type and bytes, each with its length, so that neither can be read as the other."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def open_ticket(envelope: Mapping[str, object], *, keys: Keys, now: datetime) -> Permit:
    """Return what a ticket permits; raises NotATicket unless a key of ours signed it and it holds now."""
    payload, key_id, signature = _parts(envelope)
    public = keys(key_id)
    if public is None or not verifies(public, pae(payload), signature):
        raise NotATicket("ticket_signature", "The ticket is not signed with a key of this installation.")
    permit = _permit(payload)
    if now < permit.not_before:
        raise NotATicket("ticket_early", f"The ticket holds from {utc_seconds(permit.not_before)}.")
    if now >= permit.expires_at:
        raise NotATicket("ticket_expired", f"The ticket expired {utc_seconds(permit.expires_at)}.")
    return permit


def _parts(envelope: Mapping[str, object]) -> tuple[bytes, str, bytes]:
    match envelope:
        case {"payloadType": kind, "payload": str(payload), "signatures": [{"keyid": str(key_id), "sig": str(sig), **more}], **rest}:
            if kind == PAYLOAD_TYPE and not more and not rest and len(payload) <= LONGEST_PAYLOAD:
                return _decoded(payload), key_id, _decoded(sig)
    raise NotATicket("ticket_form", "This is no ticket: a DSSE envelope with one signature.")


def _decoded(text: str) -> bytes:
    try:
        data = b64decode(text, validate=True)
    except ValueError as error:
        raise NotATicket("ticket_form", "A part of the ticket is not base64.") from error
    if b64encode(data).decode() != text:  # the unused bits of the last character are not signed
        raise NotATicket("ticket_form", "A part of the ticket is not base64 as we write it.")
    return data


def _statement(permit: Permit) -> dict[str, Any]:
    predicate = {
        "schema": 1,
        "ticket": id_text(permit.id),
        "installation": id_text(permit.installation),
        "evaluation": id_text(permit.evaluation),
        "action": permit.action.value,
        "service": permit.service,
        "environment": permit.environment,
        "asked": dict(zip(("service", "environment"), permit.asked, strict=True)),
        "target": id_text(permit.target),
        "identities": list(permit.identities),
        "change": permit.change,
        "leg": permit.leg,
        "revisionDigest": permit.revision_digest,
        "settingsDigest": permit.settings_digest,
        "policyDigest": permit.policy_digest,
        "notBefore": utc_seconds(permit.not_before),
        "expiresAt": utc_seconds(permit.expires_at),
        "offlineSeconds": permit.offline_seconds,
    }
    subject = [
        {"name": permit.service, "digest": {ALGORITHMS[kind]: value}}
        for kind, _, value in (identity.partition(":") for identity in permit.identities)
    ]
    return {"_type": STATEMENT_TYPE, "subject": subject, "predicateType": PREDICATE_TYPE, "predicate": predicate}


def _permit(payload: bytes) -> Permit:
    # Signed by us, so only a ticket of another kind or version can fail here.
    try:
        statement = json.loads(payload)
        said = statement["predicate"]
        permit = Permit(
            id=UUID(said["ticket"]),
            installation=UUID(said["installation"]),
            evaluation=UUID(said["evaluation"]),
            action=Action(said["action"]),
            service=said["service"],
            environment=said["environment"],
            asked=(said["asked"]["service"], said["asked"]["environment"]),
            target=UUID(said["target"]),
            identities=tuple(said["identities"]),
            change=said["change"],
            leg=said["leg"],
            revision_digest=said["revisionDigest"],
            settings_digest=said["settingsDigest"],
            policy_digest=said["policyDigest"],
            not_before=datetime.fromisoformat(said["notBefore"]).astimezone(UTC),
            expires_at=datetime.fromisoformat(said["expiresAt"]).astimezone(UTC),
            offline_seconds=int(said["offlineSeconds"]),
        )
        same = _statement(permit) == statement
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise NotATicket("ticket_form", "The ticket says something that we do not know.") from error
    if not same:
        raise NotATicket("ticket_form", "The ticket says something that we do not know.")
    return permit
