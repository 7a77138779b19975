"""Asking for a change as people do: what it costs them, and that nothing they type is lost."""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from django.contrib.sessions.models import Session
from django.db import transaction
from playwright.sync_api import Page, expect

from apps.approvals.policy_body import default_body
from apps.approvals.steps import set_policy
from apps.changes.content import Strategy
from apps.changes.facts import content_of
from apps.changes.models import Change, DraftInput
from apps.changes.states import State
from apps.core.actors import system
from apps.core.locks import database_now, take_calendar_guard
from tests.browser.conftest import Watched
from tests.browser.test_agreement import sign_by_password
from tests.browser.world import NEW, World
from tests.factories.accounts import PASSWORD, code_for, make_authenticator_app
from tests.factories.approvals import newest

Look = Callable[..., Page]
REASON = "Banks switch off the old protocol on 1 December."
EFFORT = Path(__file__).resolve().parents[2] / "docs" / "effort.md"
CODE = 6  # digits
# Counts in the page what a person does: nothing else tells how much work a form is.
COUNTER = """
for (const kind of ["click", "keydown", "paste"]) {
  document.addEventListener(kind, (event) => {
    if (!event.isTrusted || (kind === "click" && event.detail === 0)) return;
    sessionStorage.setItem(`count:${kind}`, Number(sessionStorage.getItem(`count:${kind}`) ?? 0) + 1);
  }, true);
}
"""


@dataclass
class Hands:
    """A person at a keyboard: clicks, keys and pastes are counted by the page itself."""

    page: Page
    pastes: int = 0
    fields: list[str] = field(default_factory=list)

    def write(self, name: str, text: str) -> None:
        """Click into a field and type."""
        self.fields.append(name)
        self.page.locator(f"#{name}").click()
        self.page.keyboard.type(text)

    def paste(self, name: str, text: str) -> None:
        """Click into a field and paste."""
        self.fields.append(name)
        self.pastes += 1
        self.page.locator(f"#{name}").click()
        self.page.keyboard.insert_text(text)

    def tick(self, label: str) -> None:
        """Click a box."""
        self.fields.append(label)
        self.page.get_by_label(label, exact=True).click()

    def counted(self, kind: str) -> int:
        """How often it happened in this window."""
        return int(self.page.evaluate(f"Number(sessionStorage.getItem('count:{kind}') ?? 0)"))


def one_owner_decides(world: World) -> None:
    """The default policy: one owner who is neither requester nor last editor."""
    with transaction.atomic():
        take_calendar_guard()
        set_policy(name="Everything", environment=world.production, document=default_body(), by=system("test"), at=database_now())


def kept(page: Page) -> None:
    """Wait until the page says that the server has it."""
    expect(page.locator("#saved-word")).to_contain_text("Kept")


def test_from_new_change_to_approved_takes_few_clicks_and_keys(world: World, look_as: Look) -> None:
    one_owner_decides(world)
    page = look_as(world.developer)
    page.add_init_script(COUNTER)
    hands = Hands(page)

    page.goto("/changes/new/")
    hands.write("id_items-0-label", "2.4.1")
    hands.paste("id_items-0-commit", NEW)
    hands.write("id_reason", REASON)
    hands.tick("Code")
    page.get_by_role("button", name="Submit for review").click()
    expect(page.locator(".head-sub .state")).to_have_text("In review")

    change = Change.objects.get()
    secret = make_authenticator_app(world.owner)
    second = look_as(world.owner)
    second.add_init_script(COUNTER)
    second.goto(f"/changes/{change.ref}/sign-off/")
    second.get_by_role("radio", name="Approve").click()
    sign_by_password(second, change, code=code_for(secret, database_now()))
    change.refresh_from_db()

    content = content_of(newest(change))
    assert change.state == State.APPROVED
    assert (content.rollback.strategy, content.rollback.seconds_to_restore) == (Strategy.PREVIOUS_RELEASE, 900)
    assert content.story.title == "Payments gateway 2.4.1"
    assert len(hands.fields) <= 6
    assert hands.counted("click") <= 6
    assert hands.counted("keydown") == len("2.4.1") + len(REASON)
    told(hands, Hands(second))


