"""Reading what an authenticator says: every algorithm, every malformed answer."""

import json
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from fido2.cose import ES256, RS256, EdDSA

from apps.core.assertions import Assertion, NotAnAssertion, base64url, from_base64url, public_key_of, read_assertion, why_not_asserted

ORIGIN, RP_ID, CHALLENGE = "https://changes.example.org", "changes.example.org", b"\x07" * 32
P256, ED, RSA = ec.generate_private_key(ec.SECP256R1()), ed25519.Ed25519PrivateKey.generate(), rsa.generate_private_key(65537, 2048)


def signed(private, message: bytes) -> bytes:
    match private:
        case ec.EllipticCurvePrivateKey():
            return private.sign(message, ec.ECDSA(SHA256()))
        case ed25519.Ed25519PrivateKey():
            return private.sign(message)
        case _:
            return private.sign(message, padding.PKCS1v15(), SHA256())


def assertion(private=P256, **client) -> Assertion:
    said = {"type": "webauthn.get", "challenge": base64url(CHALLENGE), "origin": ORIGIN, "crossOrigin": False} | client
    client_data = json.dumps({key: value for key, value in said.items() if value is not None}).encode()
    data = sha256(RP_ID.encode()).digest() + b"\x05" + (9).to_bytes(4, "big")
    return Assertion(b"id", data, client_data, signed(private, data + sha256(client_data).digest()), RP_ID, ORIGIN)


def der(private) -> bytes:
    return private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize(("private", "cose"), [(P256, ES256), (ED, EdDSA), (RSA, RS256)], ids=["ES256", "EdDSA", "RS256"])
def test_key_as_attested_is_kept_and_verifies(private, cose):
    kept = public_key_of(cose.from_cryptography_key(private.public_key()))

    assert kept == der(private)
    assert why_not_asserted(assertion(private), public_key=kept, challenge=CHALLENGE) is None
    assert why_not_asserted(assertion(private), public_key=kept, challenge=bytes(32)) == "challenge"


@pytest.mark.parametrize(
    "cose", [{}, {1: 2, 3: -35, -1: 2, -2: b"", -3: b""}, {1: 2, 3: -7, -1: 1, -2: 5, -3: b""}, {1: 1, 3: -8, -1: 6, -2: b"x"}]
)
def test_key_of_another_kind_is_refused(cose):
    with pytest.raises(ValueError, match="key"):
        public_key_of(cose)


@pytest.mark.parametrize(
    ("client", "code"),
    [
        ({"type": "webauthn.create"}, "type"),
        ({"challenge": "AAAA"}, "challenge"),
        ({"origin": "https://example.org"}, "origin"),
        ({"crossOrigin": True}, "origin"),
        ({"crossOrigin": None}, None),
        ({"challenge": None}, "client_data"),
    ],
)
def test_client_data_says_what_was_asked_and_where(client, code):
    assert why_not_asserted(assertion(**client), public_key=der(P256), challenge=CHALLENGE) == code


def test_key_that_signs_otherwise_verifies_nothing():
    other = dsa.generate_private_key(1024).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    for key in (other, b"", der(ED), der(RSA)):
        assert why_not_asserted(assertion(), public_key=key, challenge=CHALLENGE) == "signature"


def as_json(**other) -> str:
    whole = assertion()
    response = {"authenticatorData": whole.authenticator_data, "clientDataJSON": whole.client_data, "signature": whole.signature}
    said = {"rawId": base64url(b"id"), "response": {key: base64url(value) for key, value in response.items()}}
    return json.dumps(said | other)


def test_answer_of_a_browser_is_read():
    read = read_assertion(as_json(), rp_id=RP_ID, origin=ORIGIN)

    assert (read.credential_id, read.sign_count) == (b"id", 9)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{}",
        "nonsense",
        "[" * 10_000,
        as_json(rawId=5),
        as_json(rawId="a b"),
        as_json(response=[]),
        " " * 20_000 + as_json(),
    ],
    ids=range(10),
)
def test_anything_else_is_no_assertion(text):
    with pytest.raises(NotAnAssertion):
        read_assertion(text, rp_id=RP_ID, origin=ORIGIN)


@pytest.mark.parametrize("text", ["=", "AA==", "A", "A+/A", "a b"])
def test_base64url_has_one_spelling(text):
    with pytest.raises(ValueError, match="base64url"):
        from_base64url(text)
