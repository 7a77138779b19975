"""Gateways of people: lists, names, roles for teams."""

import pytest
from django.http import Http404

from apps.accounts.access import (
    actor_of,
    get_person,
    get_team,
    get_token,
    names_of,
    people,
    person_by_identity,
    present_people,
    teams,
    teams_of,
)
from apps.accounts.identities import IdentityKind
from apps.accounts.models import Person
from apps.accounts.roles import Role
from apps.core.references import Reference
from tests.conftest import NOW
from tests.factories.accounts import (
    IdentityFactory,
    MembershipFactory,
    PersonalTokenFactory,
    TeamFactory,
    give_team_role,
    make_person,
)

pytestmark = pytest.mark.django_db
UNKNOWN = "01980000-0000-7000-8000-000000000000"


def test_present_people_are_those_who_can_act_with_the_role_asked_for():
    team, other = TeamFactory(), TeamFactory()
    wide, scoped, without = make_person(Role.APPROVER), make_person(), make_person()
    give_team_role(scoped, Role.APPROVER, team)
    absent = make_person(Role.APPROVER, is_active=False)

    assert absent not in present_people()
    assert without in present_people()
    assert {*present_people(Role.APPROVER)} == {wide}
    assert {*present_people(Role.APPROVER, team)} == {wide, scoped}
    assert {*present_people(Role.APPROVER, other)} == {wide}


def test_people_leave_out_rows_that_only_point_at_another():
    keep = make_person()
    gone = make_person(is_active=False, merged_into=keep)

    assert keep in people()
    assert gone not in people()
    assert get_person(gone.public_id).merged_into == keep


@pytest.mark.parametrize("bad", [UNKNOWN, "x", "", "\x00"])
def test_unknown_people_teams_and_tokens_are_404(bad):
    with pytest.raises(Http404):
        get_person(bad)
    with pytest.raises(Http404):
        get_team(bad)
    with pytest.raises(Http404):
        get_token(make_person(), bad)
    with pytest.raises(Http404):
        get_token(make_person(), PersonalTokenFactory().public_id)


def test_teams_of_a_person_are_the_standing_ones():
    person, left = make_person(team=TeamFactory(name="B")), TeamFactory()
    MembershipFactory(person=person, team=left, ended_at=NOW, ended_by="SYSTEM:test")
    retired = TeamFactory(retired_at=NOW)

    assert [team.name for team in teams_of(person)] == ["B"]
    assert left in teams()
    assert retired not in teams()


def test_names_of_references_are_found_at_once(django_assert_num_queries):
    person, team = make_person(), TeamFactory()

    with django_assert_num_queries(2):
        found = names_of([person.reference, team.reference, person.reference, Reference("person", UNKNOWN), Reference("change", "x")])

    assert found == {person.reference: person.name, team.reference: team.name}


def test_an_identity_nobody_vouched_for_stands_for_nobody():
    IdentityFactory(kind=IdentityKind.CI_ACTOR, issuer="forge", value="7", verified_at=None)

    assert person_by_identity(IdentityKind.CI_ACTOR, "7", issuer="forge") is None


@pytest.mark.parametrize("kind", [*IdentityKind])
def test_an_identity_that_cannot_be_stored_stands_for_nobody(kind):
    assert person_by_identity(kind, "a\x00b", issuer="x") is None


def test_the_actor_of_a_request_is_who_is_signed_in(rf):
    request = rf.get("/")
    request.user = make_person()

    assert actor_of(request) == request.user.actor


def test_a_person_is_found_by_address_however_it_is_written():
    person = make_person(email="ada@example.org")

    assert Person.objects.get_by_natural_key(" ADA@Example.org ") == person
    assert person.get_full_name() == str(person)
    assert not person.has_perm("anything")


def test_sessions_survive_a_new_secret_key_while_the_old_one_is_listed(settings):
    person = make_person()
    before = person.get_session_auth_hash()

    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another"

    assert person.get_session_auth_hash() != before
    assert before in [*person.get_session_auth_fallback_hash()]
