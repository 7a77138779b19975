"""An exception in Chromium: asked for by one passkey, agreed to by another, the gate says yes, the review is written."""

import re

from django.utils import timezone
from playwright.sync_api import expect

from apps.approvals.models import ExceptionSignature, LegException
from tests.browser.test_signing import device
from tests.browser.world import World
from tests.factories.exceptions import make_emergency

__all__ = ["device"]


def test_exception_is_asked_for_agreed_to_used_and_reviewed(world: World, device) -> None:
    change = make_emergency(world.targets["production"], world.developer, now=timezone.now())
    first, second = device(world.developer).page, device(world.manager).page

    first.goto(f"/changes/{change.ref}/")
    first.get_by_role("link", name="Ask for an exception").click()
    expect(first.get_by_role("radio", name=re.compile("^Emergency"))).to_be_checked()
    expect(first.get_by_role("group", name=re.compile("Rules to pass"))).to_be_hidden()
    first.get_by_label("Minutes").fill("30")
    first.get_by_label("Why it cannot wait").fill("Card payments fail for everybody since 14:02.")
    first.get_by_role("button", name="Read what you sign").click()
    expect(first.locator(".statement .statement-text")).to_contain_text("ask for an exception for Payments gateway in Production")
    first.get_by_role("button", name="Ask with your passkey").click()
    expect(first.locator(".head-sub .state")).to_have_text("Waits for a second person")

    second.goto("/inbox/")
    second.get_by_role("link", name="Exception for Payments gateway in Production").click()
    second.get_by_role("button", name="Agree: read what you sign").click()
    expect(second.locator(".statement .statement-text")).to_contain_text("agree to the exception")
    second.get_by_role("button", name="Agree with your passkey").click()
    expect(second.locator(".head-sub .state")).to_have_text("In force")

    first.goto(f"/changes/{change.ref}/")
    expect(first.locator("#ladder .rung-now")).to_contain_text("Yes")
    expect(first.locator("#ladder")).to_contain_text("Dana Developer and Rea Manager")
    first.goto("/exceptions/")
    first.get_by_role("link", name="Emergency for Payments gateway in Production").click()
    expect(first.get_by_role("button", name="Save the review")).to_be_disabled()
    first.get_by_role("button", name="Withdraw").click()
    expect(first.locator(".head-sub .state")).to_have_text("Withdrawn")
    first.get_by_label("What happened").fill("The bank switched off the old protocol two weeks early.")
    first.get_by_label("What is done so that it is not needed again").fill("We follow the bank's calendar.")
    first.get_by_role("button", name="Save the review").click()
    expect(first.get_by_role("heading", name="Review", exact=True)).to_be_visible()

    one = LegException.objects.get()
    assert (one.minutes, one.reviewed_by) == (30, world.developer)
    assert all(row.assertion for row in ExceptionSignature.objects.all())
