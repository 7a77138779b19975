"""Signing in with a second factor or with a passkey alone, over HTTP: what is taken, and every way in which it is not."""

import json

import pytest
from allauth.account.utils import user_pk_to_url_str
from allauth.mfa.models import Authenticator
from cryptography.hazmat.primitives.asymmetric import ec
from django.contrib.auth import SESSION_KEY
from django.urls import reverse
from fido2.utils import websafe_decode, websafe_encode

from apps.accounts import actions
from apps.accounts.enrolment import ask_for_passkey
from apps.accounts.models import Passkey, Person
from apps.accounts.roles import Role
from apps.audit.stream import entries_about
from apps.audit.vocabulary import Event
from apps.core.locks import database_now
from tests.accounts.test_enrolling import HOUSE
from tests.factories.accounts import PASSWORD, code_for, make_authenticator_app, make_passkey, make_person, sign_assertion
from tests.factories.enrolling import answer, cose_key

pytestmark = pytest.mark.django_db
LOGIN, PROOF, ALONE = (reverse(name) for name in ("account_login", "mfa_authenticate", "mfa_login_webauthn"))
NAME = b"n" * 32


@pytest.fixture(autouse=True)
def at_a_name(settings):
    settings.PUBLIC_URL = HOUSE


@pytest.fixture
def ada() -> Person:
    return make_person(email="ada@example.org")


@pytest.fixture
def key(ada) -> ec.EllipticCurvePrivateKey:
    """Ada's passkey, enrolled as browsers do."""
    private = ec.generate_private_key(ec.SECP256R1())
    asked, state = ask_for_passkey(ada)
    credential = answer(asked["publicKey"]["challenge"], key=cose_key(private), name=NAME)
    actions.enrol_passkey(name="Phone", credential=credential, state=state, by=ada.actor)
    return private


def password(client):
    return client.post(LOGIN, {"login": "ada@example.org", "password": PASSWORD})


def is_in(client) -> bool:
    return SESSION_KEY in client.session


def alone(client, key, *, of: Person, **wrong):
    """Sign in with nothing but a passkey."""
    asked = client.get(ALONE, headers={"accept": "application/json"}).json()["request_options"]["publicKey"]
    assert asked["userVerification"] == "required"
    challenge = wrong.pop("challenge", websafe_decode(asked["challenge"]))
    told = sign_assertion(key, credential_id=wrong.pop("credential_id", NAME), challenge=challenge, **{"sign_count": 9, **wrong})
    told["response"]["userHandle"] = websafe_encode(user_pk_to_url_str(of).encode())
    return client.post(ALONE, {"credential": json.dumps(told)})


def test_code_is_asked_for_after_the_password_and_counts_once(client, ada):
    secret = make_authenticator_app(ada)
    assert password(client).url == PROOF
    assert not is_in(client)
    code = code_for(secret, database_now())

    assert client.post(PROOF, {"code": "000 00x"}).status_code == 200
    assert not is_in(client)
    assert client.post(PROOF, {"code": code}).status_code == 302
    assert is_in(client)

    other = type(client)()
    password(other)
    said = other.post(PROOF, {"code": code})
    assert b"This code was used already" in said.content
    assert not is_in(other)
    told = [(entry.event, entry.data.get("what")) for entry in entries_about(ada.reference, limit=5)]
    assert (Event.PROOF_REFUSED, "code used before") in told


def test_recovery_code_stands_in_once_and_says_how_many_are_left(client, ada):
    make_authenticator_app(ada)
    codes = actions.make_recovery_codes(by=ada.actor)
    password(client)

    client.post(PROOF, {"code": codes[3]})

    assert is_in(client)
    (entry,) = [entry for entry in entries_about(ada.reference, limit=5) if entry.event is Event.RECOVERY_CODE_USED]
    assert entry.data == {"left": 9}
    other = type(client)()
    password(other)
    other.post(PROOF, {"code": codes[3]})
    assert not is_in(other)


def test_guessing_codes_stops_even_for_the_right_one(client, ada):
    secret = make_authenticator_app(ada)
    password(client)
    for at in range(6):
        client.post(PROOF, {"code": f"x{at}"})

    said = client.post(PROOF, {"code": code_for(secret, database_now())})

    assert said.status_code == 200
    assert not is_in(client)


@pytest.mark.parametrize("text", ["", "\x00", "x" * 5000, "\ud7ff", "' OR 1=1 --", "１２３４５６"])
def test_hostile_codes_are_told(client, ada, text):
    make_authenticator_app(ada)
    actions.make_recovery_codes(by=ada.actor)
    password(client)

    assert client.post(PROOF, {"code": text}).status_code == 200
    assert not is_in(client)


def test_nothing_is_proved_before_the_password(client, ada):
    make_authenticator_app(ada)

    assert client.get(PROOF).url == LOGIN
    assert client.post(PROOF, {"code": "1"}).url == LOGIN


