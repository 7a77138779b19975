"""A CI job at the gate with its issuer's token: what is taken, and every way of not being taken with its code."""

import json

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.audit.stream import entries_about
from apps.changes.states import State
from apps.core.references import reference
from apps.gate import wire
from apps.gate.counting import unknown_tokens
from apps.gate.models import Evaluation, GateToken
from apps.gate.rules import Action
from apps.gate.rules.trusting import Pins
from apps.gate.rules.workloads import IssuerKind
from apps.gate.trusting import end_issuer, end_trust
from apps.gate.trusts import forget_trusts
from tests.accounts.provider import OTHER_KEY
from tests.factories.approvals import make_change, make_place
from tests.factories.catalog import EnvironmentFactory, make_service, make_target
from tests.factories.changes import COMMIT
from tests.factories.gate import ask, body_for, look
from tests.gate.ci import (
    AUDIENCE,
    GITLAB_PINS,
    SUBJECT_WITH_IDS,
    by_public_key,
    changed,
    github,
    gitlab,
    make_issuer,
    make_trust,
    raw,
    signed,
)

pytestmark = pytest.mark.django_db
HEADER = {"alg": "RS256", "kid": "one", "typ": "JWT"}
CURVE = ec.generate_private_key(ec.SECP256R1())


@pytest.fixture
def target():
    return make_place()


@pytest.fixture
def hub(provider, chief, target):
    """GitHub is entered, and a job of one repository is trusted for one target."""
    issuer = make_issuer(provider.issuer, by=chief)
    return issuer, make_trust(issuer, target, by=chief)


@pytest.fixture
def lab(provider, chief, target):
    """GitLab is entered, and a job of one project is trusted for one target."""
    issuer = make_issuer(provider.issuer, by=chief, kind=IssuerKind.GITLAB)
    return issuer, make_trust(issuer, target, by=chief, pins=GITLAB_PINS)


def post(token, target, **more):
    return ask(token, body_for(target, COMMIT), **more)


def test_trusted_job_is_answered_as_itself(provider, hub, target):
    make_change(State.APPROVED, targets=(target,))

    response = post(signed(github(iss=provider.issuer)), target)

    body, (_, trust) = response.json(), hub
    (entry,) = [one for one in entries_about(reference("evaluation", body["id"]), limit=5) if one.event == "gate.answered"]
    assert (response.status_code, body["verdict"]) == (201, "ALLOW")
    assert (entry.by.kind, entry.by.id, entry.data["job"]) == ("WORKLOAD", trust.reference.id, "github:456789:1658821493:2")
    assert trust.reference in entry.refs


def test_run_and_actor_are_those_of_the_token_whatever_the_body_says(provider, hub, target):
    token = signed(github(iss=provider.issuer))
    body = body_for(target, COMMIT, run={"system": "jenkins", "id": "1", "attempt": 7, "url": "https://elsewhere.example/1"})

    ask(token, body)

    run = json.loads(bytes(Evaluation.objects.get().question))["run"]
    assert run == {
        "system": "github",
        "id": "1658821493",
        "attempt": 2,
        "url": f"{provider.issuer}/octo-org/octo-repo/actions/runs/1658821493/attempts/2",
        "actor": "octocat",
    }


def test_job_looks_again_at_its_own_question_and_at_no_others(provider, chief, hub, target):
    issuer, _ = hub
    make_trust(issuer, target, by=chief, pins=GITLAB_PINS)
    token = signed(github(iss=provider.issuer))
    other = signed(github(iss=provider.issuer, repository_id="22", repository_owner_id="7", sub="repo:a/b:environment:production"))
    asked = post(token, target).json()["id"]

    assert look(token, asked).status_code == 200
    assert look(other, asked).status_code == 404


def test_matrix_jobs_of_a_run_share_one_evaluation(provider, hub, target):
    first = post(signed(github(iss=provider.issuer)), target, key="run-1")
    second = post(signed(github(iss=provider.issuer, jti="two", check_run_id="77")), target, key="run-1")

    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["id"] == second.json()["id"]


