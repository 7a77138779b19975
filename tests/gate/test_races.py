"""Races on real connections: two requests with one key, two redeemers of one ticket, a wall raised while a start judges."""

import threading
from dataclasses import replace

import pytest
from django.db import connection, transaction

from apps.accounts.roles import Role
from apps.catalog.models import Target
from apps.core.actors import system
from apps.core.locks import database_now, share_calendar_guard, take_calendar_guard
from apps.core.references import reference
from apps.core.refusals import Refused
from apps.gate import evaluate, wire
from apps.gate.judgement import judge_under_lock, question_about
from apps.gate.models import Evaluation, EvaluationKey, SpentTicket, Ticket, VerdictRow
from apps.gate.steps import redeem
from apps.schedule.actions import declare_freeze
from tests.factories.accounts import make_person
from tests.factories.approvals import make_change, make_place
from tests.factories.changes import COMMIT
from tests.factories.gate import IDS, ask, body_for, make_gate_token
from tests.factories.schedule import HOUR, CalendarRuleFactory

BY = system("test")
DEPLOYMENTS = [reference("deployment", IDS[number]) for number in (30, 31)]


@pytest.fixture
def target(own_gate):
    place = make_place()
    make_change(targets=(place,))
    return place


@pytest.fixture
def leg(target):
    from apps.changes.models import Leg

    return Leg.objects.select_related("service", "environment", "item", "target").get(target=target)


def pid():
    with connection.cursor() as cursor:
        cursor.execute("select pg_backend_pid()")
        return cursor.fetchone()[0]


def test_same_key_twice_at_once_is_one_evaluation(target, own_gate, racer, monkeypatch):
    _, secret = make_gate_token()
    both_have_gathered = threading.Barrier(2)
    original, met = evaluate.write_answer, threading.local()

    def write_after_both_have_gathered(*args, **more):
        if not getattr(met, "once", False):
            met.once = True
            both_have_gathered.wait(20)
        return original(*args, **more)

    monkeypatch.setattr(evaluate, "write_answer", write_after_both_have_gathered)
    racers = [racer(lambda: ask(secret, body_for(target, COMMIT), key="run-1")) for _ in range(2)]

    answers = [one.result() for one in racers]

    assert sorted(one.status_code for one in answers) == [200, 201]
    assert len({one.json()["id"] for one in answers}) == 1
    assert {one.json()["verdict"] for one in answers} == {"ALLOW"}
    assert answers[0].json()["ticket"] == answers[1].json()["ticket"]
    assert (Evaluation.objects.count(), VerdictRow.objects.count(), EvaluationKey.objects.count()) == (1, 1, 1)
    assert Ticket.objects.filter(action="DEPLOY").count() == 1


def test_answer_of_the_same_microsecond_as_its_twin_is_judged_again_a_moment_later(target, own_gate, monkeypatch):
    _, secret = make_gate_token()
    mine = Target.objects.filter(pk=target.pk)
    mine.update(occupied_by=IDS[30], occupied_since=database_now())
    first = ask(secret, body_for(target, COMMIT), key="run-1")
    mine.update(occupied_by=None, occupied_since=None)
    real, moments = evaluate.gather, [VerdictRow.objects.get().at]

    def at_the_same_moment(question):
        heard = real(question)
        return replace(heard, facts=replace(heard.facts, now=moments.pop())) if moments else heard

    monkeypatch.setattr(evaluate, "gather", at_the_same_moment)
    second = ask(secret, body_for(target, COMMIT), key="run-1")

    assert (first.json()["codes"], second.status_code, second.json()["verdict"]) == (["occupied"], 200, "ALLOW")
    assert (moments, VerdictRow.objects.count(), Ticket.objects.filter(action="DEPLOY").count()) == ([], 2, 1)


