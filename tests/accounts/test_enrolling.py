"""Enrolling and ending what one proves oneself with: verbs, pages, races, and what an authenticator may not answer."""

import json

import pytest
from allauth.mfa.models import Authenticator
from django.urls import reverse
from fido2 import cbor
from fido2.utils import websafe_encode

from apps.accounts import actions
from apps.accounts.enrolment import ask_for_passkey
from apps.accounts.factors import find_passkey, has_authenticator_app, means_of, passkeys_of
from apps.accounts.models import Passkey, Person
from apps.accounts.relying_party import relying_party
from apps.accounts.roles import Role
from apps.audit.stream import entries_about
from apps.audit.vocabulary import Event
from apps.core.actors import Actor, ActorKind
from apps.core.locks import database_now
from apps.core.refusals import BadContent, Refused
from tests.factories.accounts import code_for, make_authenticator_app, make_passkey, make_person, prove_lately
from tests.factories.enrolling import answer

pytestmark = pytest.mark.django_db
HOUSE = "https://changes.example.org"


@pytest.fixture(autouse=True)
def at_a_name(settings):
    settings.PUBLIC_URL = HOUSE


def enrol(person: Person, **wrong) -> Passkey:
    asked, state = ask_for_passkey(person)
    return actions.enrol_passkey(name="Phone", credential=answer(asked["publicKey"]["challenge"], **wrong), state=state, by=person.actor)


def test_enrol_passkey_keeps_and_tells_the_public_half():
    person = make_person()

    key = enrol(person)

    (entry,) = entries_about(person.reference, limit=5)
    assert entry.event is Event.PASSKEY_ADDED
    assert entry.data == {
        "credential_id": websafe_encode(b"n" * 32),
        "public_key": websafe_encode(bytes(key.public_key)),
        "algorithm": -7,
        "rp_id": "changes.example.org",
        "aaguid": "00000000-0000-0000-0000-000000000000",
        "sign_count": 3,
    }
    assert "Phone" not in json.dumps(entry.data)
    assert Authenticator.objects.get().wrap().authenticator_data.credential_data.credential_id == b"n" * 32
    assert [found.sign_count for found in passkeys_of(person)] == [3]


def test_asking_leaves_out_what_is_enrolled_and_wants_the_person_checked():
    person = make_person()
    key = enrol(person)

    asked = ask_for_passkey(person)[0]["publicKey"]

    assert [one["id"] for one in asked["excludeCredentials"]] == [websafe_encode(bytes(key.credential_id))]
    assert asked["authenticatorSelection"]["userVerification"] == "required"
    assert asked["authenticatorSelection"]["residentKey"] == "required"
    assert {one["alg"] for one in asked["pubKeyCredParams"]} == {-7, -8, -257}
    assert asked["rp"]["id"] == "changes.example.org"


EMPTY = {"clientDataJSON": "e30", "attestationObject": "oA"}
RSA_1024 = cbor.encode({1: 3, 3: -37, -1: b"\x01" * 128, -2: b"\x01\x00\x01"})


@pytest.mark.parametrize(
    "wrong",
    [
        {"origin": "https://changes.example.org.evil.example"},
        {"origin": "https://sub.changes.example.org"},
        {"origin": "https://changes.example.org:444"},
        {"origin": "http://changes.example.org"},
        {"rp_id": "evil.example"},
        {"flags": 0x41},  # nobody checked the person
        {"flags": 0x44},  # nobody was there
        {"flags": 0x05},  # no credential in it
        {"type": "webauthn.get"},
        {"key": RSA_1024},
        {"key": b"\xa0"},
        {"key": cbor.encode({1: 2, 3: -7, -1: 1, -2: b"\x01" * 32, -3: b"\x01" * 32})},  # a point that lies on no curve
    ],
    ids=str,
)
def test_enrol_passkey_refuses_what_does_not_fit(wrong):
    person = make_person()

    with pytest.raises(BadContent) as caught:
        enrol(person, **wrong)

    assert list(caught.value.errors) == ["credential"]
    assert not Passkey.objects.exists()


@pytest.mark.parametrize("given", [None, 7, [], {}, {"response": 1}, {"id": "x", "rawId": "!", "response": EMPTY}])
def test_enrol_passkey_refuses_what_no_browser_sends(given):
    person = make_person()
    _, state = ask_for_passkey(person)

    with pytest.raises(BadContent):
        actions.enrol_passkey(name="Phone", credential=given, state=state, by=person.actor)


def test_enrol_passkey_refuses_another_challenge_and_none():
    person = make_person()
    asked, _ = ask_for_passkey(person)
    _, state = ask_for_passkey(person)
    credential = answer(asked["publicKey"]["challenge"])

    for kept in (state, None):
        with pytest.raises(BadContent):
            actions.enrol_passkey(name="Phone", credential=credential, state=kept, by=person.actor)


