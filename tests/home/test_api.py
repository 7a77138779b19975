"""The API for changes: each address works, each refusal is a problem a program can read."""

import json
from uuid import uuid4

import pytest
from django.urls import reverse

from apps.accounts.actions import issue_personal_token
from apps.accounts.roles import Role
from apps.changes.models import Change, Revision
from apps.changes.states import State
from tests.approvals.world import make_world
from tests.catalog.repository import make_repository
from tests.conftest import NOW
from tests.factories.accounts import make_person
from tests.factories.approvals import approve, make_change

COMMIT = "git:" + "4a92c6e8" * 5


@pytest.fixture
def world(db):
    return make_world()


@pytest.fixture
def api(client, world):
    client.force_login(world.requester)
    return Api(client)


class Api:
    """A program that speaks JSON."""

    def __init__(self, client):
        self.client = client

    def post(self, url, body=None, **more):
        return self.client.post(url, data=json.dumps(body if body is not None else {}), content_type="application/json", **more)

    def get(self, url):
        return self.client.get(url)


def body(world, **parts):
    return {
        "scope": {
            "items": [
                {
                    "service": world.target.service.slug,
                    "label": "3.18.1",
                    "identities": [COMMIT],
                    "environments": [world.target.environment.slug],
                }
            ],
            "aspects": ["CODE"],
            "reason": "Visitors give up when the outward ferry is full.",
        },
        "plan": {"steps": [{"what": "Roll out", "by": "AUTOMATION", "expected_seconds": 120, "verify": "/version"}]},
        "rollback": {"strategy": "PREVIOUS_RELEASE", "trigger": "abandoned checkouts over 30 %", "seconds_to_restore": 140},
        "story": {"title": "Offer the return ferry first", "labels": ["checkout"]},
        **parts,
    }


def change_url(name, ref):
    return reverse(f"api:{name}", args=[ref])


def created(api, world, **parts):
    response = api.post(reverse("api:changes"), body(world, **parts))
    assert response.status_code == 201, response.content
    return response.json()


def fields(response):
    assert response.status_code == 422, response.content
    assert response.headers["Content-Type"] == "application/problem+json"
    return [error["field"] for error in response.json()["errors"]]


def test_create_answers_the_draft_and_where_it_is(api, world):
    response = api.post(reverse("api:changes"), body(world))

    made = response.json()
    assert (response.status_code, response.headers["Location"]) == (201, change_url("change", made["ref"]))
    assert (made["state"], made["kind"], made["outcome"]) == ("DRAFT", "NORMAL", None)
    assert made["requester"] == {"id": str(world.requester.public_id), "name": "Rita"}
    item = made["content"]["scope"]["items"][0]
    assert (item["service"], item["environments"], item["identities"]) == (
        world.target.service.slug,
        [world.target.environment.slug],
        [COMMIT],
    )
    assert made["revision"]["digest"] == Revision.objects.get().digest


def test_create_with_a_personal_token_works_without_a_session(client, world):
    issued = issue_personal_token(name="script", days=1, by=world.requester.actor)

    response = Api(client).post(reverse("api:changes"), body(world), headers={"Authorization": f"Bearer {issued.secret}"})

    assert response.status_code == 201


def test_what_is_read_can_be_sent_again_and_changes_nothing(api, world):
    made = created(api, world)

    response = api.post(change_url("revisions", made["ref"]), made["content"])

    assert response.status_code == 200
    assert Revision.objects.count() == 1


def test_names_may_be_ids_and_old_short_names(api, world):
    from tests.factories.catalog import EnvironmentAliasFactory, ServiceAliasFactory

    ServiceAliasFactory(service=world.target.service, slug="old-name")
    EnvironmentAliasFactory(environment=world.target.environment, slug="old-place")
    for service, environment in [
        ("old-name", "old-place"),
        (str(world.target.service.public_id), str(world.target.environment.public_id)),
    ]:
        scope = body(world)["scope"]
        scope["items"][0] |= {"service": service, "environments": [environment]}
        assert created(api, world, scope=scope)["content"]["scope"]["items"][0]["service"] == world.target.service.slug


def test_revise_replaces_only_the_parts_that_were_sent(api, world):
    made = created(api, world)

    response = api.post(change_url("revisions", made["ref"]), {"story": {"title": "Another title"}})

    after = response.json()
    assert (response.status_code, after["revision"]["number"]) == (201, 2)
    assert after["content"]["story"]["title"] == "Another title"
    assert after["content"]["plan"] == made["content"]["plan"]


