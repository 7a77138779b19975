"""The only writer of a deployment's state: one move, its row and its entry together."""

from collections.abc import Mapping
from datetime import datetime

from apps.audit.names import actor_text
from apps.audit.record import record
from apps.audit.vocabulary import Event
from apps.core.actors import Actor
from apps.core.references import Reference
from apps.deployments.models import Deployment, Executor, Move
from apps.deployments.states import FINAL, MOVES, MOVES_OF_CI, State

EVENTS = {
    State.RUNNING: Event.DEPLOYMENT_STARTED,
    State.VERIFYING: Event.DEPLOYMENT_VERIFYING,
    State.SUCCEEDED: Event.DEPLOYMENT_SUCCEEDED,
    State.FAILED: Event.DEPLOYMENT_FAILED,
    State.ABORTING: Event.DEPLOYMENT_ABORTING,
    State.ABORTED: Event.DEPLOYMENT_ABORTED,
    State.UNKNOWN: Event.DEPLOYMENT_LOST,
    State.RECONCILING: Event.DEPLOYMENT_RECONCILING,
    State.NEEDS_HUMAN: Event.DEPLOYMENT_NEEDS_HUMAN,
}
LONGEST_REASON = 400
TABLES = {Executor.WORKER: MOVES, Executor.EXTERNAL: MOVES_OF_CI}


class IllegalMove(Exception):
    """A move that the table does not have: a mistake in the program, never of a person."""


def move(
    deployment: Deployment,
    goal: State,
    *,
    by: Actor,
    at: datetime,
    reason: str = "",
    event: Event | None = None,
    data: Mapping[str, object] | None = None,
) -> None:
    """Move a locked deployment; the caller saves what else it changed before, in the same transaction.

    `event` tells the move in other words than its goal has, such as a refused order that ends as FAILED."""
    start = State(deployment.state)
    if goal not in TABLES[Executor(deployment.executor)].get(start, frozenset()):
        raise IllegalMove(f"{deployment.ref} does not go from {start} to {goal}.")
    reason = reason[:LONGEST_REASON]
    deployment.state = goal
    deployment.ended_at = at if goal in FINAL else None
    deployment.save()
    seq = deployment.moves.count() + 1
    Move.objects.create(deployment=deployment, seq=seq, start=start, goal=goal, at=at, by=actor_text(by), reason=reason)
    tell(deployment, event or EVENTS[goal], by=by, at=at, reason=reason, data={"from": start, "to": goal, **(data or {})})


def tell(
    deployment: Deployment,
    event: Event,
    *,
    by: Actor,
    at: datetime,
    reason: str = "",
    check: str = "",
    data: Mapping[str, object] | None = None,
) -> None:
    """Record something about a deployment so that it is found from its target, service, environment and change."""
    facts: dict[str, object] = {"ref": deployment.ref, "attempt": deployment.attempt, "identities": list(deployment.identities)}
    if deployment.undoes is not None:
        facts["undoes"] = deployment.undoes.ref
    details = {"label": deployment.label, "previous_label": deployment.previous_label, "reason": reason, "check": check}
    record(event, subject=deployment, by=by, at=at, refs=refs_of(deployment), data=facts | dict(data or {}), details=details)


def refs_of(deployment: Deployment) -> list[Reference]:
    """Everything a deployment's entries are found from."""
    target = deployment.target
    refs = [target.reference, target.service.reference, target.environment.reference]
    if deployment.leg is not None:
        refs += [deployment.leg.reference, deployment.leg.change.reference]
    if deployment.undoes is not None:
        refs.append(deployment.undoes.reference)
    return refs
