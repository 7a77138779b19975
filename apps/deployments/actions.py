"""The durable verbs of people: order, stop, settle, undo."""

from datetime import datetime

from apps.audit.attempts import recorded_refusal
from apps.audit.vocabulary import Event
from apps.core.actors import Actor
from apps.core.locks import share_calendar_guard
from apps.core.refusals import Refused
from apps.core.texts import read_line
from apps.core.verbs import verb
from apps.deployments.access import hold_deployment, hold_leg, leg_to_order
from apps.deployments.lease import give_back
from apps.deployments.models import Deployment
from apps.deployments.refusals import abort_refusal, ask_again_refusal, look_at, order_refusal, roll_back_refusal, settle_refusal
from apps.deployments.rules.orders import Truth
from apps.deployments.states import State
from apps.deployments.steps import go_back, place_order, settle_as_old, succeed
from apps.deployments.tasks import wake_after_commit
from apps.deployments.transitions import move

LONGEST_REASON = 300


@recorded_refusal(Event.DEPLOYMENT_REFUSED)
@verb
def order_deployment(leg_id: int, *, by: Actor, now: datetime | None = None) -> Deployment:
    """Order the deployment of one leg. Where the gate says "not yet", the order waits in the queue; it is judged again under lock."""
    look = look_at(leg_to_order(leg_id))  # a disk that hangs must not hang whoever waits for the locks
    share_calendar_guard()
    target, leg, now = hold_leg(leg_id, now)
    if refusal := order_refusal(leg, by=by, look=look):
        raise Refused(refusal, about=leg.change.reference)
    order = place_order(leg, target, by=by, at=now)
    wake_after_commit(order.pk)
    return order


@verb
def abort_deployment(deployment_id: int, *, by: Actor, reason: str = "", now: datetime | None = None) -> Deployment:
    """Stop a deployment before its switch. A queued one ends at once; a running one is asked to stop, and then says what became of it."""
    reason = read_line(reason, field="reason", longest=LONGEST_REASON, empty=True)
    held = hold_deployment(deployment_id, now)
    order = held.deployment
    if refusal := abort_refusal(order, by=by):
        raise Refused(refusal, about=order.reference)
    order.cursor["stopped_because"] = reason or "A person stopped it."
    if order.state == State.QUEUED:
        order.waits_for = ""
        move(order, State.ABORTED, by=by, at=held.now, reason=reason)
        return order
    order.wake_at = held.now
    move(order, State.ABORTING, by=by, at=held.now, reason=reason)
    wake_after_commit(order.pk)
    return order


@verb
def roll_back_deployment(deployment_id: int, *, by: Actor, reason: str, now: datetime | None = None) -> Deployment:
    """Undo what a deployment brought; it passes freezes and holds, and leaves a hold behind."""
    reason = read_line(reason, field="reason", longest=LONGEST_REASON)
    held = hold_deployment(deployment_id, now)
    bad = held.deployment
    if refusal := roll_back_refusal(bad, by=by):
        raise Refused(refusal, about=bad.reference)
    if bad.state == State.VERIFYING:
        # A worker may be measuring at this moment: what it brings back later is refused, because the state has moved on.
        bad.failure = reason
        give_back(bad, at=held.now, ended_as=State.FAILED)
        move(bad, State.FAILED, by=by, at=held.now, reason=reason)
    order = go_back(held, by=by, reason=reason)
    wake_after_commit(order.pk)
    return order


@verb
def settle_deployment(deployment_id: int, *, truth: Truth, by: Actor, reason: str, now: datetime | None = None) -> Deployment:
    """A person says what is true on the target of a deployment that needs one."""
    reason = read_line(reason, field="reason", longest=LONGEST_REASON)
    held = hold_deployment(deployment_id, now)
    order = held.deployment
    if refusal := settle_refusal(order, by=by):
        raise Refused(refusal, about=order.reference)
    match truth:
        case Truth.NEW_RUNS:
            order.failure, order.read_back_at = "", order.read_back_at or (held.now if order.is_external else None)
            succeed(held, by=by, reason=reason)
        case Truth.OLD_RUNS:
            settle_as_old(held, by=by, reason=reason)
        case Truth.ASK_AGAIN:
            if refusal := ask_again_refusal(order, by=by):
                raise Refused(refusal, about=order.reference)
            order.cursor["tries"], order.wake_at = 0, held.now
            move(order, State.RECONCILING, by=by, at=held.now, reason=reason)
            wake_after_commit(order.pk)
    return order
