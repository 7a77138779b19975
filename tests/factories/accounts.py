"""People for tests. The leaves are factory-boy's; `make_person` also gives roles and teams."""

import factory
from django.contrib.auth.hashers import make_password
from factory.django import DjangoModelFactory

from apps.accounts.identities import IdentityKind
from apps.accounts.models import Identity, Membership, Person, PersonalToken, RoleGrant, SetUpCode, Team
from apps.accounts.roles import WIDE_ONLY, Role
from tests.conftest import NOW

PASSWORD = "correct horse battery staple"
_hashed: list[str] = []  # made once: the hash is slow on purpose


def hashed_password() -> str:
    """The hash of PASSWORD, the same for every person of a test run."""
    if not _hashed:
        _hashed.append(make_password(PASSWORD))
    return _hashed[0]


class TeamFactory(DjangoModelFactory):
    class Meta:
        model = Team

    slug = factory.Sequence(lambda n: f"team-{n}")
    name = factory.Sequence(lambda n: f"Team {n}")


class PersonFactory(DjangoModelFactory):
    """A person who can sign in with PASSWORD."""

    class Meta:
        model = Person

    name = factory.Sequence(lambda n: f"Person {n}")
    email = factory.Sequence(lambda n: f"person-{n}@example.org")
    password = factory.LazyFunction(hashed_password)
    deactivated_at = factory.Maybe("is_active", None, NOW)
    is_active = True


class IdentityFactory(DjangoModelFactory):
    class Meta:
        model = Identity

    person = factory.SubFactory(PersonFactory)
    kind = IdentityKind.EMAIL
    value = factory.Sequence(lambda n: f"identity-{n}@example.org")
    verified_at = NOW


class MembershipFactory(DjangoModelFactory):
    class Meta:
        model = Membership

    team = factory.SubFactory(TeamFactory)
    person = factory.SubFactory(PersonFactory)
    started_at = NOW
    started_by = "SYSTEM:test"


class RoleGrantFactory(DjangoModelFactory):
    class Meta:
        model = RoleGrant

    person = factory.SubFactory(PersonFactory)
    role = Role.REQUESTER
    team = None
    granted_at = NOW
    granted_by = "SYSTEM:test"


class PersonalTokenFactory(DjangoModelFactory):
    class Meta:
        model = PersonalToken

    person = factory.SubFactory(PersonFactory)
    name = "laptop"
    prefix = "ccp_test"
    hash = factory.Sequence(lambda n: n.to_bytes(32, "big"))
    issued_at = NOW
    expires_at = NOW.replace(year=NOW.year + 1)


class SetUpCodeFactory(DjangoModelFactory):
    class Meta:
        model = SetUpCode

    hash = factory.Sequence(lambda n: n.to_bytes(32, "big"))
    made_at = NOW


def make_person(*roles: Role, team: Team | None = None, name: str = "", **more: object) -> Person:
    """A person with roles for everything and, if given, a standing membership of `team`.

    `person.actor` is the `by` of verbs; `client.force_login(person)` signs in."""
    person = PersonFactory(**({"name": name} if name else {}), **more)
    IdentityFactory(person=person, value=person.email)
    for role in roles:
        RoleGrantFactory(person=person, role=role)
    if team is not None:
        MembershipFactory(team=team, person=person)
    return person


def give_team_role(person: Person, role: Role, team: Team) -> RoleGrant:
    """A role for one team's services alone."""
    assert role not in WIDE_ONLY
    return RoleGrantFactory(person=person, role=role, team=team)
