"""Asking from inside: pages look, workers judge under lock, and both get what a pipeline would get."""

import json
from base64 import b64decode

import pytest
from django.db import connection

from apps.catalog.models import ChangeRequired
from apps.changes.models import Leg
from apps.changes.states import State
from apps.core.signing import signing_key
from apps.gate.gather import gather
from apps.gate.judgement import judge_under_lock, look, question_about, verdict_now, verdicts_for
from apps.gate.models import Evaluation
from apps.gate.rules import Action, Question
from tests.conftest import NOW
from tests.factories.approvals import a_rule, agree, make_change, make_place, make_policy
from tests.factories.catalog import EnvironmentFactory, make_target
from tests.factories.changes import COMMIT
from tests.factories.gate import IDS, ask, body_for, make_gate_token
from tests.factories.schedule import make_freeze

pytestmark = pytest.mark.django_db


def leg_of(change):
    return Leg.objects.select_related("service", "environment", "item", "target", "change").get(change=change)


def is_listed(key_id):
    with connection.cursor() as cursor:
        cursor.execute("select exists (select 1 from audit_publickey where key_id = %s)", [key_id])
        return cursor.fetchone()[0]


def test_look_at_a_leg_records_nothing():
    leg = leg_of(make_change())

    assert (verdict_now(leg).verdict, verdict_now(leg).leg_id) == ("ALLOW", leg.public_id)
    assert not Evaluation.objects.exists()


def test_look_at_a_moment():
    leg = leg_of(make_change())
    make_freeze()

    assert verdict_now(leg, now=NOW).codes == ("frozen",)


def test_several_legs_are_judged_each_for_itself():
    legs = [leg_of(make_change(state)) for state in (State.APPROVED, State.IN_REVIEW)]

    assert [verdict.verdict.value for verdict in verdicts_for(legs).values()] == ["ALLOW", "PENDING"]


def test_a_leg_is_judged_by_its_own_change_alone():
    target = make_place()
    make_change(targets=(target,))
    waiting = leg_of(make_change(State.IN_REVIEW, targets=(target,)))

    assert verdict_now(waiting).verdict == "PENDING"


@pytest.mark.parametrize(("state", "code"), [(State.DRAFT, "not_submitted"), (State.CLOSED, "used_up"), (State.REJECTED, "change_rejected"),
                                             (State.WITHDRAWN, "change_withdrawn"), (State.EXPIRED, "change_expired")])  # fmt: skip
def test_a_leg_that_is_not_open_says_why(state, code):
    assert verdict_now(leg_of(make_change(state))).codes == (code,)


def test_running_leg_waits_and_its_own_deployment_does_not():
    leg = leg_of(make_change(State.IN_PROGRESS))
    target = leg.target
    type(target).objects.filter(pk=target.pk).update(occupied_by=IDS[30], occupied_since=NOW)

    assert verdict_now(leg).codes == ("leg_started", "occupied")
    assert look(question_about(leg, deployment=IDS[30]))[1].verdict == "ALLOW"


def test_under_lock_is_the_same_answer():
    leg = leg_of(make_change())

    assert judge_under_lock(question_about(leg), now=NOW)[1] == verdict_now(leg, now=NOW)


def test_going_back_asks_for_what_ran_before():
    leg = leg_of(make_change())
    target = leg.target
    type(target).objects.filter(pk=target.pk).update(previous_identities=[COMMIT])
    target.refresh_from_db()

    assert look(question_about(leg, action=Action.ROLLBACK))[1].verdict == "ALLOW"


def test_everyone_of_a_group_is_asked():
    target = make_place(policy=False)
    make_policy(target.environment, a_rule("everyone", group={"kind": "OWNER", "owner": "ANY"}, needed=0))
    change = make_change(State.IN_REVIEW, targets=(target,))

    before = verdict_now(leg_of(change))
    agree(change)

    assert (before.codes, verdict_now(leg_of(change)).verdict) == (("sign_off_missing",), "ALLOW")


def test_group_too_large_to_be_read_whole_never_agrees(monkeypatch):
    target = make_place(policy=False)
    make_policy(target.environment, a_rule("everyone", group={"kind": "OWNER", "owner": "ANY"}, needed=0))
    change = make_change(targets=(target,))
    monkeypatch.setattr("apps.gate.reading.PEOPLE", 0)

    assert verdict_now(leg_of(change)).codes == ("sign_off_missing",)


@pytest.mark.parametrize("required", [ChangeRequired.NO, ChangeRequired.RECORDED])
def test_first_ticket_of_an_installation_lists_its_key(required, settings, tmp_path):
    settings.SIGNING_KEY_FILE = tmp_path / "another.pem"
    target = make_target(environment=EnvironmentFactory(change_required=required))
    _, secret = make_gate_token()
    if required == ChangeRequired.RECORDED:
        make_change(targets=(target,))
    before = is_listed(signing_key().id)

    body = ask(secret, body_for(target, COMMIT)).json()

    assert not before
    assert (body["verdict"], body["rollback_ticket"]) == ("ALLOW", None)
    assert is_listed(signing_key().id)


def test_rollback_question_gets_one_ticket_for_the_way_back():
    target = make_place()
    previous = "git:" + "b" * 40
    type(target).objects.filter(pk=target.pk).update(previous_identities=[previous])
    _, secret = make_gate_token(actions=(Action.ROLLBACK,))

    body = ask(secret, body_for(target, previous, action="rollback")).json()

    assert (body["verdict"], body["rollback_ticket"]) == ("ALLOW", None)
    assert json.loads(b64decode(body["ticket"]["payload"]))["predicate"]["action"] == "ROLLBACK"


def test_a_leg_of_another_question_is_not_read():
    leg = leg_of(make_change())

    facts = gather(Question(leg.service.slug, leg.environment.slug, (COMMIT,), leg_id=leg.pk + 1)).facts

    assert (facts.legs, facts.closed) == ((), ())
