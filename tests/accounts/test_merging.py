"""Merging, whatever is merged into whatever in whatever order: nothing is lost, chains stay flat."""

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.accounts.access import is_member, person_by_identity, roles_of
from apps.accounts.actions import merge_persons
from apps.accounts.identities import IdentityKind
from apps.accounts.models import Person
from apps.accounts.roles import Role
from apps.core.refusals import Refused
from tests.factories.accounts import TeamFactory, make_person

pytestmark = pytest.mark.django_db
PEOPLE = 5


@given(st.lists(st.tuples(st.integers(0, PEOPLE - 1), st.integers(0, PEOPLE - 1)), max_size=8))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_merging_in_any_order_loses_nothing_and_keeps_chains_flat(pairs):
    savepoint = transaction.savepoint()  # no atomic(): verbs refuse to be nested in one
    walk(pairs)
    transaction.savepoint_rollback(savepoint)


def walk(pairs: list[tuple[int, int]]) -> None:
    admin = make_person(Role.ADMINISTRATOR)
    roles = [*Role][:PEOPLE]
    teams = [TeamFactory() for _ in range(PEOPLE)]
    people = [make_person(roles[at], team=teams[at]) for at in range(PEOPLE)]
    root = [*range(PEOPLE)]  # the model: whom each of them stands as

    for keep, gone in pairs:
        possible = keep != gone and root[keep] == keep and root[gone] == gone
        if possible:
            merge_persons(people[keep].pk, people[gone].pk, by=admin.actor)
            root = [keep if held == gone else held for held in root]
        else:
            with pytest.raises(Refused):
                merge_persons(people[keep].pk, people[gone].pk, by=admin.actor)

    now = {person.pk: person for person in Person.objects.filter(pk__in=[person.pk for person in people])}
    for at, person in enumerate(people):
        stands_as = now[people[root[at]].pk]
        assert (now[person.pk].merged_into_id or person.pk) == stands_as.pk
        assert stands_as.is_present
        assert now[person.pk].is_present == (root[at] == at)
        assert person_by_identity(IdentityKind.EMAIL, person.email) == stands_as
        assert is_member(stands_as, teams[at])
        assert roles[at] in roles_of(stands_as)
    for at, person in enumerate(people):
        if root[at] != at:
            assert roles_of(now[person.pk]) == frozenset()
