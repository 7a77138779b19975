"""The verbs of exceptions: who asks, who agrees, what ends them, what is owed; against the database."""

import json
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from apps.accounts.actions import deactivate_person, merge_persons
from apps.accounts.roles import Role
from apps.approvals.actions import refuse_exception, review_exception, tell_overdue, withdraw_exception
from apps.approvals.facts import excepted_leg, exception_facts, read_exceptions
from apps.approvals.models import LegException
from apps.approvals.rules import ExceptionState, state_of, why_void
from apps.audit.models import Entry
from apps.catalog.actions import write_target_settings
from apps.changes.models import Leg
from apps.changes.states import State
from apps.core.actors import Actor, ActorKind, system
from apps.core.refusals import BadContent, Refused
from tests.approvals.world import edit, events, make_world
from tests.conftest import NOW
from tests.factories.accounts import MembershipFactory, make_person
from tests.factories.catalog import SETTINGS
from tests.factories.exceptions import LegExceptionFactory, agreed, asked, leg_of, make_emergency, plea
from tests.factories.proving import agree_exception, ask_exception

CLOCK = system("test")
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
SAID = {"review": "A deadlock of two workers.", "prevention": "A test that has both of them."}


@pytest.fixture
def world(db):
    return make_world()


@pytest.fixture
def change(world):
    return make_emergency(world.target, world.requester)


def code(act, *args, **given):
    with pytest.raises(Refused) as raised:
        act(*args, **given)
    return raised.value.refusal.code


def state(one, *, now=NOW):
    found = read_exceptions().get(pk=one.pk)
    return state_of(exception_facts(found, now=now), leg=excepted_leg(found.leg, now=now), now=now)


def void(one, *, now=NOW):
    found = read_exceptions().get(pk=one.pk)
    return why_void(exception_facts(found, now=now), leg=excepted_leg(found.leg, now=now), now=now)


# Works


@pytest.mark.parametrize("kind", ["EMERGENCY", "FREEZE", "GATE"])
def test_exception_counts_from_the_second_signature_to_its_end_by_the_minute(world, change, kind):
    one = asked(change, world.requester, kind, minutes=30)
    assert state(one) is ExceptionState.WAITING

    agree_exception(exception_id=one.pk, by=world.manager.actor, now=NOW + 5 * MINUTE)

    assert [state(one, now=NOW + minutes * MINUTE) for minutes in (5, 34)] == [ExceptionState.LIVE] * 2
    assert state(one, now=NOW + 35 * MINUTE) is ExceptionState.ENDED
    one.refresh_from_db()
    assert (one.ends_at, one.review_due_at) == (NOW + 35 * MINUTE, NOW + 5 * MINUTE + timedelta(hours=72))
    assert one.team == change.legs.get().service.team
    assert events(change)[-2:] == ["exception.asked", "exception.agreed"]


@pytest.mark.parametrize("first", ["requester", "manager", "operator"])
@pytest.mark.parametrize("second", ["business", "technical", "manager2"])
def test_everybody_who_may_be_one_of_the_two_is(world, change, first, second):
    people = {"operator": make_person(Role.OPERATOR), "manager2": make_person(Role.RELEASE_MANAGER)}

    one = agreed(change, people.get(first) or getattr(world, first), people.get(second) or getattr(world, second))

    assert state(one) is ExceptionState.LIVE


# Refusals


def test_asking_is_refused_to_whoever_neither_asks_nor_runs(world, change):
    for person in (world.stranger, make_person(Role.ADMINISTRATOR), make_person(Role.AUDITOR), make_person(Role.APPROVER)):
        assert code(asked, change, person) == "not_an_asker"
    assert Entry.objects.filter(event="exception.refused").count() == 4


def test_agreeing_is_refused_to_oneself_and_to_who_has_no_say(world, change):
    one = asked(change, world.manager)

    assert code(agree_exception, exception_id=one.pk, by=world.manager.actor, now=NOW) == "own_exception"
    for person in (world.requester, world.stranger, make_person(Role.OPERATOR), make_person(Role.ADMINISTRATOR)):
        assert code(agree_exception, exception_id=one.pk, by=person.actor, now=NOW) == "not_an_agreer"
        assert code(refuse_exception, exception_id=one.pk, by=person.actor, reason="No.", now=NOW) == "not_an_agreer"
    assert code(refuse_exception, exception_id=one.pk, by=world.manager.actor, reason="No.", now=NOW) == "own_exception"


