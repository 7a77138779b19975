"""The outage drill: fifty pipelines hold tickets, the installation goes away; who is entitled goes on, nobody else, and all is told afterwards."""

import json
import threading
import time
from argparse import Namespace
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest

from apps.catalog.models import Target
from apps.changes.models import Leg
from apps.changes.states import LegState
from apps.deployments.models import Deployment, Pipeline
from apps.gate.client import ccgate
from apps.gate.models import SpentTicket
from apps.gate.rules import Action
from apps.schedule.facts import scope_of
from tests.factories.approvals import make_change, make_place
from tests.factories.catalog import EnvironmentFactory
from tests.factories.changes import COMMIT as APPROVED
from tests.factories.gate import make_gate_token
from tests.factories.schedule import HoldFactory
from tests.gate.conftest import own_gate  # noqa: F401 - a fixture
from tests.gate.test_ccgate_deploying import Bridge

pytestmark = pytest.mark.slow
PIPELINES, GRACE, AT_ONCE = 50, 30, 10
COMMIT, OTHER = APPROVED.removeprefix("git:"), "b2" * 20
Job = tuple[Target, Path]


class Switched(Bridge):
    """The product, until it is switched off: then lines are cut."""

    def _answer(self, method):
        if self.server.is_away:
            self.close_connection = True
            self.connection.close()
            return
        super()._answer(method)


@pytest.fixture
def site(own_gate, monkeypatch):  # noqa: F811 - the fixture
    server = ThreadingHTTPServer(("127.0.0.1", 0), Switched)
    server.daemon_threads, server.is_away = True, False
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    monkeypatch.setenv("CHANGE_CONTROL_URL", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("CHANGE_CONTROL_TOKEN", make_gate_token(actions=(Action.DEPLOY, Action.ROLLBACK))[1])
    for variable in ccgate.RUNS:
        monkeypatch.delenv(variable, raising=False)
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def said(target: Target, kept, **more) -> Namespace:
    """The arguments of a job."""
    about = {"service": target.service.slug, "environment": target.environment.slug, "commit": COMMIT, "digest": [], "config": []}
    ways = {"url": "", "ca_file": "", "timeout": "5s", "retry_for": "0", "wait": "0", "json": False, "ticket_file": str(kept)}
    return Namespace(**{**about, **ways, "action": "deploy", "keys": "", "offline": True, "message": "", "switched": False, **more})


def code_of(work, given: Namespace) -> int:
    """What the job leaves with."""
    try:
        return work(given)
    except ccgate.CouldNotTell:
        return ccgate.COULD_NOT_TELL


def codes(work, jobs: Iterable[Job], **more) -> dict[int, int]:
    """What each job leaves with, many of them at once; by target."""

    def one(job: Job) -> tuple[int, int]:
        target, kept = job
        return target.pk, code_of(work, said(target, kept, **more))

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return dict(pool.map(one, jobs))


def which(found: dict[int, int], code: int) -> set[int]:
    return {pk for pk, one in found.items() if one == code}


def test_outage_drill(site, tmp_path, monkeypatch):
    # People must agree in both; each target has a change of its own that they agreed to.
    near, far = (EnvironmentFactory(change_required="APPROVED", offline_grace_minutes=minutes) for minutes in (0, GRACE))
    jobs = [(make_place(environment=far if number % 2 else near), tmp_path / f"{number}.json") for number in range(PIPELINES)]
    for target, _ in jobs:
        make_change(targets=(target,))
    everywhere = {target.pk for target, _ in jobs}
    assert which(codes(ccgate.check, jobs), ccgate.ALLOWED) == everywhere

    site.is_away = True
    # Every tenth job, all of the far site, deploys something else than it asked for.
    wrong = [job for number, job in enumerate(jobs) if number % 10 == 1]
    right = [job for job in jobs if job not in wrong]
    began = codes(ccgate.begin, right) | codes(ccgate.begin, wrong, commit=OTHER)
    entitled = {target.pk for target, _ in right if target.environment_id == far.pk}
    assert which(began, ccgate.ALLOWED) == entitled
    assert which(began, ccgate.COULD_NOT_TELL) == everywhere - entitled
    assert which(codes(ccgate.report, jobs, kind="succeeded"), ccgate.COULD_NOT_TELL) == everywhere
    # Somebody stops one of the targets meanwhile, which no ticket can know.
    stopped = next(target for target, _ in right if target.pk in entitled)
    HoldFactory(scope=scope_of(stopped).number)

    # The grace ends while the installation is still away: a ticket that was not used until then is worth nothing without it.
    clock = time.time
    monkeypatch.setattr(ccgate.time, "time", lambda: clock() + GRACE * 60)
    assert which(codes(ccgate.begin, jobs), ccgate.COULD_NOT_TELL) == everywhere
    monkeypatch.setattr(ccgate.time, "time", clock)

    site.is_away = False
    assert which(codes(ccgate.report, jobs, kind="progress"), ccgate.ALLOWED) == entitled
    used = {one.deployment.target_id: one.codes for one in Pipeline.objects.exclude(used_at=None).select_related("deployment")}
    assert used == {pk: ["held"] if pk == stopped.pk else [] for pk in entitled}
    assert {order.target_id for order in Deployment.objects.filter(state="SUCCEEDED")} == entitled
    assert (Deployment.objects.count(), SpentTicket.objects.count()) == (len(entitled), len(entitled))
    assert {leg.target_id for leg in Leg.objects.filter(state=LegState.DONE)} == entitled
    assert not Target.objects.exclude(occupied_by=None).exists()
    assert all(not ccgate.Kept(str(kept)).owed for target, kept in jobs if target.pk in entitled)
    assert json.loads(jobs[0][1].read_text())["earlier"] == []

    # Who waited goes on with the ticket that was kept; nobody begins twice.
    waited = [job for job in jobs if job[0].pk not in entitled]
    assert which(codes(ccgate.begin, waited), ccgate.ALLOWED) == everywhere - entitled
    assert which(codes(ccgate.begin, [job for job in jobs if job not in waited]), ccgate.DENIED) == entitled
    assert which(codes(ccgate.report, waited, kind="succeeded"), ccgate.ALLOWED) == everywhere - entitled
    assert {leg.target_id for leg in Leg.objects.filter(state=LegState.DONE)} == everywhere
    assert not Target.objects.exclude(occupied_by=None).exists()
