"""What every step of the story has at hand: the site, the people, the releases and the two machines."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from apps.changes.models import Change, Leg
from apps.deployments.models import Deployment
from apps.deployments.states import FINAL
from changecontrol.demo.api import Machine
from changecontrol.demo.house import Character, House
from changecontrol.demo.repository import Release
from changecontrol.demo.telling import wait_for
from changecontrol.demo.visitor import Visitor


@dataclass
class Stage:
    """Everything the steps use. Changes are known by what people call them."""

    base: str
    home: Path
    house: House
    releases: dict[str, Release]
    developer: Machine
    pipeline: Machine
    changes: dict[str, str] = field(default_factory=dict)  # release label to CHG-n

    @contextmanager
    def visitor(self, who: Character) -> Iterator[Visitor]:
        """Somebody signed in."""
        with Visitor(self.base, who.name) as visitor:
            visitor.sign_in(who.email, who.password)
            yield visitor

    def change(self, label: str) -> Change:
        """The change that asks for a release, as it is now."""
        return Change.objects.select_related("revision").get(pk=int(self.changes[label].removeprefix("CHG-")))

    def revision_digest(self, label: str) -> str:
        """The digest of its newest revision."""
        revision = self.change(label).revision
        return revision.digest if revision else ""

    def leg(self, label: str, rung: str) -> Leg:
        """Its leg to one environment, as it is now."""
        return self.change(label).legs.get(is_current=True, environment__slug=rung)

    def served(self, rung: str) -> str:
        """The commit that the web application there says it runs."""
        answer = httpx2.get(f"http://127.0.0.1:{self.house.ports[rung]}/version", timeout=5)
        found: dict[str, Any] = json.loads(answer.text)
        return str(found["commit"])

    def deployment_of(self, label: str, rung: str) -> Deployment | None:
        """The newest order for that leg."""
        orders = Deployment.objects.filter(leg=self.leg(label, rung), undoes__isnull=True)
        return orders.select_related("target__service", "leg").order_by("-pk").first()

    def ended(self, deployment: Deployment, *, seconds: float = 60.0) -> Deployment:
        """Wait until nothing more happens to it."""

        def look() -> Deployment | None:
            deployment.refresh_from_db()
            return deployment if deployment.state in FINAL else None

        return wait_for(look, what=f"The end of {deployment.ref}, now {deployment.state}", seconds=seconds)
