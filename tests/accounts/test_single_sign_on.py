"""Single sign-on against a real provider on loopback: who comes in, who does not, and what a lying provider is told."""

import subprocess
import sys
from collections.abc import Iterator
from time import time
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth import SESSION_KEY
from django.urls import reverse

from apps.accounts import single_sign_on
from apps.accounts.access import person_by_identity
from apps.accounts.actions import add_person_identity, deactivate_person, link_single_sign_on, merge_persons
from apps.accounts.identities import UNKNOWN, IdentityKind
from apps.accounts.models import Identity, Person, SignIn
from apps.accounts.roles import Role
from apps.accounts.views.single_sign_on import MEMORY
from apps.audit.stream import entries_about
from apps.audit.vocabulary import Event
from apps.core.locks import database_now
from apps.core.refusals import Refused
from tests.accounts.provider import CLIENT, OTHER_KEY, SECRET, Provider, running_provider
from tests.factories.accounts import IdentityFactory, make_authenticator_app, make_person

pytestmark = pytest.mark.django_db


@pytest.fixture
def provider(settings) -> Iterator[Provider]:
    with running_provider() as running:
        settings.OIDC_ISSUER, settings.OIDC_CLIENT_ID, settings.OIDC_CLIENT_SECRET = running.issuer, CLIENT, SECRET
        settings.PUBLIC_URL = "http://testserver"
        yield running


def go(client, provider: Provider, wanted: str = ""):
    """Leave for the provider and come back."""
    away = client.get(reverse("single_sign_on"), {"next": wanted} if wanted else {})
    assert away.status_code == 302, away.content
    return client.get(provider.authorize(away.url))


def refusal(answer, client) -> str:
    assert answer.status_code == 403
    assert SESSION_KEY not in client.session
    return entries_about(UNKNOWN, limit=1)[0].data["code"]


def test_invited_person_comes_in_and_is_known_by_the_subject_from_then_on(client, provider):
    ada = make_person(email="ada@example.org")
    provider.claims["email"] = "Ada@Example.org"

    answer = go(client, provider, "/people/me/")

    assert (answer.status_code, answer.url) == (302, "/people/me/")
    assert client.session[SESSION_KEY] == str(ada.pk)
    assert person_by_identity(IdentityKind.OIDC, "ada-1", issuer=provider.issuer) == ada
    events = [(entry.event, entry.by.id) for entry in entries_about(ada.reference, limit=5)]
    assert events == [(Event.PERSON_SIGNED_IN, str(ada.public_id)), (Event.IDENTITY_ADDED, "single_sign_on")]
    assert SignIn.objects.get().means == "single sign-on"

    client.logout()
    provider.claims = {"sub": "ada-1", "email": "another@example.org"}  # the address says nothing any more
    assert go(client, provider).status_code == 302
    assert client.session[SESSION_KEY] == str(ada.pk)


def test_browser_is_sent_with_state_nonce_and_challenge(client, provider):
    away = client.get(reverse("single_sign_on"))

    asked = {name: values[0] for name, values in parse_qs(urlsplit(away.url).query).items()}
    assert asked["redirect_uri"] == "http://testserver/accounts/single-sign-on/arrival/"
    assert (asked["response_type"], asked["code_challenge_method"], asked["client_id"]) == ("code", "S256", CLIENT)
    assert min(len(asked[name]) for name in ("state", "nonce", "code_challenge")) >= 43


@pytest.mark.parametrize("wanted", ["https://evil.example/", "//evil.example", "javascript:alert(1)", "http:\\\\evil.example"])
def test_nobody_is_sent_elsewhere_afterwards(client, provider, wanted):
    make_person(email="ada@example.org")

    assert go(client, provider, wanted).url == "/"


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"email": "nobody@example.org"}, "subject_unknown"),
        ({"email_verified": False}, "address_unverified"),
        ({"email_verified": "true"}, "address_unverified"),
        ({"email_verified": None}, "address_unverified"),
        ({"email": None, "email_verified": None}, "address_unverified"),
        ({"email": ["ada@example.org"]}, "address_unverified"),
        ({"sub": "x" * 300}, "subject_unknown"),
        ({"sub": "a\x00b"}, "subject_unknown"),
    ],
)
def test_whoever_was_not_invited_stays_out_and_learns_the_cure(client, provider, claims, code):
    make_person(email="ada@example.org")
    provider.claims |= claims

    answer = go(client, provider)

    assert refusal(answer, client) == code
    assert b"Ask an administrator" in answer.content
    assert not Identity.objects.filter(kind=IdentityKind.OIDC).exists()
    assert Person.objects.count() == 1


