"""Outside windows stays shut after the last one, until another is declared or the last is lifted."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, connections, transaction
from django.db.migrations.executor import MigrationExecutor
from django.urls import reverse

from apps.accounts.roles import Role
from apps.core.locks import database_now
from apps.core.refusals import Refused
from apps.home.facts.lamps import gates_now
from apps.schedule.actions import declare_freeze, declare_window, lift_window
from apps.schedule.models import CalendarRule, RuleKind
from apps.schedule.rules import FOR_GOOD
from apps.schedule.stretches import Stretch
from tests.factories.accounts import make_person
from tests.factories.approvals import make_change, make_place
from tests.factories.catalog import make_target
from tests.factories.changes import COMMIT
from tests.factories.gate import ask, body_for, make_gate_token
from tests.factories.schedule import CalendarRuleFactory

HOUR = timedelta(hours=1)


@pytest.fixture
def manager(db):
    return make_person(Role.RELEASE_MANAGER)


@pytest.fixture
def target(db):
    target = make_place()
    make_change(targets=(target,))
    return target


@pytest.fixture
def codes(target):
    """What the gate finds in the way of an approved version, now."""
    _, secret = make_gate_token()

    def now() -> list[str]:
        body = ask(secret, body_for(target, COMMIT), key="").json()
        return [finding["code"] for finding in body["findings"] if finding["effect"] != "WARN"]

    return now


def declare(manager, target, *, begins=-1, ends=1, verb=declare_window, **more) -> CalendarRule:
    """Declared for the target's environment, hours from now."""
    now = database_now()
    place = {"scope_kind": "ENVIRONMENT", "scope_id": target.environment.public_id} | more
    moments = {"starts_at": now + begins * HOUR, "ends_at": now + ends * HOUR, "time_zone": "UTC"}
    return verb(title=f"From {begins}", by=manager.actor, **moments, **place)


def pass_over(rule: CalendarRule, *, hours: float = 2) -> CalendarRule:
    """As if it had been so many hours earlier."""
    rule.refresh_from_db()
    covers = [Stretch(one.starts_at - hours * HOUR, one.ends_at - hours * HOUR) for one in rule.covers]
    live = rule.live_until if rule.live_until == FOR_GOOD else covers[-1].ends_at
    CalendarRule.objects.filter(pk=rule.pk).update(covers=covers, live_until=live)
    rule.refresh_from_db()
    return rule


def test_after_the_last_window_it_stays_shut_and_the_gate_says_how_it_opens(manager, target, codes):
    before = codes()
    window = declare(manager, target)
    during = codes()
    pass_over(window)
    _, secret = make_gate_token()

    found = next(one for one in ask(secret, body_for(target, COMMIT)).json()["findings"] if one["code"] == "outside_window")

    assert (before, during, codes()) == ([], [], ["outside_window"])
    assert "No further one is declared." in found["message"]
    assert (found["cure"], found["until"]) == ("Declare the next one, or lift the last one: then every time is allowed.", None)


def test_next_window_opens_it_again_and_shuts_in_its_turn(manager, target, codes):
    first = pass_over(declare(manager, target))
    second = declare(manager, target)
    first.refresh_from_db()
    during = codes()
    pass_over(second)

    assert first.live_until == first.covers[-1].ends_at
    assert (during, codes()) == ([], ["outside_window"])


def test_window_that_is_over_is_lifted_and_every_time_is_allowed(manager, target, codes):
    for _ in range(3):
        pass_over(declare(manager, target))
    last = CalendarRule.objects.get(live_until=FOR_GOOD)

    lift_window(rule_id=last.pk, by=manager.actor)

    assert codes() == []
    with pytest.raises(Refused, match="lifted already"):
        lift_window(rule_id=last.pk, by=manager.actor)


def test_window_that_was_followed_is_over_and_not_lifted(manager, target):
    first = pass_over(declare(manager, target))
    declare(manager, target, begins=5, ends=6)

    with pytest.raises(Refused, match="is over"):
        lift_window(rule_id=first.pk, by=manager.actor)


def test_window_taken_back_before_its_end_leaves_what_was_before(manager, target, codes):
    alone = declare(manager, target, begins=1, ends=2)
    shut = codes()
    lift_window(rule_id=alone.pk, by=manager.actor)
    assert (shut, codes()) == (["outside_window"], [])

    over = pass_over(declare(manager, target))
    mistake = declare(manager, target, begins=1, ends=2)
    lift_window(rule_id=mistake.pk, by=manager.actor)
    over.refresh_from_db()

    assert (over.live_until, codes()) == (FOR_GOOD, ["outside_window"])


def test_window_that_ends_later_than_the_one_declared_last_goes_on_opening(manager, target, codes):
    long, short = declare(manager, target, ends=10), declare(manager, target, begins=-1, ends=1)
    pass_over(short)
    open_by_the_long_one = codes()
    pass_over(long, hours=12)

    assert (open_by_the_long_one, codes()) == ([], ["outside_window"])


def test_window_of_another_scope_opens_what_the_last_one_of_a_scope_shuts(manager, target, codes):
    pass_over(declare(manager, target))
    declare(manager, target, scope_kind="EVERYTHING", scope_id=None)
    elsewhere = make_target()
    declare(manager, elsewhere, begins=5, ends=6)

    assert codes() == []


def test_freeze_that_is_over_shuts_nothing(manager, target, codes):
    freeze = declare(manager, target, verb=declare_freeze)
    during = codes()
    pass_over(freeze)

    assert (during, codes()) == (["frozen"], [])


def test_scope_has_one_last_window(manager, target):
    rule = declare(manager, target)

    with pytest.raises(IntegrityError, match="one_last_window_per_scope"), transaction.atomic():
        CalendarRuleFactory(kind=RuleKind.WINDOW, scope=rule.scope, live_until=FOR_GOOD)


def test_pages_say_that_it_is_shut_and_offer_to_lift_it(client, manager, target):
    client.force_login(manager)
    window = pass_over(declare(manager, target))
    page = client.get(reverse("schedule:walls"))
    text = page.content.decode()
    lamp = next(one for one in gates_now() if one.environment.pk == target.environment_id)

    client.post(reverse("schedule:window_lifting", args=[window.public_id]))
    after = client.get(reverse("schedule:walls"))

    assert [row["wall"].shuts for row in page.context["standing"]] == [True]
    assert "nothing begins here before another window is declared" in text
    assert reverse("schedule:window_lifting", args=[window.public_id]) in text
    assert lamp.word == "Outside its window"
    assert (after.context["standing"], len(after.context["past"])) == ([], 1)


def test_windows_of_before_shut_after_their_end_unless_they_were_over(own_database):
    now, owner = database_now(), connections["owner"]
    made = [
        CalendarRuleFactory(kind=kind, scope=scope, starts_at=now + begins * HOUR, ends_at=now + (begins + 1) * HOUR)
        for kind, scope, begins in (("WINDOW", 1, 1), ("WINDOW", 1, 5), ("WINDOW", 2, -5), ("FREEZE", 3, 1), ("WINDOW", 4, 1))
    ]
    CalendarRule.objects.filter(pk=made[4].pk).update(lifted_at=now, lifted_by="SYSTEM:test")
    MigrationExecutor(owner).migrate([("schedule", "0002_covers")])

    MigrationExecutor(owner).migrate([("schedule", "0003_the_last_window")])

    assert [one.live_until == FOR_GOOD for one in CalendarRule.objects.order_by("pk")] == [False, True, False, False, False]
