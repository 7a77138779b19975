"""Verbs about roles."""

from datetime import datetime

from apps.accounts.facts import has_grant, subject_of, team_facts
from apps.accounts.models import Person, RoleGrant, Team
from apps.accounts.roles import Role
from apps.accounts.rules import Act, why_not_grant_role, why_not_revoke_role
from apps.accounts.second_hand import is_agreed
from apps.accounts.steps import asker, give_role, take_role
from apps.core.actors import Actor
from apps.core.locks import take_calendar_guard
from apps.core.refusals import Refused
from apps.core.verbs import verb


@verb
def grant_role(person_id: int, *, role: Role, by: Actor, team_id: int | None = None, now: datetime | None = None) -> RoleGrant | None:
    """Give a role, for everything or for one team's services. Who gave it is kept: a role given to oneself excludes.

    None where it takes a second administrator who does the same."""
    take_calendar_guard()
    person, now = Person.objects.lock(person_id, now)
    team = Team.objects.get(pk=team_id) if team_id else None
    about = team_facts(team) if team else None
    if refusal := why_not_grant_role(asker(by), subject_of(person), role, team=about, stands=has_grant(person, role, team)):
        raise Refused(refusal, about=person.reference)
    if role is Role.ADMINISTRATOR and not is_agreed(person, Act.GRANT, by=by, at=now):
        return None
    return give_role(person, role, team=team, by=by, at=now)


@verb
def revoke_role(person_id: int, *, role: Role, by: Actor, team_id: int | None = None, now: datetime | None = None) -> None:
    """Take a role away; it counts from the next decision on. From an administrator, when a second one does the same."""
    take_calendar_guard()
    person, now = Person.objects.lock(person_id, now)
    team = Team.objects.get(pk=team_id) if team_id else None
    if refusal := why_not_revoke_role(asker(by), subject_of(person), role, stands=has_grant(person, role, team)):
        raise Refused(refusal, about=person.reference)
    if role is Role.ADMINISTRATOR and not is_agreed(person, Act.REVOKE, by=by, at=now):
        return
    take_role(person, role, team=team, by=by, at=now)
