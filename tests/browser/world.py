"""The house of the story: who is there, what runs where, and who must agree to what."""

from dataclasses import dataclass

from apps.accounts.models import Person, Team
from apps.accounts.roles import Role
from apps.catalog.models import Arrival, ChangeRequired, Environment, Outcome, Service, Target
from tests.conftest import NOW
from tests.factories.accounts import MembershipFactory, TeamFactory, make_person
from tests.factories.approvals import a_rule, make_policy
from tests.factories.catalog import ArrivalFactory, EnvironmentFactory, make_service, make_target

OLD, NEW = "git:" + "3a71c9d2" * 5, "9b41c07e5d2f8a16c3e0447b91ad6f028ce5b3d7"


@dataclass(frozen=True)
class World:
    """Everything the browser tests name."""

    developer: Person
    owner: Person
    manager: Person
    operator: Person
    team: Team
    service: Service
    staging: Environment
    production: Environment
    targets: dict[str, Target]


def make_world() -> World:
    """One service on two rungs; production asks its business owner and a release manager, who cover different parts."""
    team = TeamFactory(slug="payments", name="Payments")
    developer = make_person(Role.REQUESTER, name="Dana Developer", email="dana@example.org")
    owner = make_person(Role.APPROVER, name="Bo Owner", email="bo@example.org")
    manager = make_person(Role.RELEASE_MANAGER, name="Rea Manager", email="rea@example.org")
    operator = make_person(Role.OPERATOR, name="Oli Operator", email="oli@example.org")
    MembershipFactory(team=team, person=developer)
    service = make_service(business=owner, slug="payments-gateway", name="Payments gateway", team=team, repository="/srv/payments.git")
    staging = EnvironmentFactory(slug="staging", name="Staging", rank=20, change_required=ChangeRequired.RECORDED)
    production = EnvironmentFactory(slug="production", name="Production", rank=30)
    make_policy(
        production,
        a_rule("business", label="Business owner", group={"kind": "OWNER", "owner": "BUSINESS"}, parts=["scope", "rollback", "period"]),
        a_rule(
            "release",
            label="Release manager",
            group={"kind": "ROLE", "role": "RELEASE_MANAGER"},
            parts=["scope", "plan", "rollback", "period"],
        ),
    )
    targets = {place.slug: running(make_target(service, place, settings=SETTINGS)) for place in (staging, production)}
    return World(developer, owner, manager, operator, team, service, staging, production, targets)


SETTINGS = {
    "driver": "release_dir",
    "options": {
        "root": "/srv/payments",
        "version_url": "http://127.0.0.1:9/version",
        "restart_command": ["/bin/true"],
    },
    "checks": [],
    "deploy_seconds": 900,
    "bake_seconds": 1800,
}


def running(target: Target) -> Target:
    """The target with the release that runs there."""
    target.running_label, target.running_identities, target.running_since = "2.3.9", [OLD], NOW
    target.save()
    arrival = ArrivalFactory(target=target, label="2.3.9", identities=[OLD], outcome=Outcome.SUCCEEDED)
    assert isinstance(arrival, Arrival)
    return target
