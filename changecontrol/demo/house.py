"""The house before the story begins: people, a team, two services, their targets and production's policy."""

from dataclasses import dataclass, field
from pathlib import Path

from django.utils.crypto import get_random_string

from apps.accounts.actions.people import join_person
from apps.accounts.actions.roles import grant_role
from apps.accounts.actions.teams import create_team, start_membership
from apps.accounts.actions.tokens import issue_personal_token
from apps.accounts.models import Person
from apps.accounts.roles import Role
from apps.accounts.steps import make_set_up_code
from apps.approvals.actions.policies import write_policy
from apps.catalog.actions.service import create_service, start_ownership
from apps.catalog.actions.targets import create_target, write_target_settings
from apps.catalog.models import Environment, OwnerKind, Service, Target
from apps.core.locks import database_now
from apps.core.verbs import verb
from apps.gate.actions import issue_gate_token
from apps.gate.rules import Action
from changecontrol.demo.visitor import Visitor

PARTS = ["scope", "plan", "rollback", "period"]
POLICY = {
    "rules": [
        {
            "key": "business",
            "label": "Business owners",
            "group": {"kind": "OWNER", "owner": "BUSINESS"},
            "needed": 1,
            "stage": 1,
            "meaning": "APPROVAL",
            "parts": PARTS,
        },
        {
            "key": "release",
            "label": "Release management",
            "group": {"kind": "ROLE", "role": "RELEASE_MANAGER"},
            "needed": 1,
            "stage": 1,
            "meaning": "AUTHORISATION",
            "parts": ["scope", "period"],
        },
    ],
    "exclude": ["requester", "last_editor"],
}


@dataclass
class Character:
    """Somebody in the story."""

    name: str
    email: str
    roles: tuple[Role, ...] = ()
    password: str = field(default_factory=lambda: get_random_string(14), repr=False)
    token: str = field(default="", repr=False)
    row: Person | None = None

    @property
    def person(self) -> Person:
        """The person, once they joined."""
        assert self.row is not None  # noqa: S101 - the house is built before anybody acts
        return self.row


@dataclass
class House:
    """Everything the story refers to."""

    ada: Character
    devi: Character
    bram: Character
    rosa: Character
    olaf: Character
    departures: Service
    targets: dict[str, Target]
    ports: dict[str, int]
    gate_token: str

    @property
    def people(self) -> list[Character]:
        """Everybody, for the list of sign-ins at the end."""
        return [self.ada, self.devi, self.bram, self.rosa, self.olaf]


@verb
def new_set_up_code() -> str:
    """The one-time code, as `manage.py setup_code` prints it."""
    return make_set_up_code(at=database_now()) or ""


def set_up(base: str, ada: Character) -> Person:
    """The first page: the code that only the host can print makes the administrator."""
    with Visitor(base, ada.name) as visitor:
        visitor.send(
            "/first-run/",
            {"code": new_set_up_code(), "name": ada.name, "email": ada.email, "password": ada.password, "time_zone": "Europe/Berlin"},
        )
    return Person.objects.get(email=ada.email)


def build(base: str, *, repository: Path, places: dict[str, Path], ports: dict[str, int]) -> House:
    """Set everything up through the product's own verbs."""
    ada = Character("Ada Admin", "ada@example.org", (Role.ADMINISTRATOR,))
    ada.row = set_up(base, ada)
    by = ada.person.actor
    devi = Character("Devi Developer", "devi@example.org", (Role.REQUESTER,))
    bram = Character("Bram Business", "bram@example.org")
    rosa = Character("Rosa Release", "rosa@example.org", (Role.RELEASE_MANAGER,))
    olaf = Character("Olaf Operator", "olaf@example.org", (Role.OPERATOR, Role.AUDITOR))
    for one in (devi, bram, rosa, olaf):
        one.row = join_person(email=one.email, name=one.name, by=by, time_zone="Europe/Berlin", password=one.password)
        for role in one.roles:
            grant_role(one.row.pk, role=role, by=by)
    team = create_team(slug="departures", name="Departures", by=by)
    for one in (devi, bram):
        start_membership(team.pk, one.person.pk, by=by)
    departures = create_service(
        by=by, slug="departures", name="Departures board", team_id=team.pk, tier=1, time_zone="Europe/Berlin", repository=str(repository)
    )
    fares = create_service(by=by, slug="fares", name="Fares", team_id=team.pk, tier=2, time_zone="Europe/Berlin")
    start_ownership(departures.pk, bram.person.pk, kind=OwnerKind.BUSINESS, by=by)
    start_ownership(fares.pk, bram.person.pk, kind=OwnerKind.BUSINESS, by=by)
    targets = {}
    for environment in Environment.objects.order_by("rank"):
        create_target(fares.pk, environment.pk, by=by)
        if environment.slug not in places:
            continue
        targets[environment.slug] = create_target(departures.pk, environment.pk, by=by)
        settings = settings_for(places[environment.slug], ports[environment.slug])
        write_target_settings(targets[environment.slug].pk, settings=settings, by=by)
    production = Environment.objects.get(slug="production")
    write_policy(name="Everything in production", environment_id=production.pk, document=POLICY, by=by)
    devi.token = issue_personal_token(name="Devi's laptop", days=30, by=devi.person.actor).secret
    gate = issue_gate_token(name="Departures pipeline", actions=[Action.DEPLOY], days=30, by=by)
    return House(ada, devi, bram, rosa, olaf, departures, targets, ports, gate.secret)


def settings_for(place: Path, port: int) -> dict[str, object]:
    """How one target is deployed to: release directories, a real process, and what proves that it serves."""
    site = f"http://127.0.0.1:{port}"
    check = {"source": "HTTP", "interval_seconds": 1, "warm_up_seconds": 0, "failure_limit": 1, "on_no_data": "FAIL", "critical": True}
    return {
        "driver": "release_dir",
        "options": {
            "root": str(place),
            "start_command": ["python3", "server.py", "{port}"],
            "port": port,
            "version_url": f"{site}/version",
            "shared": ["data"],
            "keep": 3,
        },
        "start": "BUTTON",
        "deploy_seconds": 10,
        "bake_seconds": 2,
        "checks": [
            {"name": "answers", "url": f"{site}/healthz", "expect_status": 200, "expect_text": "ok", "count": 3, **check},
            {"name": "shows the board", "url": f"{site}/", "expect_status": 200, "expect_text": "Saltmarsh", "count": 3, **check},
        ],
    }
