"""What becomes of a deployment: rows and entries written together, in the caller's transaction, on rows the caller holds locked."""

from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Max

from apps.approvals.steps import note_implementer
from apps.audit.names import actor_text, read_actor
from apps.audit.vocabulary import Event
from apps.catalog.models import Outcome, Target
from apps.catalog.steps import free_target, note_arrival, occupy_target, running_version
from apps.changes.content import Rollback
from apps.changes.facts import content_of
from apps.changes.models import Leg
from apps.changes.steps import leg_done, leg_failed, leg_rolled_back, leg_started
from apps.core.actors import Actor
from apps.core.ids import new_id
from apps.core.references import Reference
from apps.deployments.access import Held
from apps.deployments.facts import goes_back, settings_of, way_back_facts
from apps.deployments.lease import give_back
from apps.deployments.models import Deployment, Executor
from apps.deployments.rules.orders import may_roll_back
from apps.deployments.states import IN_FLIGHT, State
from apps.deployments.transitions import move, tell
from apps.schedule.models import HoldSource
from apps.schedule.steps import place_hold_step, release_reservation, reserve

LONGEST_HOLD_REASON = 300


def place_order(leg: Leg, target: Target, *, by: Actor, at: datetime) -> Deployment:
    """Write down the order for a leg; it begins when a worker has judged it."""
    assert target.settings is not None  # noqa: S101 - the rules refuse a target without settings
    order = Deployment(
        target=target,
        leg=leg,
        label=leg.item.label,
        identities=leg.item.identities,
        settings=target.settings,
        ordered_at=at,
        ordered_by=actor_text(by),
        wake_at=at,
    )
    _note_previous(order, target)
    order.save()
    tell(order, Event.DEPLOYMENT_ORDERED, by=by, at=at)
    return order


def begin(held: Held, *, by: Actor, policy_digest: str = "") -> None:
    """Take the target, reserve the reach up to the end of the way back, start the leg, and run."""
    order, target, at = held.deployment, held.target, held.now
    assert target.settings is not None or order.is_external  # noqa: S101 - the gate has compared its digest with the signed one
    order.settings = target.settings
    _note_previous(order, target)
    _note_plan(order)
    settings = settings_of(order)
    reach = timedelta(seconds=settings.deploy_seconds + settings.bake_seconds + order.way_back_seconds)
    occupy_target(target, order.public_id, by=by, at=at, refs=change_refs(order))
    reserve(target, held_for=order.public_id, starts_at=at, until=at + reach, by=by, at=at)
    if order.leg is not None:
        leg_started(order.leg, by=by, at=at)
        note_implementer(order.leg, by=read_actor(order.ordered_by), at=at)
    _run(order, by=by, at=at, policy_digest=policy_digest)


def refuse(held: Held, *, code: str, reason: str, by: Actor) -> None:
    """End an order that the gate denies at the last moment. It touched nothing, so the leg has not failed."""
    order = held.deployment
    order.refusal_code, order.failure, order.waits_for = code, reason[:400], ""
    move(order, State.FAILED, by=by, at=held.now, reason=reason, event=Event.DEPLOYMENT_REFUSED, data={"code": code})


def keep_waiting(held: Held, *, reason: str, until: datetime) -> None:
    """Leave an order in the queue and say why."""
    order = held.deployment
    order.waits_for, order.wake_at = reason[:400], until
    order.save(update_fields=["waits_for", "wake_at"])


def succeed(held: Held, *, by: Actor, reason: str = "") -> None:
    """It runs there, was read back and its checks passed. The reach stays reserved until the way back closes."""
    order, target, at = held.deployment, held.target, held.now
    give_back(order, at=at, ended_as=State.SUCCEEDED)
    order.switched_at = order.switched_at or at
    order.read_back_at = order.read_back_at or (None if order.is_external else at)  # what CI says was seen by nobody of ours
    outcome = Outcome.ROLLED_BACK if goes_back(order) else Outcome.SUCCEEDED
    note_arrival(target, order.version, outcome, by=by, at=at, caused_by=order.reference, refs=change_refs(order), reason=reason)
    move(order, State.SUCCEEDED, by=by, at=at, reason=reason)
    if order.undoes is not None:
        release_reservation(order.undoes.public_id, by=by, at=at)
        if order.leg is not None:
            leg_rolled_back(order.leg, by=by, at=at, reason=reason)
    else:
        open_until = at + timedelta(seconds=settings_of(order).bake_seconds + order.way_back_seconds)
        reserve(target, held_for=order.public_id, starts_at=order.begun_at or at, until=open_until, by=by, at=at)
        if order.leg is not None:
            leg_done(order.leg, by=by, at=at)
    leave(held, by=by)


def end_unswitched(held: Held, goal: State, *, by: Actor, reason: str) -> None:
    """It ended before users saw it: what ran before still runs. Way backs that never switched need a person instead."""
    order, at = held.deployment, held.now
    if order.is_way_back:
        need_person(held, by=by, reason=f"The way back did not happen: {reason}")
        return
    give_back(order, at=at, ended_as=goal)
    order.failure = reason[:400]
    move(order, goal, by=by, at=at, reason=reason)
    release_reservation(order.public_id, by=by, at=at)
    if order.leg is not None:
        leg_failed(order.leg, by=by, at=at, reason=reason[:300])
    leave(held, by=by)


