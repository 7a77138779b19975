"""Each rule over a table of facts: what passes, what is found, with which effect, until when."""

from dataclasses import replace
from datetime import timedelta

import pytest

from apps.changes.content import Period, Rollback, Strategy
from apps.gate.rules import (
    RULES,
    Action,
    AskerKind,
    CalendarFacts,
    ClosedFacts,
    EvidenceFacts,
    HoldFacts,
    Question,
    ReservationFacts,
    RungFacts,
    SlotFacts,
    judge,
)
from apps.gate.rules.workloads import Workload
from tests.conftest import NOW
from tests.factories.gate import ALLOWED, ARTIFACT, COMMIT, IDS, LEG, OTHER_ARTIFACT, OTHER_COMMIT, POLICY, QUORUM, SIGN_OFF, facts_with

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
DECLARED = {code: rule.name for rule in RULES for code in rule.codes}


def quorum_with(**more):
    return {"quorum": replace(QUORUM, **more)}


def signed_by(**more):
    return quorum_with(sign_offs=(replace(SIGN_OFF, **more),))


def calendar(kind, *, covers, starts=None, ends=None, behind=None):
    return CalendarFacts(kind, "Evening departures", "Europe/Berlin", covers, starts, ends, behind)


def freeze(**more):
    return calendar("FREEZE", **{"covers": True, "starts": NOW - HOUR, "ends": NOW + HOUR} | more)


def window(**more):
    return calendar("WINDOW", **{"covers": True, "starts": NOW - HOUR, "ends": NOW + HOUR} | more)


def closed(change_state, state, *identities):
    return {"legs": (), "closed": (ClosedFacts("CHG-7", change_state, state, identities or (COMMIT,)),)}


def asked(*identities):
    return {"question": {"identities": identities}}


def shown(**more):
    return EvidenceFacts(**{"name": "unit.xml", "kind": "JUNIT", "identities": frozenset({COMMIT}), "good_count": 9, "bad_count": 0} | more)


FOREIGN = {"asker": {"service_ids": frozenset({9})}}


def job_with(**more):
    """A trusted CI job asks."""
    job = Workload(issuer="https://ci.example.org", system="gitlab", audience="us", project="22")
    return {"asker": {"kind": AskerKind.WORKLOAD, "workload": replace(job, **more)}}


OPEN = window(ends=NOW + DAY)
LATER = window(covers=False, starts=NOW + HOUR, ends=NOW + DAY)
DIGEST_REQUIRED = quorum_with(policy=replace(POLICY, require_digest=True))
POLICY_ALL = replace(POLICY, promotion="ALL")
REPORT_REQUIRED = quorum_with(policy=replace(POLICY, require_evidence=True))
OTHERS = (ReservationFacts(IDS[30], NOW + HOUR), ReservationFacts(IDS[31], NOW + DAY))
A_SECOND_AGO = NOW - timedelta(seconds=1)
STAGING, QA = RungFacts("Staging", (frozenset({COMMIT, ARTIFACT}),)), RungFacts("QA", ())
LAPSED = {**SIGN_OFF.covered, "plan": "0" * 64}

