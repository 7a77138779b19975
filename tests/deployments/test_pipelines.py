"""Deployments of CI over the API: begun once with a ticket, living by reports, unknown in silence."""

import json
from datetime import timedelta

import pytest
from django.test import Client

from apps.accounts.actions import issue_personal_token
from apps.audit.stream import entries_about
from apps.audit.vocabulary import Event
from apps.catalog.models import Arrival, Outcome, Target
from apps.changes.models import Leg
from apps.core.locks import database_now
from apps.deployments import transitions
from apps.deployments.beat import silent_ids
from apps.deployments.models import Deployment, Pipeline, Report
from apps.deployments.pipelines import note_silent
from apps.deployments.states import State
from apps.gate.models import SpentTicket
from apps.gate.rules import Action
from apps.gate.tickets import PAYLOAD_TYPE
from apps.schedule.models import Hold
from tests.factories.accounts import make_person
from tests.factories.approvals import make_place
from tests.factories.catalog import EnvironmentFactory
from tests.factories.changes import COMMIT, OTHER_COMMIT
from tests.factories.deployments import make_deployment
from tests.factories.gate import PATH as GATE
from tests.factories.gate import ask, body_for, make_gate_token, post
from tests.factories.pipelines import PATH, Job
from tests.factories.schedule import HOUR, CalendarRuleFactory, HoldFactory

pytestmark = pytest.mark.django_db


ENVELOPE = {"payloadType": PAYLOAD_TYPE, "payload": "AAAA", "signatures": [{"keyid": "k", "sig": "AAAA"}]}


@pytest.fixture
def job(db) -> Job:
    return Job()


def leg_of(job: Job) -> Leg:
    return Leg.objects.get(target=job.target)


def silence(order: Deployment) -> None:
    Deployment.objects.filter(pk=order.pk).update(wake_at=database_now() - timedelta(seconds=1))


def code(answer) -> str:
    return answer.json()["code"]


def test_begin_spends_the_ticket_and_occupies_the_target(job):
    ticket = job.tickets()["ticket"]

    answer = job.send(ticket, run={"system": "github", "id": "o/r/9", "attempt": 2, "url": "https://ci.example/9"})

    assert answer.status_code == 201, answer.content
    said = answer.json()
    order = Deployment.objects.get(public_id=said["id"])
    job.target.refresh_from_db()
    assert answer["Location"].endswith(f"{PATH}/{order.public_id}")
    assert (order.executor, order.state, order.turn) == ("EXTERNAL", "RUNNING", 1)
    assert (job.target.occupied_by, leg_of(job).state) == (order.public_id, "STARTED")
    assert (said["state"], said["action"], said["change"], said["identities"]) == ("RUNNING", "deploy", job.change.ref, [COMMIT])
    assert (order.pipeline.run_system, order.pipeline.run_attempt) == ("github", 2)
    assert SpentTicket.objects.get().spent_for == str(order.reference)
    assert order.ordered_by.startswith("TOKEN:")


def test_begin_with_a_spent_ticket_is_refused(job):
    ticket = job.tickets()["ticket"]
    job.begin(ticket)
    job.report("failed")

    answer = job.send(ticket)

    assert (answer.status_code, code(answer)) == (409, "ticket_spent")
    assert Deployment.objects.count() == 1


def test_begin_with_the_same_key_and_body_is_answered_the_same(job):
    ticket = job.tickets()["ticket"]
    first = job.send(ticket, key="run-1")
    job.id = first.json()["id"]
    job.report("started")

    again, other = job.send(ticket, key="run-1"), job.send(ticket, key="run-1", run={"id": "7"})

    assert (again.status_code, again.content, again["Idempotency-Replayed"]) == (201, first.content, "true")
    assert again["Location"] == first["Location"]
    assert (other.status_code, code(other)) == (409, "key_reused")


def test_begin_judges_again(job):
    ticket, now = job.tickets()["ticket"], database_now()
    CalendarRuleFactory(starts_at=now - HOUR, ends_at=now + HOUR)

    answer = job.send(ticket)

    assert (answer.status_code, code(answer)) == (409, "frozen")
    assert not Deployment.objects.exists()
    assert not SpentTicket.objects.exists()


def test_begin_while_another_is_on_the_target_is_refused(job):
    first, second = job.tickets()["ticket"], job.tickets()["ticket"]
    job.begin(first)

    answer = job.send(second)

    assert answer.status_code == 409
    assert Deployment.objects.count() == 1


def test_begin_by_a_token_for_something_else_is_refused(job):
    other = make_place(environment=job.target.environment)
    _, secret = make_gate_token(other.service)

    answer = post(secret, PATH, {"ticket": job.tickets()["ticket"]})

    assert (answer.status_code, code(answer)) == (409, "out_of_scope")


