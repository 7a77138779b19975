"""Who may do what to the catalogue: the whole matrix of roles and verbs."""

import inspect

import pytest

from apps.accounts.roles import Role
from apps.catalog import actions
from apps.catalog.models import OwnerKind
from apps.catalog.versions import Version
from apps.core.actors import system
from apps.core.refusals import Kind, Refused
from tests.factories.accounts import TeamFactory, give_team_role, make_person
from tests.factories.catalog import COMMIT, SETTINGS, EnvironmentFactory, OwnershipFactory, ServiceFactory, ServiceRoleFactory, make_target

ADMINISTRATORS, KEEPERS = frozenset({Role.ADMINISTRATOR}), frozenset({Role.OPERATOR, Role.RELEASE_MANAGER})


def locked() -> int:
    target = make_target()
    actions.lock_target(target.pk, reason="x", by=make_person(Role.OPERATOR).actor)
    return target.pk


# verb: (who may, what it is called with). A verb of this app that is not in the table fails the test below it.
MATRIX = {
    "create_service": (ADMINISTRATORS, lambda: {"slug": "new-one", "name": "New", "team_id": TeamFactory().pk}),
    "change_service": (ADMINISTRATORS, lambda: {"service_id": ServiceFactory().pk, "name": "New"}),
    "retire_service": (ADMINISTRATORS, lambda: {"service_id": ServiceFactory().pk}),
    "start_ownership": (
        ADMINISTRATORS,
        lambda: {"service_id": ServiceFactory().pk, "person_id": make_person().pk, "kind": OwnerKind.TECHNICAL},
    ),
    "end_ownership": (
        ADMINISTRATORS,
        lambda: {"service_id": (row := OwnershipFactory()).service_id, "person_id": row.person_id, "kind": OwnerKind.BUSINESS},
    ),
    "give_service_role": (
        ADMINISTRATORS,
        lambda: {"service_id": ServiceFactory().pk, "person_id": make_person().pk, "role": Role.OPERATOR},
    ),
    "end_service_role": (
        ADMINISTRATORS,
        lambda: {"service_id": (row := ServiceRoleFactory()).service_id, "person_id": row.person_id, "role": Role.REQUESTER},
    ),
    "create_environment": (ADMINISTRATORS, lambda: {"slug": "new-one", "name": "New", "rank": 7}),
    "change_environment": (ADMINISTRATORS, lambda: {"environment_id": EnvironmentFactory().pk, "name": "New"}),
    "retire_environment": (ADMINISTRATORS, lambda: {"environment_id": EnvironmentFactory().pk}),
    "create_target": (ADMINISTRATORS, lambda: {"service_id": ServiceFactory().pk, "environment_id": EnvironmentFactory().pk}),
    "write_target_settings": (ADMINISTRATORS, lambda: {"target_id": make_target().pk, "settings": {**SETTINGS, "bake_seconds": 1}}),
    "lock_target": (KEEPERS, lambda: {"target_id": make_target().pk, "reason": "x"}),
    "unlock_target": (KEEPERS, lambda: {"target_id": locked()}),
    "adopt_version": (KEEPERS, lambda: {"target_id": make_target().pk, "version": Version("1", (COMMIT,)), "reason": "x"}),
}


def test_every_verb_of_this_app_is_in_the_matrix():
    assert {name for name in actions.__all__ if inspect.isfunction(getattr(actions, name))} == set(MATRIX)


@pytest.mark.django_db
@pytest.mark.parametrize("role", [*Role, None])
@pytest.mark.parametrize("name", MATRIX)
def test_a_verb_works_for_those_who_may_and_is_refused_for_all_others(name, role):
    allowed, given = MATRIX[name]
    by, arguments = make_person(*([role] if role else [])).actor, given()

    if role in allowed:
        getattr(actions, name)(**arguments, by=by)
    else:
        with pytest.raises(Refused) as caught:
            getattr(actions, name)(**arguments, by=by)
        assert caught.value.refusal.kind is Kind.NOT_ALLOWED
        assert caught.value.refusal.cure


@pytest.mark.django_db
@pytest.mark.parametrize("name", MATRIX)
@pytest.mark.parametrize("who", ["system", "deactivated", "merged"])
def test_a_verb_is_refused_for_whoever_is_no_present_person(name, who):
    everything = [*Role]
    by = {
        "system": lambda: system("sweeper"),
        "deactivated": lambda: make_person(*everything, is_active=False).actor,
        "merged": lambda: make_person(*everything, is_active=False, merged_into=make_person()).actor,
    }[who]()

    with pytest.raises(Refused) as caught:
        getattr(actions, name)(**MATRIX[name][1](), by=by)

    assert caught.value.refusal.code == "not_present"


@pytest.mark.django_db
@pytest.mark.parametrize("role", sorted(KEEPERS))
def test_a_role_for_one_team_counts_for_targets_of_its_services_alone(role):
    mine, other = make_target(), make_target()
    person = make_person()
    give_team_role(person, role, mine.service.team)

    actions.lock_target(mine.pk, reason="x", by=person.actor)
    with pytest.raises(Refused) as caught:
        actions.lock_target(other.pk, reason="x", by=person.actor)

    assert caught.value.refusal.code == "not_operator"
