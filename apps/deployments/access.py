"""The only way to a deployment: for a person's eyes, and locked in the one order for a worker's or a verb's hands."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Q, QuerySet
from django.http import Http404

from apps.accounts.models import Person
from apps.catalog.access import services_for
from apps.catalog.models import Target
from apps.changes.access import changes_for
from apps.changes.models import Change, Leg
from apps.core.locks import database_now
from apps.core.references import Reference
from apps.deployments.inputs import SKEW
from apps.deployments.models import Deployment, Executor
from apps.deployments.rules.observing import is_same
from apps.deployments.rules.reporting import Effect
from apps.deployments.states import State
from apps.gate.rules import Action
from apps.gate.tickets import Permit

MOST_AGAIN = 100  # times one version was brought to where it ran already
WITH_PLACES = ("target__service__team", "target__environment", "leg__change__requester", "settings", "undoes", "pipeline")


def deployments_for(person: Person) -> QuerySet[Deployment]:
    """Deployments of the services a person sees."""
    return Deployment.objects.filter(target__service__in=services_for(person)).select_related(*WITH_PLACES)


def get_deployment(person: Person, number: int) -> Deployment:
    """One deployment by its number; 404 unless the person sees its service."""
    found = deployments_for(person).filter(pk=number).first()
    if found is None:
        raise Http404
    return found


def deployment_by_id(public_id: UUID) -> Deployment | None:
    """One deployment by public id, for our own machinery."""
    return Deployment.objects.select_related(*WITH_PLACES).filter(public_id=public_id).first()


def begun_and_open(target: Target, *, callers: Collection[str], identities: Iterable[str]) -> Deployment | None:
    """What this very pipeline began there and is not over, if it brings this version and nothing else."""
    found = Deployment.objects.open().filter(target=target, executor=Executor.EXTERNAL, pipeline__caller__in=callers)
    newest = found.select_related(*WITH_PLACES).order_by("-pk").first()
    return newest if newest is not None and set(newest.identities) <= set(identities) else None


def newest_of(target: Target, *, callers: Collection[str], since: datetime, identities: Iterable[str]) -> Deployment | None:
    """What this very pipeline deployed there of this version last, if it is on its way or has ended since then, and was not taken back."""
    seen = [*identities]
    stands = Deployment.objects.filter(undone_by=None).exclude(reports__effect=Effect.WENT_BACK)
    found = stands.filter(target=target, executor=Executor.EXTERNAL, pipeline__caller__in=callers, identities__overlap=seen)
    late = found.filter(Q(ended_at__isnull=True) | Q(ended_at__gt=since)).order_by("-pk")
    return next((one for one in late[:20] if is_same(seen, one.identities)), None)


@dataclass(frozen=True, slots=True)
class Held:
    """A deployment and what it stands on, all locked, and the moment read after the last lock."""

    target: Target
    change: Change | None
    deployment: Deployment
    now: datetime

    @property
    def leg(self) -> Leg | None:
        """The part of the change it carries out."""
        return self.deployment.leg


def hold_deployment(deployment_id: int, now: datetime | None = None) -> Held:
    """Lock target, change and deployment in this order; raises DoesNotExist. The calendar guard, if needed, comes before."""
    target_id, change_id = Deployment.objects.values_list("target_id", "leg__change_id").get(pk=deployment_id)
    target = Target.objects.select_for_update(of=("self",)).select_related("service", "environment").get(pk=target_id)
    change = Change.objects.select_for_update(of=("self",)).get(pk=change_id) if change_id else None
    # Read again after the locks: what was read before them may be old.
    deployment = Deployment.objects.select_for_update(of=("self",)).select_related(*WITH_PLACES).get(pk=deployment_id)
    deployment.target = target
    if deployment.leg is not None and change is not None:
        deployment.leg.change = change
    return Held(target, change, deployment, now or database_now())


@dataclass(frozen=True, slots=True)
class Place:
    """Where a ticket leads, locked: the target, the leg with its change, the deployment that a way back undoes."""

    target: Target
    leg: Leg | None
    bad: Deployment | None
    now: datetime

    def held(self, deployment: Deployment) -> Held:
        """The same with one deployment of it."""
        return Held(self.target, self.leg.change if self.leg else None, deployment, self.now)


def hold_place(permit: Permit, *, used_at: datetime | None = None, now: datetime | None = None) -> Place | None:
    """Lock what a ticket is for, in the one order; None where there is no such target. The calendar guard comes before.

    What began after the ticket was used while we were away is nothing that it undoes."""
    targets = Target.objects.select_for_update(of=("self",)).select_related("service__team", "environment", "settings")
    target = targets.filter(public_id=permit.target).first()
    if target is None:
        return None
    bad = _to_be_undone(target, permit.identities, used_at) if permit.action is Action.ROLLBACK else None
    named = {"pk": bad.leg_id} if bad else {"public_id": permit.leg or None}
    leg = Leg.objects.select_related("item").filter(**named).first() if permit.action is Action.DEPLOY or bad else None
    if leg is not None:
        leg.change = Change.objects.select_for_update(of=("self",)).select_related("revision").get(pk=leg.change_id)
        leg.target = target
    if bad is not None:
        bad = Deployment.objects.select_for_update(of=("self",)).select_related("settings", "undoes").get(pk=bad.pk)
        bad.target, bad.leg = target, leg
    return Place(target, leg, bad, now or database_now())


def _to_be_undone(target: Target, identities: tuple[str, ...], used_at: datetime | None) -> Deployment | None:
    """The deployment that going back to this version undoes: the one on its way there, or the one that brought what runs."""
    found = Deployment.objects.filter(target=target, undoes=None, undone_by=None)
    on_its_way = Q(public_id=target.occupied_by, executor=Executor.EXTERNAL)
    found = found.filter(Q(state=State.SUCCEEDED) if target.occupied_by is None else on_its_way)
    for one in found.select_related("pipeline").order_by("-pk")[:MOST_AGAIN]:
        is_here = target.occupied_by is not None or set(one.identities) == set(target.running_identities)
        if not is_here or (used_at is not None and _came_at(one) > used_at + SKEW):
            return None
        if set(one.previous_identities) == set(identities):
            return one
        if set(one.previous_identities) != set(one.identities):
            return None
        # It brought again what ran already: the one before it brought it.
    return None


def _came_at(order: Deployment) -> datetime:
    pipeline = getattr(order, "pipeline", None)
    return (pipeline and pipeline.used_at) or order.begun_at or order.ordered_at


def leg_to_order(leg_id: int) -> Leg:
    """A leg with what ordering it looks at, not locked; raises Leg.DoesNotExist."""
    return Leg.objects.select_related("item", "target__service", "target__environment", "target__settings").get(pk=leg_id)


def hold_leg(leg_id: int, now: datetime | None = None) -> tuple[Target, Leg, datetime]:
    """Lock a leg's target and change, for ordering; raises Leg.DoesNotExist."""
    target_id, change_id = Leg.objects.values_list("target_id", "change_id").get(pk=leg_id)
    target = Target.objects.select_for_update(of=("self",)).select_related("service__team", "environment", "settings").get(pk=target_id)
    change = Change.objects.select_for_update(of=("self",)).select_related("revision").get(pk=change_id)
    leg = Leg.objects.select_related("item").get(pk=leg_id)
    leg.change, leg.target = change, target
    return target, leg, now or database_now()


def refs_of_work(references: Iterable[Reference], *, reader: Person) -> dict[Reference, str]:
    """What people call the deployments and changes among these references that the reader sees: DEP-7, CHG-1042."""
    ids: dict[str, list[str]] = {"deployment": [], "change": []}
    for name in set(references):
        if name.kind in ids:
            ids[name.kind].append(name.id)
    found: dict[Reference, str] = {}
    if ids["deployment"]:
        found |= {row.reference: row.ref for row in deployments_for(reader).filter(public_id__in=ids["deployment"])}
    if ids["change"]:
        found |= {row.reference: row.ref for row in changes_for(reader).filter(public_id__in=ids["change"])}
    return found
