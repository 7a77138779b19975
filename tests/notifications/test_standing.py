"""What is no longer true when it would be sent is not sent; what still is, is."""

from datetime import UTC, datetime, timedelta

import pytest

from apps.accounts.roles import Role
from apps.approvals.models import Delegation
from apps.audit.vocabulary import Event
from apps.catalog.models import Service
from apps.changes.actions import close_change, withdraw_change
from apps.changes.models import Change
from apps.changes.states import State as ChangeState
from apps.deployments.models import Deployment
from apps.deployments.states import State as DeploymentState
from apps.incidents.actions import open_incident, resolve_incident
from apps.notifications.facts.circles import people_called
from apps.notifications.facts.standing import ending_of, why_outdated
from apps.notifications.facts.subjects import Subject, may_be_told, services_of, subject_named, who_may_be_told
from apps.notifications.kinds import Kind, Relation, Timing
from apps.notifications.states import State
from tests.factories.accounts import TeamFactory, make_person
from tests.factories.approvals import make_change, make_place
from tests.factories.catalog import make_target
from tests.factories.deployments import make_deployment
from tests.factories.incidents import make_incident
from tests.factories.notifications import ChoiceFactory, DeliveryFactory

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


def now() -> datetime:
    return datetime.now(UTC)


def outdated(subject: Subject, *, kind: Kind, event: str, person=None) -> str:
    delivery = DeliveryFactory(subject=str(subject.reference), kind=kind, event=event, **({"person": person} if person else {}))
    return why_outdated(delivery, subject, now=now())


@pytest.mark.parametrize("state", sorted(ChangeState))
@pytest.mark.parametrize(
    ("event", "states"),
    [
        (Event.CHANGE_SENT_BACK, {ChangeState.DRAFT}),
        (Event.CHANGE_FINISHED, {ChangeState.POST_REVIEW}),
        (Event.CHANGE_APPROVED, {ChangeState.APPROVED, ChangeState.IN_PROGRESS}),
        (Event.CHANGE_REOPENED, {ChangeState.IN_REVIEW}),
        (Event.CHANGE_REJECTED, set(ChangeState)),
        (Event.CHANGE_EXPIRED, set(ChangeState)),
        (Event.CHANGE_COMMENTED, set(ChangeState)),
    ],
)
def test_news_of_a_change_holds_while_its_state_does(state, event, states):
    change = Change(pk=7, state=state)
    delivery = DeliveryFactory(event=event, kind=Kind.CHANGE_DECIDED)

    assert (why_outdated(delivery, change, now=now()) == "") is (state in states)


@pytest.mark.parametrize("kind", [Kind.SIGN_OFF_ASKED, Kind.SIGN_OFF_LAPSED, Kind.SIGN_OFF_REMINDED])
def test_asking_holds_while_the_seat_is_empty(kind):
    owner, other = make_person(), make_person()
    change = make_change(ChangeState.IN_REVIEW, targets=(make_place(business=owner),), now=now())

    assert not outdated(change, kind=kind, event=Event.CHANGE_SUBMITTED, person=owner)
    assert outdated(change, kind=kind, event=Event.CHANGE_SUBMITTED, person=other)
    withdraw_change(change_id=change.pk, by=change.requester.actor, reason="")
    change.refresh_from_db()
    assert outdated(change, kind=kind, event=Event.CHANGE_SUBMITTED, person=owner)


def test_escalation_holds_for_who_cannot_sign_too():
    change = make_change(ChangeState.IN_REVIEW, now=now())
    told = {"kind": Kind.SIGN_OFF_REMINDED, "event": Event.SIGN_OFF_ESCALATED}

    assert not outdated(change, **told)
    withdraw_change(change_id=change.pk, by=change.requester.actor, reason="")
    change.refresh_from_db()
    assert "withdrawn" in outdated(change, **told)


def test_later_news_of_the_same_thing_takes_the_place_of_earlier_news():
    change = make_change(ChangeState.POST_REVIEW, now=now())
    person = make_person()
    first = DeliveryFactory(person=person, subject=str(change.reference), kind=Kind.CHANGE_WATCHED, event=Event.CHANGE_FINISHED)
    assert not why_outdated(first, change, now=now())
    later = DeliveryFactory(person=person, subject=str(change.reference), kind=Kind.CHANGE_WATCHED, event=Event.CHANGE_CLOSED)
    close_change(change_id=change.pk, by=change.requester.actor, review="All well.")

    assert why_outdated(first, change, now=now()) == "A later mail says what became of it."
    assert not why_outdated(later, Change.objects.get(pk=change.pk), now=now())


