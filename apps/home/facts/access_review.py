"""Who can do what: every person with roles, teams and services, as an access review asks for it. As many statements, however many people.

Whoever was merged is read as the one they are now: what one of their accounts owns, the person owns."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from django.db.models import Q
from django.db.models.functions import Coalesce, Now

from apps.accounts.access import people_like
from apps.accounts.means import SignsBy, means_of_people
from apps.accounts.models import Person, PersonalToken, RoleGrant
from apps.accounts.roles import Role
from apps.approvals.facts import standing_delegations
from apps.approvals.models import Delegation
from apps.catalog.access import services_for
from apps.catalog.models import Ownership, Service, ServiceRole
from apps.home.facts.exporting import line

MOST = 300
EXPORTED = 10_000
HEADS = ("Person", "E-mail", "State", "Role or ownership", "For", "Signs by", "Passkeys", "Tokens", "Last sign-in")
STANDS_AS = Coalesce("person__merged_into", "person")


@dataclass(slots=True)
class Reviewed:
    """One person, with everything that lets them act."""

    person: Person
    signs_by: SignsBy
    wide: list[str] = field(default_factory=list)
    scoped: list[tuple[str, str]] = field(default_factory=list)  # role, a team's services or one service
    owned: list[tuple[str, Service]] = field(default_factory=list)  # business or technical, service
    stands_in: list[tuple[str, str]] = field(default_factory=list)  # for whom, for what and until when
    tokens: int = 0

    @property
    def passkeys(self) -> int:
        """How many can sign here."""
        return self.signs_by.passkeys

    @property
    def rights(self) -> list[tuple[str, str]]:
        """Each right with what it is for."""
        owned = [(f"{kind} owner", service.name) for kind, service in self.owned]
        return [(role, "everything") for role in self.wide] + self.scoped + owned + self.stands_in


def reviewed(reader: Person, *, text: str = "", service: Service | None = None, most: int = MOST) -> list[Reviewed]:
    """Up to `most` people by name; with a service, those alone who may act on it. What the reader may not see is left out."""
    among = None if service is None else _acting_on(service)
    people = people_like(text, limit=most, among=among)
    means = means_of_people(people)
    found = {person.pk: Reviewed(person, means[person.pk]) for person in people}
    for row in found.values():
        for grant in row.person.granted:  # type: ignore[attr-defined]  # loaded by people_like
            _add(row, grant, service)
    _workers(found, reader, service)
    _owners(found, reader, service)
    _stand_ins(found, reader, service)
    _tokens(found)
    return [*found.values()]


def _acting_on(service: Service) -> set[int]:
    """Whoever holds a role for it, owns it, or stands in for one of them."""
    scope = Q(team__isnull=True) | Q(team=service.team_id)
    granted = RoleGrant.objects.filter(scope, revoked_at__isnull=True).values_list("person", flat=True)
    owning = Ownership.objects.filter(service=service, ended_at__isnull=True).values_list(STANDS_AS, flat=True)
    working = ServiceRole.objects.filter(service=service, ended_at__isnull=True).values_list(STANDS_AS, flat=True)
    acting = {*granted, *owning, *working}
    return acting | {one.delegate.merged_into_id or one.delegate_id for one in _delegations(service) if _principal(one) in acting}


def _delegations(service: Service | None) -> list[Delegation]:
    scope = Q() if service is None else Q(service_ids__isnull=True) | Q(service_ids__contains=[service.pk])
    return [*standing_delegations().filter(scope).select_related("person__merged_into", "delegate").order_by("ends_at", "pk")]


def _principal(one: Delegation) -> int:
    return one.person.merged_into_id or one.person_id


def _add(row: Reviewed, grant: RoleGrant, service: Service | None) -> None:
    if grant.team is None:
        row.wide.append(Role(grant.role).label)
    elif service is None or grant.team_id == service.team_id:
        row.scoped.append((Role(grant.role).label, f"services of {grant.team.name}"))


def _workers(found: dict[int, Reviewed], reader: Person, service: Service | None) -> None:
    held = Q(person__in=found) | Q(person__merged_into__in=found)
    rows = ServiceRole.objects.filter(held, ended_at__isnull=True, service__in=services_for(reader)).select_related("service", "person")
    for one in rows.filter(Q(service=service) if service else Q()).order_by("service__name", "role"):
        row, given = found[one.person.merged_into_id or one.person_id], (Role(one.role).label, one.service.name)
        if given not in row.scoped:
            row.scoped.append(given)


def _owners(found: dict[int, Reviewed], reader: Person, service: Service | None) -> None:
    held = Q(person__in=found) | Q(person__merged_into__in=found)
    rows = Ownership.objects.filter(held, ended_at__isnull=True, service__in=services_for(reader)).select_related("service", "person")
    for one in rows.filter(Q(service=service) if service else Q()).order_by("service__name", "kind"):
        row, owned = found[one.person.merged_into_id or one.person_id], (one.kind.capitalize(), one.service)
        if owned not in row.owned:
            row.owned.append(owned)


def _stand_ins(found: dict[int, Reviewed], reader: Person, service: Service | None) -> None:
    names: dict[int, str] | None = None
    for one in _delegations(service):
        row = found.get(one.delegate.merged_into_id or one.delegate_id)
        if row is None:
            continue
        if names is None:
            names = dict(services_for(reader).values_list("pk", "name"))
        principal = one.person.merged_into or one.person
        row.stands_in.append(
            (f"Stands in for {principal.name}", f"{_scope(one.service_ids, names)} until {one.ends_at:%Y-%m-%d %H:%M} UTC")
        )


def _scope(service_ids: Collection[int] | None, names: dict[int, str]) -> str:
    if service_ids is None:
        return "everything of theirs"
    return ", ".join(sorted(names.get(pk, "a service you do not see") for pk in service_ids))


def _tokens(found: dict[int, Reviewed]) -> None:
    standing = PersonalToken.objects.filter(person__in=found, revoked_at__isnull=True, expires_at__gt=Now())
    for key in standing.values_list("person", flat=True):
        found[key].tokens += 1


def review_lines(reader: Person, *, most: int = EXPORTED) -> Iterator[str]:
    """The same for a spreadsheet: a line per right, so that each can be ticked off. A table that was cut says so in its last line."""
    yield "\ufeff" + line(HEADS)
    rows = reviewed(reader, most=most + 1)
    for row in rows[:most]:
        one = row.person
        last = one.last_login.strftime("%Y-%m-%d") if one.last_login else "never"
        state = "active" if one.is_active else "not active"
        for right, scope in row.rights or [("none", "")]:
            yield line([one.name, one.email, state, right, scope, row.signs_by.words, str(row.passkeys), str(row.tokens), last])
    if len(rows) > most:
        yield line([f"Stopped after {most} people."])