@pytest.mark.parametrize(
    "more",
    [
        {"sub": SUBJECT_WITH_IDS},
        {"sub": "environment:production:repository_owner:octo-org"},
        {"repository": "octo-org/renamed", "workflow_ref": "octo-org/renamed/.github/workflows/deploy.yml@refs/heads/main"},
        {"aud": [AUDIENCE]},
        {"environment": "Production"},
        {"nbf": None},
        {"iat": 0, "exp": 0, "shift": 20},
        {"repository_id": 456789},
    ],
    ids=[
        "sub-with-ids",
        "sub-customised",
        "renamed",
        "aud-list-of-one",
        "environment-case",
        "no-nbf",
        "clock-slightly-off",
        "id-as-number",
    ],
)
def test_variants_of_the_same_job_are_taken(provider, hub, target, more):
    claims = github(iss=provider.issuer)
    if shift := more.pop("shift", 0):
        more |= {"iat": claims["iat"] + shift, "nbf": claims["iat"] + shift, "exp": claims["exp"] + shift}

    assert post(signed({name: value for name, value in {**claims, **more}.items() if value is not None}), target).status_code == 201


def forged(url):
    """Every forged or unfitting token, with the code it is refused with."""
    good = github(iss=url)

    def job(**more):
        return signed(github(iss=url, **more))

    now = good["iat"]
    fork = {"event_name": "pull_request", "ref": "refs/pull/7/merge", "ref_type": "branch", "head_ref": "patch-1", "base_ref": "main"}
    return {
        "alg-none": (raw({**HEADER, "alg": "none"}, good, b""), "not_a_token"),
        "alg-none-with-signature": (raw({**HEADER, "alg": "none"}, good), "algorithm"),
        "alg-none-in-capitals": (raw({**HEADER, "alg": "NoNe"}, good), "algorithm"),
        "alg-a-list": (raw({**HEADER, "alg": ["RS256"]}, good), "algorithm"),
        "alg-an-object": (raw({**HEADER, "alg": {"RS256": 1}}, good), "algorithm"),
        "alg-missing": (raw({"kid": "one", "typ": "JWT"}, good), "algorithm"),
        "hs256-with-the-public-key": (by_public_key(good), "algorithm"),
        "es256-with-the-id-of-an-rsa-key": (signed(good, key=CURVE, algorithm="ES256"), "algorithm"),
        "rs512-with-a-key-for-rs256": (signed(good, algorithm="RS512"), "algorithm"),
        "signed-by-another-key": (signed(good, key=OTHER_KEY), "signature"),
        "claims-changed-after-signing": (changed(signed(good), ref="refs/heads/other"), "signature"),
        "signature-of-zeros": (raw(HEADER, good, b"\x00" * 256), "signature"),
        "key-id-unknown": (signed(good, kid="two"), "key_unknown"),
        "key-id-missing": (jwt.encode(good, OTHER_KEY, "RS256"), "key_id"),
        "key-id-a-path": (signed(good, kid="../../one"), "key_unknown"),
        "jku": (signed(good, jku="https://evil.example/keys"), "key_in_token"),
        "x5u": (signed(good, x5u="https://evil.example/certificate"), "key_in_token"),
        "jwk": (signed(good, key=OTHER_KEY, jwk={"kty": "RSA"}), "key_in_token"),
        "x5c": (signed(good, x5c=["MII"]), "key_in_token"),
        "crit": (raw({**HEADER, "crit": ["exp"], "exp": 1}, good), "critical_header"),
        "crit-b64": (raw({**HEADER, "crit": ["b64"], "b64": False}, good), "critical_header"),
        "nested-token": (signed(good, cty="JWT"), "nested"),
        "zipped": (signed(good, zip="DEF"), "nested"),
        "of-another-type": (signed(good, typ="logout+jwt"), "nested"),
        "encrypted": (".".join(["eyJhbGciOiJSU0EtT0FFUCJ9", "a" * 20, "b", "c" * 20, "d"]), "encrypted"),
        "giant": (job(filler="x" * 9000), "too_long"),
        "header-names-twice": (raw('{"alg":"none","alg":"RS256","kid":"one"}', good), "not_a_token"),
        "claims-name-twice": (raw(HEADER, json.dumps(good)[:-1] + ',"ref":"refs/heads/other"}'), "not_a_token"),
        "claims-a-list": (raw(HEADER, [good]), "not_a_token"),
        "claims-deep": (raw(HEADER, "[" * 3000), "not_a_token"),
        "claims-not-utf8": ("eyJhbGciOiJSUzI1NiIsImtpZCI6Im9uZSJ9.gICA.c2ln", "not_a_token"),
        "other-issuer": (signed({**good, "iss": "https://token.actions.githubusercontent.com"}), "issuer"),
        "issuer-with-a-slash": (signed({**good, "iss": f"{url}/"}), "issuer"),
        "issuer-with-a-user": (signed({**good, "iss": url.replace("//", "//a@")}), "issuer"),
        "issuer-a-list": (raw(HEADER, {**good, "iss": [url]}), "issuer"),
        "issuer-missing": (signed({name: value for name, value in good.items() if name != "iss"}), "issuer"),
        "expired": (job(exp=now - 60, iat=now - 600), "expired"),
        "not-yet-valid": (job(nbf=now + 300), "not_yet"),
        "issued-in-the-future": (job(iat=now + 300), "not_yet"),
        "never-expires": (job(exp=None), "claim_missing"),
        "expires-in-a-year": (job(exp=now + 365 * 86_400), "lives_too_long"),
        "expiry-a-word": (job(exp="9999999999"), "claim_not_readable"),
        "expiry-a-boolean": (job(exp=True), "expired"),
        "other-audience": (job(aud="https://other.example"), "audience"),
        "audience-of-several": (job(aud=[AUDIENCE, "https://other.example"]), "audience"),
        "audience-beginning-like-ours": (job(aud=AUDIENCE + ".evil.example"), "audience"),
        "audience-missing": (job(aud=None), "claim_missing"),
        "same-name-another-id": (job(repository_id="456790"), "project"),
        "id-with-a-leading-zero": (job(repository_id="0456789"), "project"),
        "id-missing": (job(repository_id=None), "claim_missing"),
        "id-a-list": (job(repository_id=["456789"]), "claim_not_readable"),
        "subject-names-other-ids": (job(sub="repo:octo-org@123456/octo-repo@1:ref:refs/heads/main"), "claims_disagree"),
        "moved-to-another-owner": (job(repository_owner_id="999"), "owner"),
        "other-ref": (job(ref="refs/heads/feature"), "ref"),
        "tag-named-like-the-branch": (job(ref="refs/tags/main", ref_type="tag"), "ref"),
        "branch-said-to-be-a-tag": (job(ref_type="tag"), "claims_disagree"),
        "ref-without-its-kind": (job(ref="main"), "claims_disagree"),
        "environment-missing": (job(environment=None), "environment_missing"),
        "other-environment": (job(environment="staging"), "environment"),
        "environment-that-looks-alike": (job(environment="ｐroduction"), "environment"),
        "pull-request": (job(event_name="pull_request"), "merge_request"),
        "pull-request-target": (job(event_name="pull_request_target"), "merge_request"),
        "workflow-run": (job(event_name="workflow_run"), "merge_request"),
        "fork": (job(**fork), "ref"),
        "other-workflow": (job(workflow_ref="octo-org/octo-repo/.github/workflows/ci.yml@refs/heads/main"), "workflow"),
        "workflow-at-another-ref": (job(workflow_ref=good["workflow_ref"].replace("main", "evil")), "workflow_ref"),
        "workflow-of-another-repository": (job(workflow_ref="evil/repo/.github/workflows/deploy.yml@refs/heads/main"), "claims_disagree"),
    }  # fmt: skip


