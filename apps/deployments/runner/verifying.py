"""Steps that ask the health checks, and what is decided from their measurements."""

import time
from datetime import datetime, timedelta

from apps.audit.vocabulary import Event
from apps.core.actors import system
from apps.core.verbs import verb
from apps.deployments.access import Held
from apps.deployments.facts import CheckStanding, check_standings
from apps.deployments.lease import Lease, give_back, heartbeat, own
from apps.deployments.logs import readable
from apps.deployments.models import Deployment, Measurement
from apps.deployments.probes import Reading, measure
from apps.deployments.rules.verdicts import Answer, worst_of
from apps.deployments.states import State
from apps.deployments.steps import end_switched, need_person, succeed
from apps.deployments.transitions import tell

RUNNER = system("runner")
MEASURE_SECONDS = 4.0  # no new measurement is begun after this; the slowest one takes five more
Readings = dict[str, Reading]


def verify(lease: Lease, order: Deployment) -> bool:
    """Take the measurements that are due, then decide."""
    heartbeat(lease)
    until = time.monotonic() + MEASURE_SECONDS
    readings: Readings = {}
    for standing in check_standings(order):
        if standing.next_at is not None and standing.next_at <= _claimed_at(order) and time.monotonic() < until:
            readings[standing.check.name] = measure(standing.check, order.version)
    return note_measurements(lease, readings)


def _claimed_at(order: Deployment) -> datetime:
    """The database's clock when the order was claimed: good enough for "is it due", and no further question."""
    return order.attempts.values_list("claimed_at", flat=True).get(number=order.attempt)


@verb
def note_measurements(lease: Lease, readings: Readings) -> bool:
    """Store what was measured and draw the conclusion."""
    held = own(lease)
    order = held.deployment
    before = {standing.check.name: standing.answer for standing in check_standings(order)}
    for name, reading in readings.items():
        number = order.measurements.filter(check_name=name).count() + 1
        row = {"verdict": reading.sample, "value": readable(reading.value)[:200], "said": readable(reading.said)[:400]}
        Measurement.objects.create(deployment=order, check_name=name, number=number, at=held.now, **row)
    if readings:
        order.cursor["tries"] = 0
    standings = check_standings(order)
    for standing in standings:
        _tell_check(held, standing, before=before[standing.check.name])
    return _decide(held, standings)


def _tell_check(held: Held, standing: CheckStanding, *, before: Answer) -> None:
    event = {Answer.PASS: Event.CHECK_PASSED, Answer.FAIL: Event.CHECK_FAILED}.get(standing.answer)
    if event is None or standing.answer is before:
        return
    last = held.deployment.measurements.filter(check_name=standing.check.name).order_by("-number").first()
    data = {"critical": standing.check.critical, "count": len(standing.samples)}
    order = held.deployment
    tell(order, event, by=RUNNER, at=held.now, data=data, check=standing.check.name, reason=last.said if last else "")


def _decide(held: Held, standings: list[CheckStanding]) -> bool:
    order = held.deployment
    answer = worst_of((standing.check, standing.answer) for standing in standings)
    due = [standing.next_at for standing in standings if standing.next_at is not None]
    if answer is Answer.FAIL:
        end_switched(held, State.FAILED, by=RUNNER, reason=_why(standings, Answer.FAIL))
    elif due:  # a check that is not critical is measured to its end too
        give_back(order, at=held.now, ended_as=order.state, wake_at=max(min(due), held.now + timedelta(milliseconds=50)))
        order.save()
        return False
    elif answer is Answer.PASS:
        succeed(held, by=RUNNER)
    else:
        need_person(held, by=RUNNER, reason=_why(standings, Answer.INCONCLUSIVE))
    return not order.is_final


def _why(standings: list[CheckStanding], answer: Answer) -> str:
    names = ", ".join(f"“{standing.check.name}”" for standing in standings if standing.answer is answer and standing.check.critical)
    if answer is Answer.FAIL:
        return f"The check {names} failed."
    return f"The check {names} could not tell. No data is never a pass."
