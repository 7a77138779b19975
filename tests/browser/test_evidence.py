"""A branch that becomes a commit, and files that are shown: as people do it, and without losing a word."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from apps.catalog.models import Target
from apps.changes.models import Change
from apps.changes.states import State
from tests.browser.world import World
from tests.catalog.repository import Repository, make_repository
from tests.factories.approvals import make_change
from tests.factories.evidence import JUNIT

Look = Callable[..., Page]


@pytest.fixture
def repository(world: World, tmp_path: Path) -> Repository:
    """The service's repository; its first commit runs everywhere."""
    made = make_repository(tmp_path / "payments")
    base = made.commit("one", {"pay.py": "1"})
    Target.objects.update(running_identities=[f"git:{base}"])
    world.service.repository = str(made.root)
    world.service.save()
    return made


def settle(page: Page) -> None:
    """What was typed is kept in the background: a page that is left meanwhile would tell of a broken request."""
    expect(page.locator("#saved-word")).not_to_be_empty()
    expect(page.locator(".htmx-request")).to_have_count(0)


def test_a_branch_is_resolved_while_it_is_typed_and_the_commit_is_saved(world: World, repository: Repository, look_as: Look) -> None:
    head = repository.commit("Accept the new cards", {"pay.py": "2", "etc/pay.conf": "1"})
    page = look_as(world.developer)
    page.goto("/changes/new/")

    page.locator("#id_items-0-commit").press_sequentially("main")
    expect(page.locator(".version")).to_contain_text(f"The branch main is the commit {head}")
    expect(page.locator(".version")).to_contain_text("Accept the new cards")
    expect(page.locator('input[name="aspects"][value="CONFIGURATION"]')).to_be_checked()
    expect(page.locator("#id_items-0-label")).to_have_value(f"main at {head[:8]}")

    page.get_by_label("Why now", exact=False).fill("Banks switch off the old protocol.")
    settle(page)
    repository.commit("Pushed while the form was open")
    page.get_by_role("button", name=re.compile("Save draft")).click()
    expect(page).to_have_url(re.compile(r"/changes/CHG-\d+/$"))

    item = Change.objects.get().items.get(is_current=True)
    assert item.identities == [f"git:{head}"]


def test_files_are_kept_when_they_are_chosen_and_saved_with_the_form(world: World, look_as: Look, tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    report.write_bytes(JUNIT)
    page = look_as(world.developer)
    page.goto("/changes/new/")
    page.get_by_label("Why now", exact=False).fill("Banks switch off the old protocol.")

    page.locator("#id_evidence_file").set_input_files(str(report))
    expect(page.locator("#evidence")).to_contain_text("1 test: 1 passed")
    (tmp_path / "fake.xml").write_bytes(b"PK\x03\x04")
    page.locator("#id_evidence_file").set_input_files(str(tmp_path / "fake.xml"))
    expect(page.locator("#evidence")).to_contain_text("fake.xml is named .xml and holds a packed archive")
    expect(page.get_by_label("Keep report.xml")).to_be_checked()
    expect(page.get_by_label("Why now", exact=False)).to_have_value("Banks switch off the old protocol.")

    page.locator("#id_items-0-label").fill("2.4.1")
    settle(page)
    page.get_by_role("button", name=re.compile("Save draft")).click()
    expect(page).to_have_url(re.compile(r"/changes/CHG-\d+/$"))
    assert [upload.name for upload in Change.objects.get().uploads.all()] == ["report.xml"]


def test_evidence_of_a_place_is_added_and_given_back(world: World, look_as: Look, tmp_path: Path) -> None:
    change = make_change(State.APPROVED, targets=tuple(world.targets.values()), requester=world.developer)
    leg = change.legs.get(environment=world.staging)
    report = tmp_path / "smoke.xml"
    report.write_bytes(JUNIT)
    page = look_as(world.operator)
    page.goto(f"/changes/{change.ref}/legs/{leg.public_id}/evidence/")

    page.get_by_label("Files").set_input_files(str(report))
    page.get_by_role("button", name="Show it").click()
    expect(page).to_have_url(re.compile(rf"/changes/{change.ref}/$"))
    page.goto(f"/changes/{change.ref}/legs/{leg.public_id}/evidence/")
    with page.expect_download() as download:
        page.get_by_role("link", name="smoke.xml").click()

    assert Path(download.value.path()).read_bytes() == JUNIT
    assert download.value.suggested_filename == "smoke.xml"
    change.refresh_from_db()
    assert change.state == State.APPROVED