@pytest.mark.parametrize("name", sorted(forged("http://127.0.0.1:1")))
def test_forged_or_unfitting_token_is_refused_with_its_code(provider, hub, target, name):
    token, code = forged(provider.issuer)[name]

    response = post(token, target)

    assert (response.status_code, response.json()["code"]) == (401, f"ci_{code}")
    assert response["Content-Type"] == "application/problem+json"
    assert response["WWW-Authenticate"].startswith("Bearer")
    assert not Evaluation.objects.exists()


def forged_by_gitlab(url):
    """GitLab's own ways of being somebody else."""

    def job(**more):
        return signed(gitlab(iss=url, **more))

    return {
        "merge-request": (job(pipeline_source="merge_request_event", ref="patch", ref_path="refs/merge-requests/3/head"), "ref"),
        "merge-request-on-the-branch": (job(pipeline_source="merge_request_event"), "merge_request"),
        "external-pull-request": (job(pipeline_source="external_pull_request_event"), "merge_request"),
        "source-of-tomorrow": (job(pipeline_source="something_new"), "merge_request"),
        "tag-named-like-the-branch": (job(ref_type="tag", ref_path="refs/tags/main"), "ref"),
        "tag-said-to-be-a-branch": (job(ref_path="refs/tags/main"), "claims_disagree"),
        "kind-of-ref-unknown": (job(ref_type="note"), "claims_disagree"),
        "protected-neither-true-nor-false": (job(ref_protected="False"), "claim_not_readable"),
        "fork-with-its-own-id": (job(project_id="23"), "project"),
        "other-group": (job(namespace_id="8"), "owner"),
        "environment-in-capitals": (job(environment="Production"), "environment"),
    }


