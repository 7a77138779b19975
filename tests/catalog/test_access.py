"""Who sees which service, and that old short names keep working."""

import pytest
from django.http import Http404

from apps.accounts.roles import Role
from apps.catalog.access import (
    arrivals_at,
    environments_in_order,
    get_environment,
    get_service,
    get_target,
    may_see,
    names_of,
    services_for,
    target_by_id,
    targets_for,
    targets_of,
)
from apps.catalog.models import OwnerKind
from apps.core.references import Reference
from tests.conftest import NOW
from tests.factories.accounts import MembershipFactory, TeamFactory, give_team_role, make_person
from tests.factories.catalog import (
    ArrivalFactory,
    EnvironmentAliasFactory,
    EnvironmentFactory,
    OwnershipFactory,
    ServiceAliasFactory,
    ServiceFactory,
    make_target,
)

pytestmark = pytest.mark.django_db


def seers() -> dict[str, bool]:
    return {
        "member": True,
        "owner": True,
        "auditor": True,
        "owner through a merged person": True,
        "nobody": False,
        "administrator": False,
        "every other role": False,
        "member of another team": False,
        "former member": False,
        "former owner": False,
        "operator of its team who is no member": False,
    }


@pytest.mark.parametrize(("who", "sees"), seers().items())
def test_a_restricted_service_is_seen_by_its_team_its_owners_and_auditors_alone(who, sees):
    team = TeamFactory()
    target = make_target(ServiceFactory(team=team, is_restricted=True))
    service = target.service
    person = make_person()
    match who:
        case "member":
            MembershipFactory(team=team, person=person)
        case "owner":
            OwnershipFactory(service=service, person=person)
        case "auditor":
            person = make_person(Role.AUDITOR)
        case "owner through a merged person":
            OwnershipFactory(service=service, person=make_person(is_active=False, merged_into=person), kind=OwnerKind.TECHNICAL)
        case "administrator":
            person = make_person(Role.ADMINISTRATOR)
        case "every other role":
            person = make_person(*(set(Role) - {Role.AUDITOR}))
        case "member of another team":
            person = make_person(team=TeamFactory())
        case "former member":
            MembershipFactory(team=team, person=person, ended_at=NOW, ended_by="SYSTEM:test")
        case "former owner":
            OwnershipFactory(service=service, person=person, ended_at=NOW, ended_by="SYSTEM:test")
        case "operator of its team who is no member":
            give_team_role(person, Role.OPERATOR, team)

    assert may_see(person, service) is sees
    assert (service in services_for(person)) is sees
    assert (target in targets_for(person)) is sees
    for look in (lambda: get_service(person, service.slug), lambda: get_target(person, service.slug, target.environment.slug)):
        if sees:
            look()
        else:
            with pytest.raises(Http404):
                look()


def test_an_open_service_is_seen_by_everybody():
    service = ServiceFactory()

    assert get_service(make_person(), service.slug) == service


def test_old_short_names_of_services_and_environments_keep_working():
    target = make_target()
    old, old_place = ServiceAliasFactory(service=target.service), EnvironmentAliasFactory(environment=target.environment)

    assert get_service(make_person(), old.slug) == target.service
    assert get_environment(old_place.slug) == target.environment
    assert get_target(make_person(), old.slug, old_place.slug) == target


@pytest.mark.parametrize("slug", ["unknown", "", "\x00", "' OR 1=1 --", "x" * 5000])
def test_unknown_short_names_are_404(slug):
    target = make_target()

    for look in (
        lambda: get_service(make_person(), slug),
        lambda: get_environment(slug),
        lambda: get_target(make_person(), slug, slug),
        lambda: get_target(make_person(), target.service.slug, EnvironmentFactory().slug),
    ):
        with pytest.raises(Http404):
            look()


def test_lists_are_in_order_and_leave_out_what_is_retired():
    high, low, gone = EnvironmentFactory(rank=9000), EnvironmentFactory(rank=1), EnvironmentFactory(rank=2, retired_at=NOW)
    service = ServiceFactory()
    first, second = make_target(service, high), make_target(service, low)
    ended = make_target(service, gone)
    retired = make_target(ServiceFactory(retired_at=NOW))

    shown = targets_for(make_person())

    assert environments_in_order().first() == low
    assert gone not in environments_in_order()
    assert [*targets_of(service)] == [second, ended, first]
    assert ended not in shown
    assert retired not in shown


def test_services_are_found_by_name_short_name_and_team():
    service = ServiceFactory(slug="payments-gateway", name="Gateway", team=TeamFactory(name="Money"))

    for text in ("gatew", "PAYMENTS", "money"):
        assert [*services_for(make_person(), text=text)] == [service]


def test_names_of_references_are_found_in_one_statement_per_kind(django_assert_num_queries):
    targets = [make_target() for _ in range(3)]
    wanted = [row.reference for target in targets for row in (target, target.service, target.environment)]

    with django_assert_num_queries(3):
        found = names_of([*wanted, Reference("service", "01980000-0000-7000-8000-000000000000"), Reference("person", "x")])

    assert found[targets[0].reference] == f"{targets[0].service.name} in {targets[0].environment.name}"
    assert set(found) == set(wanted)


def test_arrivals_are_newest_first_and_targets_are_found_by_id(now):
    target = make_target()
    old, new = ArrivalFactory(target=target, at=now.replace(year=2025)), ArrivalFactory(target=target)

    assert arrivals_at(target) == [new, old]
    assert arrivals_at(target, limit=1) == [new]
    assert target_by_id(target.public_id) == target
    assert target_by_id(target.service.public_id) is None
