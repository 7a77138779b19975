"""Walls and slots: declared, lifted, booked, moved; refused by field or with a cure; whole or not at all."""

from datetime import datetime, timedelta
from uuid import UUID

import pytest
from django.db import connection

from apps.accounts.roles import Role
from apps.audit.stream import entries_about
from apps.audit.vocabulary import Event
from apps.changes.content import Period
from apps.changes.facts import current_legs
from apps.changes.models import Leg
from apps.core.locks import CALENDAR_GUARD
from apps.core.refusals import BadContent, Refused
from apps.schedule import actions
from apps.schedule.actions import (
    book_slot,
    declare_freeze,
    declare_window,
    lift_freeze,
    lift_hold,
    lift_window,
    place_hold,
    release_slot,
)
from apps.schedule.models import CalendarRule, Hold, HoldSource, RuleKind, Slot
from apps.schedule.rules import FOR_GOOD
from apps.schedule.stretches import Stretch
from tests.factories.accounts import TeamFactory, give_team_role, make_person
from tests.factories.catalog import EnvironmentFactory, ServiceFactory, make_target
from tests.factories.changes import make_change, make_content
from tests.factories.schedule import CalendarRuleFactory, HoldFactory

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
DECLARE = {RuleKind.FREEZE: declare_freeze, RuleKind.WINDOW: declare_window}
LIFT = {RuleKind.FREEZE: lift_freeze, RuleKind.WINDOW: lift_window}


@pytest.fixture
def manager():
    return make_person(Role.RELEASE_MANAGER)


@pytest.fixture
def leg(now):
    target = make_target()
    period = Period(now, now + 10 * HOUR, "Europe/Berlin")
    return current_legs(make_change(content=make_content(targets=(target,), period=period))).get()


def wall(now, **more):
    return {"title": "Peak", "starts_at": now, "ends_at": now + HOUR, "time_zone": "Europe/Berlin"} | more


def newest(thing):
    return entries_about(thing.reference, limit=1)[0]


@pytest.mark.parametrize("kind", RuleKind)
def test_a_wall_is_declared_in_its_zone(kind, manager, now):
    environment = EnvironmentFactory(name="Production")

    rule = DECLARE[kind](
        title=" Evening departures ",
        starts_at=datetime(2026, 11, 20, 18, 0),
        ends_at=datetime(2026, 11, 21, 6, 0),
        time_zone="Europe/Berlin",
        scope_kind="ENVIRONMENT",
        scope_id=environment.public_id,
        reason="Full ferries.",
        by=manager.actor,
        now=now,
    )

    rule.refresh_from_db()
    entry = newest(rule)
    start = now.replace(hour=17, minute=0)
    assert (rule.kind, rule.title, rule.time_zone) == (kind, "Evening departures", "Europe/Berlin")
    assert rule.covers == (Stretch(start, start + 12 * HOUR),)
    assert rule.live_until == (start + 12 * HOUR if kind is RuleKind.FREEZE else FOR_GOOD)
    assert entry.event.value == f"{kind.value.lower()}.declared"
    assert environment.reference in entry.refs
    assert entry.details == {"title": "Evening departures", "reason": "Full ferries.", "scope": "Production"}
    assert entry.data["time_zone"] == "Europe/Berlin"


@pytest.mark.parametrize("kind", RuleKind)
def test_a_wall_is_lifted_once(kind, manager, now):
    rule = DECLARE[kind](**wall(now), by=manager.actor, now=now)

    LIFT[kind](rule_id=rule.pk, by=manager.actor, reason="The sea is calm.", now=now)
    with pytest.raises(Refused) as refused:
        LIFT[kind](rule_id=rule.pk, by=manager.actor, now=now)

    rule.refresh_from_db()
    assert (rule.lifted_at, rule.lifted_by) == (now, f"PERSON:{manager.public_id}")
    assert newest(rule).event.value == f"{kind.value.lower()}.lifted"
    assert newest(rule).details["reason"] == "The sea is calm."
    assert refused.value.refusal.code == "already_lifted"
    assert refused.value.about == rule.reference


