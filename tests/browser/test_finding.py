"""Finding changes again: the search with its suggestions by keyboard and without scripts, the inbox, revisions, discussion."""

import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from apps.approvals.actions import revise_change
from apps.changes.content import Plan, Step
from apps.changes.facts import content_of
from apps.changes.models import Change
from apps.changes.states import State
from tests.browser.world import World
from tests.factories.approvals import approve, newest
from tests.factories.approvals import make_change as make_change_in

Look = Callable[..., Page]
PHONE = {"width": 390, "height": 844}
LONG = "Let boarding staff re-open a closed boarding list within ten minutes of departure, with the reason recorded and shown to the harbour office"


def make_change(world: World, title: str = "Warmer seats on the ferry", state: State = State.IN_REVIEW) -> Change:
    """A change to both rungs."""
    return make_change_in(state, targets=tuple(world.targets.values()), requester=world.developer, now=timezone.now(), title=title)


def edited(change: Change, what: str) -> None:
    """Another revision."""
    content = replace(content_of(newest(change)), plan=Plan(steps=(Step(what),)))
    revise_change(change_id=change.pk, content=content, by=change.requester.actor)


def kept(page: Page, name: str) -> None:
    """A picture for whoever wants to look: SHOTS names the folder."""
    if folder := os.environ.get("SHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def test_search_is_written_with_the_keyboard_alone(world: World, look_as: Look) -> None:
    change, other = make_change(world), make_change(world, "Colder drinks", State.WITHDRAWN)
    page = look_as(world.developer)
    page.goto("/changes/")

    box = page.get_by_role("combobox", name="Search changes")
    expect(box).to_have_value("state:open ")  # room for the next term
    box.fill("ser")
    expect(page.get_by_role("option")).to_have_count(1)
    box.press("ArrowDown")
    box.press("Enter")
    expect(box).to_have_value("service:")
    box.press_sequentially("pay")
    expect(page.get_by_role("option")).to_contain_text("payments-gateway")
    kept(page, "suggestions")
    box.press("ArrowDown")
    expect(box).to_have_attribute("aria-activedescendant", "suggestion-1")
    box.press("Tab")
    expect(box).to_have_value("service:payments-gateway ")
    box.press_sequentially("warm")
    box.press("Enter")

    expect(page).to_have_url(re.compile(r"q=service%3Apayments-gateway\+warm"))
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.locator("tbody")).to_contain_text(change.ref)
    expect(page.locator("tbody")).not_to_contain_text(other.ref)
    page.get_by_title("Take it out").last.click()
    expect(page.locator("tbody tr")).to_have_count(2)


def test_whoever_clicks_into_the_search_and_types_begins_a_new_term(world: World, look_as: Look) -> None:
    page = look_as(world.developer)
    page.goto("/changes/")

    page.get_by_role("combobox", name="Search changes").click()
    page.keyboard.type("ris")

    expect(page.get_by_role("combobox", name="Search changes")).to_have_value("state:open ris")
    expect(page.get_by_role("option")).to_contain_text("risk:")


def test_search_works_without_scripts(world: World, look_as: Look) -> None:
    change = make_change(world)
    page = look_as(world.developer, java_script_enabled=False)

    page.goto("/changes/")
    page.get_by_label("Search changes").fill("state:in_review -kind:emergency")
    page.get_by_role("button", name="Search").click()
    expect(page.locator("tbody")).to_contain_text(change.ref)
    page.get_by_role("link", name="Change", exact=True).click()
    expect(page.get_by_role("columnheader", name="Change")).to_have_attribute("aria-sort", "ascending")

    page.get_by_label("Search changes").fill("colour:red")
    page.get_by_role("button", name="Search").click()
    expect(page.locator(".note").first).to_contain_text("There is no term “colour:”.")
    expect(page.locator("tbody")).to_have_count(0)


def test_search_is_kept_and_found_beside_the_views(world: World, look_as: Look) -> None:
    make_change(world)
    page = look_as(world.developer)
    page.goto("/changes/?q=service:payments-gateway+is:mine")

    page.get_by_text("Keep this search").click()
    page.get_by_label("Name", exact=True).fill("Payments of mine")
    page.get_by_role("button", name="Keep it").click()

    expect(page.get_by_role("link", name="Payments of mine")).to_have_attribute("aria-current", "page")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_pages_fit_their_window(world: World, look_as: Look, scheme: str, width: int) -> None:
    for number in range(6):
        change = make_change(world, f"{LONG} {number}" if number % 2 else f"Warmer seats {number}")
    edited(change, "Half of the hosts first")
    edited(change, "A third of the hosts first, then the others once the first have been quiet for an hour")
    page = look_as(world.owner, color_scheme=scheme, viewport={"width": width, "height": 900})

    for name, path in (
        ("list", "/changes/"),
        ("wrong", "/changes/?q=colour:red+x"),
        ("inbox", "/inbox/"),
        ("change", f"/changes/{change.ref}/"),
    ):
        page.goto(path)
        kept(page, f"{name}-{width}-{scheme}")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path


def test_inbox_counts_shows_and_lets_go_of_what_waits(world: World, look_as: Look) -> None:
    change = make_change(world)
    page = look_as(world.owner)
    page.goto("/")
    expect(page.locator(".nav-main .count").first).to_have_text("1 waiting for you")

    page.keyboard.press("g")
    page.keyboard.press("n")
    expect(page.get_by_role("heading", name="Inbox")).to_be_visible()
    expect(page.locator("main")).to_contain_text(change.ref)
    page.get_by_role("link", name="Review", exact=True).click()
    expect(page).to_have_url(re.compile(rf"/changes/{change.ref}/sign-off/"))

    approve(change, world.owner, now=timezone.now())
    page.goto("/inbox/")
    expect(page.locator("main")).to_contain_text("Nothing waits for you")
    page.get_by_role("link", name="Decided by me").click()
    expect(page.locator("main")).to_contain_text("Approval of revision 1")


def test_two_revisions_are_chosen_and_compared(world: World, look_as: Look) -> None:
    change = make_change(world)
    for what in ("First wording", "Second wording"):
        edited(change, what)
    page = look_as(world.owner)
    page.goto(f"/changes/{change.ref}/")
    expect(page.locator("table.diff")).to_contain_text("Second wording")

    page.get_by_label("From").select_option("1")
    page.get_by_label("to", exact=True).select_option("2")
    page.get_by_role("button", name="Compare").click()

    expect(page).to_have_url(re.compile(r"from=1&to=2"))
    expect(page.locator("table.diff")).to_contain_text("First wording")
    expect(page.locator("table.diff")).not_to_contain_text("Second wording")


def test_comment_is_markdown_and_a_change_is_watched(world: World, look_as: Look) -> None:
    change = make_change(world)
    page = look_as(world.owner)
    page.goto(f"/changes/{change.ref}/")

    page.get_by_label("Comment").fill("Is **this** safe, @dana? [x](javascript:alert(1)) <script>alert(1)</script>")
    page.get_by_role("button", name="Comment").click()
    expect(page.locator(".talk strong")).to_have_text("this")
    assert page.locator('.talk a[href^="javascript"]').count() == 0
    page.get_by_role("button", name="Watch", exact=True).click()

    expect(page.get_by_role("button", name="Watching")).to_be_visible()
    expect(page.locator(".watchers")).to_contain_text("Watched by you")
