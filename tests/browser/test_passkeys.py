"""Passkeys with Chromium's own virtual authenticator: enrol, sign in with nothing else, prove again; and what a cloned key is told."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import CDPSession, Page, expect

from apps.accounts.models import Passkey, Person
from apps.audit.stream import entries_about
from apps.audit.vocabulary import Event
from tests.browser.conftest import Site
from tests.browser.world import World
from tests.factories.accounts import PASSWORD, code_for, make_authenticator_app

Look = Callable[..., Page]
KEY = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


@pytest.fixture
def with_key(look_as: Look) -> Callable[[Person], tuple[Page, CDPSession, str]]:
    """A window with an authenticator of its own."""

    def look(person: Person) -> tuple[Page, CDPSession, str]:
        page = look_as(person)
        session = page.context.new_cdp_session(page)
        session.send("WebAuthn.enable")
        made = session.send("WebAuthn.addVirtualAuthenticator", {"options": KEY})
        return page, session, made["authenticatorId"]

    return look


def prove_again(page: Page) -> None:
    """A page that changes what one signs in with asks first who it is."""
    expect(page.get_by_role("heading", name="Confirm that it is you")).to_be_visible()
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Confirm").click()


def prove_and_go_on(page: Page) -> None:
    """What was pressed is kept until its second person has proved who they are; one more press carries it out."""
    prove_again(page)
    expect(page.get_by_role("heading", name="You confirmed that it is you")).to_be_visible()
    page.get_by_role("button", name="Go on").click()


def enrol(page: Page, name: str = "Work laptop") -> None:
    page.goto("/people/me/factors/")
    page.get_by_role("link", name="Enrol a passkey").click()
    prove_again(page)
    page.get_by_label("Name").fill(name)
    page.get_by_role("button", name="Enrol").click()
    expect(page.get_by_text(f"The passkey {name} is enrolled.")).to_be_visible()


def sign_out(page: Page) -> None:
    page.goto("/accounts/logout/")
    page.get_by_role("main").get_by_role("button", name="Sign out").click()
    page.goto("/accounts/login/")


def test_passkey_is_enrolled_and_signs_in_alone(world: World, site: Site, with_key) -> None:
    page, _, _ = with_key(world.owner)
    enrol(page)

    sign_out(page)
    page.get_by_role("button", name="Sign in with a passkey").click()

    expect(page).to_have_url(re.compile(r"localhost:\d+/$"))
    page.goto("/people/me/factors/")
    expect(page.get_by_text("by passkey")).to_be_visible()
    (key,) = Passkey.objects.filter(person=world.owner)
    assert (key.rp_id, key.name, key.algorithm) == ("localhost", "Work laptop", -7)
    assert key.sign_count > 0
    told = [entry.event for entry in entries_about(world.owner.reference, limit=20)]
    assert told[0] is Event.PERSON_SIGNED_IN
    assert Event.PASSKEY_ADDED in told


def test_passkey_is_asked_for_after_the_password_and_proves_again(world: World, with_key) -> None:
    page, _, _ = with_key(world.owner)
    enrol(page)
    sign_out(page)

    page.get_by_label("E-mail").fill(world.owner.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("heading", name="One more proof")).to_be_visible()
    page.get_by_role("button", name="Use a passkey").click()

    expect(page).to_have_url(re.compile(r"localhost:\d+/$"))
    page.goto("/people/me/app/")
    expect(page.get_by_role("heading", name="Enrol an authenticator app")).to_be_visible()


def test_copy_of_a_passkey_is_refused_and_told(world: World, with_key) -> None:
    page, _, _ = with_key(world.owner)
    enrol(page)
    Passkey.objects.update(sign_count=2**31)
    sign_out(page)

    page.get_by_role("button", name="Sign in with a passkey").click()

    expect(page.get_by_text("Remove this passkey, enrol another", exact=False)).to_be_visible()
    assert entries_about(world.owner.reference, limit=1)[0].event is Event.PASSKEY_REFUSED


def test_passkey_of_somebody_who_left_signs_nobody_in(world: World, with_key) -> None:
    page, _, _ = with_key(world.owner)
    enrol(page)
    sign_out(page)
    Person.objects.filter(pk=world.owner.pk).update(is_active=False, deactivated_at=timezone.now())

    page.get_by_role("button", name="Sign in with a passkey").click()

    expect(page).to_have_url(re.compile("/accounts/inactive/"))


def test_cancelled_passkey_says_so_and_nothing_is_sent(world: World, with_key) -> None:
    page, session, key = with_key(world.owner)
    page.goto("/people/me/passkeys/new/")
    prove_again(page)
    session.send("WebAuthn.setUserVerified", {"authenticatorId": key, "isUserVerified": False})

    page.get_by_label("Name").fill("Blue key")
    page.get_by_role("button", name="Enrol").click()

    expect(page.get_by_role("alert")).to_contain_text("No passkey was used")
    assert not Passkey.objects.exists()


def test_app_and_recovery_codes_sign_in_once_each(world: World, look_as: Look) -> None:
    secret = make_authenticator_app(world.owner)
    page = look_as(world.owner)
    page.goto("/people/me/factors/")
    page.get_by_role("button", name="Make recovery codes").click()
    page.get_by_label("Code of your app").fill(code_for(secret, timezone.now() - timedelta(seconds=30)))
    page.get_by_role("button", name="Confirm").click()
    page.get_by_role("button", name="Go on").click()
    codes = page.locator("#codes").inner_text().split()
    assert len(codes) == 10

    for code, said in ((code_for(secret, timezone.now()), ""), (codes[0], ""), (codes[0], "neither the code your app shows now")):
        sign_out(page)
        page.get_by_label("E-mail").fill(world.owner.email)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in", exact=True).click()
        page.get_by_label("Code of your app, or a recovery code").fill(code)
        page.get_by_role("button", name="Sign in", exact=True).click()
        expect(page.get_by_text(said) if said else page.get_by_role("heading", name="Waiting for me")).to_be_visible()
