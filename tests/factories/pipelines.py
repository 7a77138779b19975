"""Deployments that CI carries out: begun and reported over the real API."""

from typing import Any

import factory
from django.test import Client
from factory.django import DjangoModelFactory

from apps.catalog.models import Target
from apps.core.ids import new_id
from apps.deployments.models import Deployment, Pipeline, Report, Undeclared
from apps.gate.models import GateToken
from apps.gate.rules import Action
from tests.conftest import NOW
from tests.factories.approvals import make_change, make_place
from tests.factories.catalog import TargetFactory
from tests.factories.changes import COMMIT, OTHER_COMMIT
from tests.factories.deployments import DeploymentFactory
from tests.factories.gate import ask, body_for, make_gate_token, post

PATH = "/api/v1/deployments"


class PipelineFactory(DjangoModelFactory):
    """A bare row, for tests of queries alone."""

    class Meta:
        model = Pipeline

    deployment = factory.SubFactory(DeploymentFactory, executor="EXTERNAL")
    ticket_id = factory.LazyFunction(new_id)
    goes_back = False
    caller = "SYSTEM:test"
    asked = "0" * 64
    answer = "{}"


class ReportFactory(DjangoModelFactory):
    class Meta:
        model = Report

    deployment = factory.SubFactory(DeploymentFactory, executor="EXTERNAL")
    sequence = factory.Sequence(lambda n: n + 1)
    kind = "PROGRESS"
    effect = "HEARD"
    asked = "0" * 64
    by = "SYSTEM:test"
    at = NOW


class UndeclaredFactory(DjangoModelFactory):
    class Meta:
        model = Undeclared

    target = factory.SubFactory(TargetFactory)
    label = "3.19.0-hotfix"
    identities = factory.LazyFunction(lambda: [OTHER_COMMIT])
    sources = factory.LazyAttribute(lambda made: [made.source])
    source = ""
    seen_at = last_seen_at = NOW
    seen_by = "SYSTEM:test"


class Job:
    """A job of CI with a token, for one target where an approved change waits."""

    def __init__(self, target: Target | None = None, **token: Any) -> None:
        self.target = target or make_place()
        if target is None:
            self.change = make_change(targets=(self.target,))
        self.token: GateToken
        self.token, self.secret = make_gate_token(actions=(Action.DEPLOY, Action.ROLLBACK), **token)
        self.sequence = 0
        self.id = ""

    def tickets(self, *identities: str, **more: Any) -> dict[str, Any]:
        """What the gate answers."""
        return ask(self.secret, body_for(self.target, *(identities or (COMMIT,)), **more)).json()

    def send(self, ticket: object, *, key: str = "", **more: Any) -> Any:
        """Try to begin."""
        return post(self.secret, PATH, {"ticket": ticket, **more}, key=key)

    def begin(self, ticket: object = None, **more: Any) -> Deployment:
        """Begin, and remember what."""
        answer = self.send(ticket or self.tickets()["ticket"], **more)
        assert answer.status_code == 201, answer.content
        self.id, self.sequence = answer.json()["id"], 0
        return self.order

    @property
    def order(self) -> Deployment:
        """What was begun last, as it stands."""
        return Deployment.objects.select_related("leg__change", "target", "undoes").get(public_id=self.id)

    def report(self, kind: str, *, sequence: int = 0, **more: Any) -> Any:
        """Report with the next number, or with this one."""
        self.sequence += not sequence
        return post(self.secret, f"{PATH}/{self.id}/reports", {"kind": kind, "sequence": sequence or self.sequence, **more})

    def look(self) -> Any:
        """Read it."""
        return Client().get(f"{PATH}/{self.id}", headers={"Authorization": f"Bearer {self.secret}"})