def told(asks: Hands, agrees: Hands) -> None:
    """Write what was counted into the documentation, where that is wanted: a test does not change the tree by itself."""
    if not os.environ.get("WRITE_EFFORT"):
        return
    clicks, keys = asks.counted("click"), asks.counted("keydown")
    lines = [
        "# What a change costs its people",
        "",
        "Counted in Chromium by `tests/browser/test_requesting.py` from an empty form to APPROVED by a second person,",
        "on a service with deployment settings, two environments and the default policy. Write it anew with",
        "`WRITE_EFFORT=1 .venv/bin/python -m pytest tests/browser/test_requesting.py -k few_clicks`.",
        "",
        "| who | fields | clicks | keys typed | pastes |",
        "| --- | --- | --- | --- | --- |",
        f"| requester: new change to in review | {len(asks.fields)} | {clicks} | {keys} | {asks.pastes} |",
        f"| approver: sign-off page to approved | 2 | {agrees.counted('click')} | {len(PASSWORD) + CODE} | 0 |",
        "",
        f"The requester writes the version, the commit and {len(REASON)} letters of why, and ticks what is touched; service,",
        "environments, title, way back and period are filled in and can be changed. The approver reads the statement",
        "and proves who they are by password and code; a passkey takes one touch instead.",
        "",
    ]
    EFFORT.write_text("\n".join(lines))


def test_typing_is_kept_and_the_panel_follows(world: World, look_as: Look) -> None:
    page = look_as(world.developer)
    page.goto("/changes/new/")
    expect(page.locator("#outlook")).to_contain_text("Missing: why now, version, commit, what is touched.")

    page.locator("#id_items-0-label").fill("2.4.1")
    page.locator("#id_items-0-commit").fill(NEW)
    page.locator("#id_reason").fill(REASON)
    page.get_by_label("Code", exact=True).check()

    expect(page.locator("#outlook")).not_to_contain_text("Missing")
    expect(page.locator("#outlook")).to_contain_text("Production")
    expect(page.locator("#outlook .risk")).to_contain_text("tier 2 service")
    kept(page)
    expect(page).to_have_url(re.compile(r"\?draft=[0-9a-f-]{36}$"))
    page.reload()
    expect(page.locator("#id_reason")).to_have_value(REASON)
    again = look_as(world.developer)
    again.goto("/changes/new/")
    expect(again.locator("#id_reason")).to_have_value(REASON)
    expect(again.get_by_text("is back. It is not saved as a change yet.")).to_be_visible()
    again.get_by_role("button", name="Discard it").click()
    expect(again.get_by_text("What you had typed is gone.")).to_be_visible()
    expect(again.locator("#id_reason")).to_have_value("")
    assert not Change.objects.exists()


def test_rows_are_added_moved_and_removed_where_they_stand(world: World, look_as: Look) -> None:
    page = look_as(world.developer)
    page.goto("/changes/new/")
    page.locator("#id_plan-0-what").fill("first")
    page.get_by_role("button", name="Another step").first.click()
    page.locator("#id_plan-1-what").fill("second")
    page.get_by_role("button", name="Move step 2 up").click()
    expect(page.locator("#id_plan-0-what")).to_have_value("second")
    page.get_by_role("button", name="Remove step 1").click()
    expect(page.locator("#id_plan-0-what")).to_have_value("first")
    expect(page.locator("#id_plan-1-what")).to_have_count(0)

    page.get_by_role("button", name="Another service").click()
    expect(page.locator("#id_items-1-service")).to_be_visible()
    page.locator("#id_reason").press("Enter")  # a new line, nothing else
    page.locator("#id_title").fill("A title")
    page.locator("#id_title").press("Enter")  # looks at it, saves nothing
    expect(page.locator("#id_title")).to_have_value("A title")
    expect(page.locator("#id_plan-0-what")).to_have_value("first")
    assert not Change.objects.exists()


def test_an_expired_sign_in_loses_nothing(world: World, look_as: Look) -> None:
    page = look_as(world.developer)
    page.goto("/changes/new/")
    page.locator("#id_items-0-label").fill("2.4.1")
    kept(page)
    Session.objects.all().delete()
    page.locator("#id_reason").fill(REASON)
    expect(page.locator("#notes")).to_contain_text("Your sign-in has ended. What you typed stays in this tab.")

    page.get_by_role("link", name="Sign in again").click()
    page.locator("[name=login]").fill(world.developer.email)
    page.locator("[name=password]").fill(PASSWORD)
    page.locator("[name=password]").press("Enter")
    expect(page).to_have_url(re.compile(r"/changes/new/\?draft=[0-9a-f-]{36}$"))

    expect(page.locator("#id_items-0-label")).to_have_value("2.4.1")
    expect(page.locator("#id_reason")).to_have_value(REASON)


def test_a_lost_connection_loses_nothing(world: World, look_as: Look, watched: Watched) -> None:
    page = look_as(world.developer)
    page.goto("/changes/new/")
    page.locator("#id_items-0-label").fill("2.4.1")
    kept(page)
    page.context.set_offline(True)
    page.locator("#id_reason").fill(REASON)
    expect(page.locator("#notes")).to_contain_text("The server does not answer.")

    page.context.set_offline(False)
    page.on("dialog", lambda dialog: dialog.accept())
    page.reload()
    expect(page.locator("#id_items-0-label")).to_have_value("2.4.1")
    expect(page.locator("#id_reason")).to_have_value(REASON)
    kept(page)
    assert "Banks" in DraftInput.objects.latest("saved_at").body
    watched.errors[:] = [
        error for error in watched.errors if not re.search("ERR_INTERNET_DISCONNECTED|htmx:sendError|htmx:afterRequest", error)
    ]


