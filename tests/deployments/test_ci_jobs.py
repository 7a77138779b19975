"""A trusted CI job begins and reports a deployment: the same door, its own name, and the run its issuer vouches for."""

from dataclasses import replace

import pytest

from apps.audit.stream import entries_about
from apps.changes.states import State
from apps.deployments.models import Deployment, Report
from apps.gate.rules import Action
from apps.gate.rules.workloads import IssuerKind
from apps.gate.trusting import end_trust
from tests.factories.approvals import make_change, make_place
from tests.factories.changes import COMMIT
from tests.factories.gate import ask, body_for, post
from tests.factories.pipelines import PATH, Job
from tests.gate.ci import GITLAB_PINS, PINS, github, gitlab, make_issuer, make_trust, signed

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


@pytest.mark.parametrize("what", ["begin the way back", "begin", "observe", "report"])
def test_job_on_a_ref_that_is_not_protected_does_nothing_where_people_must_agree(provider, chief, what):
    job = Job()
    tickets = job.tickets()
    issuer = make_issuer(provider.issuer, by=chief, kind=IssuerKind.GITLAB)
    make_trust(issuer, job.target, by=chief, pins=GITLAB_PINS, actions=tuple(Action))
    token = signed(gitlab(iss=provider.issuer, ref_protected="false"))
    if what in {"report", "begin the way back"}:
        job.begin(tickets["ticket"])
    place = body_for(job.target, COMMIT)
    path, body = {
        "begin": (PATH, {"ticket": tickets["ticket"]}),
        "begin the way back": (PATH, {"ticket": tickets["rollback_ticket"]}),
        "observe": (f"{PATH}/observations", place),
        "report": (f"{PATH}/{job.id}/reports", {"kind": "succeeded", "sequence": 1}),
    }[what]

    refused = post(token, path, body)
    taken = post(signed(gitlab(iss=provider.issuer)), path, body)

    assert (refused.status_code, refused.json()["code"]) == (403, "ref_not_protected")
    assert taken.status_code in {200, 201}


def test_job_that_asks_for_its_own_commit_alone_spends_no_ticket_for_another(provider, chief):
    target = make_place()
    make_change(State.APPROVED, targets=(target,))
    pins = replace(PINS, own_commit=True)
    make_trust(make_issuer(provider.issuer, by=chief), target, by=chief, pins=pins)
    own, other = (signed(github(iss=provider.issuer, sha=sha)) for sha in (COMMIT.removeprefix("git:"), "ab" * 20))
    ticket = ask(own, body_for(target, COMMIT)).json()["ticket"]

    denied = ask(other, body_for(target, COMMIT)).json()
    refused, begun = post(other, PATH, {"ticket": ticket}), post(own, PATH, {"ticket": ticket})

    assert (denied["verdict"], denied["codes"], denied["final"]) == ("DENY", ["other_commit"], True)
    assert (refused.status_code, refused.json()["code"], begun.status_code) == (409, "other_commit", 201)


def test_job_that_does_not_say_its_commit_is_not_taken_where_that_is_asked(provider, chief):
    target = make_place()
    make_trust(make_issuer(provider.issuer, by=chief), target, by=chief, pins=replace(PINS, own_commit=True))

    answer = ask(signed(github(iss=provider.issuer, sha=None)), body_for(target, COMMIT))

    assert (answer.status_code, answer.json()["code"]) == (401, "ci_commit")


def test_request_without_a_credential_is_told_so():
    answer = post("nothing", PATH, {})

    assert (answer.status_code, answer.json()["code"]) == (401, "no_token")