def test_way_back_is_spent_by_whoever_was_handed_it(job):
    _, job.secret = make_gate_token(job.target.service)
    tickets = job.tickets()
    job.begin(tickets["ticket"])

    assert job.begin(tickets["rollback_ticket"]).undoes is not None


def test_begin_by_a_token_that_may_not_deploy_is_refused(job):
    ticket = job.tickets()["ticket"]
    _, job.secret = make_gate_token(job.target.service, actions=(Action.ROLLBACK,))

    assert code(job.send(ticket)) == "out_of_scope"


@pytest.mark.parametrize("where", ["payload", "sig", "keyid"])
def test_begin_with_a_changed_ticket_is_refused(job, where):
    ticket = job.tickets()["ticket"]
    match where:
        case "payload":
            ticket["payload"] = ticket["payload"][:-8] + "AAAAAAA="
            assert job.send({**ticket, "payload": "\x00\ud800"}).json()["errors"][0]["field"] == "ticket.payload"
        case "sig":
            ticket["signatures"][0]["sig"] = "A" * 86 + "=="
        case _:
            ticket["signatures"][0]["keyid"] = "another"

    answer = job.send(ticket)

    assert answer.status_code == 403, answer.content
    assert code(answer).startswith("ticket_")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "ticket"),
        ({"ticket": "x"}, "ticket"),
        ({"ticket": {}}, "ticket"),
        ({"ticket": ENVELOPE, "run": 5}, "run"),
        ({"ticket": ENVELOPE, "moon": 1}, "moon"),
        ({"ticket": ENVELOPE, "run": {"id": "\ud800"}}, "run.id"),
        ({"ticket": {**ENVELOPE, "payloadType": "text/plain"}}, "ticket.payloadType"),
        ({"ticket": {**ENVELOPE, "payload": "a b"}}, "ticket.payload"),
        ({"ticket": {**ENVELOPE, "signatures": [{"keyid": "a\x00", "sig": "AAAA"}]}}, "ticket.signatures"),
        ({"ticket": {**ENVELOPE, "signatures": []}}, "ticket"),
        ({"ticket": {**ENVELOPE, "moon": 1}}, "ticket"),
    ],
)
def test_begin_with_a_body_that_cannot_be_read_names_the_field(job, body, field):
    answer = post(job.secret, PATH, body)

    assert answer.status_code == 422
    assert [row["field"] for row in answer.json()["errors"]] == [field]


def test_begin_without_a_token_or_with_a_persons_is_refused(job):
    person = make_person()
    secret = issue_personal_token(name="laptop", days=5, by=person.actor).secret

    assert post("ccg_" + "x" * 30, PATH, {"ticket": {}}).status_code == 401
    assert post("nonsense", PATH, {"ticket": {}}).status_code == 401
    answer = post(secret, PATH, {"ticket": {}})
    assert (answer.status_code, code(answer)) == (403, "not_a_pipeline")


def test_begin_where_no_change_is_needed_has_no_leg():
    target = make_place(environment=EnvironmentFactory(change_required="NO"))
    Target.objects.filter(pk=target.pk).update(settings=None)
    target.refresh_from_db()
    job = Job(target)

    order = job.begin(job.tickets(OTHER_COMMIT)["ticket"])
    job.report("succeeded")

    target.refresh_from_db()
    assert (order.leg, order.settings, order.label) == (None, None, OTHER_COMMIT[4:16])
    assert target.running_identities == [OTHER_COMMIT]


def test_success_is_reported_and_frees_the_target(job):
    order = job.begin()

    answer = job.report("succeeded", message="All pods are ready.", occurred_at="2026-01-01T10:00:00+01:00")

    job.target.refresh_from_db()
    order = job.order
    assert (answer.status_code, answer.json()["report"]["effect"]) == (200, "SUCCEEDED")
    assert (order.state, order.is_reported, order.read_back_at) == ("SUCCEEDED", True, None)
    assert (job.target.occupied_by, job.target.running_identities) == (None, [COMMIT])
    assert leg_of(job).state == "DONE"
    assert Arrival.objects.get(target=job.target).outcome == Outcome.SUCCEEDED
    assert job.look().json()["is_confirmed"] is False


def test_failure_leaves_what_ran(job):
    job.begin()

    job.report("failed", message="The image could not be pulled.")

    job.target.refresh_from_db()
    order = job.order
    assert (order.state, order.failure, leg_of(job).state) == ("FAILED", "The image could not be pulled.", "FAILED")
    assert (job.target.occupied_by, job.target.running_label) == (None, "3.17.0")


def test_failure_after_users_saw_it_needs_a_person_and_may_be_taken_back(job):
    job.begin()

    job.report("failed", has_switched=True)

    assert job.order.state == "NEEDS_HUMAN"
    assert job.report("rolled_back", message="Undone by the job.").json()["report"]["effect"] == "WENT_BACK"
    job.target.refresh_from_db()
    assert (job.order.state, leg_of(job).state, job.target.running_label) == ("FAILED", "ROLLED_BACK", "3.17.0")
    assert "Undone by the job." in Hold.objects.get(lifted_at__isnull=True).reason


