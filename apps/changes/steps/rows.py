"""Items, legs and leg identities, kept as the newest revision says. What it no longer holds is retired, never deleted."""

from collections.abc import Iterable, Mapping
from uuid import UUID

from apps.changes.content import ItemContent, Scope
from apps.changes.facts import Places
from apps.changes.models import Change, Item, Leg, LegIdentity

GIT = "git:"


def write_rows(change: Change, scope: Scope, found: Places, *, asked_as: Mapping[UUID, str]) -> None:
    """Bring the rows in step with SCOPE. A kept item keeps its row and its legs; open flags are written afterwards.

    ASKED_AS says for a service which branch or tag its commit was written as; it stays with an item as long as its commit does."""
    before = {item.service.public_id: item for item in change.items.filter(is_current=True).select_related("service")}
    for position, wanted in enumerate(scope.items):
        item = before.pop(wanted.service_id, None) or Item(change=change, service=found.services[wanted.service_id])
        _write_item(item, wanted, position=position, asked_as=asked_as.get(wanted.service_id, ""))
        _write_legs(change, item, wanted, found)
    for item in before.values():
        _retire(item)


def _write_item(item: Item, wanted: ItemContent, *, position: int, asked_as: str) -> None:
    keeps_commit = _commits(item.identities or ()) == _commits(wanted.identities)
    item.asked_as = asked_as or (item.asked_as if keeps_commit else "")
    item.position, item.label, item.identities = position, wanted.label, [*wanted.identities]
    item.save()


def _commits(identities: Iterable[str]) -> set[str]:
    return {one for one in identities if one.startswith(GIT)}


def _write_legs(change: Change, item: Item, wanted: ItemContent, found: Places) -> None:
    before = {leg.environment.public_id: leg for leg in item.legs.filter(is_current=True).select_related("environment")}
    for environment in wanted.environments:
        leg = before.pop(environment.id, None)
        if leg is None:
            target = found.targets[wanted.service_id, environment.id]
            leg = Leg.objects.create(
                change=change, item=item, service=item.service, environment=found.environments[environment.id], target=target
            )
        _write_identities(leg, wanted)
    _retire_legs(item, before)


def _write_identities(leg: Leg, wanted: ItemContent) -> None:
    """The gate's lookup rows hold no history: what is no longer asked for goes, so that nobody finds it."""
    before = set(leg.identities.values_list("identity", flat=True))
    leg.identities.exclude(identity__in=wanted.identities).delete()
    LegIdentity.objects.bulk_create(
        LegIdentity(leg=leg, service_id=leg.service_id, environment_id=leg.environment_id, identity=identity, is_open=leg.is_open)
        for identity in wanted.identities
        if identity not in before
    )


def _retire(item: Item) -> None:
    item.is_current = False
    item.save(update_fields=["is_current"])
    _retire_legs(item, {leg.environment.public_id: leg for leg in item.legs.filter(is_current=True).select_related("environment")})


def _retire_legs(item: Item, legs: Mapping[UUID, Leg]) -> None:
    item.legs.filter(pk__in=[leg.pk for leg in legs.values()]).update(is_current=False, is_open=False)
