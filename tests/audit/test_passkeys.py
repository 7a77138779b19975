"""What passkeys signed, in an export: the verifier proves each assertion by what the stream tells, and by nothing else."""

import json
from base64 import urlsafe_b64encode
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from apps.audit.verifier import DoesNotHold, sentences
from apps.audit.vocabulary import Event
from apps.core.references import reference
from tests.audit.conftest import SIGNER, sign_off_row, statement, tell_sign_off
from tests.conftest import NOW
from tests.factories.audit import make_actor, make_entry

BY = replace(SIGNER, credential="passkey")
CREDENTIAL, RP_ID, ORIGIN = b"a credential", "changes.example.org", "https://changes.example.org"
P256 = ec.generate_private_key(ec.SECP256R1())
PERSON = reference("person", SIGNER.id)


def base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def public(private) -> bytes:
    return private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def add_passkey(private=P256, *, credential=CREDENTIAL, person=PERSON, at=NOW, by=SIGNER) -> None:
    data = {"credential_id": base64url(credential), "public_key": base64url(public(private)), "algorithm": -7, "rp_id": RP_ID}
    make_entry(Event.PASSKEY_ADDED, subject=person, by=by, at=at, data={**data, "aaguid": "", "sign_count": 0})


def remove_passkey(*, at) -> None:
    make_entry(Event.PASSKEY_REMOVED, subject=PERSON, by=SIGNER, at=at, data={"credential_id": base64url(CREDENTIAL)})


def signature_by(private, message: bytes) -> bytes:
    match private:
        case ec.EllipticCurvePrivateKey():
            return private.sign(message, ec.ECDSA(SHA256()))
        case ed25519.Ed25519PrivateKey():
            return private.sign(message)
        case _:
            return private.sign(message, padding.PKCS1v15(), SHA256())


def assertion(statement_bytes: bytes, private=P256, *, rp_id=RP_ID, origin=ORIGIN, flags=0x05, kind="webauthn.get") -> dict[str, object]:
    challenge = base64url(sha256(b"changecontrol/sign-off/v1\n" + statement_bytes).digest())
    client = json.dumps({"type": kind, "challenge": challenge, "origin": origin, "crossOrigin": False}).encode()
    data = sha256(rp_id.encode()).digest() + bytes([flags]) + bytes(4)
    signature = signature_by(private, data + sha256(client).digest())
    return {
        "credential_id": CREDENTIAL,
        "authenticator_data": data,
        "client_data": client,
        "assertion": signature,
        "rp_id": rp_id,
        "origin": origin,
    }


def said(**other) -> bytes:
    """A statement to be signed by a passkey, unlike the one in the stream."""
    return statement(by=BY.as_data(), nonce="2", **other)


def put_in(stream, data: bytes, **columns: object) -> None:
    tell_sign_off(data, sign_off="2", by=BY)
    stream.sign_offs.append({**sign_off_row(data, sign_off="2"), **columns})


@pytest.mark.parametrize(
    "private", [P256, ed25519.Ed25519PrivateKey.generate(), rsa.generate_private_key(65537, 2048)], ids=["ES256", "Ed25519", "RS256"]
)
def test_signature_by_a_passkey_holds_and_the_passkey_is_named(stream, private):
    add_passkey(private)
    put_in(stream, said(), **assertion(said(), private))

    lines = sentences(stream.verified())

    (line,) = [line for line in lines if line.startswith("passkey ")]
    name = base64url(CREDENTIAL)
    assert line == f"passkey {name}, added at position unsealed by PERSON:{SIGNER.id} for {PERSON} at {RP_ID}, 1 sign-offs"


def test_statement_that_was_read_first_is_signed_within_five_minutes(stream):
    data = said(at="2026-11-20T14:15:01Z")
    add_passkey()
    put_in(stream, data, **assertion(data))

    assert stream.verified().sign_offs == 2


@pytest.mark.parametrize("at", ["2026-11-20T14:14:59Z", "2026-11-20T14:20:01Z"])
def test_statement_that_was_read_long_before_or_afterwards_does_not_hold(stream, at):
    data = said(at=at)
    add_passkey()
    put_in(stream, data, **assertion(data))

    with pytest.raises(DoesNotHold, match=f"the moment is {at} here"):
        stream.verified()


