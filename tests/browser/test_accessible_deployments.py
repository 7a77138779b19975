"""Deployments by workers and by CI, what nobody declared, and starts while the installation is away: each page in every state it has."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page

from apps.accounts.models import Person
from apps.accounts.roles import Role
from apps.catalog.models import Environment
from apps.deployments.actions import roll_back_deployment
from apps.deployments.models import Deployment, Executor, Settled
from apps.deployments.observations import settle_undeclared
from apps.deployments.pipelines import note_silent
from apps.deployments.states import MOVES_OF_CI, State
from apps.gate.actions import propose_relaxation
from apps.gate.rules.relaxing import GRACE
from tests.browser.test_accessible import NARROW, WIDE, complaints, problems
from tests.conftest import OwnDatabase
from tests.factories.accounts import make_person
from tests.factories.approvals import make_place
from tests.factories.catalog import EnvironmentFactory
from tests.factories.deployments import FAKE, MeasurementFactory, a_check, make_deployment, make_site
from tests.factories.pipelines import Job, UndeclaredFactory

pytestmark = pytest.mark.slow
BOTH = pytest.mark.parametrize("options", [WIDE, NARROW], ids=["wide and light", "narrow and dark"])
# What a job says last, and where that leads.
ENDS = (("succeeded", {}), ("failed", {}), ("failed", {"has_switched": True}), ("rolled_back", {}))


@pytest.fixture
def world(own_database: OwnDatabase) -> Person:
    """In place of the story: somebody who may do everything."""
    FAKE.reset()
    return make_person(*Role, name="Charlie Chief")


def addresses_of(*orders: Deployment) -> list[str]:
    """The page of each."""
    return [reverse("deployments:deployment", args=[one.pk]) for one in orders]


def by_worker(chief: Person) -> list[Deployment]:
    """One in each state, one with checks, and a good one that is taken back again."""
    found = [make_deployment(state) for state in State]
    checked = make_deployment(State.VERIFYING, target=make_site(a_check("healthy"), a_check("fast")))
    for number, verdict in enumerate(("PASS", "FAIL", "NO_DATA"), 1):
        MeasurementFactory(deployment=checked, number=number, verdict=verdict)
    undone = make_deployment(State.SUCCEEDED)
    back = roll_back_deployment(undone.pk, by=chief.actor, reason="The kiosks stay dark.")
    return [*found, checked, undone, back]


def by_ci() -> list[Deployment]:
    """One in each state that a job's reports and its silence lead to."""
    found = [begun() for _ in range(2)]
    heard = [found[1].report("progress", message="Half of the hosts serve it.")]
    for kind, more in ENDS:
        found.append(begun())
        heard.append(found[-1].report(kind, message="What the job had to say.", **more))
    assert {one.status_code for one in heard} == {200}, [one.content for one in heard]
    silent = begun()
    Deployment.objects.filter(pk=silent.order.pk).update(wake_at=timezone.now() - timedelta(hours=2))
    note_silent(silent.order.pk)
    return [job.order for job in (*found, silent)]


def begun() -> Job:
    """A job that began."""
    job = Job()
    job.begin(run={"system": "github", "id": "8123", "attempt": 1, "url": "https://ci.example.org/runs/8123"})
    return job


def undeclared(chief: Person) -> list[str]:
    """Open, adopted, explained, and explained until something else ran."""
    found = [UndeclaredFactory(target=make_place(), source="watcher") for _ in range(4)]
    for one, outcome in zip(found[1:], (Settled.ADOPTED, Settled.EXPLAINED, Settled.EXPLAINED), strict=True):
        settle_undeclared(one.pk, outcome=outcome, reason="Somebody repaired it by hand at night.", by=chief.actor)
    type(found[3]).objects.filter(pk=found[3].pk).update(lapsed_at=timezone.now())
    views = [reverse("deployments:undeclared") + asked for asked in ("", "?view=all", "?view=open&before=1", "?view=all&before=1")]
    return views + [reverse("deployments:undeclared_one", args=[one.pk]) for one in found]


@BOTH
def test_deployments_in_every_state_are_accessible_and_fit(world, look_as, options):
    worked, reported = by_worker(world), by_ci()
    service = worked[0].target.service.slug
    views = ("", "?view=open", "?before=1", f"?service={service}", "?service=nowhere")

    found = shown(
        look_as(world, **options), *(reverse("deployments:deployments") + asked for asked in views), *addresses_of(*worked, *reported)
    )

    assert {one.state for one in worked} >= {*State}
    assert {one.state for one in reported} >= {*MOVES_OF_CI} - {State.QUEUED}
    assert {one.executor for one in reported} == {Executor.EXTERNAL}
    assert not found, "\n".join(found)


@BOTH
def test_deployments_of_somebody_who_may_do_nothing_are_accessible_and_fit(world, look_as, options):
    reader = make_person(name="Rita Reader")
    orders = [make_deployment(state) for state in (State.QUEUED, State.NEEDS_HUMAN, State.SUCCEEDED)]

    found = shown(look_as(reader, **options), *addresses_of(*orders), *undeclared(world)[-4:])

    assert not found, "\n".join(found)


@BOTH
def test_undeclared_deployments_are_accessible_and_fit_before_there_is_one_and_in_every_state(world, look_as, options):
    page = look_as(world, **options)
    nothing = shown(page, *(reverse("deployments:undeclared") + asked for asked in ("", "?view=all")))

    addresses = undeclared(world)
    found = [*nothing, *shown(page, *addresses), *refused(page, addresses[4], "Settle")]

    assert not found, "\n".join(found)


@BOTH
def test_starts_while_away_are_accessible_and_fit_in_every_state(world, look_as, options):
    none, some, asked = EnvironmentFactory(name="None"), EnvironmentFactory(name="Some"), EnvironmentFactory(name="Asked")
    Environment.objects.filter(pk=some.pk).update(offline_grace_minutes=30)
    alone, address = look_as(world, **options), [reverse("home:environment_grace", args=[one.slug]) for one in (none, some, asked)]

    found = [*shown(alone, *address[:2]), *refused(alone, address[0], "Set it")]
    other = make_person(Role.ADMINISTRATOR, name="Ada Administrator")
    propose_relaxation(environment_id=asked.pk, rule=GRACE, after="20", reason="The hall has no mast.", by=other.actor)
    for person in (world, other, make_person(name="Rita Reader")):
        found += shown(look_as(person, **options), *address)

    assert not found, "\n".join(found)


def shown(page: Page, *addresses: str) -> list[str]:
    """What is wrong with these pages."""
    return [one for address in addresses for one in complaints(page, address)]


def refused(page: Page, address: str, button: str) -> list[str]:
    """What is wrong with a page that says what was not taken."""
    page.goto(address)
    page.get_by_role("button", name=button, exact=True).click()
    page.locator(".field-wrong").first.wait_for()
    return [*problems(page, f"{address}, not taken")]