def test_whoever_leaves_between_password_and_code_stays_out(client, ada):
    admin, secret = make_person(Role.ADMINISTRATOR), make_authenticator_app(ada)
    password(client)
    actions.deactivate_person(ada.pk, by=admin.actor)

    client.post(PROOF, {"code": code_for(secret, database_now())})

    assert not is_in(client)


def test_passkey_signs_in_alone(client, ada, key):
    answered = alone(client, key, of=ada)

    assert answered.status_code == 302
    assert is_in(client)
    assert Passkey.objects.get().sign_count == 9
    assert entries_about(ada.reference, limit=1)[0].data == {"means": "passkey"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"origin": "https://evil.example"},
        {"origin": "https://sub.changes.example.org"},
        {"origin": "http://changes.example.org"},
        {"rp_id": "evil.example"},
        {"challenge": b"c" * 32},
        {"sign_count": 3},
        {"sign_count": 0},
        {"user_verified": False},
        {"credential_id": b"another"},
    ],
    ids=str,
)
def test_passkey_that_does_not_fit_signs_nobody_in(client, ada, key, wrong):
    alone(client, key, of=ada, **wrong)

    assert not is_in(client)
    assert Passkey.objects.get().sign_count == 3


def test_passkey_answers_by_the_key_it_was_enrolled_with(client, ada, key):
    alone(client, ec.generate_private_key(ec.SECP256R1()), of=ada)

    assert not is_in(client)


def test_passkey_is_of_the_person_who_enrolled_it(client, ada, key):
    alone(client, key, of=make_person(Role.ADMINISTRATOR))

    assert not is_in(client)


def test_answer_counts_once(client, ada, key):
    asked = client.get(ALONE, headers={"accept": "application/json"}).json()["request_options"]["publicKey"]
    told = sign_assertion(key, credential_id=NAME, challenge=websafe_decode(asked["challenge"]), sign_count=9)
    told["response"]["userHandle"] = websafe_encode(user_pk_to_url_str(ada).encode())

    client.post(ALONE, {"credential": json.dumps(told)})
    client.post(reverse("account_logout"))
    client.post(ALONE, {"credential": json.dumps(told)})

    assert not is_in(client)


def test_removed_passkey_signs_nobody_in(client, ada, key):
    actions.remove_passkey(Passkey.objects.get().pk, by=ada.actor)

    alone(client, key, of=ada)

    assert not is_in(client)


@pytest.mark.parametrize("how", ["deactivate", "merge"])
def test_passkey_of_whoever_left_signs_nobody_in(client, ada, key, how):
    admin = make_person(Role.ADMINISTRATOR)
    if how == "merge":
        actions.merge_persons(make_person().pk, ada.pk, by=admin.actor)
    else:
        actions.deactivate_person(ada.pk, by=admin.actor)

    alone(client, key, of=ada)

    assert not is_in(client)


HOSTILE = [
    "",
    "null",
    "7",
    "[]",
    "{}",
    "[" * 19_000,
    "x" * 30_000,
    '{"id": "x"}',
    '{"response": {"userHandle": 7}}',
    "\x00",
    '{"rawId": {}}',
]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: text[:20])
def test_hostile_answers_are_told_and_never_a_500(client, ada, key, text):
    client.get(ALONE, headers={"accept": "application/json"})
    assert client.post(ALONE, {"credential": text}).url == LOGIN

    password(client)
    assert client.post(PROOF, {"credential": text}).status_code == 200
    assert not is_in(client)


def test_answer_without_a_person_is_told(client, ada, key):
    asked = client.get(ALONE, headers={"accept": "application/json"}).json()["request_options"]["publicKey"]
    told = sign_assertion(key, credential_id=NAME, challenge=websafe_decode(asked["challenge"]), sign_count=9)

    for handle in (None, "", "!!", websafe_encode(b"zzzzzzzzzzzzzzzzzzzz"), websafe_encode(b"\xff")):
        told["response"]["userHandle"] = handle
        assert client.post(ALONE, {"credential": json.dumps(told)}).url == LOGIN
    assert not is_in(client)


def test_passkey_of_another_address_locks_nobody_out(client, ada, key, settings):
    settings.PUBLIC_URL = "https://new.example.org"

    assert password(client).url == "/"
    assert is_in(client)


def test_passkey_of_our_own_alone_is_no_second_factor_without_allauths_row(client, ada):
    make_passkey(ada)
    assert not Authenticator.objects.exists()

    assert password(client).url == "/"


def test_confirming_takes_a_code_and_refuses_it_the_second_time(client, ada):
    secret = make_authenticator_app(ada)
    client.force_login(ada)
    again, page = reverse("mfa_reauthenticate"), reverse("accounts:app_removal")
    code = code_for(secret, database_now())

    assert client.post(page).url.startswith(reverse("mfa_reauthenticate"))
    assert client.post(again, {"code": code, "next": reverse("accounts:factors")}).url == reverse("accounts:factors")
    assert client.post(page).url == reverse("accounts:factors")
    assert not Authenticator.objects.exists()
