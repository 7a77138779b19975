"""What a ticket permits is what was agreed to, or what ran before: nothing that was asked beside it, and once."""

import json
from base64 import b64decode
from uuid import UUID

import factory
import pytest

from apps.catalog.models import Environment, Target
from apps.changes.content import Aspect, Period, Scope
from apps.changes.states import State
from apps.core.locks import database_now
from apps.deployments.models import Deployment
from apps.deployments.pipelines import note_silent
from apps.deployments.rules.observing import MOST_OPEN
from apps.gate.rules import Detail
from apps.schedule.models import Hold
from tests.conftest import NOW
from tests.deployments.test_observations import see
from tests.deployments.test_pipelines import code, leg_of, silence
from tests.factories.approvals import make_change, make_place, make_policy
from tests.factories.catalog import COMMIT as RUNNING
from tests.factories.catalog import EnvironmentFactory, make_target
from tests.factories.changes import COMMIT, make_item
from tests.factories.gate import ARTIFACT, OTHER_ARTIFACT, RuleModeFactory, ask, body_for, look
from tests.factories.pipelines import Job, UndeclaredFactory
from tests.factories.schedule import HOUR, CalendarRuleFactory

pytestmark = pytest.mark.django_db
SECRET = "the layoffs of Friday"  # what strangers who read a job's log must not learn


@pytest.fixture
def job():
    return Job()


def said_in(ticket):
    return json.loads(b64decode(ticket["payload"]))


def versions_in(ticket):
    return set(said_in(ticket)["predicate"]["identities"])


def place_above(staging):
    """Production of the same service, where a version is seen below first."""
    production = make_target(staging.service, EnvironmentFactory(rank=20))
    production.running_label, production.running_identities, production.running_since = "3.17.0", [RUNNING], NOW
    production.save()
    make_policy(production.environment)
    return production


@pytest.mark.parametrize("extra", [(), (ARTIFACT,)])
def test_way_back_leads_to_what_ran_whatever_is_named_beside_it(extra):
    staging = make_place(environment=EnvironmentFactory(rank=10))
    production = place_above(staging)
    job = Job(target=staging)
    job.change = make_change(targets=(staging, production))
    forth = job.begin()
    job.report("succeeded")
    assert ask(job.secret, body_for(production, COMMIT)).json()["verdict"] == "ALLOW"

    answer = job.tickets(RUNNING, *extra, action="rollback")
    job.begin(answer["ticket"])
    job.report("succeeded")

    assert (answer["verdict"], answer["codes"]) == ("ALLOW", ["identity_extra"] if extra else [])
    assert answer["bound"]["identities"] == [RUNNING]
    assert (versions_in(answer["ticket"]), len(said_in(answer["ticket"])["subject"])) == ({RUNNING}, 1)
    assert (job.order.undoes, Hold.objects.count()) == (forth, 1)
    assert ask(job.secret, body_for(production, COMMIT)).json()["codes"] == ["not_promoted"]


def test_where_no_change_is_needed_the_ticket_is_for_what_was_asked_and_proves_no_other_artifact():
    staging = make_place(environment=EnvironmentFactory(rank=10, change_required="NO"))
    production = place_above(staging)
    item = make_item(staging.service, (staging.environment, production.environment), identities=(COMMIT, ARTIFACT))
    scope = Scope(items=(item,), aspects=frozenset({Aspect.CODE}), reason="Invoices in euro.")
    change = make_change(targets=(staging, production), scope=scope)
    job = Job(target=staging)

    fewer, other, whole = (job.tickets(*asked) for asked in ((COMMIT,), (COMMIT, OTHER_ARTIFACT), (COMMIT, ARTIFACT)))

    assert [versions_in(one["ticket"]) for one in (fewer, other, whole)] == [{COMMIT}, {COMMIT, OTHER_ARTIFACT}, {COMMIT, ARTIFACT}]
    assert [one["bound"]["change"] for one in (fewer, other, whole)] == [None, None, change.ref]
    job.begin(other["ticket"])
    job.report("succeeded")
    assert ask(job.secret, body_for(production, COMMIT, ARTIFACT)).json()["codes"] == ["not_promoted"]
    job.begin(job.tickets(COMMIT, ARTIFACT)["ticket"])
    job.report("succeeded")
    assert ask(job.secret, body_for(production, COMMIT, ARTIFACT)).json()["verdict"] == "ALLOW"


def test_where_no_change_is_needed_a_change_that_names_less_takes_nothing_from_the_ticket():
    staging = make_place(environment=EnvironmentFactory(rank=10, change_required="NO"))
    make_change(targets=(staging,))  # the commit alone
    job = Job(target=staging)

    wider, exact = job.tickets(COMMIT, ARTIFACT), job.tickets(COMMIT)

    assert (versions_in(wider["ticket"]), wider["bound"]["change"], wider["codes"]) == ({COMMIT, ARTIFACT}, None, [])
    assert (versions_in(exact["ticket"]), exact["bound"]["change"] is not None) == ({COMMIT}, True)
    job.begin(wider["ticket"])
    assert (job.order.leg, set(job.order.identities)) == (None, {COMMIT, ARTIFACT})


