"""What CI does to deployments, as rows and entries written together: in the caller's transaction, on rows the caller holds locked."""

from dataclasses import replace
from uuid import UUID

from apps.audit.names import actor_text
from apps.catalog.models import Outcome
from apps.catalog.steps import free_target, note_arrival
from apps.changes.steps import leg_rolled_back
from apps.core.actors import Actor
from apps.core.refusals import Refused, not_now
from apps.deployments.access import Held, Place
from apps.deployments.models import Deployment, Executor
from apps.deployments.refusals import leg_refusal
from apps.deployments.rules.reporting import Effect
from apps.deployments.states import FINAL, State
from apps.deployments.steps import begin, change_refs, end_unswitched, go_back, hold_after, leave, need_person, succeed
from apps.deployments.transitions import move
from apps.gate.tickets import Permit
from apps.schedule.steps import release_reservation

LONGEST_LABEL, SHORT = 120, 12
BACK_BEGUN = "CI began the way back with its rollback ticket."
FAILED = "CI reported that it failed."
SWITCHED = "CI reported that it failed after users saw it."
TAKEN_BACK = "CI reported that it took it back."


def give_way(place: Place, *, by: Actor) -> None:
    """End the deployment on its way that a rollback undoes: it may have reached users, and nothing waits for its own report any more.

    Before the gate is asked: it then sees what may run there, known to be bad, and what ran before it."""
    bad, target, at = place.bad, place.target, place.now
    if bad is None or bad.state in FINAL:
        return
    note_arrival(target, bad.version, Outcome.LEFT, by=by, at=at, caused_by=bad.reference, refs=change_refs(bad), reason=BACK_BEGUN)
    bad.failure = bad.failure or BACK_BEGUN
    move(bad, State.FAILED, by=by, at=at, reason=BACK_BEGUN)
    free_target(target, by=by, at=at, refs=change_refs(bad))


def as_it_went(place: Place, permit: Permit) -> Place:
    """The place of what a leg cannot stop, since it began while we were away or needs no change: one that is out of it is not started.

    Out of it is a leg that cannot be started any more, or names another version by now."""
    leg = place.leg
    if leg is None or place.bad is not None:
        return place
    is_ordered = Deployment.objects.open().filter(leg=leg).exists()
    is_out = is_ordered or leg_refusal(leg) or set(leg.item.identities) != set(permit.identities)
    return replace(place, leg=None) if is_out else place


def carry_forward(place: Place, permit: Permit, *, public_id: UUID, by: Actor) -> Deployment:
    """Begin what a ticket permits: the target occupied, the leg started, the reach up to the end of the way back reserved."""
    leg, target = place.leg, place.target
    if leg is not None and (other := Deployment.objects.open().filter(leg=leg).first()):
        said = f"{other.ref} is already on its way to {target}."
        raise Refused(not_now("already_ordered", said, "Watch it, or stop it first."), about=other.reference)
    order = Deployment(
        public_id=public_id,
        executor=Executor.EXTERNAL,
        target=target,
        leg=leg,
        label=leg.item.label if leg else _label(place, permit),
        identities=[*permit.identities],
        settings=target.settings,
        ordered_at=place.now,
        ordered_by=actor_text(by),
        wake_at=place.now,
    )
    order.save()
    begin(place.held(order), by=by, policy_digest=permit.policy_digest)
    return order


def carry_back(place: Place, permit: Permit, *, public_id: UUID, by: Actor) -> Deployment:
    """Begin the way back. Where nobody deployed what runs, there is nothing that it undoes, and it leads back all the same."""
    if place.bad is None:
        return carry_forward(place, permit, public_id=public_id, by=by)
    return go_back(place.held(place.bad), by=by, reason=BACK_BEGUN, public_id=public_id, executor=Executor.EXTERNAL)


def take_effect(held: Held, effect: Effect, *, by: Actor, reason: str) -> None:
    """What a report that was taken does."""
    order = held.deployment
    match effect:
        case Effect.HEARD if order.state == State.UNKNOWN:
            move(order, State.RUNNING, by=by, at=held.now, reason=reason or "CI speaks of it again.")
        case Effect.HEARD:
            order.save(update_fields=["wake_at"])
        case Effect.SUCCEEDED:
            succeed(held, by=by, reason=reason)
        case Effect.FAILED:
            end_unswitched(held, State.FAILED, by=by, reason=reason or FAILED)
        case Effect.NEEDS_HUMAN:
            need_person(held, by=by, reason=reason or SWITCHED)
        case Effect.WENT_BACK:
            end_taken_back(held, by=by, reason=reason or TAKEN_BACK)
        case Effect.NONE:
            return


def end_taken_back(held: Held, *, by: Actor, reason: str) -> None:
    """CI took it back by itself in the same run: users saw it, and what ran before runs again. The target is held, with the reason."""
    order, target, at = held.deployment, held.target, held.now
    note_arrival(target, order.version, Outcome.FAILED, by=by, at=at, caused_by=order.reference, refs=change_refs(order), reason=reason)
    order.failure = reason[:400]
    move(order, State.FAILED, by=by, at=at, reason=reason)
    release_reservation(order.public_id, by=by, at=at)
    if order.leg is not None:
        leg_rolled_back(order.leg, by=by, at=at, reason=reason[:300])
    hold_after(order, target, by=by, at=at, reason=reason)
    leave(held, by=by)


def _label(place: Place, permit: Permit) -> str:
    if set(permit.identities) == set(place.target.previous_identities) and place.target.previous_label:
        return place.target.previous_label
    return permit.identities[0].partition(":")[2][:SHORT]
