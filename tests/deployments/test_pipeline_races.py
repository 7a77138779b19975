"""Races of CI on real connections: one ticket, one key, two tickets for one target, a report against silence; and a kill on the way."""

import threading

import pytest
from django.db import connection, transaction

from apps.catalog.models import Target
from apps.deployments import pipelines
from apps.deployments.models import Deployment, Pipeline, Report
from apps.deployments.pipelines import note_silent
from apps.gate.models import SpentTicket
from tests.deployments.test_pipelines import leg_of, silence
from tests.factories.pipelines import Job
from tests.gate.conftest import own_gate  # noqa: F401 - a fixture
from tests.gate.test_races import pid


@pytest.fixture
def job(own_gate) -> Job:  # noqa: F811 - the fixture
    return Job()


def lock_target(job: Job) -> None:
    Target.objects.select_for_update().get(pk=job.target.pk)


def both(job: Job, racer, wait_until_blocked, *acts):
    """Let everybody wait for the target, then go on together."""
    with transaction.atomic():
        lock_target(job)
        racing = [racer(act) for act in acts]
        wait_until_blocked(pid())
    return [one.result() for one in racing]


def test_one_ticket_sent_twice_at_once_begins_one_deployment(job, racer, wait_until_blocked):
    ticket = job.tickets()["ticket"]

    answers = both(job, racer, wait_until_blocked, *[lambda: job.send(ticket)] * 2)

    assert sorted(one.status_code for one in answers) == [201, 409]
    assert [one.json()["code"] for one in answers if one.status_code == 409] == ["ticket_spent"]
    assert (Deployment.objects.count(), Pipeline.objects.count(), SpentTicket.objects.count()) == (1, 1, 1)


def test_one_ticket_under_one_key_sent_twice_at_once_is_answered_the_same(job, racer, wait_until_blocked):
    ticket = job.tickets()["ticket"]

    answers = both(job, racer, wait_until_blocked, *[lambda: job.send(ticket, key="run-1")] * 2)

    assert [one.status_code for one in answers] == [201, 201]
    assert answers[0].content == answers[1].content
    assert [one.headers.get("Idempotency-Replayed") for one in answers].count("true") == 1
    assert Deployment.objects.count() == 1


def test_one_key_for_two_tickets_at_once_begins_one_of_them(job, racer, monkeypatch):
    other = Job()
    other.secret = job.secret
    tickets, meet, real = [one.tickets()["ticket"] for one in (job, other)], threading.Barrier(2, timeout=15), pipelines.beginning_bytes

    def together(*given, **more):
        meet.wait()
        return real(*given, **more)

    monkeypatch.setattr(pipelines, "beginning_bytes", together)
    racing = [racer(lambda one=one: job.send(one, key="run-1")) for one in tickets]
    answers = [one.result() for one in racing]

    assert sorted(one.status_code for one in answers) == [201, 409]
    assert [one.json()["code"] for one in answers if one.status_code == 409] == ["key_reused"]
    assert (Deployment.objects.count(), SpentTicket.objects.count()) == (1, 1)


def test_two_tickets_for_one_target_begin_one_deployment(job, racer, wait_until_blocked):
    tickets = [job.tickets()["ticket"] for _ in range(2)]

    answers = both(job, racer, wait_until_blocked, *[lambda one=one: job.send(one) for one in tickets])

    assert sorted(one.status_code for one in answers) == [201, 409]
    assert (Deployment.objects.count(), SpentTicket.objects.count()) == (1, 1)


def test_one_rollback_ticket_sent_twice_at_once_undoes_once(job, racer, wait_until_blocked):
    tickets = job.tickets()
    job.begin(tickets["ticket"])

    answers = both(job, racer, wait_until_blocked, *[lambda: job.send(tickets["rollback_ticket"])] * 2)

    assert sorted(one.status_code for one in answers) == [201, 409]
    assert [one.json()["code"] for one in answers if one.status_code == 409] == ["ticket_spent"]
    assert Deployment.objects.filter(undoes__isnull=False).count() == 1


def test_one_report_sent_twice_at_once_is_taken_once(job, racer, wait_until_blocked):
    job.begin()

    answers = both(job, racer, wait_until_blocked, *[lambda: job.report("succeeded", sequence=1)] * 2)

    assert [one.status_code for one in answers] == [200, 200]
    assert answers[0].json() == answers[1].json()
    assert (Report.objects.count(), leg_of(job).state) == (1, "DONE")


def test_success_and_failure_at_once_is_one_of_them(job, racer, wait_until_blocked):
    job.begin()

    acts = [lambda: job.report("succeeded", sequence=1), lambda: job.report("failed", sequence=2)]
    answers = both(job, racer, wait_until_blocked, *acts)

    assert min(one.status_code for one in answers) == 200
    assert {one.json()["code"] for one in answers if one.status_code == 409} <= {"contradicts", "out_of_order"}
    assert job.order.state in {"SUCCEEDED", "FAILED"}
    assert sum(report.effect != "NONE" for report in Report.objects.all()) == 1


def test_report_that_came_before_the_sweeper_wins(job, racer, wait_until_blocked):
    order = job.begin()
    silence(order)
    with transaction.atomic():
        lock_target(job)
        sweeping = racer(lambda: note_silent(order.pk))
        wait_until_blocked(pid())
        Deployment.objects.filter(pk=order.pk).update(wake_at="2999-01-01T00:00:00Z")  # what a report does under these locks

    assert sweeping.result() is False
    assert job.order.state == "RUNNING"


def test_kill_on_the_way_leaves_nothing_behind(job, own_gate, racer, monkeypatch):  # noqa: F811 - the fixture
    ticket = job.tickets()["ticket"]

    def killed():
        real = pipelines.beginning_bytes

        def cut(*given, **more):
            with own_gate.connect(own_gate.superuser_url) as superuser:
                superuser.execute("select pg_terminate_backend(%s)", [pid()])
            return real(*given, **more)

        monkeypatch.setattr(pipelines, "beginning_bytes", cut)
        try:
            return job.send(ticket)
        finally:
            monkeypatch.setattr(pipelines, "beginning_bytes", real)
            connection.close()

    answer = racer(killed).result()

    assert answer.status_code == 503
    assert (Deployment.objects.count(), SpentTicket.objects.count(), leg_of(job).state) == (0, 0, "WAITING")
    assert job.send(ticket).status_code == 201