def test_a_credential_is_enrolled_once_even_by_another_person():
    enrol(make_person())

    with pytest.raises(BadContent, match="enrolled already"):
        enrol(make_person())


@pytest.mark.parametrize(
    ("url", "code"), [("http://127.0.0.1:8000", "passkeys_need_a_name"), ("http://changes.example.org", "passkeys_need_tls")]
)
def test_enrol_passkey_says_when_none_can_work_here(settings, url, code):
    person = make_person()
    settings.PUBLIC_URL = url

    with pytest.raises(Refused) as caught:
        enrol(person)

    assert caught.value.refusal.code == code
    assert "PUBLIC_URL" in caught.value.refusal.cure


@pytest.mark.parametrize(
    ("url", "domain", "origin"),
    [
        ("https://Changes.Example.org", "changes.example.org", "https://changes.example.org"),
        ("https://changes.example.org:443", "changes.example.org", "https://changes.example.org"),
        ("https://changes.example.org:8443/", "changes.example.org", "https://changes.example.org:8443"),
        ("http://localhost:8000", "localhost", "http://localhost:8000"),
        ("http://[::1]:8000", "::1", "http://[::1]:8000"),
    ],
)
def test_relying_party_is_read_from_public_url_alone(settings, url, domain, origin):
    settings.PUBLIC_URL = url

    assert (relying_party().id, relying_party().origin) == (domain, origin)


def test_remove_passkey_ends_it_and_the_codes_left_alone():
    person = make_person()
    key = enrol(person)
    actions.make_recovery_codes(by=person.actor)

    actions.remove_passkey(key.pk, by=person.actor)

    assert find_passkey(b"n" * 32).removed_at is not None
    assert not Authenticator.objects.exists()
    assert entries_about(person.reference, limit=1)[0].event is Event.PASSKEY_REMOVED
    with pytest.raises(Refused, match="removed already"):
        actions.remove_passkey(key.pk, by=person.actor)


def test_enrol_app_takes_the_code_it_shows_and_spends_it():
    person = make_person()
    now = database_now()
    secret = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"

    with pytest.raises(BadContent, match="not the code"):
        actions.enrol_authenticator_app(secret=secret, code="000000x", by=person.actor)
    actions.enrol_authenticator_app(secret=secret, code=code_for(secret, now), by=person.actor, now=now)

    assert has_authenticator_app(person)
    assert Authenticator.objects.get().data["last_step"] > 0
    with pytest.raises(Refused, match="already"):
        actions.enrol_authenticator_app(secret=secret, code=code_for(secret, now), by=person.actor, now=now)
    actions.remove_authenticator_app(by=person.actor)
    with pytest.raises(Refused, match="no authenticator app"):
        actions.remove_authenticator_app(by=person.actor)


def test_recovery_codes_replace_each_other_and_need_a_factor():
    person = make_person()
    with pytest.raises(Refused, match="Enrol one first"):
        actions.make_recovery_codes(by=person.actor)
    make_authenticator_app(person)

    first, second = actions.make_recovery_codes(by=person.actor), actions.make_recovery_codes(by=person.actor)

    assert not {*first} & {*second}
    assert len({*second}) == 10
    kept = json.dumps(Authenticator.objects.get(type="recovery_codes").data)
    assert not any(code in kept for code in second)


def test_a_token_changes_no_factor():
    person = make_person()
    by = Actor(ActorKind.PERSON, str(person.public_id), "personal_token:1")

    for act in (actions.make_recovery_codes, actions.remove_authenticator_app):
        with pytest.raises(Refused, match="token"):
            act(by=by)


def test_reset_ends_every_factor_and_says_why():
    admin, person = make_person(Role.ADMINISTRATOR), make_person()
    make_passkey(person)
    make_authenticator_app(person)

    assert actions.reset_factors(person.pk, by=admin.actor, reason="Phone in the river") == 2

    means = means_of(person)
    assert (means.passkeys, means.authenticator_app) == (0, False)
    entry = entries_about(person.reference, limit=1)[0]
    assert (entry.event, entry.details["reason"]) == (Event.PERSON_FACTORS_RESET, "Phone in the river")
    with pytest.raises(Refused, match="no passkey"):
        actions.reset_factors(person.pk, by=admin.actor)
    make_passkey(admin)
    with pytest.raises(Refused, match="your own"):
        actions.reset_factors(admin.pk, by=admin.actor)


# pages


