"""Steps that speak to the driver, and what is written of the answer."""

from datetime import timedelta

from apps.core.actors import system
from apps.core.verbs import verb
from apps.deployments.access import Held
from apps.deployments.drivers.base import BadOptions, CannotTell, Driver, Fence, Order, Phase, Progress
from apps.deployments.drivers.registry import driver_named
from apps.deployments.facts import settings_of
from apps.deployments.lease import Lease, give_back, heartbeat, own
from apps.deployments.logs import append_log, readable
from apps.deployments.models import Deployment
from apps.deployments.states import State
from apps.deployments.steps import end_switched, end_unswitched
from apps.deployments.transitions import move

RUNNER = system("runner")


def driver_of(order: Deployment) -> Driver:
    """The driver its settings name; raises BadOptions where there is none any more."""
    name = settings_of(order).driver
    found = driver_named(name)
    if found is None:
        raise BadOptions(f"No driver is called {name}.")
    return found


def told_to_driver(order: Deployment) -> Order:
    """What the driver is told: identities from the order, commands from the settings alone."""
    assert order.turn is not None  # noqa: S101 - a constraint sees to it for everything that has begun
    assert order.begun_at is not None  # noqa: S101
    return Order(
        id=str(order.public_id),
        ref=order.ref,
        version=order.version,
        previous=order.previous,
        fence=Fence(order.turn, order.attempt),
        options=settings_of(order).options,
        repository=order.target.service.repository,
        begun_at=order.begun_at,
        is_way_back=order.is_way_back,
    )


def start(lease: Lease, order: Deployment) -> bool:
    """Let the driver begin."""
    heartbeat(lease)
    try:
        driver = driver_of(order)
        told = told_to_driver(order)
        progress = driver.roll_back_to(told) if order.is_way_back else driver.start(told)
    except BadOptions as error:
        progress = Progress(Phase.FAILED, failure=str(error))
    return note_progress(lease, progress)


def poll(lease: Lease, order: Deployment) -> bool:
    """Let the driver do its next piece."""
    heartbeat(lease)
    try:
        progress = driver_of(order).poll(told_to_driver(order), int(order.cursor.get("offset", 0)))
    except BadOptions as error:
        progress = Progress(Phase.FAILED, failure=str(error), offset=int(order.cursor.get("offset", 0)))
    return note_progress(lease, progress)


def cancel(lease: Lease, order: Deployment) -> bool:
    """Let the driver stop before its switch."""
    heartbeat(lease)
    try:
        progress = driver_of(order).cancel(told_to_driver(order), int(order.cursor.get("offset", 0)))
    except BadOptions as error:
        raise CannotTell(str(error)) from error  # it may have switched before its settings lost their meaning
    return note_cancelled(lease, progress)


@verb
def note_progress(lease: Lease, progress: Progress) -> bool:
    """Write what the driver brought; True when the next step is due at once."""
    held = own(lease)
    order, failure = held.deployment, readable(progress.failure)
    _note_output(held, progress)
    if order.state == State.ABORTING:  # somebody stopped it while the driver worked: the next step asks the driver to stop
        _let_go(held, wait_seconds=0)
        order.save()
        return True
    match progress.phase:
        case Phase.DONE:
            order.read_back_at, order.cursor["tries"] = held.now, 0
            _let_go(held, wait_seconds=0)
            move(order, State.VERIFYING, by=RUNNER, at=held.now)
        case Phase.FAILED if order.switched_at is not None:
            end_switched(held, State.FAILED, by=RUNNER, reason=failure)
        case Phase.FAILED:
            end_unswitched(held, State.FAILED, by=RUNNER, reason=failure)
        case Phase.WORKING:
            return _go_on(held, progress)
    return not order.is_final


@verb
def note_cancelled(lease: Lease, progress: Progress) -> bool:
    """End a stopped deployment; where the stop came after the switch, go back."""
    held = own(lease)
    _note_output(held, progress)
    reason = str(held.deployment.cursor.get("stopped_because", ""))
    if held.deployment.switched_at is None:
        end_unswitched(held, State.ABORTED, by=RUNNER, reason=reason)
    else:
        end_switched(held, State.ABORTED, by=RUNNER, reason=reason)
    return True


def _note_output(held: Held, progress: Progress) -> None:
    order = held.deployment
    append_log(order, progress.text, at=held.now)
    order.cursor |= {"started": True, "offset": progress.offset}
    if progress.has_switched and order.switched_at is None:
        order.switched_at, order.cursor["tries"] = held.now, 0


def _go_on(held: Held, progress: Progress) -> bool:
    order, seconds = held.deployment, settings_of(held.deployment).deploy_seconds
    is_late = order.begun_at is not None and held.now > order.begun_at + timedelta(seconds=seconds)
    if is_late and not order.is_way_back:
        _let_go(held, wait_seconds=0)
        order.cursor["stopped_because"] = f"It took longer than the {seconds} s its settings give it."
        move(order, State.ABORTING, by=RUNNER, at=held.now, reason=order.cursor["stopped_because"])
        return True
    _let_go(held, wait_seconds=progress.wait_seconds)
    order.save()
    return progress.wait_seconds <= 0


def _let_go(held: Held, *, wait_seconds: float) -> None:
    give_back(held.deployment, at=held.now, ended_as=held.deployment.state, wake_at=held.now + timedelta(seconds=wait_seconds))
