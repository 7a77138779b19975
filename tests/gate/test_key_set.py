"""The keys and the client as anybody may fetch them."""

import subprocess
import sys
import time
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.urls import reverse

from apps.audit.keys import list_key
from apps.core.actors import system
from apps.core.signing import SigningKey, signing_key
from apps.gate.client import ccgate
from apps.gate.key_set import key_set
from tests.conftest import NOW
from tests.factories.approvals import make_change, make_place
from tests.factories.gate import ask, body_for, make_gate_token

pytestmark = pytest.mark.django_db


def fetched(client, name):
    return client.get(reverse(f"gate_pages:{name}"))


def test_the_own_key_is_shown_before_and_after_it_was_listed(client):
    before = fetched(client, "keys").json()["keys"]
    list_key(signing_key(), by=system("test"), at=NOW)
    after = fetched(client, "keys").json()["keys"]

    assert [key["kid"] for key in before] == [key["kid"] for key in after] == [signing_key().id]
    assert ("nbf" in before[0], after[0]["nbf"]) == (False, int(NOW.timestamp()))
    assert ccgate.read_keys({"keys": after})[signing_key().id][0] == signing_key().public


def test_an_earlier_key_is_shown_while_it_is_accepted_and_ends_where_the_next_began(client, settings):
    old = SigningKey(Ed25519PrivateKey.generate())
    settings.ACCEPTED_KEYS = frozenset({old.id})
    list_key(old, by=system("test"), at=NOW - timedelta(days=30))
    list_key(signing_key(), by=system("test"), at=NOW)

    shown = fetched(client, "keys").json()["keys"]
    settings.ACCEPTED_KEYS = frozenset()
    later = fetched(client, "keys").json()["keys"]

    assert [key["kid"] for key in shown] == [old.id, signing_key().id]
    assert shown[0]["exp"] == int((NOW + timedelta(hours=1)).timestamp())
    assert "exp" not in shown[1]
    assert [key["kid"] for key in later] == [signing_key().id]


def test_a_listed_key_that_nobody_accepts_is_not_shown(client):
    list_key(SigningKey(Ed25519PrivateKey.generate()), by=system("test"), at=NOW)

    assert [key["kid"] for key in fetched(client, "keys").json()["keys"]] == [signing_key().id]


def test_no_secret_is_in_the_set():
    shown = key_set([("k", signing_key().public, NOW)])["keys"][0]

    assert set(shown) == {"kty", "crv", "alg", "use", "kid", "x", "nbf"}


def test_the_client_is_served_as_it_is_in_the_repository(client, tmp_path):
    response = fetched(client, "client")
    path = tmp_path / "ccgate"
    path.write_bytes(response.content)

    told = subprocess.run([sys.executable, path, "--help"], capture_output=True, text=True, check=True)

    assert "check" in told.stdout
    assert response["Content-Disposition"] == 'attachment; filename="ccgate"'


def test_the_client_verifies_what_the_gate_hands_out(client):
    place = make_place()
    change = make_change("APPROVED", targets=(place,))
    leg = change.legs.get()
    _, secret = make_gate_token()
    answer = ask(secret, body_for(place, *leg.item.identities)).json()
    wanted = ccgate.Wanted(place.service.slug, place.environment.slug, list(leg.item.identities), "DEPLOY")
    keys = ccgate.read_keys(fetched(client, "keys").json())

    permit = ccgate.open_ticket(answer["ticket"], keys, wanted, time.time())

    assert permit["change"] == change.ref
    assert permit["asked"] == {"service": place.service.slug, "environment": place.environment.slug}
