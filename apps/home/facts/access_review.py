"""Who can do what: every person with roles, teams and services, as an access review asks for it. Four statements, however many."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from django.db.models import Q
from django.db.models.functions import Now

from apps.accounts.access import people_like
from apps.accounts.models import Passkey, Person, PersonalToken, RoleGrant
from apps.accounts.roles import Role
from apps.catalog.access import services_for
from apps.catalog.models import Ownership, Service
from apps.home.facts.exporting import line

MOST = 300
EXPORTED = 10_000
HEADS = ("Person", "E-mail", "State", "Role or ownership", "For", "Passkeys", "Tokens", "Last sign-in")


@dataclass(slots=True)
class Reviewed:
    """One person, with everything that lets them act."""

    person: Person
    wide: list[str] = field(default_factory=list)
    scoped: list[tuple[str, str]] = field(default_factory=list)  # role, team
    owned: list[tuple[str, Service]] = field(default_factory=list)  # business or technical, service
    passkeys: int = 0
    tokens: int = 0

    @property
    def rights(self) -> list[tuple[str, str]]:
        """Each right with what it is for."""
        owned = [(f"{kind} owner", service.name) for kind, service in self.owned]
        return [(role, "everything") for role in self.wide] + self.scoped + owned


def reviewed(reader: Person, *, text: str = "", service: Service | None = None, most: int = MOST) -> list[Reviewed]:
    """Up to `most` people by name; with a service, those alone who may act on it. What the reader may not see is left out."""
    found = {person.pk: Reviewed(person) for person in people_like(text, limit=most)}
    for row in found.values():
        for grant in row.person.granted:  # type: ignore[attr-defined]  # loaded by people_like
            _add(row, grant, service)
    _owners(found, reader, service)
    _counts(found)
    return [row for row in found.values() if service is None or row.rights]


def _add(row: Reviewed, grant: RoleGrant, service: Service | None) -> None:
    if grant.team is None:
        row.wide.append(Role(grant.role).label)
    elif service is None or grant.team_id == service.team_id:
        row.scoped.append((Role(grant.role).label, f"services of {grant.team.name}"))


def _owners(found: dict[int, Reviewed], reader: Person, service: Service | None) -> None:
    seen = services_for(reader)
    rows = Ownership.objects.filter(ended_at__isnull=True, person__in=found, service__in=seen).select_related("service")
    for one in rows.filter(Q(service=service) if service else Q()).order_by("service__name", "kind"):
        found[one.person_id].owned.append((one.kind.capitalize(), one.service))


def _counts(found: dict[int, Reviewed]) -> None:
    for key in Passkey.objects.filter(person__in=found, removed_at__isnull=True).values_list("person", flat=True):
        found[key].passkeys += 1
    for key in PersonalToken.objects.filter(person__in=found, revoked_at__isnull=True, expires_at__gt=Now()).values_list(
        "person", flat=True
    ):
        found[key].tokens += 1


def review_lines(reader: Person) -> Iterator[str]:
    """The same for a spreadsheet: a line per right, so that each can be ticked off."""
    yield "\ufeff" + line(HEADS)
    for row in reviewed(reader, most=EXPORTED):
        one = row.person
        last = one.last_login.strftime("%Y-%m-%d") if one.last_login else "never"
        for right, scope in row.rights or [("none", "")]:
            state = "active" if one.is_active else "not active"
            yield line([one.name, one.email, state, right, scope, str(row.passkeys), str(row.tokens), last])
