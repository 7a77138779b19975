"""A real application brought, found bad and taken away again by a real worker, while people watch: the story's steps 7 and 8."""

import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from apps.accounts.roles import Role
from apps.catalog.actions import write_target_settings
from apps.catalog.models import Outcome, Service, Target
from apps.changes.content import Aspect, Scope
from apps.changes.models import Change
from apps.changes.states import State
from apps.deployments.models import ClockTimestamp, Deployment
from apps.deployments.probes import fetch
from apps.incidents.models import Incident
from apps.schedule.models import Hold, Reservation
from changecontrol.embedded import places
from changecontrol.embedded.valkey import PrivateValkey
from tests.browser.conftest import PROJECT, Site
from tests.browser.world import World
from tests.conftest import OwnDatabase
from tests.deployments.town import Town, make_town
from tests.factories.accounts import make_person
from tests.factories.approvals import make_change
from tests.factories.catalog import ArrivalFactory
from tests.factories.changes import make_item

Look = Callable[..., Page]
SOON = 60_000  # a busy machine; what is waited for is always seen, never slept for


@pytest.fixture
def town(world: World, tmp_path: Path) -> Iterator[Town]:
    """The service's repository, and production's directory and port, where nothing runs yet."""
    made = make_town(tmp_path)
    Service.objects.filter(pk=world.service.pk).update(repository=str(made.repository))
    administrator = make_person(Role.ADMINISTRATOR)
    target = world.targets["production"]
    write_target_settings(target.pk, settings=made.settings(), by=administrator.actor)
    Target.objects.filter(pk=target.pk).update(running_label="", running_identities=[], running_since=None)
    yield made
    made.stop()


@pytest.fixture
def worker(site: Site, own_database: OwnDatabase, tmp_path: Path) -> Iterator[None]:
    """A Celery worker with its clock, on a broker that the site itself cannot reach: the sweeper finds every order all the same."""
    with tempfile.TemporaryDirectory(prefix="cc-t-", dir=places.SHORT_FOLDER) as short:
        places.let_pass(Path(short))
        with PrivateValkey(Path(short) / "vk") as broker:
            environment = site.environment | {"REDIS_URL": broker.url(), "DATABASE_SEALER_URL": own_database.sealer_url}
            argv = [sys.executable, "-m", "celery", "--quiet", "-A", "changecontrol.celery", "worker", "--loglevel", "WARNING"]
            argv += ["--pool", "threads", "--concurrency", "2", "--without-gossip", "--without-mingle"]
            argv += ["--beat", "--schedule", str(tmp_path / "schedule")]
            with (tmp_path / "worker.log").open("wb") as log:
                process = subprocess.Popen(argv, cwd=PROJECT, env=environment, stdout=log, stderr=subprocess.STDOUT)
                try:
                    yield
                finally:
                    process.terminate()
                    process.wait(timeout=30)


def approved(world: World, commit: str, label: str) -> Change:
    """Everybody agreed to bring this commit to production; it ran in staging."""
    Reservation.objects.update(released_at=ClockTimestamp())  # nobody waits for the way back of the version before
    production = world.targets["production"]
    production.refresh_from_db()
    ArrivalFactory(target=world.targets["staging"], label=label, identities=[f"git:{commit}"], outcome=Outcome.SUCCEEDED)
    item = make_item(world.service, (world.production,), identities=(f"git:{commit}",), label=label)
    scope = Scope(items=(item,), aspects=frozenset({Aspect.CODE}), reason="Banks switch off the old protocol.")
    now = timezone.now() - timedelta(minutes=1)
    return make_change(State.APPROVED, targets=(production,), requester=world.developer, now=now, scope=scope)


def press_deploy(page: Page, change: Change) -> None:
    """Order it on the change page; the page of the deployment follows."""
    page.goto(f"/changes/{change.ref}/")
    page.get_by_role("button", name="Order deployment").click()
    expect(page).to_have_url(re.compile(r"/deployments/\d+/$"))


def expect_state(page: Page, word: str) -> None:
    """The state in the head of the page, which turns by itself."""
    expect(page.locator(".head-sub .state").first).to_have_text(word, timeout=SOON)


@pytest.mark.usefixtures("worker")
def test_good_version_arrives_while_its_page_is_watched(world: World, town: Town, look_as: Look) -> None:
    commit = town.commit("good")
    page = look_as(world.operator)

    press_deploy(page, approved(world, commit, "2.4.0"))
    expect(page.get_by_role("heading", level=1)).to_contain_text("Payments gateway 2.4.0 into Production")
    expect_state(page, "Succeeded")

    expect(page.locator(".log")).to_contain_text("read back")
    expect(page.locator(".plots .state")).to_have_text("2 of 2 pass")
    expect(page.locator("#live")).to_contain_text("the target itself says 2.4.0")
    assert "data-poll" not in (page.locator("#live").evaluate("one => one.outerHTML"))
    assert fetch(town.version_url).body == commit
    page.goto("/where/")
    expect(page.locator("main")).to_contain_text("2.4.0")


@pytest.mark.usefixtures("worker")
def test_bad_version_is_taken_away_by_itself_and_an_incident_tells_it(world: World, town: Town, look_as: Look) -> None:
    page = look_as(world.operator)
    good, bad = town.commit("good"), town.commit("bad")
    press_deploy(page, approved(world, good, "2.4.0"))
    expect_state(page, "Succeeded")

    change = approved(world, bad, "2.4.1")
    press_deploy(page, change)
    expect_state(page, "Failed")

    expect(page.locator(".note").filter(has_text="The check “healthy” failed.")).to_be_visible()
    expect(page.locator(".head-sub")).to_contain_text("undone by")
    seen = page.get_by_role("status").filter(has_text="Users saw 2.4.1 for")
    expect(seen).to_have_text(re.compile(r"Users saw 2\.4\.1 for \d+ s\.\s+The way back took \d+ s\."), timeout=SOON)
    order = Deployment.objects.get(label="2.4.1", undoes=None)
    page.get_by_role("link", name=Deployment.objects.get(undoes=order).ref).click()
    expect_state(page, "Succeeded")
    assert fetch(town.version_url).body == good

    page.goto("/incidents/?view=all")
    page.get_by_role("link", name="2.4.1 of Payments gateway failed in Production and is rolled back").click()
    expect_state(page, "Recovered")
    incident = Incident.objects.get()
    assert incident.started_at == order.switched_at
    told = page.locator("#timeline li")
    for words in ("submitted", change.ref, order.ref, "The check “healthy” failed", "opened", "recovered"):
        expect(told.filter(has_text=words).first).to_be_visible()
    arrivals = page.locator("section", has=page.get_by_role("heading", name="Arrived before it")).locator("li")
    expect(arrivals.first).to_contain_text("2.4.1")
    expect(arrivals.first).to_contain_text("Failed")
    page.goto("/")
    expect(page.locator("main")).to_contain_text(Hold.objects.get().reason)
