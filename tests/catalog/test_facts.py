"""The facts of people for rules: frozen, for many at once, merged people counted as one."""

from datetime import timedelta

import pytest

from apps.accounts.roles import Role
from apps.catalog.facts import owners_of, people_facts, person_facts, service_facts, target_facts
from apps.catalog.models import OwnerKind
from apps.core.ids import new_id
from tests.conftest import NOW
from tests.factories.accounts import MembershipFactory, RoleGrantFactory, TeamFactory, give_team_role, make_person
from tests.factories.catalog import OwnershipFactory, ServiceFactory, make_service, make_target

pytestmark = pytest.mark.django_db


def test_facts_of_a_person_for_one_service_and_for_none():
    service = ServiceFactory()
    person = make_person(Role.REQUESTER, team=service.team)
    give_team_role(person, Role.OPERATOR, service.team)
    give_team_role(person, Role.RELEASE_MANAGER, TeamFactory())
    OwnershipFactory(service=service, person=person)
    OwnershipFactory(person=person, kind=OwnerKind.TECHNICAL)

    here, anywhere = person_facts(person, service), person_facts(person)

    assert here.roles == {"REQUESTER", "OPERATOR"}
    assert here.owner_of == {"BUSINESS"}
    assert here.team_ids == {service.team.public_id}
    assert (here.id, here.canonical_id, here.is_active, here.name) == (person.public_id, person.public_id, True, person.name)
    assert (anywhere.roles, anywhere.owner_of) == (frozenset({"REQUESTER"}), frozenset())


def test_somebody_merged_is_not_active_and_holds_what_the_other_holds():
    service = ServiceFactory()
    keep = make_person(Role.APPROVER)
    gone = make_person(is_active=False, merged_into=keep)
    OwnershipFactory(service=service, person=gone)

    facts = people_facts([keep, gone], service)

    assert facts[keep.public_id].owner_of == {"BUSINESS"}
    assert facts[gone.public_id].canonical_id == keep.public_id
    assert not facts[gone.public_id].is_active
    assert facts[gone.public_id].owner_of == {"BUSINESS"}
    assert owners_of(service) == [("BUSINESS", keep)]


def test_somebody_deactivated_has_no_roles():
    person = make_person(Role.OPERATOR, is_active=False)

    assert person_facts(person).roles == frozenset()


def test_what_a_person_gave_themselves_is_told_with_the_latest_moment():
    person, service = make_person(), ServiceFactory()
    mine = f"PERSON:{person.public_id}"
    RoleGrantFactory(person=person, role=Role.APPROVER, granted_by=mine)
    MembershipFactory(person=person, started_by=mine, started_at=NOW + timedelta(days=1))
    OwnershipFactory(person=person, service=service, started_by=mine, started_at=NOW + timedelta(days=2))

    assert person_facts(person).self_granted_at == NOW + timedelta(days=1)
    assert person_facts(person, service).self_granted_at == NOW + timedelta(days=2)
    assert person_facts(make_person(Role.APPROVER)).self_granted_at is None


def test_facts_of_many_people_take_as_many_statements_as_of_one(django_assert_num_queries):
    service = ServiceFactory()
    people = [make_person(Role.APPROVER, team=service.team) for _ in range(10)]

    for some in (people[:1], people):
        with django_assert_num_queries(1):
            assert len(people_facts(some, service)) == len(some)


def test_facts_of_places_name_what_is_occupied(now):
    target = make_target(make_service())
    target.occupied_by, target.occupied_since = new_id(), now
    target.save()

    assert service_facts(target.service).occupied == (str(target),)
    assert target_facts(target).occupied_by == target.occupied_by
