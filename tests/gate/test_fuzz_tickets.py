"""A ticket with anything in it changed is no ticket: not for the server that spends it, not over HTTP, and not for the client."""

import json
import subprocess
import sys
import time
from base64 import b64decode, b64encode
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.test import Client

from apps.core.actors import system
from apps.core.locks import database_now
from apps.core.references import reference
from apps.core.refusals import Refused
from apps.core.signing import SigningKey, signing_key
from apps.gate.client import ccgate
from apps.gate.key_set import key_set
from apps.gate.models import SpentTicket
from apps.gate.rules import Action
from apps.gate.steps import redeem
from apps.gate.tickets import PAYLOAD_TYPE, pae
from tests.factories.approvals import make_change, make_place
from tests.factories.changes import COMMIT
from tests.factories.gate import IDS, ask, body_for, make_gate_token

BY, DEPLOYMENT = system("test"), reference("deployment", IDS[5])
REFUSED = {"ticket_form", "ticket_signature"}
CLIENT = ccgate.__file__
STRANGER = SigningKey(Ed25519PrivateKey.generate())
VALUES = (None, "", "x", 0, 1, True, [], {}, ["x"], {"x": 1})


@pytest.fixture
def target(db):
    return make_place()


@pytest.fixture
def secret(db):
    return make_gate_token(actions=(Action.DEPLOY, Action.ROLLBACK))[1]


@pytest.fixture
def ticket(target, secret):
    make_change(targets=(target,))
    return ask(secret, body_for(target, COMMIT)).json()["ticket"]


def spent(envelope) -> str:
    """The code by which the server refuses a ticket; empty where it took it."""
    try:
        redeem(envelope, spent_for=DEPLOYMENT, by=BY, at=database_now())
    except Refused as error:
        return error.refusal.code
    return ""


def said(ticket) -> dict[str, Any]:
    return json.loads(b64decode(ticket["payload"]))


def enveloped(payload: bytes, signature: bytes, key_id: str) -> dict[str, Any]:
    signatures = [{"keyid": key_id, "sig": b64encode(signature).decode()}]
    return {"payloadType": PAYLOAD_TYPE, "payload": b64encode(payload).decode(), "signatures": signatures}


def flipped(data: bytes) -> Iterator[bytes]:
    for bit in range(len(data) * 8):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        yield bytes(changed)


