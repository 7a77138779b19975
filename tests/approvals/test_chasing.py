"""What time does to an agreement that waits: it reminds, tells others, gives up. It never agrees."""

from datetime import UTC, datetime, time, timedelta

import pytest

from apps.accounts.models import Person, WorkingHours
from apps.accounts.roles import Role
from apps.approvals.actions import chase_agreement, send_back_change, submit_change
from apps.approvals.beat import CLOCK, chase_agreements
from apps.approvals.models import Nudge
from apps.audit.stream import latest
from apps.audit.vocabulary import Event
from apps.changes.models import Move
from apps.changes.states import State
from apps.changes.steps import leg_started
from apps.core.locks import database_now
from apps.core.refusals import Refused
from apps.core.verbs import BUSY
from tests.approvals.world import edit, make_world
from tests.conftest import NOW
from tests.factories.accounts import make_person
from tests.factories.approvals import SYSTEM, AbsenceFactory, DelegationFactory, a_rule, approve, make_policy

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
# The tests' moment is a Friday, 14:20 UTC; people work from 9 to 17 in their own zone unless they say otherwise.
MONDAY = datetime(2026, 11, 23, 9, tzinfo=UTC)


@pytest.fixture
def world(db):
    return make_world(remind_after_hours=2, escalate_after_hours=4, expire_after_hours=8)


def chase(change, at):
    return chase_agreement(change_id=change.pk, by=CLOCK, now=at)


def told(event):
    return sorted(entry.details["name"] for entry in latest(limit=60) if entry.event is event)


def test_before_it_is_due_nobody_is_told(world):
    assert chase(world.change(), NOW + HOUR) == 0


def test_everybody_who_can_sign_is_reminded_once(world):
    change = world.change()

    assert chase(change, NOW + 2 * HOUR) == 2
    assert chase(change, NOW + 2 * HOUR) == 0

    assert told(Event.SIGN_OFF_REMINDED) == ["Bea", "Tom"]
    (entry, _) = [one for one in latest(limit=9) if one.event is Event.SIGN_OFF_REMINDED]
    assert entry.subject == change.reference
    assert entry.data["revision"] == 1
    assert Nudge.objects.filter(step="REMINDED").count() == 2


def test_hours_are_the_working_hours_of_whoever_is_told(world):
    change = world.change()
    WorkingHours.objects.create(person=world.business, days=[0], begins=time(9), ends=time(17))

    assert chase(change, NOW + 2 * HOUR) == 1
    assert told(Event.SIGN_OFF_REMINDED) == ["Tom"]
    chase(change, MONDAY + HOUR)
    assert told(Event.SIGN_OFF_REMINDED) == ["Tom"]
    chase(change, MONDAY + 2 * HOUR)
    assert told(Event.SIGN_OFF_REMINDED) == ["Bea", "Tom"]


def test_who_is_away_is_not_reminded_but_whoever_stands_in(world):
    change = world.change()
    AbsenceFactory(person=world.business, ends_at=NOW + 60 * DAY)
    DelegationFactory(person=world.business, delegate=world.stranger)

    chase(change, NOW + 2 * HOUR)

    assert told(Event.SIGN_OFF_REMINDED) == ["Sam", "Tom"]


def test_who_has_signed_is_not_reminded(db):
    world = make_world(a_rule(needed=2), remind_after_hours=2)
    change = world.change()
    approve(change, world.business)

    assert chase(change, NOW + 2 * HOUR) == 1
    assert told(Event.SIGN_OFF_REMINDED) == ["Tom"]


def test_a_later_stage_waits_since_the_earlier_one_agreed(db):
    first = a_rule("first", group={"kind": "OWNER", "owner": "BUSINESS"})
    rules = first, a_rule("then", group={"kind": "OWNER", "owner": "TECHNICAL"}, stage=2)
    world = make_world(*rules, remind_after_hours=2)
    change = world.change()
    approve(change, world.business, now=NOW + 2 * HOUR)

    assert chase(change, NOW + 2 * HOUR + HOUR / 2) == 0
    assert chase(change, MONDAY + 2 * HOUR) == 1


def test_after_the_reminder_the_release_managers_are_told(world):
    change = world.change()

    chase(change, MONDAY + 2 * HOUR)

    assert told(Event.SIGN_OFF_ESCALATED) == ["Max"]


def test_without_a_release_manager_the_administrators_are_told(world):
    change, administrator = world.change(), make_person(Role.ADMINISTRATOR, name="Ada")
    Person.objects.filter(pk=world.manager.pk).update(is_active=False, deactivated_at=NOW)

    chase(change, MONDAY + 2 * HOUR)

    assert told(Event.SIGN_OFF_ESCALATED) == [administrator.name]


def test_what_nobody_agreed_to_in_time_expires_and_says_what_to_do(world):
    change = world.change()

    chase(change, MONDAY + 6 * HOUR)

    change.refresh_from_db()
    assert change.state == State.EXPIRED
    assert "Copy it into a new change" in Move.objects.get(change=change, goal=State.EXPIRED).reason
    assert chase(change, MONDAY + 7 * HOUR) == 0


def test_what_was_deployed_in_part_is_not_expired_early(db):
    world = make_world(expire_after_hours=1)
    change = world.change()
    leg_started(change.legs.get(is_current=True), by=SYSTEM, at=NOW)
    change.refresh_from_db()
    was = change.state

    chase(change, MONDAY + 6 * HOUR)

    change.refresh_from_db()
    assert change.state == was


def test_an_edit_and_a_new_submission_begin_the_wait_anew(world):
    change = world.change()
    chase(change, NOW + 2 * HOUR)

    edit(change, "plan", now=NOW + 2 * HOUR)
    assert chase(change, NOW + 2 * HOUR + HOUR / 2) == 0
    assert chase(change, MONDAY + 2 * HOUR) == 2

    send_back_change(change_id=change.pk, by=world.business.actor, reason="Say more.", now=NOW + 2 * HOUR)
    assert chase(change, MONDAY + 9 * HOUR) == 0
    submit_change(change_id=change.pk, by=world.requester.actor, now=MONDAY)
    assert chase(change, MONDAY + HOUR) == 0
    assert chase(change, MONDAY + 2 * HOUR) == 2


def test_a_policy_without_times_tells_nobody(db):
    change = make_world().change()

    assert chase(change, MONDAY + 100 * DAY) == 0
    assert not latest(limit=1)[0].event.value.startswith("sign_off.")


def test_the_clock_looks_only_where_a_policy_gives_time(world):
    long_ago = database_now() - 10 * DAY
    change, other = world.change(now=long_ago), make_world().change(now=long_ago)

    chase_agreements()

    change.refresh_from_db()
    other.refresh_from_db()
    assert (change.state, other.state) == (State.EXPIRED, State.IN_REVIEW)
    assert not Nudge.objects.exists()


def test_the_clock_goes_on_after_one_that_is_busy(world, monkeypatch):
    world.change(now=database_now() - 10 * DAY)

    def busy(**_):
        raise Refused(BUSY)

    monkeypatch.setattr("apps.approvals.beat.chase_agreement", busy)

    assert chase_agreements() == 0


def test_a_change_that_is_agreed_needs_no_reminder(world):
    change = world.change(State.APPROVED)

    assert chase(change, MONDAY + 6 * HOUR) == 0
    change.refresh_from_db()
    assert change.state == State.APPROVED


def test_a_narrower_policy_without_times_is_not_chased(world):
    make_policy(world.target.environment, service=world.target.service)

    assert chase(world.change(), MONDAY + 6 * HOUR) == 0