# (what is so, changes to the facts of a yes, code, effect, until)
FOUND = [
    ("unknown token", {"asker": {"kind": AskerKind.UNKNOWN}}, "unknown_token", "BLOCK", None),
    ("token over", {"asker": {"is_live": False}}, "token_over", "BLOCK", None),
    ("token for rollback", {"asker": {"actions": frozenset({"ROLLBACK"})}}, "action_out_of_scope", "BLOCK", None),
    ("token for another service", FOREIGN, "out_of_scope", "BLOCK", None),
    ("token for another environment", {"asker": {"environment_ids": frozenset({9})}}, "out_of_scope", "BLOCK", None),
    ("scoped token, no service", {**FOREIGN, "service": None, "target": None}, "out_of_scope", "BLOCK", None),
    ("job of a merge request", job_with(is_merge_request=True), "merge_request", "BLOCK", None),
    ("job on any branch", job_with(is_protected=False), "ref_not_protected", "BLOCK", None),
    ("job on another commit", job_with(asks_for_own=True, commit="ab" * 20), "other_commit", "BLOCK", None),
    ("no service", {"service": None, "target": None}, "unknown_service", "BLOCK", None),
    ("restricted", {"service": {"is_restricted": True}, "asker": {"sees_restricted": False}}, "unknown_service", "BLOCK", None),
    ("no environment", {"environment": None, "target": None}, "unknown_environment", "BLOCK", None),
    ("no target", {"target": None}, "unknown_target", "BLOCK", None),
    ("retired service", {"service": {"is_retired": True}}, "retired", "BLOCK", None),
    ("retired environment", {"environment": {"is_retired": True}}, "retired", "BLOCK", None),
    ("retired target", {"target": {"is_retired": True}}, "retired", "BLOCK", None),
    ("no change", {"legs": ()}, "no_change", "BLOCK", None),
    ("too many changes", {"legs_cut": True}, "too_many_changes", "BLOCK", None),
    ("not in revision", {"leg": {"identities": ()}}, "not_in_revision", "BLOCK", None),
    ("artifact missing", asked(COMMIT), "identity_missing", "BLOCK", None),
    ("other artifact", asked(COMMIT, OTHER_ARTIFACT), "identity_differs", "BLOCK", None),
    ("other commit", asked(OTHER_COMMIT, ARTIFACT), "identity_differs", "BLOCK", None),
    ("extra artifact", asked(COMMIT, ARTIFACT, OTHER_ARTIFACT), "identity_extra", "WARN", None),
    ("draft", closed("DRAFT", "WAITING"), "not_submitted", "BLOCK", None),
    ("used up", closed("CLOSED", "DONE"), "used_up", "BLOCK", None),
    ("rolled back", closed("POST_REVIEW", "ROLLED_BACK"), "rolled_back", "BLOCK", None),
    ("rejected", closed("REJECTED", "WAITING"), "change_rejected", "BLOCK", None),
    ("withdrawn", closed("WITHDRAWN", "WAITING"), "change_withdrawn", "BLOCK", None),
    ("expired", closed("EXPIRED", "WAITING"), "change_expired", "BLOCK", None),
    ("skipped", closed("APPROVED", "SKIPPED"), "change_over", "BLOCK", None),
    ("another version closed", closed("CLOSED", "DONE", OTHER_COMMIT), "no_change", "BLOCK", None),
    ("running leg", {"leg": {"state": "STARTED"}}, "leg_started", "WAIT", None),
    ("closed in between", {"leg": {"change_state": "WITHDRAWN"}}, "change_withdrawn", "BLOCK", None),
    ("failed three times", {"leg": {"state": "FAILED", "failures": 3}}, "failed_too_often", "BLOCK", None),
    ("digest required", {**asked(COMMIT), "leg": {"identities": (COMMIT,), **DIGEST_REQUIRED}}, "digest_required", "BLOCK", None),
    ("no policy", {"leg": quorum_with(policy=None)}, "no_policy", "BLOCK", None),
    ("nobody signed", {"leg": quorum_with(sign_offs=())}, "sign_off_missing", "WAIT", None),
    ("rejecting sign-off", {"leg": signed_by(decision="REJECT")}, "sign_off_missing", "WAIT", None),
    ("sign-off lapsed", {"leg": signed_by(covered=LAPSED)}, "sign_off_lapsed", "WAIT", None),
    ("signer left", {"leg": signed_by(person=replace(SIGN_OFF.person, is_active=False))}, "sign_off_missing", "WAIT", None),
    ("content differs", {"leg": {"is_intact": False}}, "content_differs", "BLOCK", None),
    ("signature differs", {"leg": signed_by(signature_ok=False)}, "signature_differs", "BLOCK", None),
    ("signature not proved", {"leg": signed_by(signature_ok=None)}, "signature_differs", "BLOCK", None),
    ("settings changed", {"target": {"settings_digest": "x" * 64}}, "settings_changed", "BLOCK", None),
    ("settings gone", {"target": {"settings_digest": ""}}, "settings_changed", "BLOCK", None),
    ("before period", {"leg": {"period": Period(NOW + HOUR, NOW + DAY)}}, "period_not_begun", "WAIT", NOW + HOUR),
    ("after period", {"leg": {"period": Period(None, NOW)}}, "period_over", "BLOCK", None),
    ("outside windows", {"calendar": (LATER,)}, "outside_window", "WAIT", NOW + HOUR),
    ("window over", {"calendar": (window(covers=False, starts=None, ends=None),)}, "outside_window", "WAIT", None),
    ("window behind", {"calendar": (window(behind=NOW),)}, "calendar_behind", "BLOCK", None),
    ("before slot", {"leg": {"slot": SlotFacts(NOW + HOUR, NOW + DAY)}}, "before_slot", "WAIT", NOW + HOUR),
    ("after slot", {"leg": {"slot": SlotFacts(NOW - DAY, NOW)}}, "after_slot", "WARN", None),
    ("frozen", {"calendar": (freeze(),)}, "frozen", "WAIT", NOW + HOUR),
    ("frozen in a window", {"calendar": (freeze(), OPEN)}, "frozen", "WAIT", NOW + HOUR),
    ("frozen without end", {"calendar": (freeze(ends=None),)}, "frozen", "WAIT", None),
    ("freeze behind by a second", {"calendar": (freeze(covers=False, behind=A_SECOND_AGO),)}, "calendar_behind", "BLOCK", None),
    ("freeze behind and on", {"calendar": (freeze(behind=NOW - HOUR),)}, "frozen", "WAIT", NOW + HOUR),
    ("held", {"holds": (HoldFacts("INCIDENT", "Payments fail.", NOW - HOUR),)}, "held", "BLOCK", None),
    ("locked", {"target": {"locked_at": NOW, "lock_reason": "Disk swap."}}, "locked", "BLOCK", None),
    ("occupied", {"target": {"occupied_by": IDS[30], "occupied_since": NOW}}, "occupied", "WAIT", None),
    ("reserved", {"reservations": OTHERS}, "reserved", "WAIT", NOW + DAY),
    ("not promoted", {"rungs": (QA,)}, "not_promoted", "BLOCK", None),
    ("promoted as another artifact", {"rungs": (RungFacts("QA", (frozenset({COMMIT, OTHER_ARTIFACT}),)),)}, "not_promoted", "BLOCK", None),
    ("one of two, all asked", {"rungs": (STAGING, QA), "leg": quorum_with(policy=POLICY_ALL)}, "not_promoted", "BLOCK", None),
    ("no report", {"leg": REPORT_REQUIRED}, "evidence_missing", "BLOCK", None),
    ("only another version's", {"leg": {**REPORT_REQUIRED, "evidence": (shown(identities=frozenset({OTHER_COMMIT})),)}}, "evidence_missing", "BLOCK", None),
    ("only scanned", {"leg": {**REPORT_REQUIRED, "evidence": (shown(kind="SARIF", good_count=0),)}}, "evidence_missing", "BLOCK", None),
    ("all skipped", {"leg": {**REPORT_REQUIRED, "evidence": (shown(good_count=0),)}}, "evidence_missing", "BLOCK", None),
    ("tests failed", {"leg": {"evidence": (shown(bad_count=2),)}}, "evidence_bad", "WARN", None),
    ("scanner found", {"leg": {"evidence": (shown(kind="SARIF", bad_count=1),)}}, "evidence_bad", "WARN", None),
    ("failed since", {"leg": {"evidence": (shown(bad_count=1), shown())}}, "evidence_bad", "WARN", None),
    ("no rollback plan", {"leg": {"rollback": Rollback()}}, "no_rollback_plan", "BLOCK", None),
    ("nothing runs", {"target": {"running": ()}}, "nothing_to_go_back_to", "BLOCK", None),
    ("no room in period", {"leg": {"period": Period(None, NOW + timedelta(seconds=100))}}, "no_room_in_period", "WARN", None),
    ("no room in window", {"calendar": (window(ends=NOW + timedelta(seconds=100)),)}, "no_room_in_window", "WARN", None),
]  # fmt: skip