def test_revise_lapses_what_covered_the_part(api, world):
    change = make_change(State.APPROVED, targets=(world.target,), requester=world.requester)

    response = api.post(change_url("revisions", change.ref), {"plan": {"steps": []}})

    after = response.json()
    assert after["state"] == "IN_REVIEW"
    (rule,) = after["legs"][0]["rules"]
    assert (rule["state"], rule["missing"], len(rule["lapsed"])) == ("LAPSED", 1, 1)


def test_revise_what_somebody_else_edited_meanwhile_is_refused(api, world):
    made = created(api, world)
    api.post(change_url("revisions", made["ref"]), {"story": {"title": "Second"}})

    response = api.post(change_url("revisions", made["ref"]), {"story": {"title": "Third"}, "revision_digest": made["revision"]["digest"]})

    assert response.status_code == 409
    problem = response.json()
    assert problem["code"] == "stale_revision"
    assert problem["cure"] == "Read the difference, then go on from that revision."


def test_submit_says_who_can_agree(api, world):
    made = created(api, world)

    response = api.post(change_url("submission", made["ref"]))

    after = response.json()
    assert (response.status_code, after["state"]) == (200, "IN_REVIEW")
    (leg,) = after["legs"]
    assert (leg["is_agreed"], leg["can_be_agreed"], leg["cures"]) == (False, True, [])
    assert leg["rules"][0]["state"] == "WAITING"


def test_submit_without_a_rollback_plan_names_the_field(api, world):
    made = created(api, world, rollback={"trigger": "none"})

    assert "rollback.strategy" in fields(api.post(change_url("submission", made["ref"])))


def test_submit_twice_is_a_conflict(api, world):
    made = created(api, world)
    api.post(change_url("submission", made["ref"]))

    response = api.post(change_url("submission", made["ref"]))

    assert (response.status_code, response.json()["code"]) == (409, "not_a_draft")


def test_read_shows_who_agreed(api, world):
    change = make_change(State.IN_REVIEW, targets=(world.target,), requester=world.requester)
    approve(change, world.business)

    (rule,) = api.get(change_url("change", change.ref)).json()["legs"][0]["rules"]

    assert (rule["state"], rule["by"]) == ("AGREED", [{"id": str(world.business.public_id), "name": "Bea"}])


@pytest.mark.parametrize("name", ["change", "revisions", "submission"])
@pytest.mark.parametrize("ref", ["CHG-999999", "CHG-0", "chg", "1", "CHG-" + "9" * 30, "%00", "CHG-1%0A"])
def test_what_is_not_there_is_404(api, name, ref):
    url = change_url(name, "REF").replace("REF", ref)
    response = api.get(url) if name == "change" else api.post(url)

    assert (response.status_code, response.json()["code"]) == (404, "not_found")


def test_anothers_draft_is_not_there(client, world):
    change = make_change(State.DRAFT, targets=(world.target,), requester=world.requester)
    client.force_login(world.business)

    assert Api(client).get(change_url("change", change.ref)).status_code == 404


@pytest.mark.parametrize("name", ["changes", "change", "revisions", "submission"])
def test_without_signing_in_nothing_is_answered(client, world, name):
    url = reverse("api:changes") if name == "changes" else change_url(name, "CHG-1")
    response = Api(client).get(url) if name == "change" else Api(client).post(url)

    assert response.status_code == 401
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_wrong_token_is_refused(client, world):
    response = client.get(change_url("change", "CHG-1"), headers={"Authorization": "Bearer ccp_wrong"})

    assert response.status_code == 401


def test_create_by_somebody_without_the_role_is_refused(client, world):
    client.force_login(make_person(Role.OPERATOR))

    response = Api(client).post(reverse("api:changes"), body(world))

    assert (response.status_code, response.json()["code"]) == (403, "not_a_requester")


def test_revise_by_somebody_else_is_refused(client, world):
    change = make_change(State.IN_REVIEW, targets=(world.target,), requester=world.requester)
    client.force_login(world.stranger)

    response = Api(client).post(change_url("revisions", change.ref), {"story": {"title": "Mine"}})

    assert response.status_code == 403


