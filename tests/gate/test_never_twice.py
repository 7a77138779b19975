"""However many pipelines redeem at once, on real connections: one deployment begins, by one ticket, and a wall raised meanwhile is a wall."""

import threading

import pytest

from apps.accounts.roles import Role
from apps.changes.models import Leg
from apps.core.actors import system
from apps.core.locks import database_now
from apps.deployments.models import Deployment
from apps.gate.actions import HOST, revoke_gate_token
from apps.gate.models import SpentTicket
from apps.schedule.actions import declare_freeze
from tests.factories.accounts import make_person
from tests.factories.approvals import make_change, make_place
from tests.factories.changes import COMMIT
from tests.factories.gate import ask, body_for, make_gate_token
from tests.factories.schedule import HOUR
from tests.gate.test_fuzz_tickets import begun

ROUNDS, TICKETS, EACH = 3, 3, 2


@pytest.fixture
def at_once(racer):
    """Do several things in threads that begin together; their results."""

    def run(*works):
        ready = threading.Barrier(len(works))

        def begin(work):
            ready.wait(20)
            return work()

        return [one.result(60) for one in [racer(lambda work=work: begin(work)) for work in works]]

    return run


def tickets(secret, target):
    return [ask(secret, body_for(target, COMMIT)).json()["ticket"] for _ in range(TICKETS)]


def test_of_many_redeemers_with_several_tickets_one_begins(own_gate, at_once):
    _, secret = make_gate_token()
    for _ in range(ROUNDS):
        target = make_place()
        make_change(targets=(target,))
        handed = tickets(secret, target)
        spent = SpentTicket.objects.count()

        answers = at_once(*(lambda one=one: begun(secret, one) for one in handed * EACH))

        assert {answer.status_code for answer in answers} <= {201, 409}
        assert [answer.status_code for answer in answers].count(201) == 1
        assert (SpentTicket.objects.count() - spent, Deployment.objects.filter(target=target).count()) == (1, 1)
        assert Leg.objects.get(target=target).state == "STARTED"


def test_of_redeemers_and_a_freeze_at_once_whoever_comes_second_sees_the_first(own_gate, at_once):
    _, secret = make_gate_token()
    manager = make_person(Role.RELEASE_MANAGER)
    for _ in range(ROUNDS):
        target = make_place()
        make_change(targets=(target,))
        handed, now = tickets(secret, target), database_now()
        scope = {"scope_kind": "TARGET", "scope_id": target.public_id}

        def freeze(now=now, scope=scope):
            return declare_freeze(title="Departures", starts_at=now - HOUR, ends_at=now + HOUR, time_zone="UTC", by=manager.actor, **scope)

        *answers, wall = at_once(*(lambda one=one: begun(secret, one) for one in handed), freeze)

        began = [answer for answer in answers if answer.status_code == 201]
        assert len(began) <= 1
        assert {answer.status_code for answer in answers} <= {201, 409}
        assert Deployment.objects.filter(target=target).count() == len(began)
        assert not began or Deployment.objects.get(target=target).begun_at <= wall.declared_at
        assert "frozen" in ask(secret, body_for(target, COMMIT)).json()["codes"]


def test_of_askers_and_a_revocation_at_once_nobody_is_let_in_afterwards(own_gate, at_once):
    target = make_place()
    make_change(targets=(target,))
    token, secret = make_gate_token()
    body = body_for(target, COMMIT)

    *answers, _ = at_once(*[lambda: ask(secret, body)] * 4, lambda: revoke_gate_token(token.pk, by=system(HOST)))

    assert {(answer.status_code, answer.json().get("verdict")) for answer in answers} <= {(201, "ALLOW"), (401, None)}
    assert ask(secret, body).status_code == 401
    handed = [answer.json()["ticket"] for answer in answers if answer.status_code == 201]
    assert all(begun(secret, one).status_code == 401 for one in handed)
    assert SpentTicket.objects.count() == 0