@pytest.mark.parametrize("name", sorted(forged_by_gitlab("http://127.0.0.1:1")))
def test_unfitting_token_of_gitlab_is_refused_with_its_code(provider, lab, target, name):
    token, code = forged_by_gitlab(provider.issuer)[name]

    response = post(token, target)

    assert (response.status_code, response.json()["code"]) == (401, f"ci_{code}")


@pytest.mark.parametrize("said", ["false", None, False], ids=["word-false", "missing", "false"])
def test_gitlab_job_on_a_ref_that_is_not_protected_is_denied_where_people_must_agree(provider, lab, target, said):
    body = post(signed(gitlab(iss=provider.issuer, ref_protected=said)), target).json()

    assert (body["verdict"], body["codes"], body["final"]) == ("DENY", ["ref_not_protected"], False)


def test_gitlab_job_is_taken_with_its_pipeline_as_the_run(provider, lab, target):
    make_change(State.APPROVED, targets=(target,))

    body = post(signed(gitlab(iss=provider.issuer, ref_path=None)), target).json()

    run = json.loads(bytes(Evaluation.objects.get().question))["run"]
    assert body["verdict"] == "ALLOW"
    assert (run["system"], run["id"], run["actor"]) == ("gitlab", "1212", "myuser")
    assert run["url"] == f"{provider.issuer}/my-group/my-project/-/pipelines/1212"


def test_job_of_any_other_issuer_is_known_by_the_claim_that_was_named(provider, chief, target):
    issuer = make_issuer(provider.issuer, by=chief, kind=IssuerKind.OTHER, project_claim="oidc.circleci.com/project-id")
    pins = Pins(audience=AUDIENCE, project="5f3a-1", refs=("refs/heads/main",))
    make_trust(issuer, target, by=chief, pins=pins)
    claims = {"iss": provider.issuer, "sub": "org/1/project/5f3a-1/user/9", "aud": AUDIENCE, "ref": "refs/heads/main", **gitlab_times()}

    taken = post(signed({**claims, "oidc.circleci.com/project-id": "5f3a-1"}), target)
    other = post(signed({**claims, "oidc.circleci.com/project-id": "5f3a-2"}), target)
    without = post(signed(claims), target)

    assert taken.status_code == 201
    assert [one.json()["code"] for one in (other, without)] == ["ci_project", "ci_claim_missing"]