def test_token_of_a_person_neither_asks_nor_agrees(world, change):
    one = asked(change, world.requester)
    token = Actor(ActorKind.TOKEN, "t", on_behalf_of=str(world.manager.public_id))

    assert code(ask_exception, leg_id=leg_of(change).pk, plea=plea(), by=token, now=NOW) == "not_a_person"
    assert code(agree_exception, exception_id=one.pk, by=token, now=NOW) == "not_a_person"


@pytest.mark.parametrize("over", sorted({State.DRAFT, State.REJECTED, State.WITHDRAWN, State.EXPIRED, State.CLOSED}))
def test_exception_is_for_an_open_change(world, over):
    change = world.change(over)

    assert code(asked, change, world.manager) in {"change_not_open", "leg_used_up", "leg_skipped", "leg_not_open"}


@pytest.mark.parametrize("started", sorted({State.IN_PROGRESS, State.POST_REVIEW}))
def test_exception_is_for_a_leg_that_may_start(world, started):
    change = world.change(started)

    assert code(asked, change, world.manager) in {"leg_in_flight", "change_not_open"}


def test_emergency_exception_is_for_an_emergency_change(world):
    assert code(asked, world.change(), world.requester, "EMERGENCY") == "not_an_emergency"


def test_one_of_each_kind_waits_at_a_time(world, change):
    asked(change, world.requester)

    assert code(asked, change, world.manager) == "already_asked"
    assert asked(change, world.manager, "EMERGENCY").is_waiting


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"minutes": 4}, "minutes"),
        ({"minutes": 241}, "minutes"),
        ({"reason": "  \n "}, "reason"),
        ({"reason": "x" * 2001}, "reason"),
        ({"reason": "bell\x07"}, "reason"),
        ({"lifts": ("hold",)}, "lifts"),
        ({"kind": "GATE", "lifts": ()}, "lifts"),
        ({"kind": "GATE", "lifts": ("approval",)}, "lifts"),
        ({"kind": "GATE", "lifts": ("hold", "moon")}, "lifts"),
        ({"kind": "OTHER"}, "kind"),
    ],
    ids=str,
)
def test_what_is_asked_for_is_read_strictly(world, change, given, field):
    with pytest.raises(BadContent) as raised:
        asked(change, world.requester, **given)

    assert list(raised.value.errors) == [field]
    assert not LegException.objects.exists()


# What voids one


@pytest.mark.parametrize(("part", "voids"), [("scope", True), ("rollback", True), ("plan", False), ("period", False), ("story", False)])
@pytest.mark.parametrize("is_agreed", [False, True])
def test_edit_of_scope_or_rollback_voids_it_and_no_other_does(world, change, part, voids, is_agreed):
    one = agreed(change, world.requester, world.manager) if is_agreed else asked(change, world.requester)

    edit(change, part)

    assert void(one) == ("changed" if voids else None)
    if voids and not is_agreed:
        assert code(agree_exception, exception_id=one.pk, by=world.manager.actor, now=NOW) == "exception_changed"
        again = asked(change, world.requester)  # what cannot be agreed to stands in nobody's way
        one.refresh_from_db()
        assert one.withdrawn_at == NOW
        assert state(again) is ExceptionState.WAITING


def test_other_deployment_settings_void_it(world, change):
    one = agreed(change, world.requester, world.manager)
    settings = {**SETTINGS, "deploy_seconds": 61}
    target = leg_of(change).target
    write_target_settings(target.pk, settings=settings, by=make_person(Role.ADMINISTRATOR).actor, now=NOW)

    assert void(one) == "settings"


@pytest.mark.parametrize("who", ["requester", "manager"])
def test_deactivating_either_of_the_two_voids_it_at_once(world, change, who):
    one = agreed(change, world.requester, world.manager)

    deactivate_person(person_id=getattr(world, who).pk, by=make_person(Role.ADMINISTRATOR).actor, now=NOW)

    assert void(one) == {"requester": "asker", "manager": "agreer"}[who]


def test_two_accounts_of_one_person_are_one_person(world, change):
    one = agreed(change, world.requester, world.manager)
    administrator = make_person(Role.ADMINISTRATOR)

    merge_persons(world.manager.pk, world.requester.pk, by=administrator.actor, now=NOW)

    assert void(one) == "same_person"


def test_who_was_merged_into_the_first_is_no_second_person(world, change):
    one = asked(change, world.requester)
    merge_persons(world.manager.pk, world.requester.pk, by=make_person(Role.ADMINISTRATOR).actor, now=NOW)

    assert code(agree_exception, exception_id=one.pk, by=world.manager.actor, now=NOW) == "own_exception"