def test_bad_report_is_told_beside_what_the_policy_asks_for():
    said = judge(facts_with(leg={**REPORT_REQUIRED, "evidence": (shown(bad_count=1), shown(name="scan", kind="SARIF", bad_count=2))}))

    assert [(one.code, one.message) for one in said.findings] == [
        ("evidence_missing", f"The policy {POLICY.name} asks for a test report without failures, and {LEG.ref} shows a bad one."),
        ("evidence_bad", f"unit.xml, shown with {LEG.ref}, counts 1 failed test."),
        ("evidence_bad", f"scan, shown with {LEG.ref}, counts 2 errors of a scanner."),
    ]


# A sign-off that is not proved counts for nothing either.
BESIDE = {"signature_differs": ["sign_off_missing"]}
BACK = {"question": {"action": Action.ROLLBACK, "identities": (ARTIFACT,)}, "legs": ()}
WALLS = {"calendar": (freeze(), LATER), "holds": (HoldFacts("CHECK", "x", NOW),), "reservations": OTHERS}
OWN = {
    "question": {"deployment": IDS[30]},
    "leg": {"state": "STARTED"},
    "target": {"occupied_by": IDS[30], "occupied_since": NOW},
    "reservations": OTHERS[:1],
}
RECORDED, NO = {"environment": {"change_required": "RECORDED"}}, {"environment": {"change_required": "NO"}}
COMMIT_ONLY = {**asked(COMMIT), "leg": {"identities": (COMMIT,)}}
PASSES = [
    ("everything well", {}),
    ("environment without changes", {**NO, "legs": ()}),
    ("environment without changes, a change named", {**NO, "leg": quorum_with(sign_offs=())}),
    ("recorded environment, nobody signed", {**RECORDED, "leg": quorum_with(sign_offs=(), required="RECORDED")}),
    ("token for this place", {"asker": {"service_ids": frozenset({1}), "environment_ids": frozenset({1})}}),
    ("failed once", {"leg": {"state": "FAILED", "failures": 1}}),
    ("own deployment asks again", OWN),
    ("inside a window", {"calendar": (OPEN,)}),
    ("one of two windows is open", {"calendar": (LATER, OPEN)}),
    ("inside the slot", {"leg": {"slot": SlotFacts(NOW, NOW + HOUR)}}),
    ("written out far enough", {"calendar": (window(ends=NOW + DAY, behind=NOW + DAY),)}),
    ("promoted", {"rungs": (STAGING,)}),
    ("one of two rungs", {"rungs": (STAGING, QA)}),
    ("same commit where no artifact is approved", {**COMMIT_ONLY, "rungs": (STAGING,)}),
    ("first deployment fixes forward", {"target": {"running": ()}, "leg": {"rollback": Rollback(strategy=Strategy.FIX_FORWARD)}}),
    ("shown well", {"leg": {**REPORT_REQUIRED, "evidence": (shown(), shown(name="scan", kind="SARIF", good_count=0))}}),
    ("went well since", {"leg": {**REPORT_REQUIRED, "evidence": (shown(), shown(bad_count=1))}}),
    ("bad for another version", {"leg": {"evidence": (shown(identities=frozenset({OTHER_COMMIT}), bad_count=1),)}}),
    (
        "no report in a recorded environment",
        {**RECORDED, "leg": {**quorum_with(policy=replace(POLICY, require_evidence=True), required="RECORDED")}},
    ),
    ("going back", BACK),
    ("going back through freeze, hold, closed window, reservation", {**BACK, **WALLS}),
]


