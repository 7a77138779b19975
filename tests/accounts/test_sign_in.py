"""Sign-in through allauth's pages, and what is recorded of it."""

import pytest
from django.contrib.auth import SESSION_KEY
from django.core import mail
from django.core.cache import cache
from django.urls import NoReverseMatch, reverse

from apps.accounts.actions import deactivate_person, merge_persons, reactivate_person
from apps.accounts.identities import UNKNOWN
from apps.accounts.roles import Role
from apps.audit.stream import entries_about
from apps.audit.vocabulary import Event
from tests.factories.accounts import PASSWORD, make_person

pytestmark = pytest.mark.django_db
PROFILE = "/people/me/"


@pytest.fixture(autouse=True)
def no_counted_attempts(settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    cache.clear()
    yield
    cache.clear()


def sign_in(client, email: str, password: str = PASSWORD):
    return client.post(reverse("account_login"), {"login": email, "password": password})


def is_signed_in(client) -> bool:
    return client.get(PROFILE).status_code == 200


def events(person) -> list[Event]:
    return [entry.event for entry in entries_about(person.reference, limit=20)]


@pytest.mark.parametrize("written", ["ada@example.org", "ADA@EXAMPLE.ORG", " ada@example.org ", "aDa@EXAMPLE.org\t"])
def test_sign_in_finds_a_mailbox_in_any_spelling(client, written):
    person = make_person(email="ada@example.org")

    assert sign_in(client, written).status_code == 302

    assert client.session[SESSION_KEY] == str(person.pk)
    (entry,) = entries_about(person.reference, limit=5)
    assert (entry.event, entry.by.id) == (Event.PERSON_SIGNED_IN, str(person.public_id))


def test_sign_in_with_a_wrong_password_is_recorded_without_it(client):
    person = make_person(email="ada@example.org")

    answer = sign_in(client, "Ada@example.org", "wrong horse")

    assert answer.status_code == 200
    assert not is_signed_in(client)
    (entry,) = entries_about(person.reference, limit=5)
    assert (entry.event, str(entry.by.kind)) == (Event.PERSON_SIGN_IN_FAILED, "SYSTEM")
    assert entry.details == {"email": "ada@example.org"}
    assert "wrong horse" not in repr(entry)


def test_sign_in_of_nobody_we_know_is_recorded_too(client):
    sign_in(client, "nobody@example.org")

    (entry,) = entries_about(UNKNOWN, limit=5)
    assert entry.details == {"email": "nobody@example.org"}


def test_failed_sign_ins_are_limited(client):
    person = make_person(email="ada@example.org")

    for _ in range(12):
        sign_in(client, "ada@example.org", "wrong horse")

    assert len(entries_about(person.reference, limit=50)) < 12
    sign_in(client, "ada@example.org")
    assert not is_signed_in(client)


@pytest.mark.parametrize("text", ["\x00", "x" * 5000, "\ud7ff@x", "' OR 1=1", "a@b\r\nX: y", "\u202e@example.org"])
def test_hostile_text_in_sign_in_and_reset_is_told(client, text):
    assert client.post(reverse("account_login"), {"login": text, "password": text}).status_code == 200
    assert client.post(reverse("account_reset_password"), {"email": text}).status_code in {200, 302}


def test_somebody_deactivated_cannot_sign_in_and_is_out_at_once(client):
    admin, person = make_person(Role.ADMINISTRATOR), make_person(email="ada@example.org")
    sign_in(client, "ada@example.org")
    assert is_signed_in(client)

    deactivate_person(person.pk, by=admin.actor)
    assert not is_signed_in(client)
    reactivate_person(person.pk, by=admin.actor)
    assert not is_signed_in(client)
    deactivate_person(person.pk, by=admin.actor)

    sign_in(client, "ada@example.org")
    assert not is_signed_in(client)


def test_somebody_merged_cannot_sign_in(client):
    admin, gone = make_person(Role.ADMINISTRATOR), make_person(email="ada@example.org")

    merge_persons(make_person().pk, gone.pk, by=admin.actor)

    sign_in(client, "ada@example.org")
    assert not is_signed_in(client)


def test_sign_out_is_a_post_and_recorded(client):
    person = make_person(email="ada@example.org")
    sign_in(client, "ada@example.org")

    client.get(reverse("account_logout"))
    assert is_signed_in(client)
    client.post(reverse("account_logout"))

    assert not is_signed_in(client)
    assert events(person) == [Event.PERSON_SIGNED_OUT, Event.PERSON_SIGNED_IN]


def test_a_changed_password_is_recorded_and_ends_other_sessions(client):
    person = make_person(email="ada@example.org")
    elsewhere = type(client)()
    sign_in(client, "ada@example.org")
    sign_in(elsewhere, "ada@example.org")

    answer = client.post(
        reverse("account_change_password"), {"oldpassword": PASSWORD, "password1": PASSWORD + "2", "password2": PASSWORD + "2"}
    )

    assert answer.url == PROFILE
    assert (is_signed_in(client), is_signed_in(elsewhere)) == (True, False)
    assert events(person)[0] is Event.PERSON_PASSWORD_CHANGED


def test_a_forgotten_password_is_set_by_a_link_that_works_once(client):
    person = make_person(email="ada@example.org")

    client.post(reverse("account_reset_password"), {"email": "ADA@example.org"})
    link = next(word for word in mail.outbox[0].body.split() if "/password/reset/key/" in word).partition("testserver")[2]
    answer = client.post(client.get(link).url, {"password1": PASSWORD + "3", "password2": PASSWORD + "3"})

    person.refresh_from_db()
    assert answer.status_code == 302
    assert person.check_password(PASSWORD + "3")
    assert entries_about(person.reference, limit=1)[0].by.credential == "one_time_link"
    assert b"password1" not in type(client)().get(link).content


def test_a_forgotten_password_of_somebody_inactive_sends_no_link(client):
    make_person(email="ada@example.org", is_active=False)

    client.post(reverse("account_reset_password"), {"email": "ada@example.org"})

    assert not [letter for letter in mail.outbox if "/password/reset/key/" in letter.body]


def test_nobody_signs_up_and_no_address_is_changed_past_the_administrator(client):
    answer = client.post(reverse("account_signup"), {"email": "x@example.org", "password1": PASSWORD, "password2": PASSWORD})

    assert answer.status_code == 200
    assert not is_signed_in(client)
    for page in ("account_email", "mfa_add_webauthn", "mfa_activate_totp", "mfa_generate_recovery_codes"):
        with pytest.raises(NoReverseMatch):
            reverse(page)


def test_a_sign_in_whose_record_fails_is_none(client, monkeypatch):
    make_person(email="ada@example.org")

    def broken(*args, **kwargs):
        raise OSError("the stream is full")

    monkeypatch.setattr("apps.accounts.adapter.record", broken)
    with pytest.raises(OSError, match="full"):
        sign_in(client, "ada@example.org")
    assert not is_signed_in(client)
