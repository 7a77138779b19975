"""A trusted CI job begins and reports a deployment: the same door, its own name, and the run its issuer vouches for."""

import pytest

from apps.audit.stream import entries_about
from apps.changes.states import State
from apps.deployments.models import Deployment, Report
from apps.gate.trusting import end_trust
from tests.factories.approvals import make_change, make_place
from tests.factories.changes import COMMIT
from tests.factories.gate import ask, body_for, post
from tests.factories.pipelines import PATH
from tests.gate.ci import github, make_issuer, make_trust, signed

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(provider, chief):
    """An approved change, and the trust in the job that will deploy it."""
    target = make_place()
    make_change(State.APPROVED, targets=(target,))
    return target, make_trust(make_issuer(provider.issuer, by=chief), target, by=chief), signed(github(iss=provider.issuer))


def test_job_begins_and_reports_as_itself_with_its_own_run(world):
    target, trust, token = world
    ticket = ask(token, body_for(target, COMMIT)).json()["ticket"]

    begun = post(token, PATH, {"ticket": ticket, "run": {"system": "jenkins", "id": "1", "attempt": 9, "url": ""}})
    said = post(token, f"{PATH}/{begun.json()['id']}/reports", {"kind": "succeeded", "sequence": 1, "has_switched": True})

    order = Deployment.objects.get()
    assert (begun.status_code, said.status_code) == (201, 200)
    assert (order.pipeline.run_system, order.pipeline.run_id, order.pipeline.run_attempt) == ("github", "1658821493", 2)
    assert (order.pipeline.caller, Report.objects.get().by) == (f"WORKLOAD:{trust.reference.id}",) * 2
    assert {entry.by.kind for entry in entries_about(order.reference, limit=9)} >= {"WORKLOAD"}


def test_job_whose_trust_ended_begins_nothing(world, chief):
    target, trust, token = world
    ticket = ask(token, body_for(target, COMMIT)).json()["ticket"]

    end_trust(trust.pk, by=chief.actor)

    answer = post(token, PATH, {"ticket": ticket})
    assert (answer.status_code, answer.json()["code"]) == (401, "token_over")
    assert not Deployment.objects.exists()


def test_job_for_a_merge_request_spends_no_ticket_of_another_job(world, provider, chief):
    target, _, token = world
    ticket = ask(token, body_for(target, COMMIT)).json()["ticket"]

    answer = post(signed(github(iss=provider.issuer, event_name="pull_request")), PATH, {"ticket": ticket})

    assert (answer.status_code, answer.json()["code"]) == (401, "ci_merge_request")
    assert not Deployment.objects.exists()


def test_request_without_a_credential_is_told_so():
    answer = post("nothing", PATH, {})

    assert (answer.status_code, answer.json()["code"]) == (401, "no_token")
