"""What the request form offers one person: services they may ask for, the ladder, and where the chosen ones can go."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from uuid import UUID

from django.db.models import Q

from apps.accounts.models import Person
from apps.catalog.access import environments_in_order, services_for
from apps.catalog.grants import Grants, grant_rows
from apps.catalog.models import Environment, Service, Target
from apps.changes.access import services_to_ask_for
from apps.changes.content import Content
from apps.changes.facts import current_legs, items_asked_by_name, leg_facts
from apps.changes.models import Change
from apps.changes.readings import commit_in
from apps.changes.rules import why_not_change_started
from apps.changes.states import LEG_UNTOUCHED, OPEN
from apps.core.refusals import Refusal
from apps.core.together import read_together
from apps.home.typed import Values, rows_of


@dataclass(frozen=True)
class Offer:
    """What may be chosen: services by short name, the ladder, and where each chosen service has a target."""

    services: Mapping[str, Service]
    ladder: Mapping[str, Environment]
    targets: Mapping[str, list[Target]] = field(default_factory=dict)
    frozen: Mapping[str, Refusal] = field(default_factory=dict)  # services whose version stays as it is, and why
    asked: Mapping[str, tuple[str, str]] = field(default_factory=dict)  # the commit of a service, and the name it was written as

    def rungs(self, service: str) -> list[tuple[str, str, str]]:
        """Where a service can go: short name, name, what runs there; the whole ladder where no service is chosen."""
        if service in self.targets:
            found = self.targets[service]
            return [
                (one.environment.slug, one.environment.name, f"runs {one.running_label}" if one.running_label else "nothing runs yet")
                for one in found
            ]
        return [(slug, environment.name, "") for slug, environment in self.ladder.items()]


@dataclass(frozen=True, slots=True)
class Kept:
    """The services and environments that a change holds already: they may stay, even where they could not be asked for today."""

    services: frozenset[UUID] = frozenset()
    environments: frozenset[UUID] = frozenset()


def kept_by(content: Content | None) -> Kept:
    """What the content holds."""
    items = content.scope.items if content else ()
    return Kept(frozenset(item.service_id for item in items), frozenset(each.id for item in items for each in item.environments))


@dataclass
class Shelf:
    """What is offered before anything is chosen."""

    offer: Offer
    grants: Grants
    kept: Kept = field(default_factory=Kept)
    seen: dict[tuple[str, ...], Offer] = field(default_factory=dict)  # what was looked up while this page is made

    def for_values(self, values: Values) -> Offer:
        """The offer with the targets of the services that the values name."""
        return self.with_targets("".join(row.get("service", [])[:1]) for row in rows_of(values, "items"))

    def with_targets(self, slugs: Iterable[str]) -> Offer:
        """The offer with the targets of some services, the lowest rung first."""
        chosen = tuple(sorted({slug for slug in slugs if slug in self.offer.services}))
        if chosen not in self.seen:
            self.seen[chosen] = self._looked_up(chosen)
        return self.seen[chosen]

    def _looked_up(self, chosen: tuple[str, ...]) -> Offer:
        found: dict[str, list[Target]] = {slug: [] for slug in chosen}
        if chosen:
            living = Q(retired_at__isnull=True, environment__retired_at__isnull=True)
            known = Q(service__public_id__in=self.kept.services, environment__public_id__in=self.kept.environments)
            rows = Target.objects.filter(living | known, service__in=[self.offer.services[slug].pk for slug in chosen])
            for row in rows.select_related("service__team", "environment", "settings").order_by("environment__rank", "pk"):
                found[row.service.slug].append(row)
        ladder = dict(self.offer.ladder) | {one.environment.slug: one.environment for rows in found.values() for one in rows}
        return Offer(self.offer.services, ladder, found, self.offer.frozen, self.offer.asked)


def frozen_in(change: Change, content: Content) -> dict[str, Refusal]:
    """The services of a change that has begun somewhere, each with why its version stays; one statement, and none where nothing began."""
    if change.state not in OPEN:
        return {}
    legs = [*current_legs(change)]
    begun = {leg.service.slug: leg_facts(leg) for leg in legs if leg.state not in LEG_UNTOUCHED}
    empty = replace(content, scope=replace(content.scope, items=()))
    found = {slug: why_not_change_started(content, empty, legs=[facts]) for slug, facts in begun.items()}
    return {slug: refusal for slug, refusal in found.items() if refusal}


def shelf_for(
    person: Person, *, change: Change | None = None, content: Content | None = None, frozen: Mapping[str, Refusal] | None = None
) -> Shelf:
    """What a person may choose from; CONTENT is that of the change they edit, FROZEN what of it has begun."""
    kept = kept_by(content)
    open_to, rungs, grants = services_to_ask_for(person), environments_in_order(), grant_rows(person.pk)
    named = items_asked_by_name(change)
    read_together(open_to, rungs, grants, *([named] if change else []))
    services = {service.slug: service for service in open_to}
    if missing := kept.services - {service.public_id for service in services.values()}:
        services |= {service.slug: service for service in services_for(person).filter(public_id__in=missing)}
    ladder = {environment.slug: environment for environment in rungs}
    if missing := kept.environments - {environment.public_id for environment in ladder.values()}:
        ladder |= {environment.slug: environment for environment in Environment.objects.filter(public_id__in=missing)}
    asked = {item.service.slug: (commit_in(item.identities), item.asked_as) for item in named} if change else {}
    return Shelf(Offer(services, ladder, frozen=frozen or {}, asked=asked), frozenset(grants), kept)
