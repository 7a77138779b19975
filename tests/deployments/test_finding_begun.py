"""Finding what was begun without knowing its id: one's own alone, of this version, while it is not over."""

import pytest
from django.test import Client

from apps.accounts.actions import issue_personal_token
from apps.accounts.roles import Role
from apps.deployments.models import Deployment
from apps.deployments.pipelines import note_silent
from apps.gate.actions import revoke_gate_token, rotate_gate_token
from apps.gate.rules import Action
from tests.deployments.test_pipelines import silence
from tests.factories.accounts import make_person
from tests.factories.approvals import make_place
from tests.factories.catalog import ServiceAliasFactory
from tests.factories.changes import COMMIT, OTHER_COMMIT
from tests.factories.gate import make_gate_token
from tests.factories.pipelines import PATH, Job

pytestmark = pytest.mark.django_db


@pytest.fixture
def job(db) -> Job:
    return Job()


def found(job: Job, *identities: str, secret: str = "", **more):
    """What the address answers."""
    about = {"service": job.target.service.slug, "environment": job.target.environment.slug, "identity": [*(identities or (COMMIT,))]}
    return Client().get(PATH, about | more, headers={"Authorization": f"Bearer {secret or job.secret}"})


def ids(answer) -> list[str]:
    assert answer.status_code == 200, answer.content
    return [one["id"] for one in answer.json()["deployments"]]


def test_what_was_begun_is_found_with_the_number_of_its_last_report(job):
    before = ids(found(job))
    job.begin()
    job.report("progress")

    answer = found(job)

    assert before == []
    assert ids(answer) == [job.id]
    assert (answer.json()["deployments"][0]["state"], answer.json()["deployments"][0]["sequence"]) == ("RUNNING", 1)
    assert ids(found(job, COMMIT, "sha256:" + "a" * 64)) == [job.id]


@pytest.mark.parametrize(("state", "is_found"), [("UNKNOWN", True), ("NEEDS_HUMAN", True), ("SUCCEEDED", False), ("FAILED", False)])
def test_it_is_found_until_it_is_over(job, state, is_found):
    order = job.begin()
    match state:
        case "UNKNOWN":
            silence(order)
            note_silent(order.pk)
        case "NEEDS_HUMAN":
            job.report("failed", has_switched=True)
        case _:
            job.report(state.lower())

    assert job.order.state == state
    assert ids(found(job)) == ([job.id] if is_found else [])


def test_nobody_finds_what_another_pipeline_began_or_of_another_version(job):
    job.begin()
    _, other = make_gate_token(actions=(Action.DEPLOY,))

    assert ids(found(job, secret=other)) == []
    assert ids(found(job, OTHER_COMMIT)) == []


def rotate(token, **more):
    """The next token of a pipeline, and its secret."""
    issued = rotate_gate_token(token.pk, by=make_person(Role.ADMINISTRATOR).actor, **({"days": 30, "hours": 1} | more))
    return issued.token, issued.secret


def test_rotated_token_finds_and_reports_what_the_one_before_began(job):
    job.begin()
    job.report("started")
    first, old = job.token, job.secret
    second, _ = rotate(first)
    _, job.secret = rotate(second)
    revoke_gate_token(first.pk, by=make_person(Role.ADMINISTRATOR).actor)

    answer = found(job)

    assert ids(answer) == [job.id]
    assert job.report("succeeded", sequence=answer.json()["deployments"][0]["sequence"] + 1).status_code == 200
    assert (job.order.state, found(job, secret=old).status_code) == ("SUCCEEDED", 401)


def test_token_that_goes_on_for_a_while_finds_what_its_successor_began(job):
    first = job.secret
    _, job.secret = rotate(job.token)
    job.begin()

    assert ids(found(job, secret=first)) == [job.id]


def test_ticket_of_a_token_is_spent_by_the_one_it_was_rotated_into_and_once(job):
    ticket = job.tickets()["ticket"]
    begun = job.send(ticket, key="run-7")
    _, job.secret = rotate(job.token)

    again, other = job.send(ticket, key="run-7"), job.send(ticket, key="run-8")
    job.id = begun.json()["id"]

    assert (again.status_code, again.content, again.headers["Idempotency-Replayed"]) == (201, begun.content, "true")
    assert (other.status_code, other.json()["code"]) == (409, "ticket_spent")
    assert job.report("succeeded").status_code == 200


def test_key_of_the_one_before_with_another_request_is_refused(job):
    ticket = job.tickets()["ticket"]
    job.send(ticket, key="run-7")
    _, job.secret = rotate(job.token)

    answer = job.send(ticket, key="run-7", run={"system": "jenkins", "id": "8"})

    assert (answer.status_code, answer.json()["code"]) == (409, "key_reused")


def test_token_of_the_same_name_and_scope_that_was_not_rotated_finds_nothing(job):
    job.begin(key="run-7")
    rotate(job.token)
    _, other = make_gate_token(actions=(Action.DEPLOY, Action.ROLLBACK), name=job.token.name)
    _, another = rotate(make_gate_token(actions=(Action.DEPLOY, Action.ROLLBACK))[0])

    assert [ids(found(job, secret=secret)) for secret in (other, another)] == [[], []]


def test_what_a_worker_carries_out_is_not_found(job):
    job.begin()
    Deployment.objects.filter(public_id=job.id).update(executor="WORKER")

    assert ids(found(job)) == []


def test_a_token_for_other_places_finds_none(job):
    job.begin()
    elsewhere = make_place()
    _, other = make_gate_token(elsewhere.service)

    answers = [found(job, secret=other), found(job, service="nowhere")]

    assert [(one.status_code, one.json()["code"]) for one in answers] == [(404, "not_found")] * 2


def test_a_person_is_no_pipeline(job):
    secret = issue_personal_token(name="laptop", days=5, by=make_person().actor).secret

    assert (found(job, secret=secret).status_code, found(job, secret="ccg_" + "x" * 30).status_code) == (403, 401)


@pytest.mark.parametrize(
    ("more", "fields"),
    [
        ({"service": ["a", "b"]}, {"service"}),
        ({"environment": ""}, {"environment"}),
        ({"identity": []}, {"identity"}),
        ({"identity": ["main"]}, {"identity"}),
        ({"identity": ["git:abc", COMMIT]}, {"identity"}),
        ({"identity": [f"sha256:{number:064x}" for number in range(21)]}, {"identity"}),
        ({"state": "RUNNING"}, {"state"}),
        ({"service": "a b", "identity": "x", "action": "deploy"}, {"service", "identity", "action"}),
    ],
)
def test_what_cannot_be_read_is_told_by_field(job, more, fields):
    answer = found(job, **more)

    assert answer.status_code == 422
    assert {row["field"] for row in answer.json()["errors"]} == fields


def test_an_older_name_finds_it_too(job):
    job.begin()
    ServiceAliasFactory(slug="formerly", service=job.target.service)

    assert ids(found(job, service="formerly")) == [job.id]
