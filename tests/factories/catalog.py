"""Services, environments and targets for tests."""

from collections.abc import Mapping

import factory
from factory.django import DjangoModelFactory

from apps.accounts.models import Person
from apps.accounts.roles import Role
from apps.catalog.models import (
    Arrival,
    ChangeRequired,
    Environment,
    EnvironmentAlias,
    Outcome,
    OwnerKind,
    Ownership,
    Service,
    ServiceAlias,
    ServiceRole,
    Target,
    TargetSettings,
)
from apps.catalog.settings_body import settings_bytes
from apps.core.canonical import digest
from tests.conftest import NOW
from tests.factories.accounts import PersonFactory, TeamFactory

COMMIT = "git:" + "4f" * 20
SETTINGS = {"driver": "release_dir", "options": {}, "checks": []}


class ServiceFactory(DjangoModelFactory):
    class Meta:
        model = Service

    slug = factory.Sequence(lambda n: f"service-{n}")
    name = factory.Sequence(lambda n: f"Service {n}")
    team = factory.SubFactory(TeamFactory)


class ServiceAliasFactory(DjangoModelFactory):
    class Meta:
        model = ServiceAlias

    slug = factory.Sequence(lambda n: f"old-service-{n}")
    service = factory.SubFactory(ServiceFactory)


class OwnershipFactory(DjangoModelFactory):
    class Meta:
        model = Ownership

    service = factory.SubFactory(ServiceFactory)
    person = factory.SubFactory(PersonFactory)
    kind = OwnerKind.BUSINESS
    started_at = NOW
    started_by = "SYSTEM:test"


class ServiceRoleFactory(DjangoModelFactory):
    class Meta:
        model = ServiceRole

    service = factory.SubFactory(ServiceFactory)
    person = factory.SubFactory(PersonFactory)
    role = Role.REQUESTER
    started_at = NOW
    started_by = "SYSTEM:test"


class EnvironmentFactory(DjangoModelFactory):
    class Meta:
        model = Environment

    slug = factory.Sequence(lambda n: f"environment-{n}")
    name = factory.Sequence(lambda n: f"Environment {n}")
    rank = factory.Sequence(lambda n: 100 + n)
    change_required = ChangeRequired.APPROVED


class EnvironmentAliasFactory(DjangoModelFactory):
    class Meta:
        model = EnvironmentAlias

    slug = factory.Sequence(lambda n: f"old-environment-{n}")
    environment = factory.SubFactory(EnvironmentFactory)


class TargetFactory(DjangoModelFactory):
    class Meta:
        model = Target

    service = factory.SubFactory(ServiceFactory)
    environment = factory.SubFactory(EnvironmentFactory)


class TargetSettingsFactory(DjangoModelFactory):
    class Meta:
        model = TargetSettings

    target = factory.SubFactory(TargetFactory)
    number = 1
    body = factory.LazyFunction(lambda: settings_bytes(SETTINGS))
    digest = factory.LazyAttribute(lambda made: digest(bytes(made.body)))
    made_at = NOW
    made_by = "SYSTEM:test"


class ArrivalFactory(DjangoModelFactory):
    class Meta:
        model = Arrival

    target = factory.SubFactory(TargetFactory)
    label = "1.0.0"
    identities = factory.LazyFunction(lambda: [COMMIT])
    outcome = Outcome.SUCCEEDED
    at = NOW
    caused_by = "deployment:01980000-0000-7000-8000-000000000000"


def make_service(*, business: Person | None = None, technical: Person | None = None, **more: object) -> Service:
    """A service with at most one owner of each kind."""
    service = ServiceFactory(**more)
    for person, kind in ((business, OwnerKind.BUSINESS), (technical, OwnerKind.TECHNICAL)):
        if person is not None:
            OwnershipFactory(service=service, person=person, kind=kind)
    return service


def make_target(
    service: Service | None = None, environment: Environment | None = None, settings: Mapping[str, object] | None = None
) -> Target:
    """A target with its first settings, by default a `release_dir` without options and checks."""
    places = {"service": service, "environment": environment}
    target = TargetFactory(**{key: place for key, place in places.items() if place is not None})
    target.settings = TargetSettingsFactory(target=target, body=settings_bytes(SETTINGS if settings is None else settings))
    target.save()
    return target
