"""Evidence at the gate: a policy that asks for a test report, and what was brought by the real verbs."""

import pytest

from apps.changes.actions import attach_evidence
from apps.changes.steps.evidence import Piece
from apps.core.actors import system
from apps.gate.actions import HOST, set_rule_mode
from apps.gate.judgement import verdict_now
from tests.conftest import NOW
from tests.factories.approvals import make_change, make_place, make_policy
from tests.factories.evidence import JUNIT, EvidenceFileFactory, EvidenceUploadFactory
from tests.factories.exceptions import leg_of
from tests.factories.gate import OTHER_COMMIT, ask, body_for, make_gate_token

FAILED = b'<testsuite><testcase name="adds"/><testcase name="takes"><failure/></testcase></testsuite>'
SARIF = b'{"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "scan"}}, "results": [{"level": "error", "message": {"text": "x"}}]}]}'


@pytest.fixture
def target(db):
    target = make_place(policy=False)
    make_policy(target.environment, require_evidence=True)
    return target


@pytest.fixture
def change(target):
    return make_change(targets=(target,))


def show(change, body, name="unit.xml"):
    leg = leg_of(change)
    return attach_evidence(change_id=change.pk, leg_id=leg.pk, piece=Piece(name, body), by=change.requester.actor, now=NOW)[0]


def found(change):
    verdict = verdict_now(leg_of(change), now=NOW)
    return verdict.verdict, [one.code for one in verdict.findings]


def test_report_that_the_policy_asks_for_opens_the_gate(change):
    assert found(change) == ("DENY", ["evidence_missing"])

    show(change, JUNIT)

    assert found(change) == ("ALLOW", [])


def test_report_of_a_run_that_failed_does_not_and_the_next_one_does(change):
    show(change, FAILED)
    assert found(change) == ("DENY", ["evidence_missing", "evidence_bad"])

    show(change, JUNIT)

    assert found(change) == ("ALLOW", [])


def test_scan_with_errors_stands_in_the_way_beside_a_good_report(change):
    show(change, JUNIT)
    show(change, SARIF, "scan.sarif")

    assert found(change) == ("DENY", ["evidence_missing", "evidence_bad"])


def test_report_of_another_version_is_none(change):
    counted = {"tests": 1, "failures": 0, "errors": 0, "skipped": 0}
    file = EvidenceFileFactory(kind="JUNIT", counted=counted)
    EvidenceUploadFactory(file=file, change=change, leg=leg_of(change), attached_at=NOW, identities=[OTHER_COMMIT])

    assert found(change) == ("DENY", ["evidence_missing"])


def test_where_no_policy_asks_a_bad_report_is_told_and_nothing_more(db):
    change = make_change(targets=(make_place(),))
    show(change, FAILED)

    assert found(change) == ("ALLOW", ["evidence_bad"])


def test_rule_may_be_switched_off(target, change):
    set_rule_mode(environment_id=target.environment_id, rule="evidence", mode="OFF", by=system(HOST))

    assert found(change) == ("ALLOW", [])


def test_pipeline_is_told_the_cure(target, change):
    secret = make_gate_token()[1]

    body = ask(secret, body_for(target)).json()

    (step,) = body["way"]["steps"]
    assert (body["verdict"], step["codes"], step["who"]) == ("DENY", ["evidence_missing"], "the requester")
    assert step["cure"] == "Show the report of this version, in the plan or at the place."
