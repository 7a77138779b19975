"""Follows the stream and opens incidents by itself; says that users are well again once the way back was read back."""

from uuid import UUID

from apps.audit.entries import StreamEntry
from apps.audit.followers import read_on
from apps.audit.vocabulary import Event
from apps.catalog.models import Target
from apps.core.actors import ActorKind, system
from apps.core.locks import database_now
from apps.deployments.access import deployment_by_id
from apps.deployments.models import Deployment
from apps.incidents.access import standing_incident
from apps.incidents.states import State
from apps.incidents.steps import begin_incident, hold_target
from apps.incidents.transitions import move

CURSOR = "incidents"
BATCH = 200
FOLLOWER = system("incidents")


def follow_stream() -> int:
    """Read on from where we stood and act. Returns how many entries were read."""
    return read_on(CURSOR, react, limit=BATCH)


def react(entry: StreamEntry) -> None:
    """Do what one entry asks for; twice the same entry does nothing more."""
    match entry.event:
        case Event.ROLLBACK_ORDERED if entry.by.kind is ActorKind.SYSTEM:
            _open_for_way_back(entry)
        case Event.DEPLOYMENT_NEEDS_HUMAN:
            _open_for_person(entry)
        case Event.DEPLOYMENT_SUCCEEDED if "undoes" in entry.data:
            _recover(entry)


def _open_for_way_back(entry: StreamEntry) -> None:
    back = _deployment(entry)
    bad = back.undoes
    assert bad is not None  # noqa: S101 - the event is recorded of deployments that undo another
    target = _lock_target(back)
    title = f"{bad.label} of {target.service.name} failed in {target.environment.name} and is rolled back"
    started_at = bad.switched_at or entry.at
    begin_incident(target, title=title, started_at=started_at, by=FOLLOWER, at=database_now(), opened_for=entry.id)


def _open_for_person(entry: StreamEntry) -> None:
    order = _deployment(entry)
    target = _lock_target(order)
    title = f"{order.ref} of {target.service.name} in {target.environment.name} needs a person"
    now = database_now()
    incident = begin_incident(target, title=title, started_at=order.switched_at or entry.at, by=FOLLOWER, at=now, opened_for=entry.id)
    if incident is not None:
        hold_target(incident, by=FOLLOWER, at=now)


def _recover(entry: StreamEntry) -> None:
    """The old version was read back: users are well again. Whether it is over, a person says.

    What people opened, they opened for a reason that a way back need not have ended."""
    back = _deployment(entry)
    incident = standing_incident(_lock_target(back))
    if incident is not None and incident.state == State.OPEN and incident.opened_for is not None:
        move(incident, State.RECOVERED, by=FOLLOWER, at=back.read_back_at or entry.at, reason=f"{back.ref} brought {back.label} back.")


def _deployment(entry: StreamEntry) -> Deployment:
    found = deployment_by_id(UUID(entry.subject.id))
    assert found is not None  # noqa: S101 - deployments are never deleted, and the entry was written with this one
    return found


def _lock_target(order: Deployment) -> Target:
    return Target.objects.select_for_update(of=("self",)).select_related("service", "environment").get(pk=order.target_id)
