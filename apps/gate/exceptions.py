"""The exceptions in the statement's answer: what both persons signed is proved here, as sign-offs are."""

from base64 import b64decode
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from apps.approvals.exception_proof import ExceptionClaim, SignatureClaim, proved_exception
from apps.approvals.exception_statement import AGREE, ASK
from apps.approvals.rules import Debt, ExceptionFacts
from apps.changes.content import Bound, revision_digest
from apps.gate.passkeys import passkey_in
from apps.gate.people import person_in
from apps.gate.standard import bound_model

Body = Mapping[str, Any]


def exceptions_in(leg: Body, *, installation: UUID, target: UUID) -> tuple[ExceptionFacts, ...]:
    """The agreed exceptions of a leg; what is not proved says nothing of itself and counts for nothing."""
    return tuple(_exception(one, leg, installation=installation, target=target) for one in leg["exceptions"] or ())


def _exception(body: Body, leg: Body, *, installation: UUID, target: UUID) -> ExceptionFacts:
    said = proved_exception(_claim(body, leg, installation=installation, target=target))
    return ExceptionFacts(
        id=UUID(body["id"]),
        ref=body["ref"],
        kind=body["kind"],
        lifts=frozenset(body["lifts"]),
        asked_by=person_in(body["asked_by"]),
        asked_at=datetime.fromisoformat(body["asked_at"]),
        covers=said.covers if said else {},
        settings=said.settings if said else "",
        identities=said.identities if said else (),
        signature_ok=said is not None,
        agreed_by=person_in(body["agreed_by"]),
        agreed_at=datetime.fromisoformat(body["agreed_at"]),
        ends_at=datetime.fromisoformat(body["ends_at"]),
        review_due_at=datetime.fromisoformat(body["due_at"]),
        reviewed_at=datetime.fromisoformat(body["reviewed_at"]) if body["reviewed_at"] else None,
        debts=tuple(
            Debt(one["ref"], datetime.fromisoformat(one["due_at"]))
            for one in body["debts"] or ()
            if proved_exception(_claim(one, one["leg"], installation=installation, target=UUID(one["target"])))
        ),
        reason=body["reason"],
    )


def _claim(body: Body, leg: Body, *, installation: UUID, target: UUID) -> ExceptionClaim:
    signatures = {one["act"]: _signature(one) for one in body["signatures"] or ()}
    bound = Bound(UUID(leg["change"]), leg["kind"], UUID(leg["requester"]), body["revision"], UUID(body["author"]), bound_model(leg))
    return ExceptionClaim(
        installation=installation,
        change_id=bound.change_id,
        revision=bound.number,
        revision_digest=revision_digest(bound, part_digests=body["digests"]),
        leg_id=UUID(leg["id"]),
        target_id=target,
        kind=body["kind"],
        lifts=frozenset(body["lifts"]),
        minutes=body["minutes"],
        reason=body["reason"],
        asked_by=UUID(body["asked_by"]["id"]),
        asked_at=datetime.fromisoformat(body["asked_at"]),
        ask=signatures.get(ASK),
        agreed_by=UUID(body["agreed_by"]["id"]),
        agreed_at=datetime.fromisoformat(body["agreed_at"]),
        ends_at=datetime.fromisoformat(body["ends_at"]),
        due_at=datetime.fromisoformat(body["due_at"]),
        agree=signatures.get(AGREE),
    )


def _signature(body: Body) -> SignatureClaim:
    return SignatureClaim(
        statement=b64decode(body["statement"]),
        statement_hash=body["statement_hash"],
        signature=b64decode(body["signature"]),
        key_id=body["key_id"],
        alg=body["alg"],
        person_id=UUID(body["person"]),
        given_at=datetime.fromisoformat(body["given_at"]),
        **passkey_in(body["passkey"]),
    )
