"""What claims say of a job, and which trust takes it: without a database, without a key."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from apps.catalog.rules import PersonFacts
from apps.gate.rules import Action, AskerKind, judge
from apps.gate.rules.taking import TrustFacts, tried, trust_for
from apps.gate.rules.trusting import WaitingTrust, errors_in_issuer, errors_in_pins, why_not_confirm_trust, why_not_end_trust
from apps.gate.rules.workloads import IssuerFacts, IssuerKind, NotTaken, read_workload
from tests.conftest import NOW
from tests.factories.gate import ARTIFACT, COMMIT, facts_with
from tests.gate.ci import PINS, SUBJECT_WITH_IDS, github, gitlab

HUB = IssuerFacts(UUID(int=1), "https://token.actions.githubusercontent.com", IssuerKind.GITHUB, "repository_id")
OWN_HUB = replace(HUB, url="https://git.example.com/_services/token")
LAB = IssuerFacts(UUID(int=2), "https://gitlab.example.com", IssuerKind.GITLAB, "project_id")
TRUST = TrustFacts(
    id=UUID(int=3),
    name="Deploy job",
    kind=IssuerKind.GITHUB,
    audience=PINS.audience,
    project=PINS.project,
    owner=PINS.owner,
    environment=PINS.environment,
    refs=PINS.refs,
    workflow=PINS.workflow,
    takes_merge_requests=False,
    own_commit=False,
    expires_at=NOW + timedelta(days=30),
    hash=b"\x01" * 32,
)
SHARED = "octo-org/shared/.github/workflows/release.yml@refs/heads/main"


def job(**more):
    return read_workload(github(**more), issuer=HUB)


def lab_job(**more):
    return read_workload(gitlab(**more), issuer=LAB)


def code(call):
    with pytest.raises(NotTaken) as refused:
        call()
    return refused.value.code


def test_github_run_leads_to_its_page():
    assert job().url == "https://github.com/octo-org/octo-repo/actions/runs/1658821493/attempts/2"
    assert read_workload(github(), issuer=OWN_HUB).url == "https://git.example.com/octo-org/octo-repo/actions/runs/1658821493/attempts/2"


@pytest.mark.parametrize("sub", [SUBJECT_WITH_IDS, "repo:octo-org/octo-repo:ref:refs/heads/main", "repo:o@x:1", "anything", "", None])
def test_subject_in_any_format_is_the_same_job(sub):
    assert job(sub=sub) == job()


def test_job_that_can_run_what_nobody_took_in_is_a_merge_request():
    requests = [
        {"event_name": "pull_request", "ref": "refs/pull/7/merge", "head_ref": "patch"},
        {"event_name": "pull_request_target"},
        {"event_name": "workflow_run"},
        {"event_name": "merge_group", "ref": "refs/heads/gh-readonly-queue/main/pr-1"},
        {"event_name": "push", "head_ref": "patch"},
        {"event_name": "push", "ref": "refs/pull/7/head"},
        {"event_name": "issue_comment"},
    ]

    assert all(job(**one).is_merge_request for one in requests)
    assert not any(job(event_name=one).is_merge_request for one in ("push", "release", "workflow_dispatch", "schedule"))


def test_gitlab_job_of_a_fork_is_a_merge_request_in_its_child_pipeline_too():
    child = {"pipeline_source": "parent_pipeline"}
    forks = [{**child, "job_project_id": "23"}, {**child, "source_project_id": "23"}, {"job_project_id": 23}]

    assert all(lab_job(**one).is_merge_request for one in forks)
    assert not any(lab_job(**one).is_merge_request for one in (child, {**child, "job_project_id": "22", "source_project_id": 22}))


def test_gitlab_job_is_read_with_words_for_booleans_and_ids():
    told = lab_job()

    assert (told.project, told.owner, told.ref, told.is_protected) == ("22", "7", "refs/heads/main", True)
    assert (told.workflow, told.workflow_ref) == (".gitlab-ci.yml", "refs/heads/main")
    assert [lab_job(ref_protected=one).is_protected for one in ("false", "true", None, True)] == [False, True, False, True]
    assert lab_job(project_id=22).project == "22"
    assert lab_job(ref_path=None, ref_type="tag", ref="v1").ref == "refs/tags/v1"


@pytest.mark.parametrize("project", ["templates/deploy", "theirs/my-group/my-project", "my-group/my-project/sub"])
def test_pipeline_file_of_another_project_keeps_its_whole_address(project):
    elsewhere = lab_job(ci_config_ref_uri=f"gitlab.example.com/{project}//.gitlab-ci.yml@refs/heads/main")

    assert elsewhere.workflow == f"gitlab.example.com/{project}//.gitlab-ci.yml"


@pytest.mark.parametrize("claim", ["repository_id", "repository_owner_id", "repository", "ref", "event_name", "aud"])
def test_claim_that_is_needed_and_missing_is_told(claim):
    assert code(lambda: job(**{claim: None})) == "claim_missing"


@pytest.mark.parametrize("value", [["456789"], {"id": 1}, 1.5, True, "x" * 501, "4\n5", "4\u202e5"])
def test_claim_that_is_no_plain_text_is_told(value):
    assert code(lambda: job(repository_id=value)) == "claim_not_readable"


def test_attempt_that_is_no_number_is_the_first():
    assert [job(run_attempt=one).attempt for one in ("3", "0", "-1", "x", None, 7)] == [3, 1, 1, 1, 1, 7]


@pytest.mark.parametrize(
    ("trust", "more"),
    [
        ({"owner": ""}, {"repository_owner_id": "1"}),
        ({"environment": ""}, {"environment": None}),
        (
            {"refs": ()},
            {"ref": "refs/tags/v1", "ref_type": "tag", "workflow_ref": github()["workflow_ref"].replace("heads/main", "tags/v1")},
        ),
        ({"workflow": ""}, {"workflow_ref": None}),
        ({"workflow": SHARED}, {"job_workflow_ref": SHARED}),
        ({"takes_merge_requests": True}, {"event_name": "pull_request"}),
    ],
)
def test_what_is_not_pinned_is_not_asked(trust, more):
    assert trust_for(job(**more), [replace(TRUST, **trust)], now=NOW).id == TRUST.id


@pytest.mark.parametrize("called", [None, SHARED.replace("main", "evil"), SHARED.replace("shared", "shared2"), SHARED + "x"])
def test_reusable_workflow_is_compared_whole(called):
    trust = replace(TRUST, workflow=SHARED)

    assert code(lambda: trust_for(job(job_workflow_ref=called), [trust], now=NOW)) == "workflow"


def test_environment_is_compared_as_the_ci_does():
    lab = replace(TRUST, kind=IssuerKind.GITLAB, project="22", owner="7", workflow="")

    assert trust_for(job(environment="PRODUCTION"), [TRUST], now=NOW)
    assert code(lambda: trust_for(lab_job(environment="PRODUCTION"), [lab], now=NOW)) == "environment"
    assert code(lambda: trust_for(job(environment="\u212aitchen"), [replace(TRUST, environment="kitchen")], now=NOW)) == "environment"


def test_of_several_trusts_the_nearest_says_what_is_missing():
    far, near = replace(TRUST, audience="https://other.example"), replace(TRUST, refs=("refs/heads/other",))

    assert code(lambda: trust_for(job(), [far, near], now=NOW)) == "ref"
    assert code(lambda: trust_for(job(), [near, far], now=NOW)) == "ref"
    assert code(lambda: trust_for(job(), [], now=NOW)) == "project"


def test_expired_trust_takes_nobody():
    assert code(lambda: trust_for(job(), [TRUST], now=TRUST.expires_at)) == "over"


def test_every_pin_is_told_by_name():
    titles = [title for title, problem in tried(job(), TRUST, now=NOW) if problem is None]

    assert titles == ["Project", "Expiry", "Audience", "Owner", "Environment", "Ref", "Pipeline file", "Merge requests", "Commit"]


@pytest.mark.parametrize(
    ("more", "asked", "codes"),
    [
        ({"asks_for_own": True}, {}, ("other_commit",)),
        ({"asks_for_own": True, "commit": COMMIT.removeprefix("git:")}, {}, ()),
        ({"asks_for_own": True, "commit": COMMIT.removeprefix("git:")[:12]}, {}, ("other_commit",)),
        ({"asks_for_own": True, "commit": COMMIT.removeprefix("git:")}, {"identities": (ARTIFACT,)}, ("other_commit",)),
        ({"commit": "ab" * 20}, {}, ()),
    ],
)
def test_job_asks_about_its_own_commit_alone_only_where_its_trust_says_so(more, asked, codes):
    asker = {"kind": AskerKind.WORKLOAD, "workload": replace(job(), **{"commit": "ab" * 20, **more})}

    assert judge(facts_with(asker=asker, question=asked)).codes == codes


def test_way_back_is_never_the_commit_the_job_runs_on():
    asker = {"kind": AskerKind.WORKLOAD, "workload": replace(job(), asks_for_own=True, commit="ab" * 20)}

    assert "other_commit" not in judge(facts_with(asker=asker, question={"action": Action.ROLLBACK})).codes


def test_job_is_judged_as_a_token_is_and_named_as_a_trust():
    asker = {"kind": AskerKind.WORKLOAD, "workload": job(), "name": "Deploy job"}

    assert judge(facts_with(asker=asker)).verdict == "ALLOW"
    denied = judge(facts_with(asker={**asker, "actions": frozenset()}))
    assert denied.findings[0].message.startswith("The trust Deploy job may not ask")


@pytest.mark.parametrize(
    ("more", "required", "codes"),
    [
        ({"is_merge_request": True}, "APPROVED", ("merge_request",)),
        ({"is_merge_request": True}, "RECORDED", ()),
        ({"is_protected": False}, "APPROVED", ("ref_not_protected",)),
        ({"is_protected": False}, "NO", ()),
        ({"is_protected": None}, "APPROVED", ()),
    ],
)
def test_job_that_could_run_anything_asks_only_where_no_agreement_is_needed(more, required, codes):
    asker = {"kind": AskerKind.WORKLOAD, "workload": replace(job(), **more)}

    assert judge(facts_with(asker=asker, environment={"change_required": required})).codes == codes


def administrator(number, *roles):
    return PersonFacts(UUID(int=number), "Ada", True, frozenset(roles), frozenset(), frozenset(), UUID(int=number))


WAITING = WaitingTrust(UUID(int=1), "Ada", is_proposer_administrator=True, is_in_force=False, is_over=False)


@pytest.mark.parametrize(
    ("person", "more", "expected"),
    [
        (administrator(2, "ADMINISTRATOR"), {}, None),
        (administrator(2, "RELEASE_MANAGER"), {}, "not_administrator"),
        (replace(administrator(2, "ADMINISTRATOR"), is_active=False), {}, "not_administrator"),
        (administrator(1, "ADMINISTRATOR"), {}, "own_proposal"),
        (replace(administrator(9, "ADMINISTRATOR"), canonical_id=UUID(int=1)), {}, "own_proposal"),
        (administrator(2, "ADMINISTRATOR"), {"is_proposer_administrator": False}, "proposer_gone"),
        (administrator(2, "ADMINISTRATOR"), {"is_in_force": True}, "already_in_force"),
        (administrator(2, "ADMINISTRATOR"), {"is_over": True}, "trust_over"),
    ],
)
def test_trust_takes_two_different_administrators(person, more, expected):
    refusal = why_not_confirm_trust(person, replace(WAITING, **more))

    assert (refusal.code if refusal else None) == expected


def test_any_administrator_ends_a_trust_alone_once():
    assert why_not_end_trust(administrator(1, "ADMINISTRATOR"), WAITING) is None
    assert why_not_end_trust(administrator(1, "ADMINISTRATOR"), replace(WAITING, is_over=True)).code == "trust_over"


@pytest.mark.parametrize(
    "ref", ["main", "refs/heads/", "refs/heads/*", "refs/heads/a b", "refs/pull/1/head", "refs/heads/a\n", "heads/main", "refs/heads/a^"]
)
def test_ref_that_is_none_in_full_is_refused(ref):
    assert "refs" in errors_in_pins(replace(PINS, refs=(ref,)), kind=IssuerKind.GITHUB, reaches_approval=True)


def test_issuer_of_another_kind_names_the_claim_of_the_project():
    assert errors_in_issuer(project_claim="a b", kind=IssuerKind.OTHER)
    assert not errors_in_issuer(project_claim="oidc.circleci.com/project-id", kind=IssuerKind.OTHER)
    assert not errors_in_issuer(project_claim="", kind=IssuerKind.GITLAB)