def test_where_no_change_is_needed_a_change_that_has_failed_too_often_stops_nothing():
    job = Job(target=make_place(environment=EnvironmentFactory(change_required="NO")))
    change = make_change(targets=(job.target,))
    change.legs.update(state="FAILED", failures_count=3)

    order = job.begin(job.tickets()["ticket"])

    assert (order.leg, job.report("succeeded").json()["report"]["effect"]) == (None, "SUCCEEDED")


def test_key_of_what_is_on_its_way_begins_nothing_new_and_is_answered_the_same(job):
    ticket = job.tickets()["ticket"]
    first = job.send(ticket, key="run-1")
    job.id = first.json()["id"]
    again = job.send(ticket, key="run-1")
    silence(job.order)
    note_silent(job.order.pk)

    assert (job.order.state, job.send(ticket, key="run-1").content, again.content) == ("UNKNOWN", first.content, first.content)


@pytest.mark.parametrize("said", [("failed", {}), ("failed", {"has_switched": True}), ("succeeded", {}), ("rolled_back", {})])
def test_key_of_what_has_ended_starts_nothing_a_second_time(job, said):
    ticket = job.tickets()["ticket"]
    job.id = job.send(ticket, key="run-1").json()["id"]
    kind, more = said
    assert job.report(kind, **more).status_code == 200

    again = job.send(ticket, key="run-1")

    assert (again.status_code, code(again)) == (409, "begun_before")
    assert job.order.ref in again.json()["detail"]
    assert Deployment.objects.count() == 1


def test_yes_that_lets_a_period_pass_hands_out_a_ticket_that_can_be_used():
    target, now = make_place(), database_now()
    make_change(State.APPROVED, targets=(target,), period=Period(None, now - HOUR, "UTC"), now=now - 2 * HOUR)
    RuleModeFactory(environment=target.environment, rule="period", mode="WARN_ONLY")
    job = Job(target=target)

    answer = job.tickets()

    assert (answer["verdict"], answer["codes"]) == ("ALLOW", ["period_over"])
    assert job.send(answer["ticket"]).status_code == 201


def test_token_of_codes_reads_no_word_of_people_in_what_it_is_answered():
    job = Job(detail=Detail.CODES)
    ticket, now = job.tickets()["ticket"], database_now()
    wall = CalendarRuleFactory(starts_at=now - HOUR, ends_at=now + HOUR, title=SECRET)
    refused = job.send(ticket)
    wall.delete()
    begun = job.send(ticket)
    job.id = begun.json()["id"]
    assert leg_of(job).change.ref
    failed = job.report("failed", has_switched=True, message=SECRET)
    out_of_order = job.report("started", sequence=1)
    looked = job.look()

    assert (refused.status_code, code(refused), begun.status_code, failed.status_code) == (409, "frozen", 201, 200)
    assert out_of_order.status_code == 409
    UndeclaredFactory.create_batch(MOST_OPEN, target=job.target, identities=factory.Sequence(lambda n: [f"git:{n:040x}"]))
    one_too_many = see(job, "git:" + "ee" * 20)
    assert (one_too_many.status_code, code(one_too_many)) == (409, "too_many_undeclared")
    assert job.target.service.name not in one_too_many.text
    for answer in (refused, begun, failed, out_of_order, looked):
        assert SECRET not in answer.text
        assert job.change.ref not in answer.text
    assert [looked.json()[name] for name in ("change", "label", "failure")] == [None, "", ""]
    full = Job(target=job.target)
    full.id = job.id
    assert full.look().json()["failure"] == SECRET


def test_observation_that_fits_both_versions_settles_nothing(job):
    Environment.objects.filter(pk=job.target.environment_id).update(change_required="NO")
    before, after = ("config:" + digit * 64 for digit in "12")
    Target.objects.filter(pk=job.target.pk).update(running_identities=[COMMIT, before], running_label="1.0")
    order = job.begin(job.tickets(COMMIT, after)["ticket"])
    silence(order)
    note_silent(order.pk)

    assert see(job, COMMIT, source="probe").json()["meaning"] == "ON_ITS_WAY"
    assert (job.order.state, job.order.read_back_at) == ("UNKNOWN", None)
    both = {"git": COMMIT.partition(":")[2], "config": after.partition(":")[2]}
    assert see(job, COMMIT, identities=both, source="probe").json()["meaning"] == "NEW_RUNS"
    assert job.order.state == "SUCCEEDED"


def test_evaluation_of_the_last_moment_there_is_is_as_unknown_as_any(job):
    last = UUID(int=253402300799999 << 80 | 7 << 76 | 2 << 62)

    assert look(job.secret, str(last)).status_code == 404
