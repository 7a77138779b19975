"""Roles for one service alone: who gives them, what they reach, and what they do not."""

from datetime import timedelta

import pytest

from apps.accounts.roles import FOR_ONE_SERVICE, Role
from apps.approvals.rules import quorum
from apps.audit.stream import entries_about
from apps.audit.vocabulary import Event
from apps.catalog import actions
from apps.catalog.access import may_see, services_hidden_from
from apps.catalog.facts import person_facts
from apps.catalog.grants import people_with_role, roles_for
from apps.catalog.models import ServiceRole
from apps.changes.access import services_to_ask_for
from apps.changes.facts import asker_of
from apps.changes.states import State
from apps.core.refusals import Refused
from apps.gate.gather import gather
from apps.gate.judgement import question_about
from apps.home.facts.access_review import reviewed
from apps.incidents.access import may_stop_something
from apps.schedule.facts import everything, mover_of, scope_of
from tests.conftest import NOW
from tests.factories.accounts import make_person
from tests.factories.approvals import a_rule, approve, make_change, make_place, make_policy
from tests.factories.catalog import ServiceFactory, ServiceRoleFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin():
    return make_person(Role.ADMINISTRATOR)


def refusal(act, *args, **given):
    with pytest.raises(Refused) as caught:
        act(*args, **given)
    return caught.value.refusal.code


@pytest.mark.parametrize("role", FOR_ONE_SERVICE)
def test_a_role_is_given_and_taken_once_and_both_are_told(admin, role):
    service, person = ServiceFactory(), make_person()

    actions.give_service_role(service.pk, person.pk, role=role, by=admin.actor)

    assert roles_for(service) == [(role, person)]
    assert refusal(actions.give_service_role, service.pk, person.pk, role=role, by=admin.actor) == "already_granted"
    actions.end_service_role(service.pk, person.pk, role=role, by=admin.actor)
    assert refusal(actions.end_service_role, service.pk, person.pk, role=role, by=admin.actor) == "not_granted"
    assert roles_for(service) == []
    assert [one.event for one in entries_about(service.reference, limit=3)] == [Event.ROLE_REVOKED, Event.ROLE_GRANTED]


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.ADMINISTRATOR])
def test_nobody_but_an_administrator_gives_one(role):
    service, person, other = ServiceFactory(), make_person(role), make_person()

    assert refusal(actions.give_service_role, service.pk, other.pk, role=Role.OPERATOR, by=person.actor) == "not_administrator"
    assert not ServiceRole.objects.exists()


def test_whoever_cannot_act_gets_none_and_a_retired_service_gives_none(admin):
    service, gone = ServiceFactory(), make_person(is_active=False)
    ended = ServiceFactory(retired_at=NOW)

    assert refusal(actions.give_service_role, service.pk, gone.pk, role=Role.OPERATOR, by=admin.actor) == "person_inactive"
    assert refusal(actions.give_service_role, ended.pk, make_person().pk, role=Role.OPERATOR, by=admin.actor) == "retired"


def test_it_reaches_that_service_and_no_other():
    here, there = ServiceFactory(), ServiceFactory()
    person = make_person()
    for role in FOR_ONE_SERVICE:
        ServiceRoleFactory(service=here, person=person, role=role)

    assert person_facts(person, here).roles == {*FOR_ONE_SERVICE}
    assert person_facts(person, there).roles == person_facts(person).roles == frozenset()
    assert asker_of(person, [here]).roles == {*FOR_ONE_SERVICE}
    assert asker_of(person, [here, there]).roles == frozenset()
    assert [*services_to_ask_for(person)] == [here]
    assert mover_of(person, scope_of(here).within).roles == {*FOR_ONE_SERVICE}
    assert mover_of(person, scope_of(here.team).within).roles == mover_of(person, everything().within).roles == frozenset()
    assert may_stop_something(person)
    assert [*people_with_role(Role.OPERATOR, here)] == [person]
    assert [*people_with_role(Role.OPERATOR, there)] == []


def test_a_role_for_the_team_and_one_for_another_service_reach_both_together():
    here, there = ServiceFactory(), ServiceFactory()
    person = make_person()
    ServiceRoleFactory(service=here, person=person, role=Role.REQUESTER)
    ServiceRoleFactory(service=there, person=person, role=Role.REQUESTER)

    assert asker_of(person, [here, there]).roles == {"REQUESTER"}


def test_it_opens_a_restricted_service():
    service = ServiceFactory(is_restricted=True)
    works, other = make_person(), make_person()
    ServiceRoleFactory(service=service, person=works)

    assert may_see(works, service)
    assert not may_see(other, service)
    assert [*services_hidden_from(works)] == []
    assert [*services_hidden_from(other)] == [service]


def test_what_a_merged_account_has_the_person_has():
    service, keep = ServiceFactory(), make_person()
    ServiceRoleFactory(service=service, person=make_person(is_active=False, merged_into=keep), role=Role.OPERATOR)

    assert person_facts(keep, service).roles == asker_of(keep, [service]).roles == {"OPERATOR"}
    assert [*people_with_role(Role.OPERATOR, service)] == [keep]


def test_the_gate_counts_it_while_it_stands_and_not_given_to_oneself_while_the_change_is_open(admin):
    place = make_place(policy=False)
    manager = make_person()
    ServiceRoleFactory(service=place.service, person=manager, role=Role.RELEASE_MANAGER)
    make_policy(place.environment, a_rule("them", group={"kind": "ROLE", "role": "RELEASE_MANAGER"}))
    change = make_change(State.IN_REVIEW, targets=(place,))
    approve(change, manager)
    (leg,) = change.legs.filter(is_current=True)

    def met():
        (read,) = gather(question_about(leg)).facts.legs
        return quorum(read.quorum).met

    assert met()
    actions.end_service_role(place.service.pk, manager.pk, role=Role.RELEASE_MANAGER, by=admin.actor)
    assert not met()
    given = {"started_at": NOW + timedelta(hours=1), "started_by": f"PERSON:{manager.public_id}"}
    ServiceRoleFactory(service=place.service, person=manager, role=Role.RELEASE_MANAGER, **given)
    assert refusal(approve, change, manager) == "self_granted"


def test_the_access_review_names_it_for_its_service(admin):
    service, person = ServiceFactory(name="Ferries"), make_person(name="Fay")
    ServiceRoleFactory(service=service, person=person, role=Role.OPERATOR)
    ServiceRoleFactory(person=make_person(name="Elsewhere"))

    rows = {row.person.name: row.rights for row in reviewed(admin, service=service)}

    assert rows["Fay"] == [("Operator", "Ferries")]
    assert "Elsewhere" not in rows
