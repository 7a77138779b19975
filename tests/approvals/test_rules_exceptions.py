"""The pure rules of exceptions: every verb by every role and in every state of a leg, and everything that voids one."""

from dataclasses import replace
from datetime import timedelta
from itertools import product
from uuid import UUID

import pytest

from apps.accounts.roles import Role
from apps.approvals.rules import (
    Debt,
    Debtors,
    ExceptedLeg,
    ExceptionFacts,
    ExceptionState,
    Given,
    counts,
    lifted_by,
    state_of,
    void_words,
    why_not_agree_exception,
    why_not_ask_exception,
    why_not_refuse_exception,
    why_not_review_exception,
    why_not_withdraw_exception,
    why_void,
)
from apps.catalog.rules import seat_key
from apps.changes.states import OPEN, LegState, State
from apps.core.actors import Actor, ActorKind
from tests.approvals.material import AT, DIGESTS, person

MINUTE = timedelta(minutes=1)
LEG = ExceptedLeg(
    ref="CHG-7",
    change_state="IN_REVIEW",
    kind="EMERGENCY",
    opened_at=AT - MINUTE,
    place="payments in production",
    is_current=True,
    leg_state="WAITING",
    failures_count=0,
    digests=DIGESTS,
    settings="5" * 64,
    identities=("git:1",),
    team="Payments",
)
FIRST, SECOND = person(10, role="REQUESTER"), person(11, owner="BUSINESS")
ASKED = ExceptionFacts(
    id=UUID(int=9),
    ref="EXC-9",
    kind="EMERGENCY",
    lifts=frozenset(),
    asked_by=FIRST,
    asked_at=AT,
    covers={"scope": DIGESTS["scope"], "rollback": DIGESTS["rollback"]},
    settings=LEG.settings,
    identities=LEG.identities,
    signature_ok=True,
)
AGREED = replace(ASKED, agreed_by=SECOND, agreed_at=AT, ends_at=AT + 60 * MINUTE)
ASKERS = {Role.REQUESTER, Role.OPERATOR, Role.RELEASE_MANAGER}


def by(who):
    return Actor(ActorKind.PERSON, str(who.id), "passkey")


def code(refusal):
    return refusal.code if refusal else None


@pytest.mark.parametrize("role", sorted(Role))
@pytest.mark.parametrize("owner", ["", "BUSINESS", "TECHNICAL"])
@pytest.mark.parametrize("active", [True, False])
def test_who_asks_and_who_agrees(role, owner, active):
    who = person(20, role=role, owner=owner, active=active)

    asks = code(why_not_ask_exception(LEG, kind="FREEZE", person=who, by=by(who)))
    agrees = code(why_not_agree_exception(ASKED, leg=LEG, person=who, by=by(who), now=AT))
    refuses = code(why_not_refuse_exception(ASKED, leg=LEG, person=who, by=by(who)))

    assert asks == (None if active and role in ASKERS else "not_an_asker")
    expected = None if active and (owner or role == Role.RELEASE_MANAGER) else "not_an_agreer"
    assert (agrees, refuses) == (expected, expected)


@pytest.mark.parametrize(
    ("givers", "expected"),
    [
        ((frozenset({FIRST.canonical_id}),), "let_in"),
        ((frozenset({FIRST.canonical_id}), frozenset({SECOND.canonical_id})), None),
        ((frozenset(),), None),
        ((), None),
    ],
)
def test_whoever_asks_does_not_choose_who_agrees(givers, expected):
    who = replace(SECOND, given_by={seat_key("OWNER", "BUSINESS"): givers})

    assert code(why_not_agree_exception(ASKED, leg=LEG, person=who, by=by(who), now=AT)) == expected


@pytest.mark.parametrize(("change", "leg"), [*product(sorted(State), sorted(LegState))])
def test_only_a_leg_that_may_start_of_an_open_change_is_excepted(change, leg):
    place = replace(LEG, change_state=change, leg_state=leg)
    may = change in OPEN and leg in {LegState.WAITING, LegState.FAILED}

    assert (why_not_ask_exception(place, kind="FREEZE", person=FIRST, by=by(FIRST)) is None) is may
    assert (why_not_agree_exception(ASKED, leg=place, person=SECOND, by=by(SECOND), now=AT) is None) is may


@pytest.mark.parametrize(
    ("facts", "leg", "expected"),
    [
        ({"signature_ok": False}, {}, "signature"),
        ({"agreed_by": replace(SECOND, canonical_id=FIRST.canonical_id)}, {}, "same_person"),
        ({"asked_by": replace(FIRST, is_active=False)}, {}, "asker"),
        ({"asked_by": replace(FIRST, roles=frozenset())}, {}, "asker"),
        ({"agreed_by": replace(SECOND, is_active=False)}, {}, "agreer"),
        ({"agreed_by": replace(SECOND, owner_of=frozenset())}, {}, "agreer"),
        ({"asked_by": replace(FIRST, inactive_until=AT + MINUTE)}, {}, "asker"),
        ({"agreed_by": replace(SECOND, inactive_until=AT + MINUTE)}, {}, "agreer"),
        ({"agreed_by": replace(SECOND, inactive_until=AT - timedelta(days=2))}, {}, None),
        ({}, {"digests": {**DIGESTS, "scope": "0"}}, "changed"),
        ({}, {"digests": {**DIGESTS, "rollback": "0"}}, "changed"),
        ({}, {"digests": {**DIGESTS, "plan": "0", "period": "0", "story": "0"}}, None),
        ({}, {"is_current": False}, "changed"),
        ({}, {"identities": ("git:2",)}, "changed"),
        ({}, {"settings": "6" * 64}, "settings"),
        ({}, {"kind": "NORMAL"}, "kind"),
        ({"kind": "FREEZE"}, {"kind": "NORMAL"}, None),
        ({"debts": (Debt("EXC-1", AT),)}, {}, "debt"),
        ({"debts": (Debt("EXC-1", AT + MINUTE),)}, {}, None),
    ],
    ids=str,
)
def test_what_voids_it_is_named_with_its_cure(facts, leg, expected):
    one, place = replace(AGREED, **facts), replace(LEG, **leg)

    found = why_void(one, leg=place, now=AT + MINUTE)

    assert found == expected
    assert counts(one, leg=place, now=AT + MINUTE) is (expected is None)
    if found:
        said, cure = void_words(one, found)
        assert said
        assert cure.endswith(".")
        assert "{" not in said