def test_same_report_again_is_answered_as_before_and_another_with_its_number_is_refused(job):
    job.begin()

    first, again = job.report("progress", message="half"), job.report("progress", message="half", sequence=1)
    other = job.report("failed", sequence=1)

    assert (first.json()["report"], again.status_code) == (again.json()["report"], 200)
    assert (other.status_code, code(other)) == (409, "sequence_reused")
    assert Report.objects.count() == 1


def test_late_progress_does_nothing_and_a_late_end_is_refused(job):
    job.begin()
    job.report("progress", sequence=5)

    assert job.report("progress", sequence=3).json()["report"]["effect"] == "NONE"
    late = job.report("succeeded", sequence=4)
    assert (late.status_code, code(late)) == (409, "out_of_order")
    assert job.order.state == "RUNNING"
    assert job.report("succeeded", sequence=6).status_code == 200
    assert job.report("progress", sequence=2).json()["report"]["effect"] == "NONE"


def test_contradiction_is_refused_and_recorded(job):
    job.begin()
    job.report("succeeded")

    answer = job.report("failed")

    assert (answer.status_code, code(answer)) == (409, "contradicts")
    assert job.order.state == "SUCCEEDED"
    told = entries_about(job.order.reference, limit=1)[0]
    assert (told.event, told.data["code"]) == (Event.DEPLOYMENT_REPORT_REFUSED, "contradicts")


def test_report_of_anothers_deployment_is_not_found(job):
    other = make_place(environment=job.target.environment)
    job.begin()
    job.token, job.secret = make_gate_token(other.service)

    assert job.report("succeeded").status_code == 404
    assert job.look().status_code == 404


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"sequence": 1}, "kind"),
        ({"kind": "succeeded"}, "sequence"),
        ({"kind": "succeeded", "sequence": True}, "sequence"),
        ({"kind": "succeeded", "sequence": 2**53}, "sequence"),
        ({"kind": "succeeded", "sequence": 1, "message": "a\nb"}, "message"),
        ({"kind": "succeeded", "sequence": 1, "message": 5}, "message"),
        ({"kind": "succeeded", "sequence": 1, "has_switched": "yes"}, "has_switched"),
        ({"kind": "succeeded", "sequence": 1, "occurred_at": "2026-01-01T00:00:00"}, "occurred_at"),
        ({"kind": "succeeded", "sequence": 1, "occurred_at": "0001-01-01T00:00:00+14:00"}, "occurred_at"),
        ({"kind": "succeeded", "sequence": 1, "moon": 1}, "moon"),
        ({"kind": [], "sequence": 1}, "kind"),
    ],
)
def test_report_that_cannot_be_read_names_the_field(job, body, field):
    job.begin()

    answer = post(job.secret, f"{PATH}/{job.id}/reports", body)

    assert answer.status_code == 422
    assert [row["field"] for row in answer.json()["errors"]] == [field]


@pytest.mark.parametrize(
    ("said", "kept"), [("2999-01-01T00:00:00Z", "now"), ("1970-01-01T00:00:07Z", None), ("0001-01-01T00:00:00Z", None)]
)
def test_report_of_a_machine_whose_clock_is_wrong_is_not_lost(job, said, kept):
    job.begin()

    answer = job.report("succeeded", occurred_at=said)

    report = Report.objects.get()
    assert (answer.status_code, job.order.state) == (200, "SUCCEEDED")
    assert (report.occurred_at is None) if kept is None else (report.at - HOUR < report.occurred_at <= report.at)


def test_silence_is_unknown_and_keeps_the_target(job):
    order = job.begin()
    assert timedelta(minutes=59) < order.wake_at - database_now() <= timedelta(minutes=60)
    assert not note_silent(order.pk)
    silence(order)

    assert silent_ids() == [order.pk]
    assert note_silent(order.pk)

    job.target.refresh_from_db()
    assert (job.order.state, job.target.occupied_by) == ("UNKNOWN", order.public_id)
    assert silent_ids() == []
    assert ask(job.secret, body_for(job.target, COMMIT)).json()["codes"]


def test_progress_ends_silence(job):
    order = job.begin()
    silence(order)
    note_silent(order.pk)

    job.report("progress")

    assert job.order.state == "RUNNING"
    assert job.order.wake_at > database_now()


@pytest.mark.parametrize(("kind", "state"), [("succeeded", "SUCCEEDED"), ("failed", "FAILED"), ("rolled_back", "FAILED")])
def test_end_after_silence_is_believed(job, kind, state):
    order = job.begin()
    silence(order)
    note_silent(order.pk)

    job.report(kind)

    assert job.order.state == state