def test_a_freeze_is_not_lifted_as_a_window(manager, now):
    rule = declare_freeze(**wall(now), by=manager.actor, now=now)

    with pytest.raises(CalendarRule.DoesNotExist):
        lift_window(rule_id=rule.pk, by=manager.actor, now=now)


BAD_WALLS = {
    "no title": ({"title": " "}, "title"),
    "long title": ({"title": "x" * 121}, "title"),
    "title that turns": ({"title": "a\u202eb"}, "title"),
    "long reason": ({"reason": "x" * 301}, "reason"),
    "reason with NUL": ({"reason": "\x00"}, "reason"),
    "unknown zone": ({"time_zone": "Mars/Olympus"}, "time_zone"),
    "backwards": ({"ends_at": datetime(2020, 1, 1), "starts_at": datetime(2020, 1, 2)}, "ends_at"),
    "over": ({"starts_at": datetime(2020, 1, 1), "ends_at": datetime(2020, 1, 2)}, "ends_at"),
    "too long": ({"ends_at": datetime(2029, 1, 1)}, "ends_at"),
    "a time that is jumped over": ({"starts_at": datetime(2027, 3, 28, 2, 30), "ends_at": datetime(2027, 3, 29)}, "starts_at"),
    "unknown kind of scope": ({"scope_kind": "PLANET", "scope_id": UUID(int=1)}, "scope"),
    "unknown service": ({"scope_kind": "SERVICE", "scope_id": UUID(int=1)}, "scope"),
    "no id": ({"scope_kind": "SERVICE", "scope_id": None}, "scope"),
    "no such tier": ({"scope_kind": "TIER", "scope_id": "9"}, "scope"),
    "no tier": ({"scope_kind": "TIER", "scope_id": "gold"}, "scope"),
}


@pytest.mark.parametrize("case", BAD_WALLS)
def test_a_wall_refuses_what_cannot_be_read_by_field(case, manager, now):
    fields, field = BAD_WALLS[case]

    with pytest.raises(BadContent) as refused:
        declare_freeze(**wall(now, **fields), by=manager.actor, now=now)

    assert [*refused.value.errors] == [field]
    assert not CalendarRule.objects.exists()


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.RELEASE_MANAGER])
def test_freezes_are_the_release_managers(role, now):
    with pytest.raises(Refused) as refused:
        declare_freeze(**wall(now), by=make_person(role).actor, now=now)

    assert refused.value.refusal.code == "not_release_manager"


def test_a_teams_release_manager_moves_the_walls_of_its_services_alone(now):
    team = TeamFactory()
    person = make_person()
    give_team_role(person, Role.RELEASE_MANAGER, team)
    mine, other = ServiceFactory(team=team), ServiceFactory()

    rule = declare_freeze(**wall(now), scope_kind="SERVICE", scope_id=mine.public_id, by=person.actor, now=now)
    declare_freeze(**wall(now), scope_kind="TEAM", scope_id=team.public_id, by=person.actor, now=now)
    lift_freeze(rule_id=rule.pk, by=person.actor, now=now)

    for kind, scope_id in [("SERVICE", other.public_id), ("EVERYTHING", None)]:
        with pytest.raises(Refused):
            declare_freeze(**wall(now), scope_kind=kind, scope_id=scope_id, by=person.actor, now=now)


def test_a_service_one_may_not_see_is_no_scope(manager, now):
    hidden = ServiceFactory(is_restricted=True)

    with pytest.raises(BadContent):
        declare_freeze(**wall(now), scope_kind="SERVICE", scope_id=hidden.public_id, by=manager.actor, now=now)