SCOPE = {"items": [], "aspects": [], "reason": "", "impact": ""}
ITEM = {"service": "SLUG", "label": "1", "identities": [COMMIT], "environments": ["PLACE"]}


@pytest.mark.parametrize(
    ("field", "parts"),
    [
        ("story", {"story": None}),
        ("story.title", {"story": {"title": "x" * 201}}),
        ("story.title", {"story": {"title": "a\x00b"}}),
        ("story.title", {"story": {"title": "a\x07b"}}),
        ("story.title", {"story": {"title": "a\ud800b"}}),
        ("story.title", {"story": {"title": 3.5e400}}),
        ("story.title", {"story": {"title": ["x"]}}),
        ("story.labels.0", {"story": {"title": "T", "labels": [""]}}),
        ("scope", {"scope": "x"}),
        ("scope.items", {"scope": {**SCOPE, "items": "x"}}),
        ("scope.items.0.service", {"scope": {**SCOPE, "items": [{}]}}),
        ("scope.items.0.service", {"scope": {**SCOPE, "items": [{**ITEM, "service": "unknown"}]}}),
        ("scope.items.0.service", {"scope": {**SCOPE, "items": [{**ITEM, "service": str(uuid4())}]}}),
        ("scope.items.0.environments", {"scope": {**SCOPE, "items": [{**ITEM, "environments": ["unknown"]}]}}),
        ("scope.items.0.identities", {"scope": {**SCOPE, "items": [{**ITEM, "identities": ["git:4a92c6e"]}]}}),
        ("scope.items.0.identities", {"scope": {**SCOPE, "items": [{**ITEM, "identities": ["main"]}]}}),
        ("scope.items.1.service", {"scope": {**SCOPE, "items": [ITEM, ITEM]}}),
        ("scope.aspects.0", {"scope": {**SCOPE, "aspects": ["MAGIC"]}}),
        ("plan.steps.0.what", {"plan": {"steps": [{}]}}),
        ("plan.steps.0.expected_seconds", {"plan": {"steps": [{"what": "x", "expected_seconds": -1}]}}),
        ("plan.steps.0.expected_seconds", {"plan": {"steps": [{"what": "x", "expected_seconds": 10**30}]}}),
        ("plan.steps.0.by", {"plan": {"steps": [{"what": "x", "by": "MAGIC"}]}}),
        ("plan.evidence.0.sha256", {"plan": {"evidence": [{"name": "tests", "sha256": "x"}]}}),
        ("rollback.strategy", {"rollback": {"strategy": "HOPE"}}),
        ("period.not_after", {"period": {"not_after": "tomorrow"}}),
        ("period.not_after", {"period": {"not_after": "2026-12-01T10:00:00"}}),
        ("period.not_after", {"period": {"not_after": "9999-12-31T23:59:59Z"}}),
        ("period.not_after", {"period": {"not_after": "0001-01-01T00:00:00+14:00"}}),
        ("period.zone", {"period": {"not_after": "2027-12-01T10:00:00Z", "zone": "Moon/Crater"}}),
    ],
)
def test_bad_input_names_the_field_by_its_path(api, world, field, parts):
    text = json.dumps(body(world, **parts)).replace("SLUG", world.target.service.slug).replace("PLACE", world.target.environment.slug)
    response = api.client.post(reverse("api:changes"), data=text.replace("Infinity", "1e400"), content_type="application/json")

    assert field in fields(response)
    assert not Change.objects.exists()


@pytest.mark.parametrize("text", ["", "{", "[]", '"x"', "1", "null", '{"story": NaN}', "\xff", '{"a":' * 2000, '"' + "x" * 1_000_001])
def test_what_is_no_object_is_told_as_such(api, text):
    response = api.client.post(reverse("api:changes"), data=text.encode("latin-1"), content_type="application/json")

    assert response.status_code in {400, 422}
    assert response.headers["Content-Type"] == "application/problem+json"


def test_another_form_is_told_as_such(api):
    response = api.client.post(reverse("api:changes"), data="<x/>", content_type="application/xml")

    assert (response.status_code, response.headers["Content-Type"]) == (415, "application/problem+json")


def test_another_method_is_told_as_such(api):
    assert api.client.delete(reverse("api:changes")).status_code == 405


