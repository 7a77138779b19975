"""The pages of the gate in Chromium: from the log to one answer and its steps, asking for oneself, copying a snippet, each look by axe."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from apps.accounts.roles import Role
from apps.changes.states import State
from tests.browser.test_accessible import complaints
from tests.browser.world import World
from tests.factories.accounts import make_person
from tests.factories.approvals import make_change
from tests.factories.gate import ask, body_for, make_gate_token
from tests.factories.schedule import CalendarRuleFactory, HoldFactory

Look = Callable[..., Page]
LOOKS = {f"{width} {scheme}": (width, scheme) for width in (1280, 390) for scheme in ("light", "dark")}


def asked(world: World, run_url: str = "https://ci.example.org/runs/8841") -> str:
    """A pipeline asked about production, which is on hold and frozen, with a change that nobody has signed."""
    target, now = world.targets["production"], timezone.now()
    make_change(State.IN_REVIEW, targets=(target,), requester=world.developer, now=now)
    HoldFactory(scope=5_000_000_000 + target.pk, reason="Card payments fail since 14:02.")
    CalendarRuleFactory(title="Evening departures", starts_at=now - timedelta(hours=1), ends_at=now + timedelta(hours=3))
    run = {"system": "github", "id": "8841", "attempt": 1, "url": run_url}
    return ask(make_gate_token(name="Payments pipeline")[1], body_for(target, run=run)).json()["id"]


@pytest.mark.slow
def test_an_answer_is_found_read_and_asked_again(world: World, look_as: Look) -> None:
    one = asked(world)
    page = look_as(world.developer)

    page.goto("/")
    page.get_by_role("navigation", name="Main", exact=True).get_by_role("link", name="Gate", exact=True).click()
    page.get_by_role("searchbox", name="Search the log").fill("verdict:deny code:held service:payments-gateway")
    page.get_by_role("searchbox", name="Search the log").press("Enter")
    page.get_by_role("link", name="Payments gateway to Production").click()

    expect(page).to_have_url(f"{page.url.partition('/gate/')[0]}/gate/{one}/")
    expect(page.get_by_role("heading", level=1)).to_have_text("May this version of Payments gateway go to Production?")
    steps = page.locator(".ways li")
    expect(steps).to_have_count(5)
    expect(steps.filter(has_text="lift the hold")).to_be_visible()
    expect(steps.last).to_contain_text("Wait until")
    expect(page.get_by_role("link", name="8841")).to_have_attribute("href", "https://ci.example.org/runs/8841")

    page.goto("/gate/ask/")
    page.get_by_label("Service").select_option(label="Payments gateway")
    page.get_by_label("Environment").select_option(label="Production")
    page.get_by_role("textbox", name="Change").fill("CHG-999")
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.get_by_text("There is no such change that you may see.")).to_be_visible()
    page.get_by_role("textbox", name="Change").fill("")
    page.get_by_label("Or the version").fill("ab" * 20)
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.locator(".verdict-word")).to_have_text("No")
    expect(page.locator(".findings")).to_contain_text("No change asks for this version")


@pytest.mark.slow
def test_a_snippet_is_chosen_and_copied_and_a_badge_is_shared(world: World, look_as: Look) -> None:
    page = look_as(make_person(Role.ADMINISTRATOR, name="Ada Admin"))
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])

    page.goto("/catalog/services/payments-gateway/in/production/")
    page.get_by_role("link", name="Ask from a pipeline").click()
    page.get_by_role("link", name="GitLab CI").click()
    page.get_by_role("button", name="Copy").click()

    assert "--service payments-gateway --environment production" in page.evaluate("() => navigator.clipboard.readText()")
    assert page.evaluate("() => document.querySelector('.badge-shown img').naturalWidth") > 100
    page.get_by_role("button", name="Make an address for others").click()
    address = page.locator("#badge-text").text_content() or ""
    answer = page.request.get(address.partition("(")[2].rstrip(")"))
    assert (answer.status, answer.headers["content-type"]) == (200, "image/svg+xml; charset=utf-8")
    page.get_by_role("button", name="End the address").click()
    expect(page.get_by_role("button", name="Make an address for others")).to_be_visible()


@pytest.mark.slow
@pytest.mark.parametrize("look", sorted(LOOKS))
def test_the_pages_of_the_gate_are_accessible_and_fit(world: World, look_as: Look, look: str) -> None:
    width, scheme = LOOKS[look]
    one = asked(world)
    page = look_as(world.developer, viewport={"width": width, "height": 900}, color_scheme=scheme)
    place = "service=payments-gateway&environment=production&change=&action=DEPLOY"
    pages = (
        "/gate/",
        "/gate/?q=verdict:allow",
        "/gate/?q=nonsense",
        f"/gate/{one}/",
        "/gate/ask/",
        f"/gate/ask/?{place}&version={'ab' * 20}",
        f"/gate/ask/?{place}&version=main",
        "/gate/pipelines/",
        "/gate/pipelines/payments-gateway/production/?for=argocd",
        "/environments/production/strictness/?what=hold&after=OFF",
        "/environments/production/offline-grace/",
    )

    found = [said for address in pages for said in complaints(page, address)]

    assert not found, "\n".join(found)
