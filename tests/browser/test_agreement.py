"""Asking, agreeing, editing, agreeing again: the story's steps 2 to 4 as people do them."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from apps.accounts.models import Person
from apps.approvals.actions import revise_change
from apps.changes.content import Plan, Step
from apps.changes.facts import content_of
from apps.changes.models import Change
from apps.changes.states import State
from tests.browser.world import NEW, World
from tests.factories.accounts import PASSWORD
from tests.factories.approvals import approve, newest
from tests.factories.approvals import make_change as make_change_in

Look = Callable[..., Page]
LOCAL = "%Y-%m-%dT%H:%M"


def make_change(world: World, state: State = State.IN_REVIEW) -> Change:
    """The developer's change to both rungs."""
    return make_change_in(state, targets=tuple(world.targets.values()), requester=world.developer, now=timezone.now())


def fill_request(page: Page) -> None:
    """Write everything but the way back."""
    page.locator("#id_items-0-label").fill("2.4.1")
    page.locator("#id_items-0-commit").fill(NEW)
    page.get_by_label("Code", exact=True).check()
    for name in ("Staging", "Production"):
        expect(page.get_by_role("checkbox", name=name)).to_be_checked()  # the only service, and everywhere it can go
    page.locator("#id_strategy").select_option("")
    page.get_by_label("Why now", exact=False).fill("Banks switch off the old protocol on 1 December.")
    page.locator("#id_plan-0-what").fill("Roll 2.4.1 out in three waves")
    page.get_by_label("Title").fill("Card payments through the new flow")


def sign(page: Page, change: Change, choice: str = "Approve") -> None:
    """Open the sign-off page, choose and press."""
    page.goto(f"/changes/{change.ref}/sign-off/")
    expect(page.get_by_role("button", name=f"Choose {choice.lower()} or reject first")).to_be_visible()
    page.get_by_role("radio", name=choice).check()
    sign_by_password(page, change, choice)


def sign_by_password(page: Page, change: Change, choice: str = "Approve", *, code: str = "") -> None:
    """Read the statement of what was chosen, and sign it; with the code of an app where one is enrolled."""
    page.get_by_role("button", name="Read what you sign").click()
    expect(page.locator(".statement-text")).to_contain_text(f"revision {newest(change).number} of {change.ref}")
    page.get_by_label("Your password").fill(PASSWORD)
    if code:
        page.get_by_label("Code of your authenticator app").fill(code)
    page.get_by_role("button", name=f"{choice} with your password").click()
    expect(page).to_have_url(re.compile(rf"/changes/{change.ref}/$"))


def test_request_without_a_way_back_is_refused_at_the_field_then_taken(world: World, look_as: Look) -> None:
    page = look_as(world.developer)
    page.goto("/changes/new/")
    fill_request(page)
    page.get_by_role("button", name="Submit for review").click()

    wrong = page.locator("#id_strategy_error")
    expect(wrong).to_contain_text("There is no rollback plan.")
    expect(page.get_by_label("Title")).to_have_value("Card payments through the new flow")
    expect(page.locator("#id_strategy")).to_have_attribute("aria-invalid", "true")

    page.locator("#id_strategy").select_option("PREVIOUS_RELEASE")
    page.get_by_label("Seconds to restore", exact=False).fill("120")
    page.get_by_role("button", name="Submit for review").click()

    expect(page.get_by_role("heading", name="Card payments through the new flow")).to_be_visible()
    expect(page.locator(".head-sub .state")).to_have_text("In review")
    expect(page.locator("#ladder")).to_contain_text("“Business owner” waits for business owner of Payments gateway.")
    assert Change.objects.get().state == State.IN_REVIEW


def test_requester_cannot_approve_and_both_approvers_can(world: World, look_as: Look) -> None:
    change = make_change(world)
    page = look_as(world.developer)
    page.goto(f"/changes/{change.ref}/sign-off/")

    refused = page.get_by_role("button", name="Approve")
    expect(refused).to_have_attribute("aria-disabled", "true")
    expect(page.locator("#approve-why")).to_have_text("You asked for this change, so you cannot sign it. Bo Owner, Rea Manager can.")
    expect(page.get_by_role("radio")).to_have_count(0)

    sign(look_as(world.owner), change)
    change.refresh_from_db()
    assert change.state == State.IN_REVIEW

    second = look_as(world.manager)
    sign(second, change)
    expect(second.locator(".head-sub .state")).to_have_text("Approved")
    expect(second.locator(".rules")).to_contain_text("Bo Owner")


