"""Passkeys before the second judge: a WebAuthn assertion, verified from the rows with a cryptographic library and nothing else."""

import json
from base64 import urlsafe_b64encode
from datetime import datetime
from hashlib import sha256
from urllib.parse import urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from tests.gate.second_judge_rows import Dump, NotJudged, Row

COLUMNS = ("credential_id", "authenticator_data", "client_data", "assertion", "rp_id", "origin")
TOUCHED, VERIFIED = 0b001, 0b100  # somebody was there; and the authenticator found that it was its owner


def has_assertion(row: Row) -> bool:
    """Whether any column of an assertion is filled."""
    return any(len(row[name]) for name in COLUMNS)


def is_asserted(rows: Dump, row: Row, message: bytes, *, said_at: datetime, given_at: datetime) -> bool:
    """Whether the row's person touched a passkey of theirs over this very message, while that passkey was enrolled."""
    found = [one for one in rows.tables["accounts_passkey"] if bytes(one["credential_id"]) == bytes(row["credential_id"])]
    if len(found) != 1 or found[0]["person_id"] != row["person_id"] or found[0]["rp_id"] != row["rp_id"]:
        return False
    (passkey,) = found
    if given_at < passkey["enrolled_at"] or (passkey["removed_at"] is not None and passkey["removed_at"] < said_at):
        return False
    return _is_about(row, message) and _is_by(bytes(passkey["public_key"]), row)


def _is_about(row: Row, message: bytes) -> bool:
    """What the browser said, and what the authenticator says of the place and of the person before it."""
    try:
        client = json.loads(bytes(row["client_data"]))
    except ValueError:
        return False
    party, host = row["rp_id"], urlsplit(row["origin"]).hostname or ""
    wanted = {
        "type": "webauthn.get",
        "challenge": urlsafe_b64encode(sha256(message).digest()).decode().rstrip("="),
        "origin": row["origin"],
    }
    is_here = bool(party) and (host == party or host.endswith("." + party))
    data = bytes(row["authenticator_data"])
    flags = data[32] if len(data) >= 37 else 0
    return (
        isinstance(client, dict)
        and all(client.get(name) == value for name, value in wanted.items())
        and client.get("crossOrigin", False) is False
        and is_here
        and data[:32] == sha256(party.encode()).digest()
        and flags & TOUCHED != 0
        and flags & VERIFIED != 0
    )


def _is_by(public: bytes, row: Row) -> bool:
    key = load_der_public_key(public)
    if not isinstance(key, EllipticCurvePublicKey):
        raise NotJudged("a passkey of another algorithm than ES256")
    try:
        key.verify(bytes(row["assertion"]), bytes(row["authenticator_data"]) + sha256(bytes(row["client_data"])).digest(), ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True
