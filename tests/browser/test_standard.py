"""In the browser: a model that two persons agree to, and a change of it that is approved with no signer."""

from playwright.sync_api import expect

from apps.accounts.roles import Role
from apps.approvals.models import SignOff
from apps.changes.models import Change, ChangeModel
from apps.changes.states import Kind, State
from tests.browser.test_accessible import AXE, NARROW, RUN, SIDEWAYS, WIDE
from tests.browser.test_passkeys import prove_and_go_on
from tests.browser.world import NEW
from tests.factories.accounts import make_person


def looked_at(page):
    page.evaluate(AXE)
    assert page.evaluate(RUN) == []
    assert page.evaluate(SIDEWAYS) <= 0


def proposed(page, service):
    """An administrator writes a model that approves beforehand."""
    page.goto("/changes/models/new/")
    page.get_by_label("Name", exact=False).first.fill("Weekly restart")
    page.get_by_label("Short name").first.fill("restart")
    page.get_by_label("Kind of change").select_option("STANDARD")
    page.get_by_label("Code", exact=True).check()
    page.get_by_label("Way back").select_option("PREVIOUS_RELEASE")
    page.locator("#id_seconds_to_restore").fill("120")
    page.locator("#id_plan-0-what").fill("Restart one host after the other")
    page.get_by_label("Approve such changes beforehand", exact=False).check()
    page.get_by_text("Where, and what stays as it is").click()
    page.get_by_label("For these services").fill(service)
    page.get_by_label("Production").check()
    page.get_by_label("Staging").check()
    looked_at(page)
    page.get_by_role("button", name="Save version").last.click()
    expect(page.get_by_text("It holds when another administrator or a release manager agrees.")).to_be_visible()


def test_a_standard_change_is_approved_with_no_signer(world, look_as):
    ada = make_person(Role.ADMINISTRATOR, name="Ada")
    make_person(Role.ADMINISTRATOR, name="Ben")
    proposed(look_as(ada, **WIDE), world.service.slug)

    agreeing = look_as(world.manager, **NARROW)
    agreeing.goto("/changes/models/")
    looked_at(agreeing)
    agreeing.get_by_role("link", name="Weekly restart").click()
    looked_at(agreeing)
    agreeing.get_by_role("button", name="Agree").click()
    prove_and_go_on(agreeing)
    expect(agreeing.get_by_text("Weekly restart is in force as proposed.")).to_be_visible()
    looked_at(agreeing)
    assert ChangeModel.objects.get().version.agreed_by == world.manager

    page = look_as(world.developer, **WIDE)
    page.goto("/changes/new/?model=restart")
    page.locator("#id_items-0-label").fill("2.4.1")
    page.locator("#id_items-0-commit").fill(NEW)
    page.locator("#id_reason").fill("It is Tuesday.")
    expect(page.locator("#outlook")).to_contain_text("Nobody has to sign.")
    page.locator("#id_trigger").fill("too many errors")
    expect(page.locator("#outlook")).to_contain_text("The way back is not the model's: its trigger.")
    page.locator("#id_trigger").fill("")
    expect(page.locator("#outlook")).to_contain_text("Nobody has to sign.")
    looked_at(page)
    page.get_by_role("button", name="Submit for review").click()

    expect(page.get_by_text("is approved: nobody has to sign.")).to_be_visible()
    expect(page.get_by_text("agreed by Ada and Rea Manager").first).to_be_visible()
    looked_at(page)
    change = Change.objects.get()
    assert (change.kind, change.state, SignOff.objects.exists()) == (Kind.STANDARD, State.APPROVED, False)
