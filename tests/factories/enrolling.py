"""What an authenticator tells when a passkey is made on it."""

import json
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from fido2 import cbor
from fido2.cose import ES256
from fido2.utils import websafe_encode

from apps.accounts.relying_party import relying_party


def cose_key(private: ec.EllipticCurvePrivateKey) -> bytes:
    """The public half as an authenticator tells it."""
    return bytes(cbor.encode(dict(ES256.from_cryptography_key(private.public_key()))))


def answer(challenge: str, *, origin: str = "", rp_id: str = "", flags: int = 0x45, name: bytes = b"n" * 32, **more: Any) -> dict[str, Any]:
    """What a browser hands back for `navigator.credentials.create`."""
    here = relying_party()
    said = {"type": more.get("type", "webauthn.create"), "challenge": challenge, "origin": origin or here.origin, "crossOrigin": False}
    key = more.get("key") or cose_key(ec.generate_private_key(ec.SECP256R1()))
    site = sha256((rp_id or here.id).encode()).digest()
    data = site + bytes([flags]) + (3).to_bytes(4, "big") + bytes(16) + len(name).to_bytes(2, "big") + name + key
    told = cbor.encode({"fmt": "none", "attStmt": {}, "authData": data})
    named = websafe_encode(name)
    response = {"clientDataJSON": websafe_encode(json.dumps(said).encode()), "attestationObject": websafe_encode(told)}
    return {"id": named, "rawId": named, "type": "public-key", "response": response, "clientExtensionResults": {"credProps": {"rk": True}}}
