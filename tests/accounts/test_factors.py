"""What signing asks of accounts: whose passkey, how far its counter came, and a proof by password and code."""

from datetime import timedelta

import pytest
from allauth.mfa.models import Authenticator
from django.urls import reverse

from apps.accounts.actions import deactivate_person, merge_persons, rename_passkey
from apps.accounts.factors import (
    MOST_ATTEMPTS,
    Spent,
    find_passkey,
    has_authenticator_app,
    means_of,
    passkeys_of,
    prove_by_code,
    spend_code,
    use_passkey,
)
from apps.accounts.models import Passkey
from apps.accounts.roles import Role
from apps.audit.stream import entries_about
from apps.audit.vocabulary import Event
from apps.core.actors import system
from apps.core.locks import database_now
from apps.core.refusals import BadContent, Refused
from tests.conftest import NOW
from tests.factories.accounts import PASSWORD, PasskeyFactory, code_for, make_authenticator_app, make_passkey, make_person

pytestmark = pytest.mark.django_db
HOUSE = "http://localhost:8000"


@pytest.fixture(autouse=True)
def at_a_name(settings):
    settings.PUBLIC_URL = HOUSE


def refused(call, **given) -> str:
    with pytest.raises(Refused) as caught:
        call(**given)
    return caught.value.refusal.code


def test_passkeys_of_a_person_are_those_that_sign_here(settings):
    person = make_person()
    first, _ = make_passkey(person, name="Phone")
    make_passkey(person, name="Left", removed_at=NOW)
    make_passkey(person, name="Elsewhere", rp_id="old.example.org")
    make_passkey(make_person())

    (found,) = passkeys_of(person)

    assert (found.name, found.person_id, found.rp_id, found.sign_count) == ("Phone", person.public_id, "localhost", 0)
    assert (found.credential_id, found.public_key, found.algorithm) == (bytes(first.credential_id), bytes(first.public_key), -7)
    assert (means_of(person).passkeys, means_of(person).stale_passkeys) == (1, 1)
    settings.PUBLIC_URL = "https://old.example.org"
    assert [key.name for key in passkeys_of(person)] == ["Elsewhere"]


def test_removed_passkey_is_still_found():
    key, _ = make_passkey(make_person(), removed_at=NOW)

    assert find_passkey(bytes(key.credential_id)).removed_at == NOW
    assert find_passkey(b"nobody's") is None


def test_use_passkey_keeps_its_counter():
    person = make_person()
    key, _ = make_passkey(person)

    used = use_passkey(bytes(key.credential_id), sign_count=7, user_verified=True, by=person.actor, at=NOW)

    key.refresh_from_db()
    assert (used.sign_count, key.sign_count, key.used_at) == (7, 7, NOW)


@pytest.mark.parametrize(
    ("stored", "said", "is_taken"), [(0, 0, True), (0, 1, True), (5, 6, True), (5, 5, False), (5, 4, False), (5, 0, False)]
)
def test_use_passkey_refuses_a_counter_that_does_not_rise(stored, said, is_taken):
    person = make_person()
    key, _ = make_passkey(person, sign_count=stored)
    given = {"credential_id": bytes(key.credential_id), "sign_count": said, "user_verified": True, "by": person.actor, "at": NOW}

    if is_taken:
        use_passkey(**given)
    else:
        assert refused(use_passkey, **given) == "passkey_counter_back"
    assert Passkey.objects.get().sign_count == (said if is_taken else stored)


@pytest.mark.parametrize(
    ("fields", "given", "code"),
    [
        ({"removed_at": NOW}, {}, "passkey_removed"),
        ({"rp_id": "old.example.org"}, {}, "passkey_elsewhere"),
        ({}, {"user_verified": False}, "passkey_not_verified"),
        ({}, {"credential_id": b"another"}, "passkey_unknown"),
    ],
)
def test_use_passkey_refuses(fields, given, code):
    person = make_person()
    key, _ = make_passkey(person, **fields)
    usual = {"credential_id": bytes(key.credential_id), "sign_count": 1, "user_verified": True, "by": person.actor, "at": NOW}

    assert refused(use_passkey, **(usual | given)) == code