@pytest.mark.parametrize(("changes", "code", "effect", "until"), [row[1:] for row in FOUND], ids=[row[0] for row in FOUND])
def test_rule_finds_what_is_in_the_way(changes, code, effect, until):
    verdict = judge(facts_with(**changes))

    first, *rest = verdict.findings
    assert (first.code, first.effect, first.until) == (code, effect, until)
    assert [finding.code for finding in rest] == BESIDE.get(code, [])
    assert verdict.verdict == {"BLOCK": "DENY", "WAIT": "PENDING", "WARN": "ALLOW"}[effect]
    assert first.message.endswith(".")
    assert first.cure.endswith(".")
    assert first.who


@pytest.mark.parametrize("changes", [row[1] for row in PASSES], ids=[row[0] for row in PASSES])
def test_rules_pass(changes):
    verdict = judge(facts_with(**changes))

    assert (verdict.verdict, verdict.findings) == ("ALLOW", ())


def test_every_finding_is_declared_by_its_rule():
    for _, changes, code, *_ in FOUND:
        verdict = judge(facts_with(**changes))
        rule = next(rule for rule in RULES if rule.name == verdict.findings[0].rule)
        assert code in rule.codes


def test_every_declared_code_has_a_case():
    going_back = {"no_previous_release", "not_previous_release"}
    stages = {"sign_off_later"}
    excepted = {"exception_in_force", "exception_void", "review_overdue"}  # in test_exceptions.py
    beforehand = {"not_beforehand"}  # in test_standard.py

    assert {row[2] for row in FOUND} | going_back | stages | excepted | beforehand == set(DECLARED)


