"""Two at once, interleaved by hand on two connections; that one waits for the other is proved by pg_blocking_pids."""

import threading

import pytest
from django.db import connection

from apps.accounts.actions import deactivate_person
from apps.accounts.roles import Role
from apps.approvals.actions import revise_change, withdraw_sign_off
from apps.approvals.facts import review_facts
from apps.approvals.models import SignOff
from apps.approvals.rules import all_met
from apps.audit.models import Entry
from apps.audit.vocabulary import Event
from apps.changes.facts import content_of
from apps.changes.states import State
from apps.core.refusals import Refused
from tests.approvals.world import edited, make_world
from tests.factories.accounts import make_person
from tests.factories.approvals import a_rule, approve, newest
from tests.factories.proving import approve_change, with_two_factors


class Pause:
    """Stops the first call of a function, in whichever thread, until told to go on; knows the backend it stopped."""

    def __init__(self, monkeypatch, where: str, name: str) -> None:
        module = __import__(where, fromlist=[name])
        self._original = getattr(module, name)
        self._reached, self._go_on = threading.Event(), threading.Event()
        self._first = True
        self.pid = 0
        monkeypatch.setattr(module, name, self)

    def __call__(self, *args, **kwargs):
        if self._first:
            self._first = False
            with connection.cursor() as cursor:
                cursor.execute("select pg_backend_pid()")
                self.pid = cursor.fetchone()[0]
            self._reached.set()
            assert self._go_on.wait(20), "nobody let it go on"
        return self._original(*args, **kwargs)

    def wait(self) -> int:
        assert self._reached.wait(20), "it never came here"
        return self.pid

    def go_on(self) -> None:
        self._go_on.set()


@pytest.fixture
def world(own_database):
    return make_world(a_rule(needed=2))


def agreeing(change, person):
    read = newest(change).digest
    with_two_factors(person)  # before the race: enrolling is none of it
    return lambda: approve_change(change_id=change.pk, revision_digest=read, by=person.actor)


def refused_code(racer):
    with pytest.raises(Refused) as refused:
        racer.result()
    return refused.value.refusal.code


def test_r1_both_approvers_at_once_approve_exactly_once(world, racer, wait_until_blocked, monkeypatch):
    change = world.change()
    pause = Pause(monkeypatch, "apps.approvals.actions.sign_offs", "settle")

    first = racer(agreeing(change, world.business))
    pid = pause.wait()
    second = racer(agreeing(change, world.technical))
    wait_until_blocked(pid)
    pause.go_on()
    first.result()
    second.result()

    change.refresh_from_db()
    assert change.state == State.APPROVED
    assert SignOff.objects.count() == 2
    assert Entry.objects.filter(event=Event.CHANGE_APPROVED).count() == 1


def test_r2_an_edit_during_an_approval_makes_the_approval_stale(world, racer, wait_until_blocked, monkeypatch):
    change = world.change()
    content = edited(content_of(newest(change)), "plan")
    pause = Pause(monkeypatch, "apps.approvals.actions.requests", "note_lapses")
    approval = agreeing(change, world.business)

    editing = racer(lambda: revise_change(change_id=change.pk, content=content, by=world.requester.actor))
    pid = pause.wait()
    approving = racer(approval)
    wait_until_blocked(pid)
    pause.go_on()
    editing.result()

    assert refused_code(approving) == "stale_revision"
    assert not SignOff.objects.exists()
    assert Entry.objects.filter(event=Event.SIGN_OFF_REFUSED).count() == 1


def test_r2_an_approval_during_an_edit_lapses(world, racer, wait_until_blocked, monkeypatch):
    change = world.change()
    content = edited(content_of(newest(change)), "plan")
    pause = Pause(monkeypatch, "apps.approvals.actions.sign_offs", "settle")

    approving = racer(agreeing(change, world.business))
    pid = pause.wait()
    editing = racer(lambda: revise_change(change_id=change.pk, content=content, by=world.requester.actor))
    wait_until_blocked(pid)
    pause.go_on()
    approving.result()
    editing.result()

    assert not all_met(review_facts(change).legs)
    assert Entry.objects.filter(event=Event.SIGN_OFF_LAPSED).count() == 1


def test_r4_the_same_person_twice_at_once_signs_once(world, racer, wait_until_blocked, monkeypatch):
    change = world.change()
    pause = Pause(monkeypatch, "apps.approvals.actions.sign_offs", "settle")

    first = racer(agreeing(change, world.business))
    pid = pause.wait()
    second = racer(agreeing(change, world.business))
    wait_until_blocked(pid)
    pause.go_on()
    first.result()

    assert refused_code(second) == "already"
    assert SignOff.objects.count() == 1
    change.refresh_from_db()
    assert change.state == State.IN_REVIEW


def test_r5_who_is_deactivated_meanwhile_does_not_sign(world, racer, wait_until_blocked, monkeypatch):
    change, administrator = world.change(), make_person(Role.ADMINISTRATOR)
    pause = Pause(monkeypatch, "apps.accounts.actions.people", "end_access")
    approval = agreeing(change, world.business)

    leaving = racer(lambda: deactivate_person(world.business.pk, by=administrator.actor))
    pid = pause.wait()
    approving = racer(approval)
    wait_until_blocked(pid)
    pause.go_on()
    leaving.result()

    assert refused_code(approving) == "not_present"
    assert not SignOff.objects.exists()


def test_r5_who_is_deactivated_just_after_signing_no_longer_counts(world, racer, wait_until_blocked, monkeypatch):
    change, administrator = world.change(), make_person(Role.ADMINISTRATOR)
    approve(change, world.technical)
    pause = Pause(monkeypatch, "apps.approvals.actions.sign_offs", "settle")

    approving = racer(agreeing(change, world.business))
    pid = pause.wait()
    leaving = racer(lambda: deactivate_person(world.business.pk, by=administrator.actor))
    wait_until_blocked(pid)
    pause.go_on()
    approving.result()
    leaving.result()

    change.refresh_from_db()
    assert change.state == State.APPROVED  # a milestone: it was true when it was reached
    assert not all_met(review_facts(change).legs)


def test_taking_back_and_agreeing_at_once_leaves_the_state_true(world, racer, wait_until_blocked, monkeypatch):
    change = world.change()
    given = approve(change, world.business)
    pause = Pause(monkeypatch, "apps.approvals.actions.sign_offs", "settle")

    taking_back = racer(lambda: withdraw_sign_off(sign_off_id=given.pk, by=world.business.actor))
    pid = pause.wait()
    agreeing_too = racer(agreeing(change, world.technical))
    wait_until_blocked(pid)
    pause.go_on()
    taking_back.result()
    agreeing_too.result()

    change.refresh_from_db()
    assert (change.state, all_met(review_facts(change).legs)) == (State.IN_REVIEW, False)
