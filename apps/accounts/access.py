"""The only way a view, an API or an app above gets a person or a team, and who may do what by role."""

from collections.abc import Collection, Iterable
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db.models import Prefetch, Q, QuerySet
from django.http import Http404, HttpRequest

from apps.accounts.facts import standing_grants, wide_roles
from apps.accounts.identities import MAIL_KINDS, IdentityKind, mail_of_author, normal_email
from apps.accounts.models import Identity, Membership, Person, PersonalToken, RoleGrant, Team
from apps.accounts.roles import Role
from apps.core.actors import Actor
from apps.core.references import Reference


def roles_of(person: Person) -> frozenset[Role]:
    """The roles a person has for the whole installation; none when the person cannot act."""
    return wide_roles(person)


def has_role(person: Person, role: Role, team: Team | None = None) -> bool:
    """Whether a person who can act has the role, for everything or for this team's services."""
    where = Q(team__isnull=True) | Q(team=team) if team is not None else Q(team__isnull=True)
    return standing_grants().filter(where, person=person, role=role).exists()


def actor_of(request: HttpRequest) -> Actor:
    """Who acts in this request: the person signed in, or the person whose token it carries."""
    proved = getattr(request, "auth", None)
    if isinstance(proved, Actor):
        return proved
    assert isinstance(request.user, Person)  # noqa: S101 - the sign-in middleware lets nobody else through
    return request.user.actor


def people() -> QuerySet[Person]:
    """Everybody who ever joined and is not merged into another, by name."""
    return Person.objects.filter(merged_into__isnull=True).order_by("name", "pk")


def people_like(text: str, *, limit: int, among: Collection[int] | None = None) -> list[Person]:
    """Up to `limit` people whose name or address holds the text, of these rows where some are named, with their teams and roles."""
    standing = Membership.objects.filter(ended_at__isnull=True).select_related("team")
    granted = RoleGrant.objects.filter(revoked_at__isnull=True).select_related("team").order_by("role")
    found = people().prefetch_related(
        Prefetch("memberships", queryset=standing, to_attr="standing"), Prefetch("role_grants", queryset=granted, to_attr="granted")
    )
    said = text.replace("\x00", "").strip()
    if among is not None:
        found = found.filter(pk__in=among)
    return [*(found.filter(Q(name__icontains=said) | Q(email__icontains=said)) if said else found)[:limit]]


def present_people(role: Role | None = None, team: Team | None = None) -> QuerySet[Person]:
    """Everybody who can act, by name; only those with a role (for everything or for `team`) when one is named."""
    found = Person.objects.present().order_by("name", "pk")
    if role is None:
        return found
    where = Q(team__isnull=True) | Q(team=team) if team is not None else Q(team__isnull=True)
    return found.filter(pk__in=standing_grants().filter(where, role=role).values("person"))


def get_person(public_id: UUID | str) -> Person:
    """A person by public id, present or not; 404 for an unknown one."""
    try:
        return Person.objects.select_related("merged_into").get(public_id=public_id)
    except (Person.DoesNotExist, ValidationError) as error:
        raise Http404 from error


def get_team(slug: str) -> Team:
    """A team by slug; 404 for an unknown one."""
    team = Team.objects.filter(slug=slug).first() if "\x00" not in slug else None
    if team is None:
        raise Http404
    return team


def teams() -> QuerySet[Team]:
    """Every team that is not retired, by name."""
    return Team.objects.open_now().order_by("name")


def teams_of(person: Person) -> QuerySet[Team]:
    """The teams a person is in now."""
    return Team.objects.filter(memberships__person=person, memberships__ended_at__isnull=True).order_by("name")


def is_member(person: Person, team: Team) -> bool:
    """Whether a person is in a team now."""
    return team.memberships.filter(person=person, ended_at__isnull=True).exists()


def members_of(team: Team) -> QuerySet[Person]:
    """Who is in a team now and can act."""
    return Person.objects.present().filter(memberships__team=team, memberships__ended_at__isnull=True)


def get_token(person: Person, public_id: UUID | str) -> PersonalToken:
    """One of a person's own tokens; 404 for anybody else's."""
    try:
        return PersonalToken.objects.get(person=person, public_id=public_id)
    except (PersonalToken.DoesNotExist, ValidationError) as error:
        raise Http404 from error


def person_by_identity(kind: IdentityKind, value: str, *, issuer: str = "") -> Person | None:
    """Whom an identity stands for. A mailbox is one mailbox, whether it signs in or signs commits."""
    if "\x00" in value + issuer:
        return None
    if kind in MAIL_KINDS:
        mail = mail_of_author(value) if kind is IdentityKind.GIT_AUTHOR else normal_email(value)
        where = Q(kind__in=[*MAIL_KINDS], value=mail)
    else:
        where = Q(kind=kind, issuer=issuer.strip(), value=value.strip())
    found = Identity.objects.filter(where, verified_at__isnull=False).select_related("person").first()
    return found.person if found else None


def names_of(references: Iterable[Reference]) -> dict[Reference, str]:
    """The names to print for references to persons and teams; unknown ones are left out."""
    wanted = {reference for reference in references if reference.kind in {"person", "team"}}
    person_ids = [reference.id for reference in wanted if reference.kind == "person"]
    team_ids = [reference.id for reference in wanted if reference.kind == "team"]
    found: dict[Reference, str] = {}
    if person_ids:
        found |= {person.reference: person.name for person in Person.objects.filter(public_id__in=person_ids)}
    if team_ids:
        found |= {team.reference: team.name for team in Team.objects.filter(public_id__in=team_ids)}
    return found
