"""In the browser: a policy edited by one administrator and confirmed by another, and a seat filled by whoever stands in."""

from playwright.sync_api import expect

from apps.accounts.roles import Role
from apps.approvals.models import Policy
from apps.changes.states import State
from tests.browser.test_accessible import AXE, NARROW, RUN, SIDEWAYS, WIDE
from tests.browser.test_passkeys import prove_and_go_on
from tests.factories.accounts import make_person
from tests.factories.approvals import make_change


def looked_at(page):
    page.evaluate(AXE)
    assert page.evaluate(RUN) == []
    assert page.evaluate(SIDEWAYS) <= 0


def test_one_administrator_proposes_and_another_confirms(world, look_as):
    ada, ben = (make_person(Role.ADMINISTRATOR, name=name) for name in ("Ada", "Ben"))
    page = look_as(ada, **WIDE)
    page.goto("/policies/")
    looked_at(page)
    page.get_by_role("link", name="Who agrees").click()
    looked_at(page)
    page.get_by_role("link", name="Edit").click()
    page.get_by_label("How many").first.select_option("Every one of them")
    page.get_by_label("Remind after (hours)").fill("4")
    looked_at(page)
    page.get_by_role("button", name="Propose").click()
    expect(page.get_by_text("Proposed. It is in force when another administrator confirms it.")).to_be_visible()

    other = look_as(ben, **NARROW)
    other.goto("/policies/")
    other.get_by_role("link", name="Who agrees").first.click()
    expect(other.get_by_text("every one of them")).to_be_visible()
    looked_at(other)
    other.get_by_role("button", name="Confirm").click()
    prove_and_go_on(other)

    expect(other.get_by_text("is in force as confirmed")).to_be_visible()
    assert Policy.objects.get().version.number == 2


def test_whoever_is_away_is_seen_and_whoever_stands_in_signs(world, look_as):
    change = make_change(State.IN_REVIEW, targets=(world.targets["production"],), requester=world.developer)
    page = look_as(world.owner, **NARROW)
    page.goto("/absence/")
    for form in ("absence/times", "absence/stand-ins"):
        there = page.locator(f"form[action$='{form}/']")
        if "stand-ins" in form:
            there.get_by_label("Who stands in").select_option("Oli Operator")
        there.get_by_label("From").fill("2026-01-01T00:00")
        there.get_by_label("Until").fill("2026-12-31T23:59")
        there.get_by_role("button").click()
    looked_at(page)

    other = look_as(world.operator, **WIDE)
    other.goto("/absence/")
    looked_at(other)
    expect(other.get_by_text("You stand in for")).to_be_visible()
    other.goto(f"/changes/{change.ref}/sign-off/")
    expect(other.get_by_text("in the place of Bo Owner").first).to_be_visible()
    looked_at(other)
    policy = Policy.objects.get()
    other.goto(f"/policies/{policy.public_id}/?change={change.ref}#asking")
    expect(other.locator("span.small", has_text="Bo Owner")).to_be_visible()
    looked_at(other)
