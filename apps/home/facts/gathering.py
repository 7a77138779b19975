"""What pages read of one change before they tell anything: in one statement, whatever of it the page is about."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from apps.accounts.models import Person
from apps.approvals.facts import PolicyShelf, ReviewRows, policy_rows, standing_sign_offs
from apps.approvals.facts.edits import Row, edit_rows
from apps.approvals.models import SignOff
from apps.audit.keys import installation_ids
from apps.catalog.grants import Grants, grant_rows, roles_among
from apps.catalog.models import Service
from apps.changes.facts import asker_of, current_legs, person_id
from apps.changes.models import Change, Leg
from apps.changes.rules import Asker
from apps.core.together import read_together
from apps.deployments.facts import caller_among
from apps.deployments.models import Deployment
from apps.deployments.refusals import Shared
from apps.schedule.models import Slot

WITH = ("item", "service__team", "environment", "target__settings", "target__service", "target__environment")


@dataclass(frozen=True, slots=True)
class ChangeRows:
    """The rows of a change, and the roles of whoever looks at it."""

    legs: list[Leg]
    grants: Grants
    shelf: PolicyShelf
    sign_offs: list[SignOff]
    installation: UUID
    slots: Mapping[int, Slot]  # by the leg's row, as the rest
    orders: Mapping[int | None, Deployment]  # the newest one for each leg
    open_orders: Mapping[int | None, str]
    edits: list[Row]

    @property
    def review(self) -> ReviewRows:
        """What the facts of the sign-off are made of."""
        return ReviewRows(self.legs, self.shelf, self.sign_offs, self.installation, self.edits)

    @property
    def starts(self) -> Mapping[UUID, datetime]:
        """When each leg is planned to start, by its public id."""
        return {leg.public_id: slot.starts_at for leg in self.legs if (slot := self.slots.get(leg.pk))}

    def asker(self, person: Person) -> Asker:
        """The person with the roles they have for every service of the change."""
        return asker_of(person, [leg.service for leg in self.legs], grants=self.grants)

    def shared(self, change: Change, person: Person) -> Shared:
        """What the refusals of an order are decided from."""
        roles = {leg.service: self._roles_for(leg.service) for leg in self.legs}
        callers = {
            service: caller_among(self.sign_offs, change, roles=held, canonical_id=person_id(person)) for service, held in roles.items()
        }
        return Shared(self.shelf, callers, self.open_orders)

    def _roles_for(self, service: Service) -> frozenset[str]:
        return roles_among(self.grants, service)


def change_rows(change: Change, person: Person, *, beside: Iterable[QuerySet[Any, Any]] = ()) -> ChangeRows:
    """Read them, and what else the page wants of its own, as of one moment."""
    legs, grants = current_legs(change).select_related(*WITH), grant_rows(person.pk)
    policies = policy_rows(change.legs.filter(is_current=True).values("environment"))
    sign_offs, installation = standing_sign_offs(change), installation_ids()
    slots = Slot.objects.filter(leg__change=change, leg__is_current=True)
    orders = Deployment.objects.filter(leg__change=change).order_by("leg", "-pk").distinct("leg")
    waiting = Deployment.objects.open().filter(leg__change=change)
    edits = edit_rows(change)
    read_together(legs, grants, policies, sign_offs, installation, slots, orders, waiting, edits, *beside)
    for leg in legs:
        leg.change = change
    return ChangeRows(
        legs=[*legs],
        grants=frozenset(grants),
        shelf=PolicyShelf(policies),
        sign_offs=[*sign_offs],
        installation=installation[0],
        slots={slot.leg_id: slot for slot in slots},
        orders={order.leg_id: order for order in orders},
        open_orders={order.leg_id: order.ref for order in waiting},
        edits=[*edits],
    )