def sign_in(client, person: Person, *, confirmed: bool = True, method: str = "mfa", ago: float = 0) -> None:
    client.force_login(person)
    if confirmed:
        prove_lately(client, person, method=method, ago=ago)


def test_pages_ask_to_confirm_first(client):
    person = make_person()
    key, _ = make_passkey(person)
    sign_in(client, person, confirmed=False)

    for name, args in (("new_passkey", []), ("app", []), ("app_removal", []), ("recovery_codes", []), ("passkey_removal", [key.public_id])):
        page = reverse(f"accounts:{name}", args=args)
        answered = client.get(page) if name in {"new_passkey", "app"} else client.post(page)
        assert answered.url.startswith(reverse("account_reauthenticate")), name
    assert Passkey.objects.get().removed_at is None


@pytest.mark.parametrize(("method", "ago", "has_app", "leads_to"), [
    ("password", 10, False, None),
    ("password", 400, False, "account_reauthenticate"),
    ("mfa", 10, True, None),
    ("mfa", 400, True, "mfa_reauthenticate"),
    ("password", 10, True, "mfa_reauthenticate"),
    ("socialaccount", 10, True, "mfa_reauthenticate"),
    ("socialaccount", 10, False, None),
])  # fmt: skip
def test_who_has_a_second_factor_proves_by_that(client, method, ago, has_app, leads_to):
    person = make_person()
    if has_app:
        make_authenticator_app(person)
    sign_in(client, person, method=method, ago=ago)

    answered = client.get(reverse("accounts:new_passkey"))

    if leads_to is None:
        assert answered.status_code == 200
    else:
        assert answered.url.startswith(reverse(leads_to) + "?")


@pytest.mark.parametrize("ago", [None, 400])
def test_who_has_nothing_to_prove_with_signs_in_anew(client, ago):
    person = make_person()
    person.set_unusable_password()
    person.save()
    sign_in(client, person, confirmed=ago is not None, method="socialaccount", ago=ago or 0)

    for answered in (client.get(reverse("accounts:new_passkey")), client.post(reverse("accounts:recovery_codes"))):
        assert answered.status_code == 403
        assert "Sign out, sign in again" in answered.content.decode()


def test_page_lists_what_is_enrolled_and_enrols_an_app(client):
    person = make_person()
    make_passkey(person, name="Blue key")
    make_passkey(person, name="Old phone", rp_id="old.example.org")
    sign_in(client, person)

    page = client.get(reverse("accounts:factors")).content.decode()
    assert "Blue key" in page
    assert "made for old.example.org" in page

    client.get(reverse("accounts:app"))
    secret = client.session["accounts.app_secret"]
    assert client.post(reverse("accounts:app"), {"code": "1"}).status_code == 422
    assert client.post(reverse("accounts:app"), {"code": code_for(secret, database_now())}).status_code == 302
    assert client.get(reverse("accounts:app")).url == reverse("accounts:factors")
    shown = client.post(reverse("accounts:recovery_codes"))
    assert shown.content.count(b"\n") > 10
    assert "no-store" in shown["Cache-Control"]
    assert "10 left" in client.get(reverse("accounts:factors")).content.decode()


def test_passkey_page_takes_what_the_browser_answers_once(client):
    person = make_person()
    sign_in(client, person)
    page = reverse("accounts:new_passkey")
    client.get(page)
    given = {"name": "Phone", "credential": json.dumps(answer(client.session["accounts.passkey"]["challenge"]))}

    assert client.post(page, {**given, "credential": "[" * 19_000}).status_code == 422
    assert client.post(page, {**given, "credential": "x" * 30_000}).status_code == 422
    client.get(page)
    given = {"name": "Phone", "credential": json.dumps(answer(client.session["accounts.passkey"]["challenge"]))}
    assert client.post(page, given).status_code == 302
    assert client.post(page, given).status_code == 422


def test_passkeys_of_somebody_else_are_not_there(client):
    key, _ = make_passkey(make_person())
    sign_in(client, make_person())

    assert client.post(reverse("accounts:passkey_removal", args=[key.public_id])).status_code == 404


def test_administrator_resets_from_the_page(client):
    admin, person = make_person(Role.ADMINISTRATOR), make_person(name="Ada")
    make_passkey(person)
    client.force_login(admin)
    page = reverse("accounts:person", args=[person.public_id])
    assert b"Reset factors" in client.get(page).content

    assert client.post(reverse("accounts:factors_removal", args=[person.public_id]), {"reason": "\x00"}).status_code == 422
    assert client.post(reverse("accounts:factors_removal", args=[person.public_id]), {"reason": "lost"}).url == page

    assert b"Reset factors" not in client.get(page).content
    assert client.post(reverse("accounts:factors_removal", args=[person.public_id])).status_code == 409
