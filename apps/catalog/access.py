"""The only way a view, an API or an app above gets a service, an environment or a target; restricted ones are unseen."""

from collections.abc import Iterable
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import Http404

from apps.accounts.facts import standing_grants
from apps.accounts.models import Membership, Person
from apps.accounts.roles import Role
from apps.catalog.grants import standing_service_roles
from apps.catalog.models import Arrival, Environment, Ownership, Service, Target
from apps.core.references import Reference


def services_for(person: Person, *, text: str = "") -> QuerySet[Service]:
    """Every service this person may see, retired ones too, by name; only those whose name, slug or team holds `text`."""
    found = Service.objects.select_related("team").order_by("name", "pk")
    if text:
        found = found.filter(Q(name__icontains=text) | Q(slug__icontains=text) | Q(team__name__icontains=text))
    auditor = standing_grants().filter(person=person.pk, role=Role.AUDITOR, team__isnull=True)
    member = Membership.objects.filter(team=OuterRef("team"), person=person, ended_at__isnull=True)
    owner = Ownership.objects.filter(service=OuterRef("pk"), ended_at__isnull=True).filter(Q(person=person) | Q(person__merged_into=person))
    works = standing_service_roles(person.pk).filter(service=OuterRef("pk"))
    return found.filter(Q(is_restricted=False) | Exists(auditor) | Exists(member) | Exists(owner) | Exists(works))


def services_hidden_from(person: Person) -> QuerySet[Service]:
    """Every restricted service this person may not see: the few to leave out, where `services_for` are the many to keep."""
    auditor = standing_grants().filter(person=person.pk, role=Role.AUDITOR, team__isnull=True)
    member = Membership.objects.filter(team=OuterRef("team"), person=person.pk, ended_at__isnull=True)
    same = Q(person=person.pk) | Q(person__in=Person.objects.filter(merged_into=person.pk))
    owner = Ownership.objects.filter(same, service=OuterRef("pk"), ended_at__isnull=True)
    works = standing_service_roles(person.pk).filter(service=OuterRef("pk"))
    return Service.objects.filter(~Exists(auditor), ~Exists(member), ~Exists(owner), ~Exists(works), is_restricted=True)


def may_see(person: Person, service: Service) -> bool:
    """Whether this person may see the service: it is open, or they are of its team, an owner, have a role for it, or are an auditor."""
    return not service.is_restricted or services_for(person).filter(pk=service.pk).exists()


def get_service(person: Person, slug: str) -> Service:
    """A service by its slug or an old one; 404 when there is none that this person may see."""
    service = services_for(person).filter(Q(slug=slug) | Q(aliases__slug=slug)).distinct().first() if "\x00" not in slug else None
    if service is None:
        raise Http404
    return service


def environments_in_order() -> QuerySet[Environment]:
    """Every environment that is not retired, the lowest rung first."""
    return Environment.objects.open_now().order_by("rank", "name")


def get_environment(slug: str) -> Environment:
    """An environment by its slug or an old one; 404 when there is none."""
    known = Q(slug=slug) | Q(aliases__slug=slug)
    environment = Environment.objects.filter(known).distinct().first() if "\x00" not in slug else None
    if environment is None:
        raise Http404
    return environment


def get_target(person: Person, service_slug: str, environment_slug: str) -> Target:
    """A target by service and environment, old slugs too; 404 when there is none that this person may see."""
    service, environment = get_service(person, service_slug), get_environment(environment_slug)
    target = targets_of(service).filter(environment=environment).first()
    if target is None:
        raise Http404
    return target


def targets_of(service: Service) -> QuerySet[Target]:
    """The targets of a service, the lowest rung first."""
    found = Target.objects.filter(service=service).select_related("service__team", "environment", "settings")
    return found.order_by("environment__rank", "environment__name")


def targets_for(person: Person) -> QuerySet[Target]:
    """Every living target of every living service this person may see: what the matrix shows."""
    living = Target.objects.open_now().filter(
        service__in=services_for(person).filter(retired_at__isnull=True), environment__retired_at__isnull=True
    )
    return living.select_related("service__team", "environment", "settings").order_by("service__name", "environment__rank")


def arrivals_at(target: Target, *, limit: int = 20) -> list[Arrival]:
    """What reached a target, the newest first."""
    return [*Arrival.objects.filter(target=target).order_by("-at", "-pk")[:limit]]


def target_by_id(public_id: UUID) -> Target | None:
    """A target by public id, for machinery; None for an unknown one."""
    return Target.objects.select_related("service__team", "environment", "settings").filter(public_id=public_id).first()


def names_of(references: Iterable[Reference]) -> dict[Reference, str]:
    """The names to print for references to services, environments and targets; unknown ones are left out."""
    ids: dict[str, list[str]] = {"service": [], "environment": [], "target": []}
    for reference in set(references):
        if reference.kind in ids:
            ids[reference.kind].append(reference.id)
    found: dict[Reference, str] = {}
    if ids["service"]:
        found |= {row.reference: row.name for row in Service.objects.filter(public_id__in=ids["service"])}
    if ids["environment"]:
        found |= {row.reference: row.name for row in Environment.objects.filter(public_id__in=ids["environment"])}
    if ids["target"]:
        rows = Target.objects.filter(public_id__in=ids["target"]).select_related("service", "environment")
        found |= {row.reference: f"{row.service.name} in {row.environment.name}" for row in rows}
    return found
