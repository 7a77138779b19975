"""Deployments in every state: `make_deployment` walks the real verbs and steps, with a driver whose answers a test chooses."""

from collections import deque
from datetime import UTC, datetime, timedelta
from typing import Any

import factory
from factory.django import DjangoModelFactory

from apps.accounts.models import Person
from apps.accounts.roles import Role
from apps.catalog.models import ChangeRequired, Target
from apps.catalog.versions import Version
from apps.changes.content import Aspect, Scope
from apps.changes.models import Leg
from apps.changes.states import State as ChangeState
from apps.deployments.actions import abort_deployment, order_deployment
from apps.deployments.drivers.base import Fence, Fenced, Observation, Order, Phase, Progress
from apps.deployments.drivers.registry import register
from apps.deployments.lease import claim, note_lost
from apps.deployments.models import Attempt, Deployment, LogChunk, Measurement, Move
from apps.deployments.rules.stepping import Safety
from apps.deployments.runner import run_step
from apps.deployments.states import State
from tests.conftest import NOW
from tests.factories.accounts import make_person
from tests.factories.approvals import make_change
from tests.factories.catalog import COMMIT, EnvironmentFactory, TargetFactory, TargetSettingsFactory, make_target
from tests.factories.changes import OTHER_COMMIT, make_item

FAILS = Progress(Phase.FAILED, text="12:00:00 failed\n", offset=16, failure="It did not start.")
FAILS_SWITCHED = Progress(Phase.FAILED, has_switched=True, failure="It did not answer.")
WORKS = Progress(Phase.WORKING, text="12:00:00 going on\n", offset=18)


