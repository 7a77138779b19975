"""Who is told of an exception: whoever may be its second person, at once; and the team whose review is overdue."""

from datetime import timedelta

from apps.approvals.actions import agree_exception, review_exception
from apps.approvals.beat import tell_overdue_reviews
from apps.notifications.kinds import Kind, Relation
from apps.notifications.letters import write_mail
from apps.notifications.states import State
from tests.approvals.world import make_world
from tests.factories.accounts import MembershipFactory
from tests.factories.exceptions import agreed, asked, make_emergency
from tests.factories.notifications import follow_all, told
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

    (row,) = told(member, Kind.REVIEW_OVERDUE)
    assert row.relation == Relation.DEBTOR
    assert f"The review of {one.ref}" in text(member, Kind.REVIEW_OVERDUE)
    assert told(world.requester, Kind.REVIEW_OVERDUE)
    review_exception(exception_id=one.pk, by=member.actor, review="So.", prevention="This.")
    assert write_mail(row, now=now()).ending == State.SUPERSEDED
