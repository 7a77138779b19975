"""The verb that spans all apps: setting the installation up."""

from dataclasses import dataclass, field
from datetime import datetime

from apps.accounts.models import Person
from apps.accounts.roles import Role
from apps.accounts.steps import add_person, give_role, use_set_up_code
from apps.approvals.policy_body import default_body
from apps.approvals.steps import set_policy
from apps.audit.keys import installation_id
from apps.audit.record import record
from apps.audit.vocabulary import Event
from apps.catalog.models import ChangeRequired, Environment
from apps.catalog.steps import add_environment
from apps.core.actors import Actor, system
from apps.core.locks import database_now, take_calendar_guard
from apps.core.references import reference
from apps.core.verbs import verb

LADDER = (("development", 10, ChangeRequired.NO), ("staging", 20, ChangeRequired.RECORDED), ("production", 30, ChangeRequired.APPROVED))


@dataclass(frozen=True, slots=True)
class FirstPerson:
    """Who becomes the administrator."""

    email: str
    name: str
    password: str = field(repr=False)
    time_zone: str = "UTC"


@verb
def set_up_installation(code: str, *, first: FirstPerson, now: datetime | None = None) -> Person:
    """Make the administrator, who is the first auditor too, the three environments and production's policy.

    Raises BadContent for a wrong code or unusable fields, Refused once an administrator exists."""
    take_calendar_guard()
    at = now or database_now()
    use_set_up_code(code, at=at)
    by = system("set_up")
    person = add_person(email=first.email, name=first.name, by=by, at=at, time_zone=first.time_zone, password=first.password)
    for role in (Role.ADMINISTRATOR, Role.AUDITOR):
        give_role(person, role, by=by, at=at)
    for environment in [add_rung(name, rank, required, by=by, at=at) for name, rank, required in LADDER]:
        if environment.change_required == ChangeRequired.APPROVED:
            set_policy(name=f"Everything in {environment.name}", environment=environment, document=default_body(), by=by, at=at)
    record(Event.INSTALLATION_SET_UP, subject=reference("installation", installation_id()), by=person.actor, at=at, refs=[person.reference])
    return person


def add_rung(name: str, rank: int, required: ChangeRequired, *, by: Actor, at: datetime) -> Environment:
    """One environment of the ladder."""
    return add_environment({"slug": name, "name": name, "rank": rank, "change_required": required}, by=by, at=at)
