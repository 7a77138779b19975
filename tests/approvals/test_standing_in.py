"""Being away and standing in: who may say so, what it lets somebody sign, and what happens meanwhile."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from apps.accounts.actions import deactivate_person
from apps.accounts.models import Person
from apps.accounts.roles import Role
from apps.approvals.actions import cancel_absence, end_delegation, enter_absence, give_delegation, withdraw_sign_off
from apps.approvals.facts import look_ahead, review_facts
from apps.approvals.models import Absence, Delegation, SignOff
from apps.approvals.rules import all_met, forecast, quorum
from apps.approvals.statement import read_statement
from apps.audit.sentences import sentence
from apps.audit.stream import latest
from apps.audit.vocabulary import Event
from apps.changes.states import State
from apps.core.locks import database_now
from apps.core.refusals import BadContent, Refused
from apps.gate.judgement import verdict_now
from tests.approvals.test_races import Pause
from tests.approvals.world import edit, make_world
from tests.conftest import NOW
from tests.factories.accounts import make_person
from tests.factories.approvals import AbsenceFactory, DelegationFactory, SignOffFactory, a_rule, approve, newest
from tests.factories.proving import approve_change, reject_change, with_two_factors
from tests.factories.schedule import SlotFactory

DAY = timedelta(days=1)


@pytest.fixture
def world(db):
    return make_world(a_rule(group={"kind": "OWNER", "owner": "BUSINESS"}))


def code(verb):
    with pytest.raises(Refused) as refused:
        verb()
    return refused.value.refusal.code


def told(event):
    return next(entry for entry in latest(limit=30) if entry.event is event)


def answer(change):
    (leg,) = review_facts(change).legs
    return quorum(leg).rules[0]


def test_whoever_stands_in_signs_and_the_record_says_for_whom(world):
    change = world.change()
    delegation = DelegationFactory(person=world.business, delegate=world.stranger)

    sign_off = approve(change, world.stranger)

    change.refresh_from_db()
    assert change.state == State.APPROVED
    assert (sign_off.person, sign_off.delegation) == (world.stranger, delegation)
    assert read_statement(bytes(sign_off.statement)).by["on_behalf_of"] == str(world.business.public_id)
    given = told(Event.SIGN_OFF_GIVEN)
    assert world.business.reference in given.refs
    names = {str(world.stranger.reference): "Sam", str(world.business.reference): "Bea", str(change.reference): change.ref}
    assert "Sam for Bea <b>signed</b>" in sentence(given, lambda text: names.get(text, text)).text


def test_the_gate_counts_whoever_stands_in(world):
    change = world.change()
    DelegationFactory(person=world.business, delegate=world.stranger)
    leg = change.legs.get(is_current=True)
    before = verdict_now(leg, now=NOW).codes

    approve(change, world.stranger)

    assert "sign_off_missing" in before
    assert "sign_off_missing" not in verdict_now(leg, now=NOW).codes


@pytest.mark.parametrize(
    "more",
    [
        {"ends_at": NOW - timedelta(seconds=1)},
        {"starts_at": NOW + 1000 * DAY},
        {"kinds": ["EMERGENCY"]},
        {"service_ids": [0]},
        {"ended_at": NOW - DAY, "ended_by": "SYSTEM:test"},
    ],
)
def test_outside_of_what_was_asked_nobody_stands_in(world, more):
    change = world.change()
    DelegationFactory(person=world.business, delegate=world.stranger, **more)

    assert code(lambda: approve(change, world.stranger)) == "not_asked"


def test_whoever_asked_does_not_stand_in(world):
    change = world.change()
    DelegationFactory(person=world.business, delegate=world.requester)

    assert code(lambda: approve(change, world.requester)) == "own_change"


def test_whoever_edited_last_does_not_stand_in(world):
    change = world.change()
    DelegationFactory(person=world.business, delegate=world.technical)

    edit(change, "plan", by=world.technical)

    assert code(lambda: approve(change, world.technical)) == "own_edit"


def test_a_seat_is_filled_once_by_whoever_comes(world):
    two = make_world(a_rule(group={"kind": "OWNER", "owner": "BUSINESS"}, needed=2))
    change = two.change()
    DelegationFactory(person=two.business, delegate=two.stranger)

    approve(change, two.stranger)
    approve(change, two.business)

    change.refresh_from_db()
    assert (change.state, answer(change).missing) == (State.IN_REVIEW, 1)


def test_what_was_said_while_it_held_stays_said(world):
    change = world.change()
    delegation = DelegationFactory(person=world.business, delegate=world.stranger, starts_at=database_now() - DAY)
    approve(change, world.stranger, now=database_now())

    end_delegation(delegation_id=delegation.pk, by=world.business.actor)

    assert all_met(review_facts(change).legs)


@pytest.mark.parametrize("who", ["business", "stranger"])
def test_once_either_of_the_two_is_gone_it_counts_no_more(world, who):
    change, administrator = world.change(), make_person(Role.ADMINISTRATOR)
    DelegationFactory(person=world.business, delegate=world.stranger)
    approve(change, world.stranger)

    deactivate_person(getattr(world, who).pk, by=administrator.actor)

    assert not all_met(review_facts(change).legs)
    assert "sign_off_missing" in verdict_now(change.legs.get(is_current=True), now=NOW).codes


def test_a_row_that_names_a_delegation_its_statement_does_not_know_proves_nothing(world):
    two = make_world(a_rule(group={"kind": "OWNER", "owner": "BUSINESS"}))
    change = two.change()
    given = approve(change, two.business)
    forged = {field.name: getattr(given, field.name) for field in SignOff._meta.concrete_fields if field.name not in {"id", "public_id"}}
    withdraw_sign_off(sign_off_id=given.pk, by=two.business.actor, now=NOW)
    delegation = DelegationFactory(person=two.technical, delegate=two.business)

    SignOffFactory(**forged | {"delegation": delegation, "statement_hash": "f" * 64})

    (leg,) = review_facts(change).legs
    assert [one.signature_ok for one in leg.sign_offs] == [False]
    assert not quorum(leg).met


def test_a_rejection_is_given_in_the_same_place(world):
    change = world.change()
    DelegationFactory(person=world.business, delegate=world.stranger)

    sign_off = reject_change(
        change_id=change.pk, revision_digest=newest(change).digest, by=world.stranger.actor, reason="Not today.", now=NOW
    )

    assert sign_off.delegation is not None
    change.refresh_from_db()
    assert change.state == State.REJECTED


def give(by, delegate, **more):
    at = {"starts_at": NOW, "ends_at": NOW + 3 * DAY, "now": NOW} | more
    return give_delegation(delegate_id=delegate.pk, by=by.actor, **at)


def test_give_delegation_tells_the_delegate(world):
    delegation = give(world.business, world.stranger, starts_at=NOW - DAY, service_ids=[world.target.service_id], kinds=["NORMAL"])

    entry = told(Event.DELEGATION_GIVEN)
    assert (delegation.starts_at, delegation.kinds) == (NOW, ["NORMAL"])
    assert {world.business.reference, world.stranger.reference, world.target.service.reference} <= set(entry.refs)
    assert entry.details == {"name": "Bea", "delegate": "Sam"}


@pytest.mark.parametrize(
    ("field", "more"),
    [
        ("ends_at", {"ends_at": NOW - DAY, "starts_at": NOW - 2 * DAY}),
        ("ends_at", {"ends_at": NOW}),
        ("ends_at", {"ends_at": NOW + 400 * DAY}),
        ("starts_at", {"starts_at": NOW.replace(year=1)}),
        ("services", {"service_ids": []}),
        ("services", {"service_ids": [0]}),
        ("kinds", {"kinds": []}),
        ("kinds", {"kinds": ["URGENT"]}),
    ],
)
def test_give_delegation_names_the_field(world, field, more):
    with pytest.raises(BadContent) as bad:
        give(world.business, world.stranger, **more)

    assert [*bad.value.errors] == [field]


def test_give_delegation_is_refused_to_oneself_to_the_gone_and_twice(world):
    gone = make_person()
    Person.objects.filter(pk=gone.pk).update(is_active=False, deactivated_at=NOW)
    give(world.business, world.stranger)

    assert code(lambda: give(world.business, world.manager)) == "already_delegated"
    assert code(lambda: give(world.technical, world.technical)) == "oneself"
    assert code(lambda: give(world.technical, gone)) == "person_inactive"
    assert give(world.business, world.manager, starts_at=NOW + 3 * DAY, ends_at=NOW + 4 * DAY).pk
    assert [entry.data["code"] for entry in latest(limit=9) if entry.event is Event.DELEGATION_REFUSED] == [
        "person_inactive",
        "oneself",
        "already_delegated",
    ]


def test_end_delegation_is_for_the_two_and_for_administrators(world):
    delegation = give(world.business, world.stranger)

    assert code(lambda: end_delegation(delegation_id=delegation.pk, by=world.manager.actor, now=NOW)) == "not_yours"
    assert end_delegation(delegation_id=delegation.pk, by=world.stranger.actor, now=NOW).ended_by == f"PERSON:{world.stranger.public_id}"
    assert code(lambda: end_delegation(delegation_id=delegation.pk, by=world.business.actor, now=NOW)) == "already_ended"
    assert told(Event.DELEGATION_ENDED).details["delegate"] == "Sam"


def test_the_database_refuses_to_widen_what_was_asked(world):
    delegation = DelegationFactory(kinds=["NORMAL"])

    with pytest.raises(IntegrityError, match="written once"), transaction.atomic():
        Delegation.objects.filter(pk=delegation.pk).update(kinds=None)
    with pytest.raises(IntegrityError, match="stands_in_for_themselves"), transaction.atomic():
        DelegationFactory(person=world.business, delegate=world.business)


def test_absence_is_entered_and_cancelled_by_oneself_or_an_administrator(world):
    administrator, at = make_person(Role.ADMINISTRATOR), {"starts_at": NOW, "ends_at": NOW + DAY, "now": NOW}

    own = enter_absence(person_id=world.business.pk, by=world.business.actor, **at)
    other = enter_absence(person_id=world.business.pk, by=administrator.actor, **at)
    cancel_absence(absence_id=own.pk, by=world.business.actor, now=NOW)

    assert code(lambda: enter_absence(person_id=world.business.pk, by=world.technical.actor, **at)) == "not_yours"
    assert code(lambda: cancel_absence(absence_id=other.pk, by=world.technical.actor, now=NOW)) == "not_yours"
    assert code(lambda: cancel_absence(absence_id=own.pk, by=world.business.actor, now=NOW)) == "already_cancelled"
    assert told(Event.ABSENCE_CANCELLED).details == {"name": "Bea"}
    with pytest.raises(BadContent, check=lambda error: "ends_at" in error.errors):
        enter_absence(person_id=world.business.pk, by=world.business.actor, **at | {"ends_at": NOW - DAY})
    with pytest.raises(IntegrityError, match="written once"), transaction.atomic():
        Absence.objects.filter(pk=other.pk).update(ends_at=NOW + 9 * DAY)


def test_local_times_are_read_in_the_zone_given(world):
    plain = {"starts_at": (NOW + DAY).replace(tzinfo=None, hour=9), "ends_at": (NOW + DAY).replace(tzinfo=None, hour=17)}

    absence = enter_absence(person_id=world.business.pk, by=world.business.actor, time_zone="Asia/Tokyo", now=NOW, **plain)

    assert absence.starts_at.hour == 0


def test_forecast_sees_who_is_away_past_the_slot(world):
    change = world.change()
    SlotFactory(leg=change.legs.get(is_current=True), starts_at=NOW + DAY, ends_at=NOW + 2 * DAY)
    AbsenceFactory(person=world.business, ends_at=NOW + 3 * DAY)

    (leg,) = look_ahead(review_facts(change).legs, now=NOW)
    assert not forecast(leg).can_be_met
    assert "Bea is away." in forecast(leg).cures[0]

    DelegationFactory(person=world.business, delegate=world.stranger)
    (leg,) = look_ahead(review_facts(change).legs, now=NOW)
    assert forecast(leg).can_be_met
    assert [one.name for one in forecast(leg).rules[0].candidates] == ["Sam"]


def test_forecast_does_not_mind_who_is_back_before_the_slot(world):
    change = world.change()
    SlotFactory(leg=change.legs.get(is_current=True), starts_at=NOW + 4 * DAY, ends_at=NOW + 5 * DAY)
    AbsenceFactory(person=world.business, ends_at=NOW + 3 * DAY)

    (leg,) = look_ahead(review_facts(change).legs, now=NOW)

    assert forecast(leg).can_be_met


@pytest.fixture
def committed(own_database):
    return make_world(a_rule(group={"kind": "OWNER", "owner": "BUSINESS"}))


def agreeing(change, person):
    read = newest(change).digest
    with_two_factors(person)  # before the race: enrolling is none of it
    return lambda: approve_change(change_id=change.pk, revision_digest=read, by=person.actor)


def test_ending_a_delegation_meanwhile_keeps_them_from_signing(committed, racer, wait_until_blocked, monkeypatch):
    change, delegation = committed.change(), DelegationFactory(person=committed.business, delegate=committed.stranger)
    pause = Pause(monkeypatch, "apps.approvals.actions.standing_in", "_record")
    approval = agreeing(change, committed.stranger)

    ending = racer(lambda: end_delegation(delegation_id=delegation.pk, by=committed.business.actor))
    pid = pause.wait()
    approving = racer(approval)
    wait_until_blocked(pid)
    pause.go_on()
    ending.result()

    assert code(approving.result) == "not_asked"
    assert not SignOff.objects.exists()


def test_a_delegation_given_meanwhile_waits_until_somebody_has_signed(committed, racer, wait_until_blocked, monkeypatch):
    change = committed.change()
    pause = Pause(monkeypatch, "apps.approvals.actions.sign_offs", "settle")
    at = database_now()

    approving = racer(agreeing(change, committed.business))
    pid = pause.wait()
    asking = racer(lambda: give_delegation(delegate_id=committed.stranger.pk, starts_at=at, ends_at=at + DAY, by=committed.business.actor))
    wait_until_blocked(pid)
    pause.go_on()
    approving.result()
    asking.result()

    change.refresh_from_db()
    assert (change.state, Delegation.objects.count()) == (State.APPROVED, 1)


def test_whom_one_stands_in_for_is_deactivated_meanwhile(committed, racer, wait_until_blocked, monkeypatch):
    change, administrator = committed.change(), make_person(Role.ADMINISTRATOR)
    DelegationFactory(person=committed.business, delegate=committed.stranger)
    pause = Pause(monkeypatch, "apps.accounts.actions.people", "end_access")
    approval = agreeing(change, committed.stranger)

    leaving = racer(lambda: deactivate_person(committed.business.pk, by=administrator.actor))
    pid = pause.wait()
    approving = racer(approval)
    wait_until_blocked(pid)
    pause.go_on()
    leaving.result()

    assert code(approving.result) == "not_asked"


def test_two_delegations_of_one_person_at_once_are_one(committed, racer, wait_until_blocked, monkeypatch):
    at = database_now()
    pause = Pause(monkeypatch, "apps.approvals.actions.standing_in", "_record")

    def asking(who):
        return lambda: give_delegation(delegate_id=who.pk, starts_at=at, ends_at=at + DAY, by=committed.business.actor)

    first = racer(asking(committed.stranger))
    pid = pause.wait()
    second = racer(asking(committed.manager))
    wait_until_blocked(pid)
    pause.go_on()
    first.result()

    assert code(second.result) == "already_delegated"


def test_reading_a_change_asks_once_more_for_those_who_stand_in(world):
    change = world.change()
    review_facts(change)
    with_none = statements(change)
    for _ in range(3):
        DelegationFactory(person=world.business, delegate=make_person())

    assert statements(change) == with_none


def statements(change) -> int:
    with CaptureQueriesContext(connection) as found:
        review_facts(change)
    return len(found)