def test_second_of_two_with_one_key_waits_for_the_first(target, own_gate, racer, wait_until_blocked):
    token, secret = make_gate_token()
    body = body_for(target, COMMIT)
    with transaction.atomic():  # the first has its key and has not committed
        EvaluationKey.objects.create(token=token, key="run-1", body_hash=b"\x00" * 32, evaluation_id=IDS[0], at=database_now())
        second = racer(lambda: ask(secret, body, key="run-1"))
        wait_until_blocked(pid())

    assert second.result().status_code == 409
    assert Evaluation.objects.count() == 0


def redeemed(ticket, deployment):
    with transaction.atomic():
        permit = redeem(ticket, spent_for=deployment, by=BY, at=database_now())
        Target.objects.lock(Target.objects.get(public_id=permit.target).pk)
    return permit


def test_same_ticket_redeemed_twice_at_once_is_spent_once(target, racer, wait_until_blocked):
    _, secret = make_gate_token()
    ticket = ask(secret, body_for(target, COMMIT)).json()["ticket"]
    with transaction.atomic():
        redeem(ticket, spent_for=DEPLOYMENTS[0], by=BY, at=database_now())
        second = racer(lambda: redeemed(ticket, DEPLOYMENTS[1]))
        wait_until_blocked(pid())

    with pytest.raises(Refused) as told:
        second.result()

    assert told.value.refusal.code == "ticket_spent"
    assert [one.spent_for for one in SpentTicket.objects.all()] == [str(DEPLOYMENTS[0])]


def test_ticket_of_a_redeemer_that_failed_is_free_again(target, racer, wait_until_blocked):
    _, secret = make_gate_token()
    ticket = ask(secret, body_for(target, COMMIT)).json()["ticket"]
    with transaction.atomic():
        redeem(ticket, spent_for=DEPLOYMENTS[0], by=BY, at=database_now())
        second = racer(lambda: redeemed(ticket, DEPLOYMENTS[1]))
        wait_until_blocked(pid())
        transaction.set_rollback(True)

    assert second.result().target == target.public_id
    assert [one.spent_for for one in SpentTicket.objects.all()] == [str(DEPLOYMENTS[1])]


def test_freeze_declared_while_a_start_judges_waits_for_it(leg, racer, wait_until_blocked):
    manager = make_person(Role.RELEASE_MANAGER)
    now = database_now()
    with transaction.atomic():
        share_calendar_guard()
        freeze = racer(
            lambda: declare_freeze(title="Departures", starts_at=now - HOUR, ends_at=now + HOUR, time_zone="UTC", by=manager.actor)
        )
        wait_until_blocked(pid())
        verdict = judge_under_lock(question_about(leg))[1]

    freeze.result()
    with transaction.atomic():
        share_calendar_guard()
        assert (verdict.verdict, judge_under_lock(question_about(leg))[1].codes) == ("ALLOW", ("frozen",))


def test_start_that_waits_for_a_freeze_sees_it(leg, racer, wait_until_blocked):
    def start():
        with transaction.atomic():
            share_calendar_guard()
            return judge_under_lock(question_about(leg))[1]

    now = database_now()
    with transaction.atomic():
        take_calendar_guard()
        CalendarRuleFactory(starts_at=now - HOUR, ends_at=now + HOUR)
        starting = racer(start)
        wait_until_blocked(pid())

    assert starting.result().codes == ("frozen",)


def test_judging_without_a_transaction_is_a_mistake(leg):
    with pytest.raises(RuntimeError):
        judge_under_lock(question_about(leg))


def test_own_connection_is_closed_with_its_thread(target, own_gate, racer):
    from apps.gate.gather import gather
    from apps.gate.rules import Question

    def asked():
        gather(Question("x", "y", ()))
        return wire._own_connection().info.backend_pid

    backend = racer(asked).result()

    with own_gate.connect(own_gate.superuser_url) as admin:
        for _ in range(500):
            if admin.execute("select count(*) from pg_stat_activity where pid = %s", [backend]).fetchone() == (0,):
                return
    pytest.fail("the connection outlived its thread")
