"""Starts while the installation was away, told late: they undo nothing that came later, and use up nothing of another version."""

from dataclasses import replace
from datetime import timedelta

import pytest

from apps.accounts.roles import Role
from apps.approvals.actions import revise_change
from apps.audit.stream import entries_about
from apps.audit.vocabulary import Event
from apps.catalog.models import Environment, Target
from apps.changes.content import Aspect, Scope
from apps.changes.facts import content_of
from apps.core.locks import database_now
from apps.deployments.models import Deployment, Settled, Undeclared
from apps.deployments.observations import settle_undeclared
from apps.schedule.models import Hold
from tests.deployments.test_observations import ALIEN, see
from tests.deployments.test_pipelines import code, leg_of
from tests.factories.accounts import make_person
from tests.factories.approvals import make_change, make_place
from tests.factories.catalog import COMMIT as RUNNING
from tests.factories.catalog import EnvironmentFactory
from tests.factories.changes import COMMIT, OTHER_COMMIT, make_item
from tests.factories.pipelines import Job
from tests.factories.schedule import HOUR, CalendarRuleFactory

pytestmark = pytest.mark.django_db
LATER = timedelta(minutes=20)


@pytest.fixture
def job():
    return Job()


@pytest.fixture
def operator():
    return make_person(Role.OPERATOR)


@pytest.fixture
def open_job():
    """Where no change is needed."""
    return Job(target=make_place(environment=EnvironmentFactory(change_required="NO")))


def names(job: Job, identity: str) -> Scope:
    item = make_item(job.target.service, (job.target.environment,), identities=(identity,), label="3.19.0")
    return Scope(items=(item,), aspects=frozenset({Aspect.CODE}), reason="Invoices in euro.")


@pytest.fixture
def failed():
    """A job with a way back that was used while we were away: what it began had failed."""
    job = Job()
    tickets = job.tickets()
    job.begin(tickets["ticket"])
    job.report("failed")
    return job, tickets["rollback_ticket"], database_now().isoformat()


def begun_later(job: Job) -> Deployment:
    """Another version, some time after all that."""
    make_change(targets=(job.target,), scope=names(job, OTHER_COMMIT))
    order = job.begin(job.tickets(OTHER_COMMIT)["ticket"])
    Deployment.objects.filter(pk=order.pk).update(begun_at=database_now() + LATER)
    return order


def test_way_back_told_late_does_not_end_what_began_after_it(failed):
    job, ticket, used_at = failed
    newer = begun_later(job)

    answer = job.send(ticket, offline_at=used_at)

    newer.refresh_from_db()
    assert (answer.status_code, code(answer), newer.state) == (409, "occupied", "RUNNING")
    assert job.report("succeeded").json()["report"]["effect"] == "SUCCEEDED"


def test_way_back_told_late_undoes_nothing_that_succeeded_after_it_and_leaves_open_what_runs(failed):
    job, ticket, used_at = failed
    newer = begun_later(job)
    job.report("succeeded")

    back = job.begin(ticket, offline_at=used_at)
    said = job.report("succeeded").json()

    newer.refresh_from_db()
    job.target.refresh_from_db()
    assert (back.undoes, newer.state, Hold.objects.count()) == (None, "SUCCEEDED", 0)
    assert (said["report"]["effect"], job.target.running_identities) == ("NEEDS_HUMAN", [OTHER_COMMIT])


def test_start_told_late_uses_up_no_leg_that_names_another_version_by_now():
    job = Job()
    Environment.objects.filter(pk=job.target.environment_id).update(offline_grace_minutes=30)
    ticket, used_at = job.tickets()["ticket"], database_now()
    content = replace(content_of(job.change.revision), scope=names(job, OTHER_COMMIT))
    revise_change(change_id=job.change.pk, content=content, by=job.change.requester.actor)

    order = job.begin(ticket, offline_at=used_at.isoformat())
    job.report("succeeded")

    job.target.refresh_from_db()
    assert (order.leg, order.label, leg_of(job).state) == (None, COMMIT.partition(":")[2][:12], "WAITING")
    assert (job.target.running_identities, job.target.running_label) == ([COMMIT], order.label)


@pytest.mark.parametrize("times", [1, 2, 3])
def test_way_back_undoes_what_brought_the_version_however_often_it_was_brought_again(open_job, times):
    orders = []
    for _ in range(times):
        orders.append(open_job.begin(open_job.tickets(COMMIT)["ticket"]))
        open_job.report("succeeded")

    back = open_job.begin(open_job.tickets(RUNNING, action="rollback")["ticket"])
    open_job.report("succeeded")

    open_job.target.refresh_from_db()
    assert (back.undoes, Hold.objects.count(), open_job.target.running_identities) == (orders[0], 1, [RUNNING])