def test_use_passkey_of_somebody_else_is_refused():
    key, _ = make_passkey(make_person())
    given = {"credential_id": bytes(key.credential_id), "sign_count": 1, "user_verified": True, "at": NOW}

    assert refused(use_passkey, by=make_person().actor, **given) == "passkey_not_yours"
    assert refused(use_passkey, by=system("sweeper"), **given) == "passkey_not_yours"


def test_prove_by_code_takes_a_code_once():
    person = make_person()
    secret = make_authenticator_app(person)
    code = code_for(secret, database_now())

    proof = prove_by_code(person, password=PASSWORD, code=f"{code[:3]} {code[3:]}", by=person.actor)

    assert (proof.person_id, proof.method) == (person.public_id, "PASSWORD_AND_CODE")
    with pytest.raises(BadContent, match="used already"):
        prove_by_code(person, password=PASSWORD, code=code, by=person.actor)
    assert entries_about(person.reference, limit=1)[0].data == {"what": "code used before"}


def test_a_code_spent_to_sign_in_proves_nothing_any_more():
    person = make_person()
    now, secret = database_now(), make_authenticator_app(person)

    assert spend_code(person, code_for(secret, now), at=now) is Spent.TAKEN

    with pytest.raises(BadContent, match="used already"):
        prove_by_code(person, password=PASSWORD, code=code_for(secret, now), by=person.actor)


def test_spend_code_bears_one_step_and_never_goes_back():
    person = make_person()
    secret = make_authenticator_app(person)
    early, late = NOW - timedelta(seconds=30), NOW + timedelta(seconds=30)

    assert spend_code(person, code_for(secret, NOW - timedelta(seconds=60)), at=NOW) is Spent.WRONG
    assert spend_code(person, code_for(secret, late), at=NOW) is Spent.TAKEN
    for at in (early, NOW, late):
        assert spend_code(person, code_for(secret, at), at=NOW) is Spent.USED
    assert spend_code(make_person(), "123456", at=NOW) is None


@pytest.mark.parametrize(
    ("password", "code", "field"), [("wrong horse", None, "password"), (PASSWORD, "000000x", "code"), ("x" * 5000, None, "password")]
)
def test_prove_by_code_names_what_is_wrong_and_records_it(password, code, field):
    person = make_person()
    secret = make_authenticator_app(person)

    with pytest.raises(BadContent) as caught:
        prove_by_code(person, password=password, code=code or code_for(secret, database_now()), by=person.actor)

    assert list(caught.value.errors) == [field]
    (entry,) = entries_about(person.reference, limit=5)
    assert (entry.event, entry.data) == (Event.PROOF_REFUSED, {"what": f"wrong {field}"})
    assert "wrong horse" not in repr(entry)


def test_prove_by_code_stops_guessing_even_with_the_right_code():
    person = make_person()
    secret = make_authenticator_app(person)
    for _ in range(MOST_ATTEMPTS):
        with pytest.raises(BadContent):
            prove_by_code(person, password="wrong horse", code="0", by=person.actor)

    for _ in range(3):
        code = code_for(secret, database_now())
        assert refused(prove_by_code, person=person, password=PASSWORD, code=code, by=person.actor) == "too_many_attempts"

    told = [entry.data["what"] for entry in entries_about(person.reference, limit=20)]
    assert told == ["too many attempts"] + ["wrong password"] * MOST_ATTEMPTS


def test_prove_by_code_refuses_whoever_has_nothing_to_prove_with():
    person, other = make_person(), make_person()

    assert refused(prove_by_code, person=person, password=PASSWORD, code="0", by=person.actor) == "no_authenticator_app"
    make_authenticator_app(person)
    assert refused(prove_by_code, person=person, password=PASSWORD, code="0", by=other.actor) == "not_present"
    assert refused(prove_by_code, person=person, password=PASSWORD, code="0", by=system("sweeper")) == "not_present"
    person.set_unusable_password()
    person.save()
    assert refused(prove_by_code, person=person, password=PASSWORD, code="0", by=person.actor) == "no_password"