def end_switched(held: Held, goal: State, *, by: Actor, reason: str) -> Deployment | None:
    """Users see it and it is bad: go back if that may be done, else ask a person."""
    if not may_roll_back(way_back_facts(held.deployment)):
        need_person(held, by=by, reason=reason)
        return None
    order, at = held.deployment, held.now
    give_back(order, at=at, ended_as=goal)
    order.failure = reason[:400]
    move(order, goal, by=by, at=at, reason=reason)
    return go_back(held, by=by, reason=reason)


def go_back(held: Held, *, by: Actor, reason: str, public_id: UUID | None = None, executor: Executor = Executor.WORKER) -> Deployment:
    """Order the way back and begin it at once: it passes freezes and holds. The target is held afterwards, with the reason."""
    bad, target, at = held.deployment, held.target, held.now
    # What runs since a success is looked after by the target's settings of today: those of back then may name another place.
    settings = target.settings if bad.state == State.SUCCEEDED and target.settings is not None else bad.settings
    note_arrival(target, bad.version, Outcome.FAILED, by=by, at=at, caused_by=bad.reference, refs=change_refs(bad), reason=reason)
    order = Deployment.objects.create(
        public_id=public_id or new_id(),
        executor=executor,
        target=target,
        leg=bad.leg,
        undoes=bad,
        label=bad.previous_label,
        identities=bad.previous_identities,
        previous_label=bad.label,
        previous_identities=bad.identities,
        settings=settings,
        way_back_seconds=bad.way_back_seconds,
        ordered_at=at,
        ordered_by=actor_text(by),
        wake_at=at,
    )
    tell(order, Event.ROLLBACK_ORDERED, by=by, at=at, reason=reason)
    free_target(target, by=by, at=at, refs=change_refs(bad))
    occupy_target(target, order.public_id, by=by, at=at, refs=change_refs(order))
    _run(order, by=by, at=at)
    hold_after(bad, target, by=by, at=at, reason=reason)
    return order


def need_person(held: Held, *, by: Actor, reason: str) -> None:
    """Nobody but a person can say what is true now, or what to do. The target stays occupied: nothing else begins there."""
    order, at = held.deployment, held.now
    give_back(order, at=at, ended_as=State.NEEDS_HUMAN)
    order.failure = reason[:400]
    move(order, State.NEEDS_HUMAN, by=by, at=at, reason=reason)


def settle_as_old(held: Held, *, by: Actor, reason: str) -> None:
    """A person found that the new version does not run."""
    order, target, at = held.deployment, held.target, held.now
    if order.undoes is not None:
        # The way back failed: what was to be undone is what runs, and the books said otherwise until now.
        note_arrival(target, order.undoes.version, Outcome.LEFT, by=by, at=at, caused_by=order.reference, reason=reason)
        release_reservation(order.undoes.public_id, by=by, at=at)
    else:
        release_reservation(order.public_id, by=by, at=at)
    order.failure = order.failure or reason[:400]
    move(order, State.FAILED, by=by, at=at, reason=reason)
    if order.leg is not None and order.leg.state == "STARTED":
        leg_failed(order.leg, by=by, at=at, reason=reason[:300])
    leave(held, by=by)


def _run(order: Deployment, *, by: Actor, at: datetime, policy_digest: str = "") -> None:
    last = Deployment.objects.filter(target=order.target_id).aggregate(last=Max("turn"))["last"]
    order.turn = (last or 0) + 1
    order.begun_at, order.wake_at, order.waits_for = at, at, ""
    revision = order.leg.change.revision if order.leg else None
    # What the start relied on: the settings carried out, the content agreed to, the policy it was judged by.
    settings = order.settings.digest if order.settings else ""
    relied_on = {"settings_digest": settings, "revision_digest": revision and revision.digest, "policy_digest": policy_digest}
    proof = {name: value for name, value in relied_on.items() if value}
    move(order, State.RUNNING, by=by, at=at, data={"turn": order.turn, **proof})


def hold_after(bad: Deployment, target: Target, *, by: Actor, at: datetime, reason: str) -> None:
    """What was rolled back does not come again before somebody has looked: the target is held, with the reason."""
    said = f"{bad.label} ({bad.ref}) was rolled back: {reason}"[:LONGEST_HOLD_REASON]
    place_hold_step(target, source=HoldSource.ROLLBACK, source_ref=str(bad.reference), reason=said, by=by, at=at)


def leave(held: Held, *, by: Actor) -> None:
    """Free the target, and wake whoever queues for it."""
    order, at = held.deployment, held.now
    if Deployment.objects.filter(target=held.target, state__in=sorted(IN_FLIGHT)).exists():
        return
    free_target(held.target, by=by, at=at, refs=change_refs(order))
    Deployment.objects.filter(target=held.target, state=State.QUEUED).update(wake_at=at)


def _note_previous(order: Deployment, target: Target) -> None:
    previous = running_version(target)
    order.previous_label = previous.label if previous else ""
    order.previous_identities = [*previous.identities] if previous else []


def _note_plan(order: Deployment) -> None:
    """The rollback plan as it stands when the deployment begins; it is not read again."""
    plan = rollback_plan(order)
    if plan is not None:
        order.way_back_seconds = plan.way_back_seconds
        order.runs_by_itself = plan.runs_by_itself and not order.is_external
        order.is_irreversible = bool(plan.irreversible)


def rollback_plan(order: Deployment) -> Rollback | None:
    """The plan of the change's newest revision; None without a change."""
    if order.leg is None or order.leg.change.revision is None:
        return None
    return content_of(order.leg.change.revision).rollback


def change_refs(order: Deployment) -> list[Reference]:
    """What entries about its target also name."""
    return [order.leg.change.reference] if order.leg is not None else []