def test_an_address_given_to_somebody_else_does_not_take_the_person_along(client, provider):
    ada = make_person(email="ada@example.org")
    IdentityFactory(person=ada, kind=IdentityKind.OIDC, issuer=provider.issuer, value="ada-0")

    assert refusal(go(client, provider), client) == "another_subject"


def test_git_author_alone_lets_nobody_in(client, provider):
    IdentityFactory(person=make_person(), kind=IdentityKind.GIT_AUTHOR, value="ada@example.org")

    assert refusal(go(client, provider), client) == "subject_unknown"


def test_whoever_left_stays_out_and_a_merged_one_is_the_other(client, provider):
    admin, ada, keep = make_person(Role.ADMINISTRATOR), make_person(email="ada@example.org"), make_person()
    IdentityFactory(person=ada, kind=IdentityKind.OIDC, issuer=provider.issuer, value="ada-1")
    deactivate_person(ada.pk, by=admin.actor)
    assert go(client, provider).url == reverse("account_inactive")
    assert SESSION_KEY not in client.session

    merge_persons(keep.pk, ada.pk, by=admin.actor)
    go(client, provider)
    assert client.session[SESSION_KEY] == str(keep.pk)


def test_second_factor_is_asked_for_here_too(client, provider):
    make_authenticator_app(make_person(email="ada@example.org"))

    answer = go(client, provider)

    assert answer.url == reverse("mfa_authenticate")
    assert SESSION_KEY not in client.session


def test_address_is_also_read_from_userinfo_of_the_same_subject(client, provider):
    ada = make_person(email="ada@example.org")
    provider.claims = {"sub": "ada-1"}
    provider.userinfo = {"sub": "somebody", "email": "ada@example.org", "email_verified": True}
    assert refusal(go(client, provider), client) == "userinfo"

    provider.userinfo["sub"] = "ada-1"
    go(client, provider)
    assert client.session[SESSION_KEY] == str(ada.pk)


UNSIGNED = {"key": None, "algorithm": "none"}
BY_ANOTHER = {"key": OTHER_KEY}
BY_SECRET = {"algorithm": "HS256"}
LIES = {
    "unsigned": (UNSIGNED, "id_token"),
    "signed by another key": (BY_ANOTHER, "id_token"),
    "signed with the public key as a secret": (BY_SECRET, "id_token"),
    "no key named": ({"header": {}}, "id_token"),
    "an unknown key named": ({"header": {"kid": "two"}}, "id_token"),
    "another issuer": ({"token": {"iss": "http://127.0.0.1:1"}}, "id_token"),
    "another audience": ({"token": {"aud": "another"}}, "id_token"),
    "over": ({"token": {"exp": 1_700_000_000}}, "id_token"),
    "from the future": ({"token": {"iat": 4_000_000_000}}, "id_token"),
    "no end": ({"token": {"exp": None}}, "id_token"),
    "no subject": ({"token": {"sub": None}}, "id_token"),
    "subject is a number": ({"token": {"sub": 7}}, "id_token"),
    "no nonce": ({"token": {"nonce": None}}, "id_token"),
    "another nonce": ({"token": {"nonce": "another"}}, "nonce"),
    "nonce is a number": ({"token": {"nonce": 7}}, "nonce"),
    "for two, made for the other": ({"token": {"aud": [CLIENT, "another"], "azp": "another"}}, "azp"),
    "refuses the code": ({"token_status": 400}, "answer"),
    "is broken": ({"token_status": 500}, "answer"),
    "sends elsewhere": ({"token_status": 302}, "answer"),
}


@pytest.mark.parametrize("name", LIES)
def test_lying_provider_signs_nobody_in(client, provider, name):
    make_person(email="ada@example.org")
    lie, code = LIES[name]
    for part, value in lie.items():
        setattr(provider, part, value)

    assert refusal(go(client, provider), client) == code


