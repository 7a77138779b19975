"""Evidence through the API: files and links, for a leg or for the plan, and what is refused as a problem."""

import hashlib
import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from apps.accounts.actions import issue_personal_token
from apps.accounts.roles import Role
from apps.changes.content import Evidence, Plan
from apps.changes.facts import content_of
from apps.changes.models import EvidenceUpload
from apps.changes.states import State
from tests.factories.accounts import PersonFactory, make_person
from tests.factories.approvals import make_change, make_place
from tests.factories.changes import make_change as make_draft
from tests.factories.evidence import JUNIT

pytestmark = pytest.mark.django_db
LINK = "https://ci.example.org/runs/7"


@pytest.fixture
def change():
    return make_change(State.IN_REVIEW)


def token(person) -> dict[str, str]:
    return {"Authorization": f"Bearer {issue_personal_token(name='pipeline', days=3, by=person.actor).secret}"}


def link(client, person, change, **body):
    address = f"/api/v1/changes/{change.ref}/evidence"
    return client.post(address, json.dumps({"link": LINK} | body), content_type="application/json", headers=token(person))


def upload(client, person, change, body=JUNIT, name="report.xml", **more):
    data = {"file": SimpleUploadedFile(name, body, content_type="image/png")} | more
    return client.post(f"/api/v1/changes/{change.ref}/evidence", data, headers=token(person))


def environment_of(change) -> str:
    return change.legs.filter(is_current=True).first().environment.slug


def test_a_file_is_attached_to_a_leg_and_nothing_lapses(client, change):
    answer = upload(client, change.requester, change, environment=environment_of(change))

    assert answer.status_code == 201, answer.content
    assert answer.json() == {
        "name": "report.xml",
        "kind": "junit",
        "sha256": hashlib.sha256(JUNIT).hexdigest(),
        "size": len(JUNIT),
        "counted": {"tests": 1, "failures": 0, "errors": 0, "skipped": 0, "failing": [], "claims": {}},
        "link": "",
        "environment": environment_of(change),
        "revision": 1,
    }
    assert upload(client, change.requester, change, environment=environment_of(change)).status_code == 200
    assert change.revisions.count() == 1


def test_a_link_is_put_into_the_plan_as_a_new_revision(client, change):
    answer = link(client, change.requester, change, name="Pipeline 7")

    assert (answer.status_code, answer.json()["revision"], answer.json()["link"]) == (201, 2, LINK)
    change.refresh_from_db()
    assert [(one.name, one.kind) for one in content_of(change.revision).plan.evidence] == [("Pipeline 7", "link")]
    assert change.uploads.get().identities == change.items.get(is_current=True).identities
    again = link(client, change.requester, change, name="Pipeline 7")
    assert (again.status_code, again.json()["revision"]) == (200, 2)
    assert EvidenceUpload.objects.count() == 1


def test_bytes_of_a_digest_that_the_plan_names_already_are_kept_without_an_edit(client):
    person = make_person(Role.REQUESTER)
    named = Plan(evidence=(Evidence("report", hashlib.sha256(JUNIT).hexdigest(), "junit"),))
    change = make_draft(requester=person, plan=named)

    answer = upload(client, person, change)

    assert (answer.status_code, answer.json()["revision"], answer.json()["name"]) == (201, 1, "report")
    assert change.uploads.get().file.size == len(JUNIT)


def test_several_services_in_one_place_are_told_apart(client):
    first = make_place()
    second = make_place(environment=first.environment)
    change = make_change(State.IN_REVIEW, targets=(first, second))
    rung = first.environment.slug

    assert "Several services go there" in str(link(client, change.requester, change, environment=rung).json()["errors"])
    assert link(client, change.requester, change, environment=rung, service=second.service.slug).status_code == 201
    assert change.uploads.get().service == second.service


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"environment": "nowhere"}, "environment"),
        ({"service": "nothing"}, "service"),
        ({"link": ""}, "link"),
        ({"link": "http://ci.example.org"}, "link"),
        ({"link": 5}, "link"),
        ({"name": "a\u202eb"}, "name"),
        ({"name": "x" * 200}, "name"),
        ({"name": ["a"]}, "name"),
    ],
)
def test_what_cannot_be_taken_is_a_problem_that_names_the_field(client, change, body, field):
    answer = link(client, change.requester, change, **body)

    assert (answer.status_code, [error["field"] for error in answer.json()["errors"]]) == (422, [field])
    assert not EvidenceUpload.objects.exists()


@pytest.mark.parametrize(
    ("body", "name"), [(b"PK\x03\x04", "report.xml"), (b"", "report.xml"), (b"<!DOCTYPE a [<!ENTITY b 'c'>]><testsuite/>", "r.xml")]
)
def test_a_file_that_cannot_be_taken_is_a_problem(client, change, body, name):
    answer = upload(client, change.requester, change, body, name)

    assert answer.status_code == 422
    assert answer["Content-Type"] == "application/problem+json"
    assert not EvidenceUpload.objects.exists()


def test_a_file_and_a_link_at_once_are_refused(client, change):
    assert upload(client, change.requester, change, link=LINK).status_code == 422


def test_who_may_not_is_refused_and_nothing_is_kept(client, change):
    nobody = make_person(Role.AUDITOR)

    assert link(client, nobody, change).status_code == 403
    assert link(client, nobody, change, environment=environment_of(change)).status_code == 403
    draft = make_draft(requester=change.requester)
    assert link(client, PersonFactory(), draft).status_code == 404
    assert client.post(f"/api/v1/changes/{change.ref}/evidence", {}).status_code == 401
    assert not EvidenceUpload.objects.exists()


def test_a_change_that_is_over_takes_none(client):
    change = make_change(State.WITHDRAWN)

    for more in ({}, {"environment": environment_of(change)}):
        answer = link(client, change.requester, change, **more)
        assert (answer.status_code, answer.json()["code"]) == (409, "change_is_over")
    assert not EvidenceUpload.objects.exists()


def test_a_body_that_is_too_large_is_a_problem(client, change, settings):
    settings.EVIDENCE_MEGABYTES = 1

    answer = upload(client, change.requester, change, b"x" * 2_100_000, "big.bin")

    assert (answer.status_code, answer["Content-Type"]) == (413, "application/problem+json")


@pytest.mark.parametrize("kind", ["multipart/form-data", "multipart/form-data; boundary=x", "text/xml", "application/octet-stream"])
def test_a_body_of_another_kind_is_not_read(client, change, kind):
    answer = client.post(f"/api/v1/changes/{change.ref}/evidence", b"\xff\x00", content_type=kind, headers=token(change.requester))

    assert answer.status_code in {400, 415, 422}
    assert answer["Content-Type"] == "application/problem+json"