def test_role_given_to_oneself_after_the_submission_does_not_agree(world, change):
    one = asked(change, world.requester)
    self_made = make_person(name="Eve")
    self_made.role_grants.create(role=Role.RELEASE_MANAGER, granted_at=NOW + MINUTE, granted_by=f"PERSON:{self_made.public_id}")

    assert code(agree_exception, exception_id=one.pk, by=self_made.actor, now=NOW + 2 * MINUTE) == "self_granted"


def test_nobody_agrees_to_what_was_asked_a_day_ago(world, change):
    one = asked(change, world.requester)

    assert code(agree_exception, exception_id=one.pk, by=world.manager.actor, now=NOW + DAY) == "exception_old"


# Taking back


def test_refusal_and_withdrawal_end_it_and_say_why(world, change):
    one = asked(change, world.requester)
    with pytest.raises(BadContent):
        refuse_exception(exception_id=one.pk, by=world.manager.actor, reason=" ", now=NOW)
    refuse_exception(exception_id=one.pk, by=world.manager.actor, reason="It can wait.", now=NOW)
    other = asked(change, world.requester)
    withdraw_exception(exception_id=other.pk, by=world.requester.actor, now=NOW)

    assert (state(one), state(other)) == (ExceptionState.REFUSED, ExceptionState.WITHDRAWN)
    assert code(agree_exception, exception_id=one.pk, by=world.manager.actor, now=NOW) == "exception_over"
    assert code(withdraw_exception, exception_id=other.pk, by=world.requester.actor, now=NOW) == "exception_over"
    told = [event for event in events(change) if event.startswith("exception.") and event != "exception.refused"]
    assert told == ["exception.asked", "exception.declined", "exception.asked", "exception.withdrawn"]


@pytest.mark.parametrize(
    ("who", "may"), [("requester", True), ("business", True), ("manager", True), ("technical", False), ("stranger", False)]
)
def test_one_of_both_or_a_release_manager_ends_it_early(world, change, who, may):
    one = agreed(change, world.requester, world.business)
    by = getattr(world, who).actor

    if may:
        withdraw_exception(exception_id=one.pk, by=by, reason="Done.", now=NOW + MINUTE)
        assert state(one, now=NOW + MINUTE) is ExceptionState.WITHDRAWN
    else:
        assert code(withdraw_exception, exception_id=one.pk, by=by, now=NOW + MINUTE) == "not_yours"
    assert code(withdraw_exception, exception_id=one.pk, by=world.manager.actor, now=NOW + DAY) == "exception_over"


# The review


def test_review_is_written_once_by_the_team_and_by_another_than_who_asked(world, change):
    one = agreed(change, world.requester, world.manager)
    member = MembershipFactory(team=one.team).person
    MembershipFactory(team=one.team, person=world.requester)

    assert code(review_exception, exception_id=one.pk, by=world.manager.actor, **SAID) == "not_of_team"
    assert code(review_exception, exception_id=one.pk, by=world.requester.actor, **SAID) == "own_review"
    review_exception(exception_id=one.pk, by=member.actor, **SAID)

    assert code(review_exception, exception_id=one.pk, by=member.actor, **SAID) == "already_reviewed"
    assert "exception.reviewed" in events(change)
    entry = Entry.objects.filter(event="exception.reviewed").get()
    assert set(json.loads(bytes(entry.body))["details"]) == {"review", "prevention"}


@pytest.mark.parametrize("of_team", [True, False])
def test_who_asked_writes_the_review_where_nobody_else_can(world, change, of_team):
    one = agreed(change, world.requester, world.manager)
    if of_team:
        MembershipFactory(team=one.team, person=world.requester)
    MembershipFactory(team=one.team, person__is_active=False)

    review_exception(exception_id=one.pk, by=world.requester.actor, **SAID)

    assert LegException.objects.get(pk=one.pk).reviewed_by == world.requester


@pytest.mark.parametrize("field", ["review", "prevention"])
@pytest.mark.parametrize("text", ["", " ", ".", "." * 19, "  " + "." * 19 + "  "])
def test_review_of_a_few_characters_is_told_on_its_field(world, change, field, text):
    one = agreed(change, world.requester, world.manager)

    with pytest.raises(BadContent) as raised:
        review_exception(exception_id=one.pk, by=world.requester.actor, **{**SAID, field: text})

    assert list(raised.value.errors) == [field]
    assert LegException.objects.get(pk=one.pk).reviewed_at is None