@pytest.mark.parametrize(
    ("metadata", "code"),
    [
        ({"issuer": "https://another.example"}, "issuer"),
        ({"token_endpoint": "http://token.example/"}, "address"),
        ({"authorization_endpoint": "javascript:alert(1)"}, "address"),
        ({"jwks_uri": "file:///etc/passwd"}, "address"),
        ({"token_endpoint": None}, "address"),
    ],
)
def test_provider_that_describes_itself_wrongly_is_not_gone_to(client, provider, metadata, code):
    provider.metadata = metadata

    assert refusal(client.get(reverse("single_sign_on")), client) == code


def test_provider_that_is_away_is_said(client, settings, provider):
    settings.OIDC_ISSUER = "http://127.0.0.1:1"

    assert refusal(client.get(reverse("single_sign_on")), client) == "silence"


def test_answer_counts_once_and_only_in_the_browser_that_asked(client, provider):
    make_person(email="ada@example.org")
    back = provider.authorize(client.get(reverse("single_sign_on")).url)

    other = type(client)()
    assert refusal(other.get(back), other) == "state"
    assert client.get(back).status_code == 302
    client.logout()
    assert refusal(client.get(back), client) == "state"
    for query in ({}, {"state": "x", "code": "y"}, {"state": "\u202e", "code": "\x00"}):
        assert refusal(client.get(reverse("single_sign_on_callback"), query), client) == "state"
    assert refusal(client.get(reverse("single_sign_on_callback"), {"error": "<script>"}), client) == "provider_refused"


def test_one_address_gets_so_many_tries_a_minute(client, provider):
    answers = [client.get(reverse("single_sign_on_callback")).status_code for _ in range(32)]

    assert answers == [403] * 30 + [429] * 2
    assert client.get(reverse("single_sign_on")).status_code == 429
    assert len(entries_about(UNKNOWN, limit=50)) == 30


def test_secret_goes_by_form_where_the_provider_wants_it(client, provider):
    make_person(email="ada@example.org")
    provider.metadata = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}

    assert go(client, provider).status_code == 302
    assert provider.asked[0]["client_secret"] == SECRET


def test_without_settings_there_is_no_such_door(client):
    assert client.get(reverse("single_sign_on")).status_code == 404
    assert client.get(reverse("single_sign_on_callback")).status_code == 404
    assert b"single-sign-on" not in client.get(reverse("account_login")).content


def test_sign_in_page_shows_the_way(client, provider, settings):
    settings.OIDC_NAME = "Example account"

    page = client.get(reverse("account_login"), {"next": "/people/?q=a"}).content.decode()

    assert "Sign in with Example account" in page
    assert "/accounts/single-sign-on/?next=/people/%3Fq%3Da" in page


def test_what_the_provider_says_of_itself_is_kept_for_a_while(provider):
    first = single_sign_on.provider()
    provider.metadata = {"issuer": "https://another.example"}

    assert single_sign_on.provider() == first