def test_a_session_needs_its_csrf_token(world):
    from django.test import Client

    strict = Client(enforce_csrf_checks=True)
    strict.force_login(world.requester)

    response = Api(strict).post(reverse("api:changes"), body(world))

    assert response.status_code == 403
    assert not Change.objects.filter(created_at__gt=NOW).exists()


# What a program may overlook


@pytest.mark.parametrize(
    ("parts", "field"),
    [
        ({"kind_": "EMERGENCY"}, "kind_"),
        ({"rollback": {"strategy": "PREVIOUS_RELEASE", "seconds": 1}}, "rollback.seconds"),
        ({"period": {"not_after": "2030-01-01T00:00:00Z", "zoone": "UTC"}}, "period.zoone"),
    ],
)
def test_a_member_that_nobody_reads_is_refused_by_its_name(api, world, parts, field):
    assert fields(api.post(reverse("api:changes"), body(world, **parts))) == [field]
    assert not Change.objects.exists()


def test_parameters_that_nobody_reads_and_pages_that_are_none_are_refused(api, world):
    assert fields(api.get(reverse("api:changes") + "?foo=1")) == ["foo"]
    assert fields(api.get(reverse("api:changes") + "?after=zzz")) == ["after"]


def test_an_address_that_leads_nowhere_is_a_problem(api):
    response = api.get("/api/v1/nothing")

    assert (response.status_code, response.headers["Content-Type"]) == (404, "application/problem+json")
    assert response.json()["code"] == "not_found"
    assert api.get("/nothing").headers["Content-Type"].startswith("text/html")


def test_a_change_names_its_page_and_gets_a_title_where_none_was_given(api, world):
    given = body(world)
    del given["story"]

    made = api.post(reverse("api:changes"), given).json()

    assert made["url"].endswith(reverse("home:change", args=[made["ref"]]))
    assert made["content"]["story"]["title"] == f"{world.target.service.name} 3.18.1"


def test_steps_that_take_longer_than_was_said_are_warned_of(api, world):
    rollback = {"strategy": "PREVIOUS_RELEASE", "seconds_to_restore": 5, "steps": [{"what": "Switch back", "expected_seconds": 7200}]}

    made = created(api, world, rollback=rollback)

    assert "take 7200 seconds together" in made["warnings"]["rollback.seconds_to_restore"][0]


# Versions in a repository


@pytest.fixture
def repository(world, tmp_path, settings):
    settings.REPOSITORY_PATHS = [str(tmp_path)]
    made = make_repository(tmp_path / "shop")
    base = made.commit("one")
    service = world.target.service
    service.repository, service.repository_id = str(made.root), "repo-1"
    service.save()
    type(world.target).objects.filter(service=service).update(running_identities=[f"git:{base}"])
    return made


def versioned(world, identity, **more):
    scope = body(world)["scope"] | {"aspects": [], **more}
    scope["items"][0] |= {"identities": [identity]}
    return scope


def test_a_branch_becomes_its_commit_and_its_files_say_what_is_touched(api, world, repository):
    head = repository.commit("two", {"shop/migrations/0002_more.py": "x", "main.tf": "y"})

    made = created(api, world, scope=versioned(world, "git:main"))
    again = api.post(change_url("revisions", made["ref"]), {"scope": versioned(world, f"git:{head[:8]}")})

    assert made["content"]["scope"]["items"][0]["identities"] == [f"git:{head}"]
    assert {"DATA", "INFRASTRUCTURE"} <= {*made["content"]["scope"]["aspects"]}
    assert again.status_code == 200


def test_a_commit_that_is_not_there_is_refused(api, world, repository):
    assert fields(api.post(reverse("api:changes"), body(world, scope=versioned(world, "git:" + "ab" * 20)))) == ["scope.items.0.identities"]
    assert fields(api.post(reverse("api:changes"), body(world, scope=versioned(world, "git:nowhere")))) == ["scope.items.0.identities"]


def test_submission_asks_what_is_touched_where_nothing_says_it(api, world):
    refused = api.post(reverse("api:changes"), body(world, scope=versioned(world, COMMIT), submit=True))
    config = api.post(reverse("api:changes"), body(world, scope=versioned(world, "config:" + "ab" * 32), submit=True))

    assert fields(refused) == ["scope.aspects"]
    assert config.json()["content"]["scope"]["aspects"] == ["CONFIGURATION"]
