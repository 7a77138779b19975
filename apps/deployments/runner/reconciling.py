"""Steps after a loss: the target is asked what is true before anything else is done."""

from datetime import timedelta

from apps.core.actors import system
from apps.core.verbs import verb
from apps.deployments.access import Held
from apps.deployments.drivers.base import BadOptions, Observation
from apps.deployments.lease import Lease, count_try, give_back, own
from apps.deployments.logs import append_log, readable
from apps.deployments.models import Deployment
from apps.deployments.rules.stepping import LostFacts, Safety, after_loss, is_worn_out
from apps.deployments.runner.driving import driver_of, told_to_driver
from apps.deployments.states import State
from apps.deployments.steps import need_person
from apps.deployments.transitions import move

RUNNER = system("runner")
LONGEST_PAUSE = 30


def reconcile(lease: Lease, order: Deployment) -> bool:
    """Ask the target what runs there; not once more where that has been tried too often, as asking may be what goes wrong."""
    if is_worn_out(int(order.cursor.get("tries", 0))):
        return note_silence(lease, said="Nobody could finish the work, or learn what is true.")
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
    order, told = held.deployment, _told(seen)
    tries = count_try(order)
    append_log(order, f"{held.now:%H:%M:%S} asked the target what is true: {told}\n", at=held.now)
    goal = after_loss(
        LostFacts(
            safety=safety,
            wanted=frozenset(order.identities),
            previous=frozenset(order.previous_identities),
            is_known=seen.is_known,
            runs=seen.runs,
            points_to=seen.points_to,
            was_aborting="stopped_because" in order.cursor,
            tries=tries,
        )
    )
    match goal:
        case State.NEEDS_HUMAN:
            need_person(held, by=RUNNER, reason=f"A worker was lost, and the target does not settle what happened: {told}")
            return False
        case State.RECONCILING:
            _ask_again(held, tries=tries)
            return False
        case State.VERIFYING:
            order.switched_at, order.read_back_at = order.switched_at or held.now, order.read_back_at or held.now
    give_back(order, at=held.now, ended_as=State.RECONCILING)
    move(order, goal, by=RUNNER, at=held.now, reason=told)
    return True


@verb
def note_silence(lease: Lease, *, said: str) -> bool:
    """The target did not answer: what is true is unknown, and asked for next; after too many tries a person looks."""
    held = own(lease)
    order, said = held.deployment, readable(said)
    tries = count_try(order)
    append_log(order, f"{held.now:%H:%M:%S} {said}\n", at=held.now)
    if is_worn_out(tries):
        need_person(held, by=RUNNER, reason=f"{said} Tried {tries} times.")
    elif order.state == State.RECONCILING:
        _ask_again(held, tries=tries)
    else:
        give_back(order, at=held.now, ended_as=State.UNKNOWN, wake_at=held.now + _pause(tries))
        move(order, State.UNKNOWN, by=RUNNER, at=held.now, reason=said)
    return False


def _ask_again(held: Held, *, tries: int) -> None:
    give_back(held.deployment, at=held.now, ended_as=State.RECONCILING, wake_at=held.now + _pause(tries))
    held.deployment.save()


def _pause(tries: int) -> timedelta:
    return timedelta(seconds=min(2**tries, LONGEST_PAUSE))


def _told(seen: Observation) -> str:
    said = readable(seen.said)
    if not seen.is_known:
        return said or "it cannot be asked."
    runs, points_to = (readable(identity or "") for identity in (seen.runs, seen.points_to))
    return f"runs {runs or 'nothing that answers'}, set to {points_to or 'nothing'}. {said}".strip()
