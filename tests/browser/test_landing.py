"""Where a page leaves its reader: at what was not taken, at the rule behind a code, under the field that is written in, in the same list."""

import re
from collections.abc import Callable
from uuid import uuid4

import pytest
from playwright.sync_api import Page, expect

from apps.accounts.models import Person
from apps.accounts.roles import Role
from apps.changes.actions import keep_draft_input
from apps.changes.models import DraftInput
from apps.changes.states import State
from tests.browser.test_accessible import problems
from tests.browser.test_gate import asked
from tests.browser.world import World
from tests.factories.accounts import make_person
from tests.factories.approvals import make_change

Look = Callable[..., Page]
PHONE = {"viewport": {"width": 390, "height": 844}}
WIDE = {"viewport": {"width": 1440, "height": 900}}
STRICTNESS = "/environments/production/strictness/"
APART = """() => { const sheets = [...document.querySelectorAll(".change-cols > .beside > .sheet")].map((one) => one.getBoundingClientRect());
  return sheets.slice(1).map((one, at) => Math.round(one.top - sheets[at].bottom)); }"""


@pytest.fixture
def chief(world: World) -> Person:
    """Who sets how strict an environment is."""
    return make_person(Role.ADMINISTRATOR, Role.REQUESTER, name="Ada Admin")


@pytest.mark.slow
def test_a_choice_that_does_not_fit_is_told_where_the_reader_stands(chief: Person, look_as: Look) -> None:
    page = look_as(chief, **PHONE)

    page.goto(STRICTNESS)
    page.locator("#try_what").select_option("freeze")
    page.locator("#try_after").select_option("APPROVED")
    page.get_by_role("button", name="Try it on the last answers").click()

    lands_at_what_is_wrong(page, "#try_after")

    page.goto(STRICTNESS)
    page.get_by_text("Set it without trying").click()
    page.locator("#id_what").select_option("")
    page.locator("#id_after").select_option("OFF")
    page.locator("#id_reason").fill("The hall is rebuilt.")
    page.get_by_role("button", name="Set it", exact=True).click()

    lands_at_what_is_wrong(page, "#id_after")
    expect(page.locator("#id_reason")).to_have_value("The hall is rebuilt.")


def lands_at_what_is_wrong(page: Page, field: str) -> None:
    """The one message is in sight and has the focus; its field is wrong."""
    message = page.get_by_role("alert")
    expect(message).to_have_count(1)
    expect(message).to_be_focused()
    expect(message).to_be_in_viewport(ratio=1)
    expect(page.locator(field)).to_have_attribute("aria-invalid", "true")
    assert [*problems(page, STRICTNESS)] == []


@pytest.mark.slow
@pytest.mark.parametrize("options", [PHONE, WIDE], ids=["phone", "wide"])
def test_services_of_a_token_are_offered_while_somebody_writes(chief: Person, look_as: Look, options: dict[str, object]) -> None:
    page = look_as(chief, **options)
    page.goto("/gate/identity/tokens/new/")
    field, offered = page.get_by_label("Services"), page.locator("#suggestions [role=option]")

    field.focus()
    expect(offered.first).to_have_text("*every service, also those to come")
    field.press_sequentially("pay")
    expect(offered).to_have_count(1)
    assert [*problems(page, page.url)] == []
    field.press("ArrowDown")
    field.press("Enter")

    expect(field).to_have_value("payments-gateway, ")
    expect(page.locator("#suggestions")).to_be_hidden()
    expect(page).to_have_url(re.compile(r"/gate/identity/tokens/new/$"))


@pytest.mark.slow
def test_a_code_in_the_log_leads_to_its_rule(world: World, look_as: Look) -> None:
    one, page = asked(world), look_as(world.developer, **PHONE)

    page.goto("/gate/")
    page.get_by_role("link", name="frozen", exact=True).click()

    expect(page).to_have_url(re.compile(rf"/gate/{one}/#code-frozen$"))
    rule = page.locator("#code-frozen")
    expect(rule).to_be_in_viewport(ratio=1)
    expect(rule).to_contain_text("Evening departures")


@pytest.mark.slow
@pytest.mark.parametrize("options", [PHONE, WIDE], ids=["phone", "wide"])
def test_an_unfinished_form_is_discarded_in_the_list(world: World, look_as: Look, options: dict[str, object]) -> None:
    for title in ("First half", "Other half", "Third half"):
        keep_draft_input(draft_id=uuid4(), body=f'{{"title": ["{title}"]}}', by=world.developer.actor)
    page = look_as(world.developer, **options)
    page.goto("/changes/new/?blank=1")
    page.locator("#id_reason").fill("Banks switch off the old protocol.")
    row = page.get_by_role("listitem").filter(has_text="Other half")

    row.get_by_text("Discard", exact=False).first.click()
    expect(row).to_contain_text("What is typed there is gone for good.")
    assert [*problems(page, page.url)] == []
    row.get_by_role("button", name="Discard it").click()

    expect(page.get_by_text("Discarded. What was typed there is gone.")).to_be_focused()
    expect(page.get_by_role("link", name="Other half")).to_have_count(0)
    expect(page.get_by_role("link", name="First half")).to_be_visible()
    expect(page.locator("#id_reason")).to_have_value("Banks switch off the old protocol.")
    assert not DraftInput.objects.filter(body__contains="Other half").exists()


@pytest.mark.slow
def test_sheets_beside_a_change_stand_close_to_each_other(world: World, look_as: Look) -> None:
    change = make_change(State.APPROVED, targets=(world.targets["production"],), requester=world.developer)
    page = look_as(world.developer, **WIDE)

    page.goto(f"/changes/{change.ref}/")

    apart = page.evaluate(APART)
    assert len(apart) >= 3
    assert {*apart} == {20}