@pytest.mark.parametrize("role", [Role.OPERATOR, Role.RELEASE_MANAGER])
def test_a_hold_is_placed_and_lifted_with_reasons(role, now):
    target, person = make_target(), make_person(role)

    hold = place_hold(scope_kind="TARGET", scope_id=target.public_id, reason="Disk is full.", by=person.actor, now=now)
    placed = newest(hold)
    lift_hold(hold_id=hold.pk, reason="Cleaned.", by=person.actor, now=now + HOUR)

    hold.refresh_from_db()
    assert (hold.source, hold.reason, hold.lift_reason, hold.lifted_at) == (HoldSource.PERSON, "Disk is full.", "Cleaned.", now + HOUR)
    assert (placed.event, target.reference in placed.refs) == (Event.HOLD_PLACED, True)
    assert newest(hold).event is Event.HOLD_LIFTED


def test_a_hold_needs_a_reason_to_stand_and_to_go(manager, now):
    with pytest.raises(BadContent) as refused:
        place_hold(scope_kind="EVERYTHING", scope_id=None, reason=" ", by=manager.actor, now=now)
    assert [*refused.value.errors] == ["reason"]
    with pytest.raises(BadContent):
        lift_hold(hold_id=HoldFactory().pk, reason="", by=manager.actor, now=now)


def test_a_machines_hold_is_lifted_by_a_person_once(manager, now):
    hold = HoldFactory(source=HoldSource.ROLLBACK, source_ref="deployment:1")

    lift_hold(hold_id=hold.pk, reason="Fixed.", by=manager.actor, now=now)

    with pytest.raises(Refused) as refused:
        lift_hold(hold_id=hold.pk, reason="Again.", by=manager.actor, now=now)
    assert refused.value.refusal.code == "already_lifted"


@pytest.mark.parametrize("role", [Role.REQUESTER, Role.APPROVER, Role.AUDITOR, Role.ADMINISTRATOR])
def test_holds_are_not_for_others(role, now):
    with pytest.raises(Refused):
        place_hold(scope_kind="EVERYTHING", scope_id=None, reason="No.", by=make_person(role).actor, now=now)
    with pytest.raises(Refused):
        lift_hold(hold_id=HoldFactory().pk, reason="No.", by=make_person(role).actor, now=now)


def test_every_wall_is_moved_behind_the_exclusive_guard(manager, now, monkeypatch):
    seen = []

    def guarded(event, **more):
        with connection.cursor() as cursor:
            cursor.execute(
                "select mode from pg_locks where locktype = 'advisory' and objid = %s and pid = pg_backend_pid() and granted",
                [CALENDAR_GUARD],
            )
            seen.append((event, [mode for (mode,) in cursor.fetchall()]))

    freeze, window, hold = CalendarRuleFactory(), CalendarRuleFactory(kind=RuleKind.WINDOW), HoldFactory()
    monkeypatch.setattr(actions, "record", guarded)
    verbs = [
        lambda: declare_freeze(**wall(now), by=manager.actor, now=now),
        lambda: declare_window(**wall(now), by=manager.actor, now=now),
        lambda: lift_freeze(rule_id=freeze.pk, by=manager.actor, now=now),
        lambda: lift_window(rule_id=window.pk, by=manager.actor, now=now),
        lambda: place_hold(scope_kind="EVERYTHING", scope_id=None, reason="Look.", by=manager.actor, now=now),
        lambda: lift_hold(hold_id=hold.pk, reason="Fine.", by=manager.actor, now=now),
    ]
    for verb in verbs:
        verb()

    assert len(seen) == len(verbs)
    assert all("ExclusiveLock" in modes for _, modes in seen)