ELSEWHERE = {"question": {"action": Action.ROLLBACK, "identities": (COMMIT,)}}


@pytest.mark.parametrize(("changes", "code"), [({"target": {"previous": ()}}, "no_previous_release"), (ELSEWHERE, "not_previous_release")])
def test_going_back_leads_to_what_ran_before_only(changes, code):
    verdict = judge(facts_with(**{**BACK, **changes}))

    assert (verdict.verdict, verdict.codes) == ("DENY", (code,))


@pytest.mark.parametrize("changes", [{"target": {"locked_at": NOW}}, {"target": {"occupied_by": IDS[30], "occupied_since": NOW}}])
def test_going_back_minds_lock_and_another_deployment(changes):
    assert judge(facts_with(**{**BACK, **changes})).verdict != "ALLOW"


def test_later_stage_waits_for_the_earlier_one():
    first, second = POLICY.rules[0], replace(POLICY.rules[0], key="second", label="Second", stage=2)
    verdict = judge(facts_with(leg=quorum_with(sign_offs=(), policy=replace(POLICY, rules=(first, second)))))

    assert [finding.code for finding in verdict.findings] == ["sign_off_missing", "sign_off_later"]


def test_final_is_said_only_where_asking_again_cannot_help():
    final = {row[0] for row in FOUND if judge(facts_with(**row[1])).final}

    assert final == {
        "unknown token", "token over", "token for rollback", "token for another service", "token for another environment",
        "scoped token, no service", "artifact missing", "other artifact", "other commit", "used up", "rejected", "withdrawn", "expired",
        "skipped", "closed in between", "job of a merge request", "job on another commit",
    }  # fmt: skip


def test_out_of_scope_token_is_told_nothing_else():
    verdict = judge(facts_with(**FOREIGN, calendar=(freeze(),), holds=(HoldFacts("PERSON", "Secret.", NOW),)))

    assert verdict.codes == ("out_of_scope",)


def test_finding_of_a_freeze_says_when_it_ends_in_its_own_zone():
    (finding,) = judge(facts_with(calendar=(freeze(),))).findings

    assert finding.message == "Evening departures is on until Fri 20 Nov 2026, 16:20 CET."
    assert finding.who == "a release manager"


def test_question_is_frozen():
    with pytest.raises(AttributeError):
        Question("a", "b", ()).service = "c"  # type: ignore[misc]


def test_two_changes_for_the_same_version_give_the_better_answer():
    waiting = replace(LEG, pk=2, id=IDS[20], ref="CHG-8", quorum=replace(QUORUM, sign_offs=()))

    assert judge(replace(ALLOWED, legs=(waiting, LEG))).verdict == "ALLOW"
    assert judge(replace(ALLOWED, legs=(waiting, replace(LEG, is_intact=False)))).verdict == "PENDING"
