"""Steps after a loss: the target is asked what is true before anything else is done."""

from datetime import timedelta

from apps.core.actors import system
from apps.core.verbs import verb
from apps.deployments.access import Held
from apps.deployments.drivers.base import BadOptions, Observation
from apps.deployments.lease import Lease, give_back, own
from apps.deployments.logs import append_log
from apps.deployments.models import Deployment
from apps.deployments.rules.stepping import LostFacts, Safety, after_loss
from apps.deployments.runner.driving import driver_of, told_to_driver
from apps.deployments.states import State
from apps.deployments.steps import need_person
from apps.deployments.transitions import move

RUNNER = system("runner")
LONGEST_PAUSE = 30


def reconcile(lease: Lease, order: Deployment) -> bool:
    """Ask the target what runs there."""
    try:
        driver = driver_of(order)
        safety = driver.safety
        seen = Observation(is_known=False) if safety is Safety.ONCE else driver.observe(told_to_driver(order))
    except BadOptions as error:
        safety, seen = Safety.ONCE, Observation(is_known=False, said=str(error))
    return note_observation(lease, seen, safety=safety)


@verb
def note_observation(lease: Lease, seen: Observation, *, safety: Safety) -> bool:
    """Write what the target said, and go where that leads."""
    held = own(lease)
    order = held.deployment
    order.cursor["tries"] = int(order.cursor.get("tries", 0)) + 1
    append_log(order, f"{held.now:%H:%M:%S} asked the target what is true: {_told(seen)}\n", at=held.now)
    goal = after_loss(
        LostFacts(
            safety=safety,
            wanted=frozenset(order.identities),
            previous=frozenset(order.previous_identities),
            is_known=seen.is_known,
            runs=seen.runs,
            points_to=seen.points_to,
            was_aborting="stopped_because" in order.cursor,
            tries=order.cursor["tries"],
        )
    )
    match goal:
        case State.NEEDS_HUMAN:
            need_person(held, by=RUNNER, reason=f"A worker was lost, and the target does not settle what happened: {_told(seen)}")
            return False
        case State.RECONCILING:
            _ask_again(held)
            return False
        case State.VERIFYING:
            order.switched_at, order.read_back_at = order.switched_at or held.now, order.read_back_at or held.now
    give_back(order, at=held.now, ended_as=State.RECONCILING)
    move(order, goal, by=RUNNER, at=held.now, reason=_told(seen))
    return True


@verb
def note_silence(lease: Lease, *, said: str) -> bool:
    """The target did not answer in the middle of the work: what is true is unknown, and asked for next."""
    held = own(lease)
    order = held.deployment
    append_log(order, f"{held.now:%H:%M:%S} {said}\n", at=held.now)
    if order.state == State.RECONCILING:
        order.cursor["tries"] = int(order.cursor.get("tries", 0)) + 1
        _ask_again(held)
        return False
    give_back(order, at=held.now, ended_as=State.UNKNOWN)
    move(order, State.UNKNOWN, by=RUNNER, at=held.now, reason=said)
    return False


def _ask_again(held: Held) -> None:
    order = held.deployment
    pause = min(2 ** int(order.cursor["tries"]), LONGEST_PAUSE)
    give_back(order, at=held.now, ended_as=State.RECONCILING, wake_at=held.now + timedelta(seconds=pause))
    order.save()


def _told(seen: Observation) -> str:
    if not seen.is_known:
        return seen.said or "it cannot be asked."
    return f"runs {seen.runs or 'nothing that answers'}, set to {seen.points_to or 'nothing'}. {seen.said}".strip()