def test_a_slot_is_booked_moved_and_released_without_touching_the_revision(leg, now):
    by = leg.change.requester.actor

    slot = book_slot(leg_id=leg.pk, starts_at=now + HOUR, ends_at=now + 2 * HOUR, by=by, now=now)
    booked = newest(leg)
    moved = book_slot(
        leg_id=leg.pk,
        starts_at=datetime(2026, 11, 20, 18, 0),
        ends_at=datetime(2026, 11, 20, 19, 0),
        time_zone="Europe/Berlin",
        by=by,
        now=now,
    )
    last = newest(leg)
    book_slot(leg_id=leg.pk, starts_at=moved.starts_at, ends_at=moved.ends_at, by=by, now=now)
    count = len(entries_about(leg.reference, limit=10))
    release_slot(leg_id=leg.pk, by=by, now=now)
    release_slot(leg_id=leg.pk, by=by, now=now)

    assert slot.pk == moved.pk
    assert (booked.event, last.event, newest(leg).event) == (Event.SLOT_BOOKED, Event.SLOT_MOVED, Event.SLOT_RELEASED)
    assert moved.starts_at == now.replace(hour=17, minute=0)
    assert count == 2
    assert len(entries_about(leg.reference, limit=10)) == 3
    assert not Slot.objects.exists()
    assert leg.change.revisions.count() == 1


@pytest.mark.parametrize(
    ("starts", "ends", "field"), [(-1, 1, "starts_at"), (9, 11, "ends_at"), (-3, -2, "ends_at"), (2, 2, "ends_at"), (3, 2, "ends_at")]
)
def test_a_slot_outside_the_period_is_refused_on_its_field(leg, now, starts, ends, field):
    with pytest.raises(BadContent) as refused:
        book_slot(leg_id=leg.pk, starts_at=now + starts * HOUR, ends_at=now + ends * HOUR, by=leg.change.requester.actor, now=now)

    assert [*refused.value.errors] == [field]
    assert not Slot.objects.exists()


def test_a_slot_is_the_requesters_and_the_release_managers(leg, manager, now):
    times = {"starts_at": now + HOUR, "ends_at": now + 2 * HOUR}

    with pytest.raises(Refused) as refused:
        book_slot(leg_id=leg.pk, **times, by=make_person(Role.OPERATOR, Role.REQUESTER).actor, now=now)
    book_slot(leg_id=leg.pk, **times, by=manager.actor, now=now)

    assert refused.value.refusal.code == "not_yours"
    assert Slot.objects.get().booked_by == f"PERSON:{manager.public_id}"


def test_a_leg_that_was_done_is_not_planned(leg, now):
    Leg.objects.filter(pk=leg.pk).update(state="DONE")

    with pytest.raises(Refused) as refused:
        book_slot(leg_id=leg.pk, starts_at=now + HOUR, ends_at=now + 2 * HOUR, by=leg.change.requester.actor, now=now)

    assert refused.value.refusal.code == "leg_not_open"


class BrokenStreamError(Exception):
    """The stream could not be written."""


def broken(*args, **kwargs):
    raise BrokenStreamError


@pytest.mark.parametrize("verb", ["declare", "lift", "place", "lift hold", "book", "release"])
def test_without_its_entry_nothing_happened(verb, leg, manager, now, monkeypatch):
    rule, hold = declare_freeze(**wall(now), by=manager.actor, now=now), HoldFactory()
    book_slot(leg_id=leg.pk, starts_at=now + HOUR, ends_at=now + 2 * HOUR, by=manager.actor, now=now)
    before = facts()
    monkeypatch.setattr(actions, "record", broken)
    verbs = {
        "declare": lambda: declare_freeze(**wall(now), by=manager.actor, now=now),
        "lift": lambda: lift_freeze(rule_id=rule.pk, by=manager.actor, now=now),
        "place": lambda: place_hold(scope_kind="EVERYTHING", scope_id=None, reason="Look.", by=manager.actor, now=now),
        "lift hold": lambda: lift_hold(hold_id=hold.pk, reason="Fine.", by=manager.actor, now=now),
        "book": lambda: book_slot(leg_id=leg.pk, starts_at=now + HOUR, ends_at=now + 3 * HOUR, by=manager.actor, now=now),
        "release": lambda: release_slot(leg_id=leg.pk, by=manager.actor, now=now),
    }

    with pytest.raises(BrokenStreamError):
        verbs[verb]()

    assert facts() == before


def facts():
    return [[*model.objects.order_by("pk").values()] for model in (CalendarRule, Hold, Slot)]