def test_a_mistake_loses_nothing(world: World, look_as: Look) -> None:
    page = look_as(world.developer)
    page.goto("/changes/new/")
    page.locator("#id_items-0-label").fill("2.4.1")
    page.locator("#id_reason").fill(REASON)
    page.get_by_role("button", name="Submit for review").click()

    expect(page.locator("#id_items-0-commit_error")).to_contain_text("Nothing says which version.")
    expect(page.locator("#id_reason")).to_have_value(REASON)
    page.locator("#id_items-0-commit").fill(NEW)
    page.get_by_label("Code", exact=True).check()
    page.get_by_role("button", name="Submit for review").click()
    expect(page.locator(".head-sub .state")).to_have_text("In review")
    assert not DraftInput.objects.filter(finished_at=None).exists()


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_the_form_fits_a_phone(world: World, look_as: Look, theme: str) -> None:
    page = look_as(world.developer, viewport={"width": 390, "height": 800}, color_scheme=theme)
    page.goto("/changes/new/")
    page.get_by_role("button", name="Another step").first.click()
    page.get_by_role("button", name="Another service").click()
    expect(page.locator("#id_items-1-service")).to_be_visible()

    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    bar = page.locator(".action-bar")
    expect(bar).to_contain_text("missing")
    page.locator("#id_items-0-label").fill("2.4.1")
    kept(page)
    bar.get_by_role("link", name="If you submit").click()
    expect(page.get_by_role("button", name="Submit for review")).to_be_in_viewport()


def test_the_keyboard_stays_with_the_rows(world: World, look_as: Look) -> None:
    page = look_as(world.developer)
    page.goto("/changes/new/")
    page.locator("#id_plan-0-what").fill("first")
    page.get_by_role("button", name="Another step").first.press("Enter")
    expect(page.locator("#id_plan-1-what")).to_be_focused()
    page.keyboard.type("second")
    page.get_by_role("button", name="Move step 2 up").press("Enter")
    expect(page.locator("#id_plan-0-what")).to_have_value("second")
    expect(page.get_by_role("button", name="Move step 1 down")).to_be_focused()
    page.get_by_role("button", name="Remove step 2").press("Enter")
    expect(page.locator("#id_plan-0-what")).to_be_focused()


def test_offline_nothing_is_sent_and_the_word_says_so(world: World, look_as: Look, watched: Watched) -> None:
    page = look_as(world.developer)
    page.goto("/changes/new/")
    page.locator("#id_items-0-label").fill("2.4.1")
    kept(page)
    page.context.set_offline(True)
    page.locator("#id_reason").fill(REASON)
    expect(page.locator("#saved-word")).to_have_text(re.compile(r"Not kept since \d\d:\d\d. What you typed stays in this tab."))
    page.get_by_role("button", name="Save draft").click()
    expect(page.locator(".submit [role=alert]")).to_contain_text("This browser is offline, so nothing was sent.")

    page.context.set_offline(False)
    expect(page.locator(".submit [role=alert]")).to_have_count(0)
    kept(page)
    watched.errors[:] = [
        error for error in watched.errors if not re.search("ERR_INTERNET_DISCONNECTED|htmx:sendError|htmx:afterRequest", error)
    ]


def test_a_file_that_is_too_large_is_told_before_it_is_sent(world: World, look_as: Look, tmp_path: Path) -> None:
    large = tmp_path / "big.bin"
    large.write_bytes(b"x" * 16_500_000)
    page = look_as(world.developer)
    page.goto("/changes/new/")

    page.locator("#id_evidence_file").set_input_files(large)

    expect(page.locator("#id_evidence_file_size")).to_contain_text("big.bin has 17 MB, 16 fit.")
    expect(page.locator("#id_evidence_file")).to_have_value("")
    expect(page.locator("#notes")).to_be_empty()


def test_sending_stays_in_sight_and_a_step_has_room(world: World, look_as: Look) -> None:
    page = look_as(world.developer, viewport={"width": 1280, "height": 720})
    page.goto("/changes/new/")

    expect(page.get_by_role("button", name="Submit for review")).to_be_in_viewport(ratio=1)
    expect(page.get_by_role("button", name="Save draft")).to_be_in_viewport(ratio=1)
    what, until = page.locator("#id_plan-0-what").bounding_box(), page.locator("#id_not_after").bounding_box()
    assert what
    assert what["width"] > 300
    assert until
    assert until["width"] > 190