@pytest.mark.parametrize(
    "given", [{"OIDC_ISSUER": "https://a"}, {"OIDC_ISSUER": "https://a", "OIDC_CLIENT_ID": "b"}, {"OIDC_CLIENT_SECRET": "c"}], ids=str
)
def test_settings_that_are_not_complete_stop_the_start(given):
    argv = [sys.executable, "-c", "import changecontrol.settings"]
    done = subprocess.run(argv, env={**given, "SECRET_KEY": "x"}, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert "come together or not at all" in done.stderr


def test_address_opens_no_account_that_is_in_use(client, provider):
    ada = make_person(email="ada@example.org", last_login=database_now())

    assert refusal(go(client, provider), client) == "link_it_yourself"
    assert not ada.identities.filter(kind=IdentityKind.OIDC).exists()


def test_address_that_an_administrator_added_opens_nothing(client, provider):
    bo = make_person(email="bo@example.org")
    add_person_identity(bo.pk, kind=IdentityKind.EMAIL, value="ada@example.org", by=make_person(Role.ADMINISTRATOR).actor)

    assert refusal(go(client, provider), client) == "subject_unknown"
    assert not bo.identities.filter(kind=IdentityKind.OIDC).exists()


def sign_in(client, person: Person, *, minutes_ago: int = 0) -> None:
    client.force_login(person)
    keep(client, "account_authentication_methods", [{"method": "password", "at": time() - 60 * minutes_ago}])
    keep(client, "account_authentication_methods_user", str(person.pk))


def keep(client, name: str, value: object) -> None:
    session = client.session
    session[name] = value
    session.save()


def link(client, provider: Provider):
    """Press the button on the factors page, go to the provider and come back."""
    away = client.post(reverse("accounts:single_sign_on_link"))
    assert (away.status_code, away.url.startswith(provider.issuer)) == (302, True), away.content
    return client.get(provider.authorize(away.url))


def test_whoever_is_signed_in_links_the_subject_and_signs_on_by_it(client, provider, settings):
    settings.OIDC_NAME = "Example account"
    bo = make_person(email="bo@example.org")
    sign_in(client, bo)
    assert "Link single sign-on" in client.get(reverse("accounts:factors")).content.decode()

    answer = link(client, provider)

    assert (answer.status_code, answer.url) == (302, reverse("accounts:factors"))
    assert "Example account signs you in." in client.get(answer.url).content.decode()
    assert person_by_identity(IdentityKind.OIDC, "ada-1", issuer=provider.issuer) == bo
    added = entries_about(bo.reference, limit=1)[0]
    assert (added.event, added.by) == (Event.IDENTITY_ADDED, bo.actor)
    client.logout()
    go(client, provider)
    assert client.session[SESSION_KEY] == str(bo.pk)


def test_linking_asks_anew_who_it_is_first_and_once_more_on_the_way_back(client, provider):
    bo = make_person(email="bo@example.org")
    sign_in(client, bo, minutes_ago=60)

    away = client.post(reverse("accounts:single_sign_on_link"))
    assert away.url.startswith(reverse("account_reauthenticate"))

    sign_in(client, bo)
    away = client.post(reverse("accounts:single_sign_on_link"))
    sign_in(client, bo, minutes_ago=60)
    answer = client.get(provider.authorize(away.url))
    assert (answer.status_code, bo.identities.filter(kind=IdentityKind.OIDC).exists()) == (403, False)


def test_link_belongs_to_whoever_began_it(client, provider):
    bo, eve = make_person(), make_person()
    sign_in(client, bo)
    away = client.post(reverse("accounts:single_sign_on_link"))
    back, memory = provider.authorize(away.url), client.session[MEMORY]
    client.logout()
    sign_in(client, eve)
    keep(client, MEMORY, memory)

    assert client.get(back).status_code == 403
    assert not Identity.objects.filter(kind=IdentityKind.OIDC).exists()


@pytest.mark.parametrize(
    ("subject", "whose", "code"),
    [("ada-1", "mine", "already_linked"), ("ada-1", "theirs", "subject_of_another"), ("ada-0", "mine", "linked_another")],
)
def test_subject_is_linked_once(provider, subject, whose, code):
    me, another = make_person(), make_person()
    IdentityFactory(person=me if whose == "mine" else another, kind=IdentityKind.OIDC, issuer=provider.issuer, value=subject)

    with pytest.raises(Refused) as refused:
        link_single_sign_on(issuer=provider.issuer, subject="ada-1", by=me.actor)

    assert refused.value.refusal.code == code


def test_unreadable_subject_is_linked_to_nobody(provider):
    with pytest.raises(Refused):
        link_single_sign_on(issuer=provider.issuer, subject="a\x00b", by=make_person().actor)


def test_linking_ends_where_the_provider_lies_or_is_not_there(client, provider, settings):
    sign_in(client, make_person())
    provider.token = {"nonce": "another"}
    assert link(client, provider).status_code == 403
    settings.OIDC_ISSUER = "http://127.0.0.1:1"
    assert client.post(reverse("accounts:single_sign_on_link")).status_code == 403
    settings.OIDC_ISSUER = ""
    assert client.post(reverse("accounts:single_sign_on_link")).status_code == 404
    assert not Identity.objects.filter(kind=IdentityKind.OIDC).exists()