@pytest.mark.parametrize("state", sorted(DeploymentState))
def test_call_for_a_person_holds_while_one_is_needed(state):
    order = Deployment(pk=7, state=state)
    delivery = DeliveryFactory(event=Event.DEPLOYMENT_NEEDS_HUMAN, kind=Kind.DEPLOYMENT_NEEDS_HUMAN)

    assert (why_outdated(delivery, order, now=now()) == "") is (state is DeploymentState.NEEDS_HUMAN)


def test_incident_holds_until_it_is_resolved():
    target = make_target()
    operator = make_person(Role.OPERATOR)
    incident = open_incident(target.pk, title="Turnstiles stay shut", by=operator.actor, hold=False)
    told = {"kind": Kind.INCIDENT_OPENED, "event": Event.INCIDENT_OPENED}

    assert not outdated(incident, **told)
    assert "resolved" in outdated(resolve_incident(incident.pk, by=operator.actor, reason="A cable."), **told)


@pytest.mark.parametrize(("more", "holds"), [({}, True), ({"ends_at": datetime(2021, 1, 1, tzinfo=UTC)}, False), ({"ended": True}, False)])
def test_delegation_holds_while_it_lasts(more, holds):
    ended = more.pop("ended", False)
    person, delegate = make_person(), make_person()
    span = {"starts_at": datetime(2020, 1, 1, tzinfo=UTC), "ends_at": now() + DAY} | more
    end = {"ended_at": now(), "ended_by": "SYSTEM:test"} if ended else {}
    delegation = Delegation.objects.create(person=person, delegate=delegate, given_at=now(), **span, **end)
    told = {"kind": Kind.DELEGATION_GIVEN, "person": delegate}

    assert (outdated(delegation, event=Event.DELEGATION_GIVEN, **told) == "") is holds
    assert outdated(delegation, event=Event.DELEGATION_ENDED, **told) == ""


# Not to be sent at all


def test_person_who_left_is_told_nothing():
    person = make_person()
    person.is_active, person.deactivated_at = False, now()
    person.save()
    incident = make_incident()
    delivery = DeliveryFactory(person=person, subject=str(incident.reference), kind=Kind.INCIDENT_OPENED)

    goal, said = ending_of(delivery, incident, now=now()) or ("", "")

    assert goal is State.SUPPRESSED
    assert "cannot act" in said


def test_person_who_may_not_see_it_any_more_is_told_nothing():
    person, incident = make_person(), make_incident()
    delivery = DeliveryFactory(person=person, subject=str(incident.reference), kind=Kind.INCIDENT_OPENED)
    assert ending_of(delivery, incident, now=now()) is None
    Service.objects.filter(pk=incident.target.service_id).update(is_restricted=True)

    goal, _ = ending_of(delivery, subject_named(delivery.subject), now=now()) or ("", "")

    assert goal is State.SUPPRESSED


def test_choice_made_meanwhile_counts():
    person, incident = make_person(), make_incident()
    delivery = DeliveryFactory(person=person, subject=str(incident.reference), kind=Kind.INCIDENT_OPENED, relation=Relation.OWNER)
    ChoiceFactory(person=person, kind=Kind.INCIDENT_OPENED, timing=Timing.NEVER)

    goal, said = ending_of(delivery, incident, now=now()) or ("", "")

    assert goal is State.SUPPRESSED
    assert "chose never" in said


@pytest.mark.parametrize(
    "text", ["change:none", "team:01a1f9e3-7189-7050-b346-95e8b3891c7b", "", "change:01a1f9e3-7189-7050-b346-95e8b3891c7b"]
)
def test_reference_that_names_nothing_is_nothing(text):
    assert subject_named(text) is None


def test_subjects_are_found_by_their_references():
    order = make_deployment(DeploymentState.SUCCEEDED)
    found = [order, make_incident(), order.leg.change]

    assert [subject_named(str(one.reference)) for one in found] == found
    assert services_of(order.leg.change) == services_of(order) == [order.target.service]


def test_restricted_change_is_for_who_sees_all_of_it():
    team = TeamFactory()
    insider, outsider = make_person(team=team), make_person()
    target = make_place(business=insider)
    change = make_change(ChangeState.IN_REVIEW, targets=(target, make_place()), now=now())
    assert who_may_be_told([insider, outsider], change) == [insider, outsider]
    Service.objects.filter(pk=target.service_id).update(is_restricted=True, team=team)

    assert who_may_be_told([insider, outsider], change) == [insider]
    assert not may_be_told(outsider, change)


def test_words_name_people_by_mail_name_or_team():
    person = make_person(name="Nadia", email="nadia@example.org")

    assert people_called({"nadia@example.org"}) == people_called({"nadia"}) == {person.public_id}
    assert people_called({"nobody"}) == set()