def test_review_waits_until_it_was_used_has_ended_or_is_withdrawn(world, change):
    one, by = agreed(change, world.requester, world.manager), world.requester.actor
    review = {"exception_id": one.pk, "by": by, **SAID}

    assert code(review_exception, **review, now=one.ends_at - MINUTE) == "not_over"
    Leg.objects.filter(change=change).update(state="STARTED")
    review_exception(**review, now=one.ends_at - MINUTE)

    Leg.objects.filter(change=change).update(state="WAITING")
    other = agreed(change, world.requester, world.manager)
    assert code(review_exception, **{**review, "exception_id": other.pk}, now=NOW) == "not_over"
    withdraw_exception(exception_id=other.pk, by=by, now=NOW)
    review_exception(**{**review, "exception_id": other.pk}, now=NOW)


def test_review_of_what_was_never_agreed_is_not_owed(world, change):
    one = asked(change, world.requester)

    assert code(review_exception, exception_id=one.pk, by=world.requester.actor, review="x", prevention="y") == "not_agreed"


def test_overdue_review_blocks_the_teams_next_exception_until_it_is_written(world, change):
    first = agreed(change, world.requester, world.manager)
    waiting = asked(change, world.requester, "EMERGENCY", now=NOW + timedelta(hours=71))
    late = NOW + timedelta(hours=72)

    with pytest.raises(Refused) as raised:
        asked(change, world.requester, now=late)
    assert raised.value.refusal.code == "review_overdue"
    assert first.ref in str(raised.value)
    assert code(agree_exception, exception_id=waiting.pk, by=world.manager.actor, now=late) == "review_overdue"
    assert tell_overdue(exception_id=first.pk, by=CLOCK, now=late - MINUTE) is False
    assert [tell_overdue(exception_id=first.pk, by=CLOCK, now=late) for _ in range(2)] == [True, False]

    review_exception(exception_id=first.pk, by=world.requester.actor, now=late, **SAID)
    agree_exception(exception_id=waiting.pk, by=world.manager.actor, now=late)
    assert state(waiting, now=late) is ExceptionState.LIVE


def test_debt_of_one_team_is_not_that_of_another(world, change):
    agreed(change, world.requester, world.manager)
    elsewhere = make_world()

    assert asked(elsewhere.change(), elsewhere.requester, now=NOW + 4 * DAY - DAY).is_waiting


# The database


def test_rows_put_in_by_hand_never_count(world, change):
    leg = leg_of(change)
    one = LegExceptionFactory(leg=leg, revision=change.revision, asked_by=world.requester, agreed_by=world.manager)

    assert void(one) == "signature"


@pytest.mark.parametrize(
    "change_of",
    [
        {"agreed_by_id": None},
        {"ends_at": NOW},
        {"minutes": 3},
        {"lifts": ["hold"]},
        {"kind": "GATE"},
        {"refused_at": NOW},
        {"reviewed_at": NOW},
        {"withdrawn_at": NOW},
    ],
    ids=str,
)
def test_database_refuses_halves_and_nonsense(world, change, change_of):
    with pytest.raises(IntegrityError), transaction.atomic():
        LegExceptionFactory(leg=leg_of(change), revision=change.revision, **change_of)


def test_database_refuses_one_person_as_both(world, change):
    with pytest.raises(IntegrityError), transaction.atomic():
        LegExceptionFactory(leg=leg_of(change), revision=change.revision, asked_by=world.manager, agreed_by=world.manager)


@pytest.mark.parametrize(
    "sql",
    [
        "update approvals_legexception set ends_at = ends_at + interval '1 hour'",
        "update approvals_legexception set reason = 'Another.'",
        "update approvals_legexception set agreed_by_id = asked_by_id",
        "update approvals_exceptionsignature set statement = 'x'",
        "delete from approvals_exceptionsignature",
        "delete from approvals_legexception",
    ],
)
def test_what_two_people_signed_is_written_once(world, change, sql):
    agreed(change, world.requester, world.manager)

    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)


def test_ends_by_the_clock_of_the_database(world):
    change = world.change(now=timezone.now())
    one = asked(change, world.requester, now=None)
    agree_exception(exception_id=one.pk, by=world.manager.actor)
    one.refresh_from_db()

    with connection.cursor() as cursor:
        cursor.execute("select clock_timestamp()")
        (now,) = cursor.fetchone()
    assert timedelta(0) <= now - one.agreed_at < MINUTE
    assert one.ends_at - one.agreed_at == 60 * MINUTE