def places(value: Any, *, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every member and element of a document, itself included."""
    yield path
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in inside:
        yield from places(part, path=(*path, key))


def changed_at(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    found = deepcopy(document)
    inner = found
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return found


def without(document: Any, path: tuple[Any, ...]) -> Any:
    found = deepcopy(document)
    inner = found
    for key in path[:-1]:
        inner = inner[key]
    del inner[path[-1]]
    return found


def variants(document: Any) -> Iterator[Any]:
    """The document with each place replaced by each value, left out, and with one member more."""
    for path in places(document):
        for value in VALUES:
            yield changed_at(document, path, value)
        if path:
            yield without(document, path)
    yield {**document, "more": 1}


def test_every_bit_of_payload_and_signature_matters_to_who_spends_it(ticket):
    payload, signature, key_id = b64decode(ticket["payload"]), b64decode(ticket["signatures"][0]["sig"]), ticket["signatures"][0]["keyid"]

    codes = {spent(enveloped(changed, signature, key_id)) for changed in flipped(payload)}
    codes |= {spent(enveloped(payload, changed, key_id)) for changed in flipped(signature)}
    codes |= {spent({**ticket, "payloadType": changed.decode("latin-1")}) for changed in flipped(PAYLOAD_TYPE.encode())}
    codes |= {spent(enveloped(payload, signature, changed.decode("latin-1"))) for changed in flipped(key_id.encode())}

    assert codes <= REFUSED
    assert SpentTicket.objects.count() == 0
    assert spent(ticket) == ""


def test_every_part_of_the_envelope_matters_to_who_spends_it(ticket):
    codes = {spent(variant) for variant in variants(ticket) if variant != ticket and isinstance(variant, dict)}
    # What is in the signed bytes cannot be said again with the same signature.
    codes |= {
        spent({**ticket, "payload": b64encode(json.dumps(one).encode()).decode()}) for one in variants(said(ticket)) if one != said(ticket)
    }

    assert codes <= REFUSED
    assert SpentTicket.objects.count() == 0


def test_another_key_signs_nothing_that_is_spent(ticket):
    codes = set()
    for document in (said(ticket), *variants(said(ticket))):
        payload = json.dumps(document, separators=(",", ":"), sort_keys=True).encode()
        made = STRANGER.sign(pae(payload))
        codes |= {spent(enveloped(payload, made.value, key_id)) for key_id in (made.key_id, signing_key().id)}

    assert codes == {"ticket_signature"}
    assert SpentTicket.objects.count() == 0


def test_a_signature_over_something_else_of_ours_is_none_over_a_ticket(ticket):
    """The server signs statements, endorsements and tickets with one key: none of them may be taken for another."""
    payload = b64decode(ticket["payload"])
    prefixes = (b"", b"changecontrol/sign-off/v1\n", b"changecontrol/exception/v1\n", b"changecontrol/key-endorsement/v1\n", b"DSSEv1 ")
    made = [signing_key().sign(prefix + payload) for prefix in prefixes]
    made.append(signing_key().sign(pae(payload, "text/plain")))

    assert {spent(enveloped(payload, one.value, one.key_id)) for one in made} == {"ticket_signature"}


def test_nothing_changed_begins_a_deployment_over_http(ticket, secret):
    before = SpentTicket.objects.count()
    payload, signature, key_id = b64decode(ticket["payload"]), b64decode(ticket["signatures"][0]["sig"]), ticket["signatures"][0]["keyid"]
    tried = [
        *(enveloped(changed, signature, key_id) for changed in [*flipped(payload)][::97]),
        *(enveloped(payload, changed, key_id) for changed in [*flipped(signature)][::29]),
        *(one for one in [*variants(ticket)][::3] if one != ticket),
    ]

    answers = [begun(secret, one) for one in tried]

    assert {answer.status_code for answer in answers} <= {403, 409, 422}
    assert all(answer["Content-Type"].startswith("application/problem+json") for answer in answers)
    assert SpentTicket.objects.count() == before
    assert begun(secret, ticket).status_code == 201


def begun(secret, ticket):
    body = {"ticket": ticket}
    headers = {"Authorization": f"Bearer {secret}"}
    return Client().post("/api/v1/deployments", data=json.dumps(body), content_type="application/json", headers=headers)


# The client


@pytest.fixture
def wanted(target):
    return ccgate.Wanted(target.service.slug, target.environment.slug, [COMMIT], "DEPLOY")


@pytest.fixture
def keys():
    return ccgate.read_keys(key_set([(signing_key().id, signing_key().public, None)]))


def is_taken(envelope, keys, wanted) -> bool:
    try:
        ccgate.open_ticket(envelope, keys, wanted, time.time())
    except ccgate.CouldNotTell:
        return False
    return True


def test_every_part_of_a_ticket_matters_to_the_client(ticket, keys, wanted):
    signature, key_id = b64decode(ticket["signatures"][0]["sig"]), ticket["signatures"][0]["keyid"]
    payloads = (json.dumps(one).encode() for one in variants(said(ticket)) if one != said(ticket))

    assert is_taken(ticket, keys, wanted)
    assert not [one for one in payloads if is_taken(enveloped(one, signature, key_id), keys, wanted)]
    meant = {"payloadType", "payload", "signatures"}
    assert not [
        one
        for one in variants(ticket)
        if one != ticket and set(one if isinstance(one, dict) else ()) <= meant and is_taken(one, keys, wanted)
    ]


@pytest.mark.slow
def test_every_bit_of_a_ticket_matters_to_the_client(ticket, keys, wanted):
    payload, signature, key_id = b64decode(ticket["payload"]), b64decode(ticket["signatures"][0]["sig"]), ticket["signatures"][0]["keyid"]

    assert not [one for one in flipped(signature) if is_taken(enveloped(payload, one, key_id), keys, wanted)]
    # One bit of each byte, each time another one: its own arithmetic is slow, and what is signed is signed whole.
    assert not [one for one in [*flipped(payload)][::7] if is_taken(enveloped(one, signature, key_id), keys, wanted)]


def test_every_character_of_a_ticket_matters_to_the_client(ticket, keys, wanted):
    for text, put in (
        (ticket["signatures"][0]["sig"], lambda one: {**ticket, "signatures": [{**ticket["signatures"][0], "sig": one}]}),
        (ticket["payload"][-60:], lambda one: {**ticket, "payload": ticket["payload"][:-60] + one}),
        (ticket["signatures"][0]["keyid"], lambda one: {**ticket, "signatures": [{**ticket["signatures"][0], "keyid": one}]}),
    ):
        for place in range(len(text)):
            changed = text[:place] + chr(ord(text[place]) ^ 1) + text[place + 1 :]
            assert not is_taken(put(changed), keys, wanted), changed


@pytest.mark.parametrize("change", ["", "payload", "signature", "key", "version", "action"])
def test_verify_leaves_with_0_for_the_ticket_as_it_was_handed_out_alone(change, ticket, target, tmp_path):
    payload, signature, key_id = b64decode(ticket["payload"]), b64decode(ticket["signatures"][0]["sig"]), ticket["signatures"][0]["keyid"]
    if change == "payload":
        ticket = enveloped(payload.replace(b"DEPLOY", b"deploy"), signature, key_id)
    if change == "signature":
        ticket = enveloped(payload, signature[:-1] + bytes([signature[-1] ^ 1]), key_id)
    public = STRANGER.public if change == "key" else signing_key().public
    (tmp_path / "ticket").write_text(json.dumps(ticket))
    (tmp_path / "keys").write_text(json.dumps(key_set([(signing_key().id, public, None)])))
    commit = "b2" * 20 if change == "version" else COMMIT.removeprefix("git:")
    asked = ["--service", target.service.slug, "--environment", target.environment.slug, "--commit", commit]
    action = ["--action", "rollback"] if change == "action" else []

    command = [
        sys.executable,
        CLIENT,
        "verify",
        "--ticket-file",
        str(tmp_path / "ticket"),
        "--keys",
        str(tmp_path / "keys"),
        *asked,
        *action,
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == (3 if change else 0), done.stderr
