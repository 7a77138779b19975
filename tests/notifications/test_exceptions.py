"""Who is told of an exception: whoever may be its second person, who asked, and the team that owes its review."""

from datetime import timedelta

from apps.approvals.actions import refuse_exception, review_exception, withdraw_exception
from apps.approvals.beat import lapse_exceptions, tell_due_reviews, tell_overdue_reviews
from apps.notifications.kinds import Kind, Relation
from apps.notifications.letters import write_mail
from apps.notifications.states import State
from tests.approvals.world import make_world
from tests.factories.accounts import MembershipFactory
from tests.factories.exceptions import agreed, asked, make_emergency
from tests.factories.notifications import follow_all, told
from tests.factories.proving import agree_exception
from tests.notifications.test_events import now, pytestmark, text

__all__ = ["pytestmark"]


def test_whoever_may_agree_is_asked_until_somebody_did():
    world = make_world()
    change = make_emergency(world.target, world.requester, now=now())
    one = asked(change, world.requester, "EMERGENCY", now=now())
    follow_all()

    said = text(world.manager, Kind.EXCEPTION_ASKED)

    assert "Rita asks for an exception" in said
    assert "Customers cannot pay." in said
    assert told(world.business, Kind.EXCEPTION_ASKED)
    assert not told(world.requester, Kind.EXCEPTION_ASKED)
    assert not told(world.stranger, Kind.EXCEPTION_ASKED)
    agree_exception(exception_id=one.pk, by=world.manager.actor)
    (row,) = told(world.business, Kind.EXCEPTION_ASKED)
    assert write_mail(row, now=now()).ending == State.SUPERSEDED


def test_team_is_told_once_of_its_overdue_review():
    world = make_world()
    change = make_emergency(world.target, world.requester, now=now() - timedelta(days=5))
    one = agreed(change, world.requester, world.manager, "EMERGENCY", now=now() - timedelta(days=4))
    member = MembershipFactory(team=one.team).person

    assert [tell_overdue_reviews(), tell_overdue_reviews()] == [1, 0]
    follow_all()

    given, row = told(member, Kind.REVIEW_OVERDUE)
    assert row.relation == Relation.DEBTOR
    assert "is overdue since" in text(member, Kind.REVIEW_OVERDUE)
    assert f"The review of {one.ref}" in text(member, Kind.REVIEW_OVERDUE)
    assert told(world.requester, Kind.REVIEW_OVERDUE)
    assert write_mail(given, now=now()).ending == State.SUPERSEDED  # the later one says more
    review_exception(exception_id=one.pk, by=member.actor, review="A deadlock of two workers.", prevention="A test of both of them.")
    assert write_mail(row, now=now()).ending == State.SUPERSEDED


def test_team_and_asker_are_told_when_it_is_agreed_to_and_a_day_before_the_review_is_due():
    world = make_world()
    at = now() - timedelta(hours=50)
    change = make_emergency(world.target, world.requester, now=at)
    one = agreed(change, world.requester, world.manager, "EMERGENCY", now=at)
    member = MembershipFactory(team=one.team).person
    follow_all()

    for person in (member, world.requester):
        said = text(person, Kind.REVIEW_OVERDUE)
        assert "Max agreed to the exception that Rita asked for." in said
        assert "Its review is owed until" in said
    assert not told(world.manager, Kind.REVIEW_OVERDUE)

    assert [tell_due_reviews(), tell_due_reviews()] == [1, 0]
    follow_all()
    *_, row = told(member, Kind.REVIEW_OVERDUE)
    assert "is due" in write_mail(row, now=now()).message.body


def test_who_asked_is_told_that_it_is_refused_or_over_and_not_what_they_did_themselves():
    world = make_world()
    change = make_emergency(world.target, world.requester, now=now() - timedelta(days=2))
    asked(change, world.requester, "EMERGENCY", now=now() - timedelta(days=1, minutes=1))
    assert lapse_exceptions() == 1
    follow_all()
    assert "Nobody decided on EXC-" in text(world.requester, Kind.EXCEPTION_DECIDED)

    refused = asked(change, world.requester, "FREEZE", now=now())
    refuse_exception(exception_id=refused.pk, by=world.manager.actor, reason="It can wait.")
    own = asked(change, world.requester, "GATE", now=now())
    withdraw_exception(exception_id=own.pk, by=world.requester.actor)
    follow_all()

    rows = told(world.requester, Kind.EXCEPTION_DECIDED)
    assert len(rows) == 2
    body = write_mail(rows[-1], now=now()).message.body
    assert f"Max refused {refused.ref}" in body
    assert "It can wait." in body
    assert rows[-1].relation == Relation.ASKER
