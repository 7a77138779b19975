"""The outage drill: fifty pipelines hold tickets, the installation goes away; who is entitled goes on, nobody else, and all is told afterwards."""

import json
import threading
import time
from argparse import Namespace
from http.server import ThreadingHTTPServer

import pytest

from apps.catalog.models import Target
from apps.deployments.models import Deployment, Pipeline
from apps.gate.client import ccgate
from apps.gate.models import SpentTicket
from apps.gate.rules import Action
from tests.factories.approvals import make_place
from tests.factories.catalog import EnvironmentFactory
from tests.factories.gate import make_gate_token
from tests.gate.conftest import own_gate  # noqa: F401 - a fixture
from tests.gate.test_ccgate_deploying import Bridge

pytestmark = pytest.mark.slow
PIPELINES, GRACE = 50, 30
COMMIT, OTHER = "a1" * 20, "b2" * 20


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


def test_outage_drill(site, tmp_path, monkeypatch):
    near, far = (EnvironmentFactory(change_required="NO", offline_grace_minutes=minutes) for minutes in (0, GRACE))
    jobs = [(make_place(environment=far if number % 2 else near, policy=False), tmp_path / f"{number}.json") for number in range(PIPELINES)]
    for target, kept in jobs:
        assert code_of(ccgate.check, said(target, kept)) == ccgate.ALLOWED

    site.is_away = True
    began = {}
    for number, (target, kept) in enumerate(jobs):
        # Every tenth job of the far site deploys something else than it asked for.
        commit = OTHER if number % 10 == 1 else COMMIT
        began[target.pk] = code_of(ccgate.begin, said(target, kept, commit=commit))
    entitled = {target.pk for number, (target, _) in enumerate(jobs) if number % 2 and number % 10 != 1}
    assert {pk for pk, code in began.items() if code == ccgate.ALLOWED} == entitled
    assert set(began.values()) == {ccgate.ALLOWED, ccgate.COULD_NOT_TELL}
    assert {code_of(ccgate.report, said(target, kept, kind="succeeded")) for target, kept in jobs} == {ccgate.COULD_NOT_TELL}

    # The grace ends while the installation is still away: a ticket that was not used until then is worth nothing without it.
    clock = time.time
    monkeypatch.setattr(ccgate.time, "time", lambda: clock() + GRACE * 60)
    assert {code_of(ccgate.begin, said(target, kept)) for target, kept in jobs} == {ccgate.COULD_NOT_TELL}
    monkeypatch.setattr(ccgate.time, "time", clock)

    site.is_away = False
    told = {target.pk: code_of(ccgate.report, said(target, kept, kind="progress")) for target, kept in jobs}
    assert {pk for pk, code in told.items() if code == ccgate.ALLOWED} == entitled
    assert {pipeline.deployment.target_id for pipeline in Pipeline.objects.exclude(used_at=None).select_related("deployment")} == entitled
    assert {order.target_id for order in Deployment.objects.filter(state="SUCCEEDED")} == entitled
    assert (Deployment.objects.count(), SpentTicket.objects.count()) == (len(entitled), len(entitled))
    assert not Target.objects.exclude(occupied_by=None).exists()
    assert all(not ccgate.Kept(str(kept)).owed for target, kept in jobs if target.pk in entitled)
    assert json.loads(jobs[0][1].read_text())["earlier"] == []