def test_nobody_gone_proves_anything():
    admin, person = make_person(Role.ADMINISTRATOR), make_person()
    secret = make_authenticator_app(person)
    deactivate_person(person.pk, by=admin.actor)

    assert refused(prove_by_code, person=person, password=PASSWORD, code=code_for(secret, NOW), by=person.actor) == "not_present"


def test_merging_ends_the_factors_of_the_one_who_goes():
    admin, keep, gone = make_person(Role.ADMINISTRATOR), make_person(), make_person()
    key, _ = make_passkey(gone)
    mine, _ = make_passkey(keep)
    make_authenticator_app(gone)

    merge_persons(keep.pk, gone.pk, by=admin.actor)

    assert [found.credential_id for found in passkeys_of(keep)] == [bytes(mine.credential_id)]
    assert find_passkey(bytes(key.credential_id)).removed_at is not None
    assert not has_authenticator_app(gone)
    assert not Authenticator.objects.exists()
    events = [entry.event for entry in entries_about(gone.reference, limit=20)]
    assert {Event.PASSKEY_REMOVED, Event.AUTHENTICATOR_APP_REMOVED} <= {*events}


def test_secret_of_an_app_lies_closed_and_is_never_guessed_when_it_cannot_be_opened(settings):
    person = make_person()
    secret = make_authenticator_app(person)
    assert secret not in str(Authenticator.objects.get().data)

    settings.SECRET_KEY = "another"
    assert refused(spend_code, person=person, code=code_for(secret, NOW), at=NOW) == "factor_unreadable"
    settings.SECRET_KEY_FALLBACKS = ["only-for-tests"]
    assert spend_code(person, code_for(secret, NOW), at=NOW) is Spent.TAKEN


def test_credential_is_of_one_person():
    PasskeyFactory(credential_id=b"one")

    assert find_passkey(b"one").name


def test_passkey_of_ones_own_gets_another_name(client):
    person = make_person()
    key, _ = make_passkey(person, name="Key 1")
    client.force_login(person)

    sent = client.post(reverse("accounts:passkey_name", args=[key.public_id]), {"name": "Blue key on the ring"})
    client.post(reverse("accounts:passkey_name", args=[key.public_id]), {"name": "Blue key on the ring"})

    key.refresh_from_db()
    assert (sent.status_code, key.name) == (302, "Blue key on the ring")
    (entry,) = [one for one in entries_about(person.reference, limit=9) if one.event is Event.PASSKEY_RENAMED]
    assert entry.details == {"name": "Blue key on the ring", "old_name": "Key 1"}
    page = client.get(reverse("accounts:factors")).content.decode()
    assert 'value="Blue key on the ring"' in page


@pytest.mark.parametrize("name", ["", "   ", "x" * 61, "turned \u202e name"])
def test_name_of_a_passkey_that_is_none_is_told_on_its_field(client, name):
    person = make_person()
    key, _ = make_passkey(person, name="Key 1")
    make_passkey(person, name="Key 2")
    client.force_login(person)

    answer = client.post(reverse("accounts:passkey_name", args=[key.public_id]), {"name": name})

    key.refresh_from_db()
    assert (answer.status_code, key.name) == (422, "Key 1")
    assert answer.content.decode().count('<details class="rename" open>') == 1


def test_passkey_of_somebody_else_or_a_removed_one_keeps_its_name(client):
    person, other = make_person(), make_person()
    (key, _), (gone, _) = make_passkey(other), make_passkey(person, removed_at=NOW)
    client.force_login(person)

    for one in (key, gone):
        assert client.post(reverse("accounts:passkey_name", args=[one.public_id]), {"name": "Mine"}).status_code == 404
    assert refused(rename_passkey, passkey_id=gone.pk, name="Mine", by=person.actor) == "passkey_gone"
