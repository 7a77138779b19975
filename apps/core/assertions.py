"""What a passkey says (WebAuthn): whether an assertion is one over this challenge, for this place, by this key. Pure, no tables."""

import hashlib
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicKey, EllipticCurvePublicNumbers
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

USER_PRESENT, USER_VERIFIED = 0x01, 0x04
FLAGS_AT, COUNTER_AT, SHORTEST = 32, 33, 37  # authenticator data: hash of the relying party, flags, counter
LARGEST = 16_384  # an assertion is about 1 kB


@dataclass(frozen=True, slots=True)
class Assertion:
    """What an authenticator signed, with the relying party and the origin it was asked for."""

    credential_id: bytes
    authenticator_data: bytes
    client_data: bytes
    signature: bytes
    rp_id: str
    origin: str

    @property
    def sign_count(self) -> int:
        """The authenticator's counter; 0 from one that does not count."""
        return int.from_bytes(self.authenticator_data[COUNTER_AT:SHORTEST], "big")


class NotAnAssertion(Exception):
    """What a browser sent is no assertion."""


def read_assertion(text: str, *, rp_id: str, origin: str) -> Assertion:
    """Read what `navigator.credentials.get` returned, as JSON with base64url members; raises NotAnAssertion."""
    if len(text) > LARGEST:
        raise NotAnAssertion("It is longer than an assertion can be.")
    try:
        said = json.loads(text)
        response = said["response"]
        return Assertion(
            credential_id=from_base64url(said["rawId"]),
            authenticator_data=from_base64url(response["authenticatorData"]),
            client_data=from_base64url(response["clientDataJSON"]),
            signature=from_base64url(response["signature"]),
            rp_id=rp_id,
            origin=origin,
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise NotAnAssertion(f"It cannot be read: {type(error).__name__}.") from error


def why_not_asserted(assertion: Assertion, *, public_key: bytes, challenge: bytes) -> str | None:
    """Return the code of what keeps an assertion from being one over the challenge by the owner of the key, or None.

    Present is not enough: the authenticator must have verified the person."""
    try:
        client: Any = json.loads(assertion.client_data)
        said = (client["type"], client["challenge"], client["origin"], client.get("crossOrigin", False))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return "client_data"
    data = assertion.authenticator_data
    flags = data[FLAGS_AT] if len(data) >= SHORTEST else 0
    doubts = (
        ("type", said[0] != "webauthn.get"),
        ("challenge", said[1] != base64url(challenge)),
        ("origin", said[2] != assertion.origin or said[3] is not False or not _is_within(assertion.origin, assertion.rp_id)),
        ("relying_party", data[:FLAGS_AT] != hashlib.sha256(assertion.rp_id.encode()).digest()),
        ("not_present", not flags & USER_PRESENT),
        ("not_verified", not flags & USER_VERIFIED),
    )
    if code := next((code for code, holds in doubts if holds), None):
        return code
    message = data + hashlib.sha256(assertion.client_data).digest()
    return None if _is_signed(public_key, message, assertion.signature) else "signature"


def public_key_of(cose: Mapping[int, Any]) -> bytes:
    """The public key an authenticator attested (COSE), as SubjectPublicKeyInfo: read again without knowing COSE.

    Raises ValueError for another algorithm than ES256, EdDSA (Ed25519) and RS256, and for a key that is none."""
    key: EllipticCurvePublicKey | Ed25519PublicKey | RSAPublicKey
    match cose:
        case {1: 2, 3: -7, -1: 1, -2: bytes(x), -3: bytes(y)}:
            key = EllipticCurvePublicNumbers(int.from_bytes(x, "big"), int.from_bytes(y, "big"), SECP256R1()).public_key()
        case {1: 1, 3: -8, -1: 6, -2: bytes(x)}:
            key = Ed25519PublicKey.from_public_bytes(x)
        case {1: 3, 3: -257, -1: bytes(n), -2: bytes(e)}:
            key = RSAPublicNumbers(int.from_bytes(e, "big"), int.from_bytes(n, "big")).public_key()
        case _:
            raise ValueError("This is no key of a known algorithm.")
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def base64url(data: bytes) -> str:
    """Base64 for addresses, without padding, as WebAuthn writes it."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def from_base64url(text: str) -> bytes:
    """The bytes behind it; raises ValueError for what `base64url` would not have written."""
    try:
        data = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except NotBase64 as error:
        raise ValueError("This is no base64url.") from error
    if base64url(data) != text:
        raise ValueError("This is no base64url.")
    return data


def _is_within(origin: str, rp_id: str) -> bool:
    try:
        host = urlsplit(origin).hostname or ""
    except ValueError:
        return False
    return bool(rp_id) and (host == rp_id or host.endswith(f".{rp_id}"))


def _is_signed(public_key: bytes, message: bytes, signature: bytes) -> bool:
    try:
        key = load_der_public_key(public_key)
        if isinstance(key, EllipticCurvePublicKey):
            key.verify(signature, message, ECDSA(SHA256()))
        elif isinstance(key, Ed25519PublicKey):
            key.verify(signature, message)
        elif isinstance(key, RSAPublicKey):
            key.verify(signature, message, PKCS1v15(), SHA256())
        else:
            return False
    except (InvalidSignature, UnsupportedAlgorithm, ValueError):
        return False
    return True
