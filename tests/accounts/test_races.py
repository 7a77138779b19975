"""Two at once, one winner: both wait for the calendar guard, then go through one after the other."""

from collections.abc import Callable

import pytest

from apps.accounts import actions
from apps.accounts.facts import standing_grants
from apps.accounts.models import Identity, Person, SecondHand
from apps.accounts.roles import Role
from apps.core.locks import CALENDAR_GUARD
from apps.core.refusals import BadContent, Refused
from tests.factories.accounts import make_person


@pytest.fixture
def at_once(own_database, racer, wait_until_blocked) -> Callable[..., list[str]]:
    """Let verbs start together; returns `done`, the code of the refusal or the field for each of them."""

    def outcome(call: Callable[[], object]) -> str:
        try:
            call()
        except Refused as refused:
            return refused.refusal.code
        except BadContent as bad:
            return next(iter(bad.errors))
        return "done"

    def run(*calls: Callable[[], object]) -> list[str]:
        with own_database.connect() as holder:
            holder.execute("select pg_advisory_lock(%s)", [CALENDAR_GUARD])
            racers = [racer(lambda call=call: outcome(call)) for call in calls]
            wait_until_blocked(holder.info.backend_pid, len(calls))
            holder.execute("select pg_advisory_unlock(%s)", [CALENDAR_GUARD])
            return sorted(str(each.result()) for each in racers)

    return run


def test_two_administrators_who_deactivate_each_other_both_stay(at_once):
    first, second = make_person(Role.ADMINISTRATOR), make_person(Role.ADMINISTRATOR)

    outcomes = at_once(
        lambda: actions.deactivate_person(first.pk, by=second.actor), lambda: actions.deactivate_person(second.pk, by=first.actor)
    )

    assert outcomes == ["done", "done"]
    assert Person.objects.present().count() == 2
    assert SecondHand.objects.filter(done_at__isnull=True).count() == 2


def test_two_administrators_who_deactivate_a_third_at_once_do_it(at_once):
    first, second, third = (make_person(Role.ADMINISTRATOR) for _ in range(3))

    outcomes = at_once(
        lambda: actions.deactivate_person(third.pk, by=first.actor), lambda: actions.deactivate_person(third.pk, by=second.actor)
    )

    assert outcomes == ["done", "done"]
    assert {*Person.objects.present()} == {first, second}


def test_two_administrators_who_resign_at_once_leave_one(at_once):
    first, second = make_person(Role.ADMINISTRATOR), make_person(Role.ADMINISTRATOR)

    outcomes = at_once(
        lambda: actions.revoke_role(first.pk, role=Role.ADMINISTRATOR, by=first.actor),
        lambda: actions.revoke_role(second.pk, role=Role.ADMINISTRATOR, by=second.actor),
    )

    assert outcomes == ["done", "last_administrator"]
    assert standing_grants().filter(role=Role.ADMINISTRATOR).count() == 1


def test_two_who_join_with_one_mailbox_become_one_person(at_once):
    admin = make_person(Role.ADMINISTRATOR)

    outcomes = at_once(
        lambda: actions.join_person(email="ada@example.org", name="Ada", by=admin.actor),
        lambda: actions.join_person(email="ADA@example.org", name="Ada", by=admin.actor),
    )

    assert outcomes == ["done", "email"]
    assert Identity.objects.filter(value="ada@example.org").count() == 1


def test_two_merges_that_would_make_a_ring_leave_one_person(at_once):
    admin, first, second = make_person(Role.ADMINISTRATOR), make_person(), make_person()

    outcomes = at_once(
        lambda: actions.merge_persons(first.pk, second.pk, by=admin.actor),
        lambda: actions.merge_persons(second.pk, first.pk, by=admin.actor),
    )

    assert outcomes == ["done", "person_merged"]
    assert Person.objects.filter(pk__in=[first.pk, second.pk], merged_into=None).count() == 1
