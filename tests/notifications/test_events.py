"""What time, stand-ins and machines cause: reminders, escalations, delegations, ways back, and the incidents they open."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction

from apps.accounts.roles import Role
from apps.approvals.actions import end_delegation, give_delegation
from apps.audit.record import record
from apps.audit.stream import latest
from apps.audit.vocabulary import Event
from apps.changes.states import State as ChangeState
from apps.core.actors import system
from apps.deployments.models import Deployment
from apps.incidents.models import Incident
from apps.incidents.opening import react as open_for
from apps.notifications.facts.telling import notice_of
from apps.notifications.kinds import Kind, Relation
from apps.notifications.letters import write_mail
from apps.notifications.states import State
from tests.factories.accounts import make_person
from tests.factories.approvals import make_change, make_place
from tests.factories.catalog import OwnershipFactory
from tests.factories.deployments import FAILS_SWITCHED, FAKE, make_order, make_site, step
from tests.factories.notifications import follow_all, told

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def fresh_driver():
    FAKE.reset()


def now() -> datetime:
    return datetime.now(UTC)


def text(person, kind: Kind) -> str:
    written = write_mail(told(person, kind)[-1], now=now())
    assert written.message is not None, written.said
    return f"{written.message.subject}\n{written.message.body}"


# Time


@pytest.mark.parametrize(
    ("event", "words"),
    [(Event.SIGN_OFF_REMINDED, "still waits for your agreement"), (Event.SIGN_OFF_ESCALATED, "who was asked has not decided")],
)
def test_reminder_and_escalation_go_to_whom_the_entry_names(event, words):
    owner, manager = make_person(), make_person(Role.RELEASE_MANAGER)
    change = make_change(ChangeState.IN_REVIEW, targets=(make_place(business=owner),), now=now())
    person = owner if event is Event.SIGN_OFF_REMINDED else manager
    record(event, subject=change, by=system("clock"), at=now(), refs=[person.reference])

    follow_all()

    assert told(person, Kind.SIGN_OFF_REMINDED)[0].relation == Relation.ASKED
    assert words in text(person, Kind.SIGN_OFF_REMINDED)


# Standing in


def test_delegate_is_told_what_and_until_when_and_that_it_ended():
    owner, delegate = make_person(name="Olga Owner"), make_person(name="Dora Delegate")
    delegation = give_delegation(delegate_id=delegate.pk, starts_at=now(), ends_at=now() + DAY, kinds=["NORMAL"], by=owner.actor)
    follow_all()

    said = text(delegate, Kind.DELEGATION_GIVEN)

    assert "You stand in for Olga Owner" in said
    assert "Kinds of change: normal" in said
    assert "Services: all" in said
    assert not told(owner)
    end_delegation(delegation_id=delegation.pk, by=owner.actor)
    follow_all()
    first, second = told(delegate)
    assert write_mail(first, now=now()).ending == State.SUPERSEDED
    assert "You no longer stand in for Olga Owner" in str(getattr(write_mail(second, now=now()).message, "subject", ""))


def test_delegation_does_not_name_what_the_delegate_may_not_see():
    owner, delegate = make_person(), make_person()
    seen, hidden = make_place(business=owner).service, make_place(business=owner).service
    hidden.is_restricted, hidden.name = True, "Vault"
    hidden.save()
    give_delegation(delegate_id=delegate.pk, starts_at=now(), ends_at=now() + DAY, service_ids=[seen.pk, hidden.pk], by=owner.actor)
    follow_all()

    said = text(delegate, Kind.DELEGATION_GIVEN)

    assert f"Services: {seen.name}, others that you do not see" in said
    assert "Vault" not in said


def test_who_stands_in_is_asked_too():
    owner, delegate = make_person(), make_person()
    give_delegation(delegate_id=delegate.pk, starts_at=now() - DAY, ends_at=now() + DAY, by=owner.actor)
    make_change(ChangeState.IN_REVIEW, targets=(make_place(business=owner),), now=now())

    follow_all()

    assert told(delegate, Kind.SIGN_OFF_ASKED)
    assert "asks for your agreement" in text(delegate, Kind.SIGN_OFF_ASKED)


# Ways back


def bad_deployment(owner) -> Deployment:
    site = make_site()
    OwnershipFactory(service=site.service, person=owner, kind="BUSINESS")
    order = step(make_order(site))
    FAKE.answers.append(FAILS_SWITCHED)
    return step(order)


def open_incidents() -> None:
    for entry in reversed(latest(None, limit=200)):
        with transaction.atomic():
            open_for(entry)


def test_failure_with_a_way_back_is_one_mail_and_its_incident_is_none_more():
    owner = make_person()
    bad = bad_deployment(owner)
    follow_all()
    open_incidents()

    follow_all()

    assert Incident.objects.count() == 1
    (delivery,) = told(owner)
    assert (delivery.kind, delivery.event) == (Kind.DEPLOYMENT_FAILED, Event.ROLLBACK_ORDERED)
    said = text(owner, Kind.DEPLOYMENT_FAILED)
    assert f"{bad.ref} went wrong" in said
    assert "Being rolled back" in said


def test_way_back_that_succeeded_is_told_and_replaces_what_was_not_sent():
    owner = make_person()
    bad = bad_deployment(owner)
    follow_all()
    back = step(step(Deployment.objects.get(undoes=bad)))
    assert back.state == "SUCCEEDED"

    follow_all()

    first, second = told(owner)
    assert second.event == Event.DEPLOYMENT_SUCCEEDED
    assert write_mail(first, now=now()).ending == State.SUPERSEDED
    assert "brought" in text(owner, Kind.DEPLOYMENT_FAILED)
    assert "Lift the hold" in text(owner, Kind.DEPLOYMENT_FAILED)


def test_order_refused_at_the_last_moment_is_told_to_who_ordered_it_and_asked_for_it():
    operator, requester, owner = make_person(Role.OPERATOR), make_person(Role.REQUESTER), make_person()
    site = make_site()
    OwnershipFactory(service=site.service, person=owner, kind="BUSINESS")
    order = make_order(site, by=operator, requester=requester)
    record(Event.DEPLOYMENT_REFUSED, subject=order, by=system("runner"), at=now())

    follow_all()

    assert [row.relation for row in told(operator)] == [Relation.ORDERER]
    assert [row.relation for row in told(requester, Kind.DEPLOYMENT_FAILED)] == [Relation.REQUESTER]
    assert not told(owner)
    assert "the gate said no" in text(operator, Kind.DEPLOYMENT_FAILED)


def test_events_about_nothing_we_know_tell_nobody():
    class Entry:
        event = Event.CHANGE_STARTED

    assert notice_of(Entry()) is None  # type: ignore[arg-type]
