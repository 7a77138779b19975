"""The queries that build the facts about people which rules and steps decide on."""

from collections.abc import Iterable

from django.db.models import QuerySet

from apps.accounts.hours import Hours
from apps.accounts.models import Membership, Person, RoleGrant, Team, WorkingHours
from apps.accounts.roles import Role
from apps.accounts.rules import Asker, Subject, TeamFacts
from apps.core.actors import Actor


def standing_grants() -> QuerySet[RoleGrant]:
    """Grants that are in force: not revoked, of a person who can act."""
    return RoleGrant.objects.filter(revoked_at__isnull=True, person__is_active=True, person__merged_into__isnull=True)


def wide_roles(person: Person) -> frozenset[Role]:
    """The roles a person has for the whole installation; none when the person cannot act."""
    grants = standing_grants().filter(person=person, team__isnull=True)
    return frozenset(Role(role) for role in grants.values_list("role", flat=True))


def has_administrator() -> bool:
    """Whether somebody can configure the installation."""
    return standing_grants().filter(role=Role.ADMINISTRATOR).exists()


def are_two_administrators() -> bool:
    """Whether two people or more configure the installation: what weakens it takes two from then on."""
    holders = standing_grants().filter(role=Role.ADMINISTRATOR).values("person").distinct()
    return len(holders[:2]) > 1


def administrators_but(person: Person) -> QuerySet[Person]:
    """The other people who configure the installation."""
    holders = standing_grants().filter(role=Role.ADMINISTRATOR).values("person")
    return Person.objects.filter(pk__in=holders).exclude(pk=person.pk).order_by("name", "pk")


def is_last_administrator(person: Person) -> bool:
    """Whether nobody else could configure the installation."""
    holders = set(standing_grants().filter(role=Role.ADMINISTRATOR).values_list("person_id", flat=True))
    return holders == {person.pk}


def has_grant(person: Person, role: Role, team: Team | None) -> bool:
    """Whether exactly this grant stands: a wide one is not one for a team."""
    return RoleGrant.objects.filter(person=person, role=role, team=team, revoked_at__isnull=True).exists()


def asker_of(person: Person, by: Actor) -> Asker:
    """The facts about who asks."""
    return Asker(id=person.public_id, roles=frozenset(wide_roles(person)), credential=by.credential)


def subject_of(person: Person) -> Subject:
    """The facts about the person something is done to."""
    return Subject(
        id=person.public_id,
        name=person.name,
        is_active=person.is_active,
        merged_into=person.merged_into.name if person.merged_into else "",
        is_last_administrator=is_last_administrator(person),
    )


def team_facts(team: Team) -> TeamFacts:
    """The facts about a team something is done to."""
    members = Membership.objects.filter(team=team, ended_at__isnull=True).order_by("person__name").values_list("person__name", flat=True)
    return TeamFacts(name=team.name, is_retired=team.retired_at is not None, members=tuple(members))


def hours_of(person: Person) -> Hours:
    """When a person works; the house's hours in their zone where they said nothing."""
    row = WorkingHours.objects.filter(person=person).first()
    return Hours(frozenset(row.days), row.begins, row.ends, person.time_zone) if row else Hours(zone=person.time_zone)


def hours_of_people(people: Iterable[Person]) -> dict[int, Hours]:
    """The same for many, by person, in one statement."""
    wanted = list(people)
    rows = {row.person_id: row for row in WorkingHours.objects.filter(person__in=wanted)}
    return {
        person.pk: Hours(frozenset(row.days), row.begins, row.ends, person.time_zone)
        if (row := rows.get(person.pk))
        else Hours(zone=person.time_zone)
        for person in wanted
    }