def test_states_in_time():
    assert state_of(ASKED, leg=LEG, now=AT) is ExceptionState.WAITING
    assert state_of(ASKED, leg=LEG, now=AT + timedelta(hours=24)) is ExceptionState.VOID
    assert state_of(AGREED, leg=LEG, now=AT + 60 * MINUTE - timedelta(microseconds=1)) is ExceptionState.LIVE
    assert state_of(AGREED, leg=LEG, now=AT + 60 * MINUTE) is ExceptionState.ENDED
    assert state_of(replace(ASKED, is_refused=True), leg=LEG, now=AT) is ExceptionState.REFUSED
    assert state_of(replace(ASKED, is_lapsed=True), leg=LEG, now=AT) is ExceptionState.LAPSED
    done = replace(LEG, leg_state="DONE")
    assert state_of(AGREED, leg=done, now=AT) is ExceptionState.USED
    assert state_of(AGREED, leg=done, now=AT + 60 * MINUTE) is ExceptionState.ENDED
    assert state_of(replace(AGREED, signature_ok=False), leg=done, now=AT) is ExceptionState.VOID
    assert not counts(AGREED, leg=done, now=AT)
    assert state_of(replace(AGREED, is_withdrawn=True), leg=LEG, now=AT) is ExceptionState.WITHDRAWN


@pytest.mark.parametrize("kept", ["identity", "known_target", "version", "used_up", "approval", "signature", "free", "exceptions", "room"])
def test_named_rules_are_lifted_and_what_means_the_gate_never_is(kept):
    assert lifted_by("GATE", {kept, "hold"}) == {"hold"}
    assert lifted_by("FREEZE", {kept, "hold"}) == {"freeze", "window", "slot"}
    assert lifted_by("EMERGENCY", {"hold"}) == {"approval", "settings", "promotion", "evidence"}


def test_debt_refuses_asking_and_agreeing_and_names_the_review():
    owing = replace(LEG, debts=(Debt("EXC-3", AT),))

    for refusal in (
        why_not_ask_exception(owing, kind="FREEZE", person=FIRST, by=by(FIRST)),
        why_not_agree_exception(ASKED, leg=owing, person=SECOND, by=by(SECOND), now=AT),
    ):
        assert code(refusal) == "review_overdue"
        assert "EXC-3" in str(refusal)


def test_withdrawing_and_reviewing():
    stranger, manager = person(30), person(31, role="RELEASE_MANAGER")

    def withdraw(who, leg=LEG):
        return code(why_not_withdraw_exception(AGREED, leg=leg, person=who, by=by(who), now=AT))

    assert [withdraw(who) for who in (FIRST, SECOND, manager, stranger)] == [None, None, None, "not_yours"]
    assert withdraw(FIRST, replace(LEG, leg_state="DONE")) == "exception_over"

    def review(who, one=AGREED, *, of_team=False, another=False, now=AT + 60 * MINUTE, leg=LEG):
        debtors = Debtors("Payments", of_team, another)
        return code(why_not_review_exception(one, leg=leg, person=who, debtors=debtors, by=by(who), now=now))

    assert (review(FIRST), review(stranger, of_team=True), review(SECOND)) == (None, None, "not_of_team")
    assert (review(FIRST, another=True), review(FIRST, of_team=True, another=True)) == ("own_review", "own_review")
    assert review(FIRST, ASKED) == "not_agreed"
    assert review(FIRST, replace(AGREED, reviewed_at=AT)) == "already_reviewed"
    assert review(replace(FIRST, is_active=False), of_team=True) == "not_of_team"
    assert review(FIRST, now=AT + 59 * MINUTE) == "not_over"
    assert review(FIRST, replace(AGREED, is_withdrawn=True), now=AT) is None
    assert {state: review(FIRST, now=AT, leg=replace(LEG, leg_state=state)) for state in sorted(LegState)} == {
        **dict.fromkeys(sorted(LegState)), "WAITING": "not_over",
    }  # fmt: skip


def test_chain_refuses_asking_and_agreeing_and_names_what_to_review():
    three = tuple(Given(f"EXC-{number}", is_reviewed=False) for number in (1, 2, 3))
    for given, refused in ((three, "chain"), (three[:2], None), ((replace(three[0], is_reviewed=True), *three[1:]), None)):
        leg = replace(LEG, given=given)
        asks = why_not_ask_exception(leg, kind="FREEZE", person=FIRST, by=by(FIRST))
        agrees = why_not_agree_exception(ASKED, leg=leg, person=SECOND, by=by(SECOND), now=AT)
        assert (code(asks), code(agrees)) == (refused, refused)
        assert refused is None or "EXC-1" in str(asks)