def test_rollback_ticket_begins_the_way_back_through_freeze_and_hold(job):
    now, tickets = database_now(), job.tickets()
    bad = job.begin(tickets["ticket"])
    job.report("succeeded")
    CalendarRuleFactory(starts_at=now - HOUR, ends_at=now + HOUR)
    HoldFactory()

    back = job.begin(tickets["rollback_ticket"])

    assert (back.undoes, back.executor, back.state, back.label) == (bad, "EXTERNAL", "RUNNING", "3.17.0")
    job.target.refresh_from_db()
    assert job.target.occupied_by == back.public_id
    job.report("succeeded")
    job.target.refresh_from_db()
    assert (job.target.running_label, job.target.occupied_by, leg_of(job).state) == ("3.17.0", None, "ROLLED_BACK")
    assert Arrival.objects.filter(target=job.target, outcome=Outcome.ROLLED_BACK).count() == 1
    assert bad.ref in Hold.objects.get(source="ROLLBACK").reason


@pytest.mark.parametrize("then", ["running", "silent", "needs_human"])
def test_rollback_ticket_undoes_what_is_still_on_its_way(job, then):
    tickets = job.tickets()
    bad = job.begin(tickets["ticket"])
    if then == "silent":
        silence(bad)
        note_silent(bad.pk)
    if then == "needs_human":
        job.report("failed", has_switched=True)

    back = job.begin(tickets["rollback_ticket"])
    job.report("succeeded")

    bad.refresh_from_db()
    job.target.refresh_from_db()
    assert (bad.state, back.undoes_id) == ("FAILED", bad.pk)
    assert (job.target.running_label, job.target.occupied_by, leg_of(job).state) == ("3.17.0", None, "ROLLED_BACK")


def test_failed_way_back_needs_a_person(job):
    tickets = job.tickets()
    job.begin(tickets["ticket"])
    job.report("succeeded")
    job.begin(tickets["rollback_ticket"])

    assert job.report("rolled_back").json()["code"] == "way_back"
    job.report("failed")

    job.target.refresh_from_db()
    assert (job.order.state, job.target.occupied_by) == ("NEEDS_HUMAN", job.order.public_id)


def test_rollback_from_what_nobody_deployed_here_leads_back(job):
    Target.objects.filter(pk=job.target.pk).update(previous_label="3.16.0", previous_identities=[OTHER_COMMIT])
    ticket = job.tickets(OTHER_COMMIT, action="rollback")["ticket"]

    back = job.begin(ticket)
    job.report("succeeded")

    job.target.refresh_from_db()
    assert (back.undoes, back.label) == (None, "3.16.0")
    assert job.target.running_identities == [OTHER_COMMIT]
    assert Arrival.objects.get(target=job.target).outcome == Outcome.ROLLED_BACK


def test_workers_deployment_takes_no_report(job, fake):
    order = make_deployment(State.RUNNING)
    job.id = str(order.public_id)

    answer = job.report("succeeded")

    assert (answer.status_code, code(answer)) == (409, "not_external")


@pytest.mark.parametrize("path", [PATH, f"{PATH}/observations", GATE])
def test_body_in_chunks_is_refused_with_the_cure(job, path):
    headers = {"Authorization": f"Bearer {job.secret}", "Transfer-Encoding": "chunked", "Content-Type": "application/json"}
    answer = Client().post(path, data=b"", content_type="application/json", headers=headers, CONTENT_LENGTH="")

    assert (answer.status_code, code(answer)) == (400, "not_readable")
    assert "Content-Length" in answer.json()["detail"]


def test_wrong_methods_and_types_are_told_as_problems(job):
    client, headers = Client(), {"Authorization": f"Bearer {job.secret}"}
    assert client.delete(PATH, headers=headers).status_code == 405
    assert client.get(PATH, headers=headers).status_code == 422
    assert client.post(PATH, data="x", content_type="text/plain", headers=headers).status_code == 415
    assert client.post(PATH, data="[", content_type="application/json", headers=headers).status_code == 400
    assert client.post(PATH, data="[]", content_type="application/json", headers=headers).status_code == 400
    huge = json.dumps({"ticket": {"payload": "x" * 70_000}})
    assert client.post(PATH, data=huge, content_type="application/json", headers=headers).status_code in {400, 413}


def test_broken_record_begins_nothing(job, monkeypatch):
    ticket = job.tickets()["ticket"]
    monkeypatch.setattr(transitions, "record", lambda *_, **__: 1 / 0)

    assert job.send(ticket).status_code == 503
    assert not Deployment.objects.exists()
    assert not Pipeline.objects.exists()
    assert not SpentTicket.objects.exists()
    job.target.refresh_from_db()
    assert job.target.occupied_by is None