def test_edit_lapses_the_sign_off_that_covered_it_and_leaves_the_other(world: World, look_as: Look) -> None:
    change = make_change(world, State.APPROVED)
    page = look_as(world.developer)
    page.goto(f"/changes/{change.ref}/edit/")
    page.locator("#id_plan-0-what").fill("Roll out to half of the hosts first")
    page.get_by_role("button", name="Save revision").click()

    expect(page.locator(".head-sub .state")).to_have_text("In review")
    rules = page.locator(".rule")
    expect(rules.filter(has_text="Business owner")).to_contain_text("Agreed")
    expect(rules.filter(has_text="Release manager")).to_contain_text("Lapsed")
    revisions = page.locator("section", has=page.get_by_role("heading", name="Revisions"))
    expect(revisions).to_contain_text("Lapsed by this edit: Rea Manager")
    expect(revisions).to_contain_text("Untouched: Bo Owner")

    again = look_as(world.manager)
    again.goto(f"/changes/{change.ref}/sign-off/")
    since = again.locator("section", has=again.get_by_role("heading", name="Changed since you signed"))
    expect(since.locator("ins")).to_have_text("Roll out to half of the hosts first")
    sign(again, change, "Re-affirm")
    expect(again.locator(".head-sub .state")).to_have_text("Approved")


def test_moving_the_slot_inside_the_period_lapses_nothing(world: World, look_as: Look) -> None:
    change = make_change(world, State.APPROVED)
    page = look_as(world.developer)
    begin = timezone.now() + timedelta(days=1)
    for number, word in enumerate(("Plan", "Move")):
        page.goto(f"/changes/{change.ref}/")
        row = page.locator(".plan-row", has_text="Production")
        row.get_by_text(f"{word} it").click()
        row.get_by_label("Start").fill((begin + timedelta(hours=number)).strftime(LOCAL))
        row.get_by_label("End").fill((begin + timedelta(hours=number + 1)).strftime(LOCAL))
        row.get_by_role("button", name=f"{word} slot").click()
        expect(page.get_by_text("The slot is planned. No sign-off lapsed by it.")).to_be_visible()

    expect(page.locator(".head-sub .state")).to_have_text("Approved")
    expect(page.locator(".rule .state")).to_have_text(["Agreed", "Agreed"])
    expect(page.locator("#ladder")).to_contain_text(f"{change.ref} is planned for")


def test_answer_that_comes_too_late_keeps_its_words_and_shows_the_difference(world: World, look_as: Look) -> None:
    change = make_change(world)
    page = look_as(world.manager)
    page.goto(f"/changes/{change.ref}/sign-off/")
    page.get_by_role("radio", name="Approve").check()
    page.locator("#decide").get_by_label("Reason").fill("I rehearsed this on Friday.")
    edited = replace(content_of(newest(change)), plan=Plan(steps=(Step("Roll out to half of the hosts first"),)))
    revise_change(change_id=change.pk, content=edited, by=world.developer.actor)
    page.get_by_role("button", name="Read what you sign").click()

    expect(page.get_by_role("alert")).to_contain_text("Dana Developer edited")
    expect(page.get_by_role("heading", name="Changed while you read")).to_be_visible()
    expect(page.locator("ins").first).to_have_text("Roll out to half of the hosts first")
    expect(page.locator("#decide").get_by_label("Reason")).to_have_value("I rehearsed this on Friday.")
    expect(page.get_by_role("radio", name="Approve")).not_to_be_checked()
    page.get_by_role("radio", name="Approve").check()
    sign_by_password(page, change)


def test_ladder_says_yes_by_itself_once_everybody_agreed(world: World, look_as: Look) -> None:
    change = make_change(world)
    approve(change, world.owner, now=timezone.now())
    page = look_as(world.developer)
    page.goto(f"/changes/{change.ref}/")
    ladder = page.locator("#ladder")
    expect(ladder).to_contain_text("“Release manager” waits for release manager.")

    approve(change, world.manager, now=timezone.now())

    expect(ladder).not_to_contain_text("waits for release manager", timeout=20_000)


@pytest.mark.parametrize("who", ["owner", "manager"])
def test_signing_works_without_scripts(world: World, look_as: Look, who: str) -> None:
    person: Person = getattr(world, who)
    change = make_change(world)
    page = look_as(person, java_script_enabled=False)

    sign(page, change)

    expect(page.locator(".stream")).to_contain_text(f"{person.name} signed revision 1 of {change.ref}")
