"""Signing with a passkey, in Chromium with its virtual authenticator: agree, edit, lapse, re-affirm, approved; and what goes wrong."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.utils import timezone
from playwright.sync_api import CDPSession, Page, expect

from apps.accounts.models import Person
from apps.approvals.actions import revise_change
from apps.approvals.models import SignOff
from apps.approvals.statement import read_statement
from apps.changes.content import Plan, Step
from apps.changes.facts import content_of
from apps.changes.models import Change
from apps.changes.states import State
from apps.core.assertions import base64url
from tests.browser.test_agreement import make_change
from tests.browser.test_passkeys import KEY
from tests.browser.world import World
from tests.factories.accounts import make_passkey
from tests.factories.approvals import newest

Look = Callable[..., Page]
ONE = b"one of the credentials"


@dataclass
class Device:
    """A window with an authenticator that holds a passkey."""

    page: Page
    session: CDPSession
    authenticator: str

    def verifies(self, is_so: bool) -> None:
        """Whether its owner is recognised from now on."""
        self.session.send("WebAuthn.setUserVerified", {"authenticatorId": self.authenticator, "isUserVerified": is_so})


@pytest.fixture
def device(look_as: Look) -> Callable[[Person], Device]:
    """The window of somebody who enrolled the passkey that it holds."""

    def look(person: Person, *, sign_count: int = 0) -> Device:
        _, private = make_passkey(
            person,
            credential_id=ONE + str(person.pk).encode(),
            rp_id="localhost",
            enrolled_at=timezone.now() - timedelta(days=1),
            sign_count=sign_count,
        )
        page = look_as(person)
        session = page.context.new_cdp_session(page)
        session.send("WebAuthn.enable")
        authenticator = session.send("WebAuthn.addVirtualAuthenticator", {"options": KEY})["authenticatorId"]
        held = {
            "credentialId": _base64(ONE + str(person.pk).encode()),
            "isResidentCredential": False,
            "rpId": "localhost",
            "privateKey": _base64(private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())),
            "signCount": 1,
        }
        session.send("WebAuthn.addCredential", {"authenticatorId": authenticator, "credential": held})
        return Device(page, session, authenticator)

    return look


def _base64(data: bytes) -> str:
    text = base64url(data).replace("-", "+").replace("_", "/")
    return text + "=" * (-len(text) % 4)


def read(page: Page, change: Change, choice: str = "Approve") -> None:
    """Open the page, choose, and have the statement before one."""
    page.goto(f"/changes/{change.ref}/sign-off/")
    page.get_by_role("radio", name=choice).check()
    page.get_by_role("button", name=re.compile("^Read (what you sign|the rejection)")).click()
    expect(page.get_by_role("heading", name="What you sign")).to_be_focused()
    expect(page.locator(".statement-text")).to_contain_text(f"revision {newest(change).number} of {change.ref}")


def sign(page: Page, change: Change, choice: str = "Approve") -> None:
    """The whole way."""
    read(page, change, choice)
    page.get_by_role("button", name=f"{choice} with your passkey").click()
    expect(page).to_have_url(re.compile(rf"/changes/{change.ref}/$"))


def test_change_is_agreed_edited_lapses_and_is_agreed_again_by_passkeys(world: World, device) -> None:
    change = make_change(world)
    owner, manager = device(world.owner), device(world.manager)
    sign(owner.page, change)
    sign(manager.page, change)
    expect(manager.page.locator(".head-sub .state")).to_have_text("Approved")

    edited = replace(content_of(newest(change)), plan=Plan(steps=(Step("Roll out to half of the hosts first"),)))
    revise_change(change_id=change.pk, content=edited, by=world.developer.actor)
    manager.page.reload()
    expect(manager.page.locator(".head-sub .state")).to_have_text("In review")

    manager.page.goto(f"/changes/{change.ref}/sign-off/")
    expect(manager.page.get_by_role("heading", name=re.compile("Changed since you (signed|last looked)"))).to_be_visible()
    expect(manager.page.locator("ins").first).to_have_text("Roll out to half of the hosts first")
    sign(manager.page, change, "Re-affirm")

    change.refresh_from_db()
    assert change.state == State.APPROVED
    given = SignOff.objects.filter(withdrawn_at__isnull=True)
    assert {read_statement(bytes(one.statement)).by["credential"] for one in given} == {"passkey"}
    assert all(one.assertion and one.origin.startswith("http://localhost:") and one.rp_id == "localhost" for one in given)


def test_passkey_that_does_not_recognise_its_owner_signs_nothing(world: World, device) -> None:
    change, owner = make_change(world), device(world.owner)
    read(owner.page, change)
    owner.verifies(is_so=False)
    owner.page.get_by_role("button", name="Approve with your passkey").click()
    expect(owner.page.locator("[data-passkey-said]")).to_contain_text("No passkey was used")
    assert not SignOff.objects.exists()

    owner.verifies(is_so=True)
    owner.page.get_by_role("button", name="Approve with your passkey").click()
    expect(owner.page).to_have_url(re.compile(rf"/changes/{change.ref}/$"))


def test_cloned_passkey_is_told_and_signs_nothing(world: World, device) -> None:
    change, owner = make_change(world), device(world.owner, sign_count=50)
    read(owner.page, change)
    owner.page.get_by_role("button", name="Approve with your passkey").click()

    expect(owner.page.get_by_role("alert").first).to_contain_text("counter says")
    assert not SignOff.objects.exists()


def test_keys_open_the_panel_and_never_sign(world: World, device) -> None:
    change, owner = make_change(world), device(world.owner)
    page = owner.page
    page.goto(f"/changes/{change.ref}/sign-off/")
    page.keyboard.press("s")
    expect(page).to_have_url(re.compile("#decide$"))
    page.get_by_role("radio", name="Approve").focus()
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="What you sign")).to_be_focused()
    for key in ("s", "a", "Enter", "y", "Space", "j", "k"):
        page.keyboard.press(key)

    expect(page.get_by_role("button", name="Approve with your passkey")).to_be_visible()
    assert not SignOff.objects.exists()


def test_rejection_reads_its_own_statement(world: World, device) -> None:
    change, owner = make_change(world), device(world.owner)
    page = owner.page
    page.goto(f"/changes/{change.ref}/sign-off/")
    page.get_by_role("radio", name="Reject").check()
    page.get_by_role("button", name="Read the rejection").click()
    expect(page.locator(".field-wrong").first).to_contain_text("Say why, so that the requester knows what to do differently.")
    page.locator("#decide").get_by_label("Reason").fill("The bank is not ready.")
    page.get_by_role("button", name="Read the rejection").click()
    expect(page.locator(".statement")).to_contain_text("The bank is not ready.")
    page.get_by_role("button", name="Reject with your passkey").click()

    expect(page.locator(".head-sub .state").first).to_have_text("Rejected")