def test_way_back_undoes_nothing_where_another_version_came_between(open_job):
    open_job.begin(open_job.tickets(COMMIT)["ticket"])
    open_job.report("succeeded")
    Target.objects.filter(pk=open_job.target.pk).update(running_identities=[OTHER_COMMIT], running_label="by hand")

    back = open_job.begin(open_job.tickets(RUNNING, action="rollback")["ticket"])

    assert back.undoes is None


def grace(job: Job, minutes: int) -> None:
    Environment.objects.filter(pk=job.target.environment_id).update(offline_grace_minutes=minutes)


def moment(at) -> str:
    return at.isoformat()


def test_start_without_us_is_reconciled_and_shown(job, client, operator):
    grace(job, 30)
    ticket, now = job.tickets()["ticket"], database_now()
    CalendarRuleFactory(starts_at=now - HOUR, ends_at=now + HOUR)  # what came up meanwhile undoes nothing

    order = job.begin(ticket, offline_at=moment(now))

    assert (order.state, leg_of(job).state, order.pipeline.codes) == ("RUNNING", "STARTED", ["frozen"])
    assert order.pipeline.used_at == now
    assert Event.DEPLOYMENT_OFFLINE in {entry.event for entry in entries_about(order.reference, limit=9)}
    client.force_login(operator)
    assert "while this installation was away" in client.get(f"/deployments/{order.pk}/").content.decode()


def test_start_without_us_is_refused_without_grace_or_after_it(job):
    bare, now = job.tickets()["ticket"], database_now()
    assert code(job.send(bare, offline_at=moment(now))) == "offline_not_permitted"
    grace(job, 1)
    ticket = job.tickets()["ticket"]

    late = job.send(ticket, offline_at=moment(database_now() + timedelta(seconds=90)))
    early = job.send(ticket, offline_at=moment(now - HOUR))

    assert (code(late), code(early)) == ("offline_not_permitted", "ticket_early")
    assert not Deployment.objects.exists()


def test_start_without_us_of_a_leg_that_is_over_has_no_leg(job):
    grace(job, 30)
    first, second = job.tickets()["ticket"], job.tickets()["ticket"]
    job.begin(first)
    job.report("succeeded")

    order = job.begin(second, offline_at=moment(database_now()))

    assert (order.leg, order.state) == (None, "RUNNING")
    assert order.pipeline.codes


def test_start_without_us_waits_for_the_target(job):
    grace(job, 30)
    first, second = job.tickets()["ticket"], job.tickets()["ticket"]
    job.begin(first)

    assert code(job.send(second, offline_at=moment(database_now()))) == "occupied"


def test_start_without_us_told_after_something_else_came_says_not_what_runs(job, operator):
    grace(job, 30)
    ticket = job.tickets()["ticket"]
    began = database_now()
    see(job, ALIEN, label="hotfix")
    settle_undeclared(Undeclared.objects.get().pk, outcome=Settled.ADOPTED, reason="Ops patched it by hand.", by=operator.actor)

    job.begin(ticket, offline_at=moment(began))
    said = job.report("succeeded").json()

    job.target.refresh_from_db()
    assert (said["report"]["effect"], job.order.state, job.target.running_label) == ("NEEDS_HUMAN", "NEEDS_HUMAN", "hotfix")
    assert "nobody knows which of the two runs" in job.order.failure
    assert see(job, ALIEN).json()["meaning"] == "OLD_RUNS"
    assert job.order.state == "FAILED"


def test_start_without_us_told_late_says_what_runs_where_nothing_came_after_it(job):
    grace(job, 30)
    tickets, began = job.tickets(), database_now()
    job.begin(tickets["ticket"], offline_at=moment(began))
    assert job.report("succeeded").json()["report"]["effect"] == "SUCCEEDED"

    back = job.begin(tickets["rollback_ticket"], offline_at=moment(database_now()))

    assert job.report("succeeded").json()["report"]["effect"] == "SUCCEEDED"
    assert back.undoes is not None


def test_way_back_without_us_of_what_is_still_on_its_way_says_what_runs(job):
    tickets, began = job.tickets(), database_now()
    job.begin(tickets["ticket"])

    job.begin(tickets["rollback_ticket"], offline_at=moment(began))

    assert job.report("succeeded").json()["report"]["effect"] == "SUCCEEDED"


def test_rollback_without_us_needs_no_grace(job):
    tickets = job.tickets()
    job.begin(tickets["ticket"])
    job.report("succeeded")

    back = job.begin(tickets["rollback_ticket"], offline_at=moment(database_now()))

    assert back.undoes is not None
