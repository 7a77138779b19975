"""Where one is signed in: listed, ended from another browser, followed through a new password."""

from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.urls import reverse

from apps.accounts.actions import deactivate_person
from apps.accounts.beat import forget_what_ended
from apps.accounts.checks import passkeys_fit_public_url
from apps.accounts.models import Counted, SignIn
from apps.accounts.presence import browser_said, sign_ins_of
from apps.accounts.roles import Role
from apps.audit.stream import entries_about
from apps.audit.vocabulary import Event
from apps.core.locks import database_now
from tests.factories.accounts import PASSWORD, CountedFactory, SignInFactory, code_for, make_authenticator_app, make_passkey, make_person

pytestmark = pytest.mark.django_db
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0"
PAGE, OTHERS = reverse("accounts:factors"), reverse("accounts:other_sessions_end")


def sign_in(client, **more) -> None:
    client.post(
        reverse("account_login"), {"login": "ada@example.org", "password": PASSWORD}, headers={"user-agent": more.get("browser", FIREFOX)}
    )


@pytest.fixture
def ada(client):
    person = make_person(email="ada@example.org")
    sign_in(client)
    return person


def test_browser_is_listed_with_what_it_was_signed_in_by(client, ada):
    row = sign_ins_of(ada).get()

    assert (row.means, row.address, row.browser) == ("password", "127.0.0.1", FIREFOX)
    page = client.get(PAGE).content.decode()
    assert "Firefox on Linux" in page
    assert "this one" in page
    entry = entries_about(ada.reference, limit=1)[0]
    assert (entry.event, entry.data) == (Event.PERSON_SIGNED_IN, {"means": "password"})
    assert "127.0.0.1" not in repr(entry)


def test_second_factor_stands_in_the_list(client, ada):
    secret = make_authenticator_app(ada)
    other = type(client)()
    sign_in(other)
    other.post(reverse("mfa_authenticate"), {"code": code_for(secret, database_now())})

    assert sign_ins_of(ada).first().means == "password and code"


def test_other_browser_is_signed_out_with_its_next_request(client, ada):
    other = type(client)()
    sign_in(other)
    assert other.get(PAGE).status_code == 200
    row = sign_ins_of(ada).exclude(session_key=client.session.session_key).get()

    assert client.post(reverse("accounts:session_end", args=[row.public_id])).status_code == 302

    assert other.get(PAGE).status_code == 302
    assert client.get(PAGE).status_code == 200
    entry = entries_about(ada.reference, limit=1)[0]
    assert (entry.event, entry.data) == (Event.SESSIONS_ENDED, {"count": 1})
    assert client.post(reverse("accounts:session_end", args=[row.public_id])).status_code == 404


def test_all_others_end_and_this_one_stays(client, ada):
    others = [type(client)() for _ in range(3)]
    for other in others:
        sign_in(other)

    client.post(OTHERS)

    assert [other.get(PAGE).status_code for other in others] == [302] * 3
    assert client.get(PAGE).status_code == 200
    client.post(OTHERS)
    told = [entry.event for entry in entries_about(ada.reference, limit=20)]
    assert told.count(Event.SESSIONS_ENDED) == 1


def test_sessions_of_somebody_else_are_not_there(client, ada):
    row = SignInFactory(session_key="elsewhere")
    Session.objects.create(session_key="elsewhere", session_data="", expire_date=database_now() + timedelta(days=1))

    assert client.post(reverse("accounts:session_end", args=[row.public_id])).status_code == 404
    assert Session.objects.filter(session_key="elsewhere").exists()


def test_new_password_ends_the_others_and_keeps_this_one_listed(client, ada):
    other = type(client)()
    sign_in(other)

    changed = {"oldpassword": PASSWORD, "password1": f"{PASSWORD}2", "password2": f"{PASSWORD}2"}
    assert client.post(reverse("account_change_password"), changed).status_code == 302

    assert sign_ins_of(ada).get().session_key == client.session.session_key
    assert other.get(PAGE).status_code == 302


def test_signing_out_and_leaving_end_the_rows(client, ada):
    admin, other = make_person(Role.ADMINISTRATOR), type(client)()
    sign_in(other)
    client.post(reverse("account_logout"))
    assert sign_ins_of(ada).count() == 1

    deactivate_person(ada.pk, by=admin.actor)

    assert not SignIn.objects.exists()
    assert other.get(PAGE).status_code == 302


def test_what_ended_by_itself_is_forgotten(client, ada):
    SignInFactory(session_key="gone")
    Session.objects.create(session_key="old", session_data="", expire_date=database_now() - timedelta(days=1))
    SignInFactory(session_key="old")
    CountedFactory(expires_at=database_now() - timedelta(seconds=1))

    forget_what_ended()

    assert SignIn.objects.get().session_key == client.session.session_key
    assert not Session.objects.filter(session_key="old").exists()
    assert not Counted.objects.filter(key__startswith="attempt:").exists()


@pytest.mark.parametrize("hostile", ["", "\x00", "x" * 5000, "<script>alert(1)</script>", "a\u202eb", "\ud7ff"])
def test_any_name_a_browser_gives_itself_is_borne(client, hostile):
    make_person(email="ada@example.org")
    sign_in(client, browser=hostile)

    page = client.get(PAGE)
    assert page.status_code == 200
    assert b"<script>alert" not in page.content


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (FIREFOX, "Firefox on Linux"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/156.0 Safari/537.36 Edg/156.0", "Edge on Windows"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Version/19.0 Safari/604.1", "Safari on iPhone"),
        ("curl/9.1", "curl"),
        ("", "A browser"),
    ],
)
def test_browser_is_said_in_words(text, said):
    assert browser_said(text) == said


def test_check_warns_of_passkeys_that_public_url_left_behind(settings, client):
    settings.PUBLIC_URL = "https://new.example.org"
    make_passkey(make_person())
    assert passkeys_fit_public_url(None) == []
    make_passkey(make_person(), rp_id="old.example.org")
    make_passkey(make_person(is_active=False), rp_id="older.example.org")

    (warned,) = passkeys_fit_public_url(None)

    assert warned.id == "accounts.W001"
    assert "old.example.org" in warned.msg
    client.force_login(make_person(Role.ADMINISTRATOR))
    assert "1 passkey stopped working" in client.get(reverse("accounts:people")).content.decode()
    client.force_login(make_person())
    assert "stopped working" not in client.get(reverse("accounts:people")).content.decode()