def gitlab_times():
    return {name: value for name, value in gitlab().items() if name in {"iat", "nbf", "exp", "jti"}}


def test_job_outside_its_scope_is_denied_as_a_token_is(provider, hub, target):
    token = signed(github(iss=provider.issuer))

    elsewhere = post(token, make_place()).json()
    back = ask(token, body_for(target, COMMIT, action="rollback")).json()

    assert (elsewhere["codes"], back["codes"]) == (["out_of_scope"], ["action_out_of_scope"])
    assert elsewhere["findings"][0]["message"].startswith("The trust Deploy job is not for")


def test_merge_request_may_ask_only_where_no_agreement_is_needed(provider, chief, target):
    open_place = make_target(make_service(), EnvironmentFactory(change_required="NO"))
    pins = Pins(audience=AUDIENCE, project="456789", environment="production", takes_merge_requests=True)
    make_trust(make_issuer(provider.issuer, by=chief), open_place, by=chief, pins=pins)
    token = signed(github(iss=provider.issuer, event_name="pull_request", ref="refs/pull/7/merge", head_ref="patch"))

    before = post(token, open_place).json()
    open_place.environment.change_required = "APPROVED"
    open_place.environment.save()
    after = post(token, open_place).json()

    assert before["verdict"] == "ALLOW"
    assert (after["verdict"], after["codes"]) == ("DENY", ["merge_request"])


def test_ended_trust_is_refused_from_the_next_question_on(provider, chief, hub, target):
    token = signed(github(iss=provider.issuer))
    assert post(token, target).status_code == 201  # the process knows the trust from now on

    end_trust(hub[1].pk, by=chief.actor)
    response = post(token, target)

    assert (response.status_code, response.json()["code"]) == (401, "token_over")
    (entry,) = [one for one in entries_about(hub[1].reference, limit=9) if one.event == "trust.refused"]
    assert (entry.by.kind, entry.data["code"]) == ("WORKLOAD", "token_over")


def test_ended_issuer_is_refused_from_the_next_question_on(provider, chief, hub, target):
    token = signed(github(iss=provider.issuer))
    post(token, target)

    end_issuer(hub[0].pk, by=chief.actor)
    at_once = post(token, target).json()["code"]
    forget_trusts()  # what every process does within seconds
    later = post(token, target).json()["code"]

    assert (at_once, later) == ("token_over", "ci_issuer")


def test_of_two_trusts_the_one_that_lasts_longer_counts(provider, chief, hub, target):
    issuer, old = hub
    new = make_trust(issuer, target, by=chief, days=90, actions=(Action.DEPLOY, Action.ROLLBACK))

    post(signed(github(iss=provider.issuer)), target)

    assert Evaluation.objects.get().token_id == new.pk != old.pk
    assert GateToken.objects.get(pk=new.pk).used_at is not None


def test_known_job_costs_the_gate_two_statements(provider, hub, target, monkeypatch):
    token, spoken = signed(github(iss=provider.issuer)), []
    post(token, target)
    write = wire.write
    monkeypatch.setattr(wire, "write", lambda statement, values: spoken.append(statement.name) or write(statement, values))
    monkeypatch.setattr("apps.gate.recording.write", wire.write)

    with CaptureQueriesContext(connection) as django:
        post(token, target)

    ours = [one["sql"] for one in django.captured_queries if "gate_trust" in one["sql"] or "gate_issuer" in one["sql"]]
    assert (len(spoken), ours) == (2, [])


def test_token_nobody_trusts_is_counted_and_not_recorded(provider, hub, target, monkeypatch):
    counted = []
    monkeypatch.setattr(unknown_tokens, "add", lambda: counted.append(1))

    post(signed(github(iss=provider.issuer, repository_id="1")), target)

    assert (len(counted), Evaluation.objects.count()) == (1, 0)