@pytest.mark.parametrize(
    ("forge", "what"),
    [
        ({"rp_id": "example.com", "origin": "https://example.com"}, "was asked at another address"),
        ({"origin": "https://example.com"}, "was asked at another address"),
        ({"origin": "https://evilchanges.example.org"}, "was asked at another address"),
        ({"flags": 0x01}, "did not verify its person"),
        ({"flags": 0x04}, "did not verify its person"),
        ({"kind": "webauthn.create"}, "signed something else"),
        ({"private": ec.generate_private_key(ec.SECP256R1())}, "did not sign it"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_assertion_of_something_else_does_not_hold(stream, forge, what):
    add_passkey()
    put_in(stream, said(), **assertion(said(), **forge))

    with pytest.raises(DoesNotHold, match=f"sign-off 2, position unsealed: its passkey {base64url(CREDENTIAL)} {what}"):
        stream.verified()


def test_assertion_over_another_statement_does_not_hold(stream):
    add_passkey()
    put_in(stream, said(), **assertion(said(reason="Another one.")))

    with pytest.raises(DoesNotHold, match="signed something else"):
        stream.verified()


@pytest.mark.parametrize("part", ["authenticator_data", "client_data", "assertion"])
def test_every_flipped_byte_of_an_assertion_is_found(stream, part):
    add_passkey()
    whole = assertion(said())
    put_in(stream, said(), **whole)
    for at in range(0, len(whole[part]), 11):
        bent = bytearray(whole[part])
        bent[at] ^= 1
        stream.sign_offs[-1][part] = bytes(bent)

        with pytest.raises(DoesNotHold, match="sign-off 2, position unsealed: "):
            stream.verified()


def test_passkey_that_was_never_added_does_not_hold(stream):
    put_in(stream, said(), **assertion(said()))

    with pytest.raises(DoesNotHold, match="was never added in the stream"):
        stream.verified()


def test_passkey_of_another_person_does_not_hold(stream):
    add_passkey(person=reference("person", make_actor().id))
    put_in(stream, said(), **assertion(said()))

    with pytest.raises(DoesNotHold, match="is another person's"):
        stream.verified()


def test_passkey_added_twice_does_not_hold(stream):
    add_passkey()
    add_passkey(ec.generate_private_key(ec.SECP256R1()))

    with pytest.raises(DoesNotHold, match=f"passkey {base64url(CREDENTIAL)} was added before"):
        stream.verified()


def test_passkey_added_after_the_signature_does_not_hold(stream):
    add_passkey(at=NOW + timedelta(seconds=1))
    put_in(stream, said(), **assertion(said()))

    with pytest.raises(DoesNotHold, match="was added after it"):
        stream.verified()


def test_passkey_removed_before_the_signature_does_not_hold_and_after_it_does(stream):
    add_passkey(at=NOW - timedelta(days=1))
    put_in(stream, said(), **assertion(said()))
    remove_passkey(at=NOW + timedelta(hours=1))

    assert ", removed 2026-11-20T15:20:00.000000Z, 1 sign-offs" in "\n".join(sentences(stream.verified()))


def test_passkey_removed_before_the_signature_does_not_hold(stream):
    add_passkey(at=NOW - timedelta(days=1))
    put_in(stream, said(), **assertion(said()))
    remove_passkey(at=NOW - timedelta(hours=1))

    with pytest.raises(DoesNotHold, match="was removed before it"):
        stream.verified()


def test_assertion_that_was_taken_away_or_added_is_found(stream):
    add_passkey()
    put_in(stream, said())
    with pytest.raises(DoesNotHold, match=r"its statement or its entry lacks|was never added in the stream"):
        stream.verified()

    stream.sign_offs[-1] |= assertion(said())
    stream.sign_offs[0] |= assertion(statement())
    with pytest.raises(DoesNotHold, match="sign-off 1, position 2: an assertion stands beside a statement that tells of none"):
        stream.verified()


def test_statement_by_another_hand_than_its_entry_does_not_hold(stream):
    add_passkey()
    tell_sign_off(said(), sign_off="2")
    stream.sign_offs.append({**sign_off_row(said(), sign_off="2"), **assertion(said())})

    with pytest.raises(DoesNotHold, match="the hand is "):
        stream.verified()