class FakeDriver:
    """A target in memory, with a fence. What `answers` holds is said or raised first, in order."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.safety = Safety.QUERYABLE
        self.runs: str | None = COMMIT
        self.seen = Fence(0, 0)
        self.answers: deque[Progress | Observation | Exception] = deque()
        self.calls: list[str] = []
        self.fault = ""

    def why_not(self, options: Any, repository: str, version: Version) -> str:
        return self.fault

    def start(self, order: Order) -> Progress:
        return self._work("start", order)

    def roll_back_to(self, order: Order) -> Progress:
        return self._work("roll_back_to", order)

    def poll(self, order: Order, offset: int) -> Progress:
        return self._work("poll", order)

    def cancel(self, order: Order, offset: int) -> Progress:
        self.calls.append("cancel")
        switched = self.runs in order.version.identities
        return self._said() or Progress(Phase.DONE, offset=offset, has_switched=switched)  # type: ignore[return-value]

    def observe(self, order: Order) -> Observation:
        self.calls.append("observe")
        return self._said() or Observation(is_known=True, runs=self.runs, points_to=self.runs)  # type: ignore[return-value]

    def _work(self, call: str, order: Order) -> Progress:
        self.calls.append(call)
        if said := self._said():
            return said  # type: ignore[return-value]
        if order.fence < self.seen:
            raise Fenced("A later attempt was here.")
        self.seen, self.runs = order.fence, order.version.identities[0]
        return Progress(Phase.DONE, text="12:00:00 switched\n", offset=18, has_switched=True)

    def _said(self) -> Progress | Observation | None:
        said = self.answers.popleft() if self.answers else None
        if isinstance(said, Exception):
            raise said
        return said


FAKE = FakeDriver()
register("fake", FAKE)


class DeploymentFactory(DjangoModelFactory):
    """A bare row, for tests of queries alone."""

    class Meta:
        model = Deployment

    target = factory.SubFactory(TargetFactory)
    settings = factory.SubFactory(TargetSettingsFactory, target=factory.SelfAttribute("..target"))
    label = "3.18.1"
    identities = factory.LazyFunction(lambda: [OTHER_COMMIT])
    ordered_at = NOW
    ordered_by = "SYSTEM:test"
    wake_at = NOW


class MoveFactory(DjangoModelFactory):
    class Meta:
        model = Move

    deployment = factory.SubFactory(DeploymentFactory)
    seq = factory.Sequence(lambda n: n + 1)
    start, goal = State.QUEUED, State.RUNNING
    at = NOW
    by = "SYSTEM:test"


class AttemptFactory(DjangoModelFactory):
    class Meta:
        model = Attempt

    deployment = factory.SubFactory(DeploymentFactory)
    number = factory.Sequence(lambda n: n + 1)
    holder = "worker-1"
    claimed_at = NOW


class LogChunkFactory(DjangoModelFactory):
    class Meta:
        model = LogChunk

    deployment = factory.SubFactory(DeploymentFactory)
    attempt = 1
    offset = factory.Sequence(lambda n: n * 10)
    at = NOW
    text = "12:00:00 a line\n"


class MeasurementFactory(DjangoModelFactory):
    class Meta:
        model = Measurement

    deployment = factory.SubFactory(DeploymentFactory)
    check_name = "healthy"
    number = factory.Sequence(lambda n: n + 1)
    at = NOW
    verdict = "PASS"


def a_check(name: str = "healthy", **more: object) -> dict[str, object]:
    """One check of target settings, due at once."""
    return {"name": name, "url": "http://127.0.0.1:9/healthz", "interval_seconds": 1, "count": 1} | more


def fake_settings(*checks: dict[str, object], **more: object) -> dict[str, object]:
    """Settings that use the driver of tests."""
    return {"driver": "fake", "options": {}, "checks": [*checks]} | more


def make_site(*checks: dict[str, object], settings: dict[str, object] | None = None, **more: object) -> Target:
    """A target where COMMIT runs, in an environment that asks for a submitted change."""
    environment = EnvironmentFactory(change_required=ChangeRequired.RECORDED)
    target = make_target(environment=environment, settings=fake_settings(*checks, **more) if settings is None else settings)
    target.running_label, target.running_identities, target.running_since = "3.17.0", [COMMIT], NOW
    target.save()
    return target


def make_leg(
    target: Target | None = None,
    *,
    requester: Person | None = None,
    identity: str = OTHER_COMMIT,
    label: str = "3.18.1",
    state: ChangeState = ChangeState.APPROVED,
    **parts: Any,
) -> Leg:
    """The leg of a change for this target, by default of a submitted one, which the gate allows now."""
    target = target or make_site()
    item = make_item(target.service, (target.environment,), identities=(identity,), label=label)
    scope = Scope(items=(item,), aspects=frozenset({Aspect.CODE}), reason="Visitors give up when the outward ferry is full.")
    requester = requester or make_person(Role.REQUESTER)
    now = datetime.now(UTC) - timedelta(minutes=1)
    change = make_change(state, targets=(target,), requester=requester, now=now, **({"scope": scope} | parts))
    return Leg.objects.select_related("change", "item", "service", "environment", "target").get(change=change)


def make_order(target: Target | None = None, *, by: Person | None = None, **leg: Any) -> Deployment:
    """A queued order, by an operator."""
    return order_deployment(make_leg(target, **leg).pk, by=(by or make_person(Role.OPERATOR)).actor)


def step(deployment: Deployment) -> Deployment:
    """One step of the runner, however early it is."""
    Deployment.objects.filter(pk=deployment.pk).update(wake_at=NOW - timedelta(days=365))
    run_step(deployment.pk, holder="worker-1")
    deployment.refresh_from_db()
    return deployment


def lose(deployment: Deployment) -> Deployment:
    """Let a worker claim it and fall silent."""
    Deployment.objects.filter(pk=deployment.pk).update(wake_at=NOW - timedelta(days=365))
    assert claim(deployment.pk, holder="lost-worker")
    Deployment.objects.filter(pk=deployment.pk).update(lease_expires_at=NOW - timedelta(days=365))
    assert note_lost(deployment.pk)
    deployment.refresh_from_db()
    return deployment


def make_deployment(state: State = State.SUCCEEDED, *, target: Target | None = None, **leg: Any) -> Deployment:
    """A deployment in this state, walked there by the real verbs and steps."""
    order = make_order(target, **leg)
    match state:
        case State.ABORTED:
            abort_deployment(order.pk, by=make_person(Role.OPERATOR).actor)
        case State.RUNNING | State.ABORTING | State.UNKNOWN | State.RECONCILING | State.NEEDS_HUMAN:
            step(order)
        case State.VERIFYING | State.SUCCEEDED:
            step(step(order))
        case State.FAILED:
            FAKE.answers.append(FAILS)
            step(step(order))
    match state:
        case State.ABORTING:
            abort_deployment(order.pk, by=make_person(Role.OPERATOR).actor)
        case State.UNKNOWN | State.NEEDS_HUMAN | State.RECONCILING:
            lose(order)
        case State.SUCCEEDED:
            step(order)
    if state is State.RECONCILING:
        FAKE.answers.append(Observation(is_known=False))
        step(order)
    if state is State.NEEDS_HUMAN:
        FAKE.answers.append(Observation(is_known=True, runs="git:" + "0" * 40, points_to=None))
        step(order)
    order.refresh_from_db()
    assert order.state == state, f"{order} is {order.state}, not {state}: {order.failure}{order.waits_for}"
    return order
