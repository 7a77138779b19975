"""Verbs about teams and who is in them."""

from datetime import datetime

from apps.accounts.access import is_member
from apps.accounts.facts import subject_of, team_facts
from apps.accounts.models import Membership, Person, Team
from apps.accounts.rules import (
    why_not_administer,
    why_not_change_team,
    why_not_end_membership,
    why_not_retire_team,
    why_not_start_membership,
)
from apps.accounts.steps import LONGEST_NAME, add_member, add_team, asker, end_memberships
from apps.audit.record import record
from apps.audit.vocabulary import Event
from apps.core.actors import Actor
from apps.core.locks import database_now, take_calendar_guard
from apps.core.refusals import Refused
from apps.core.texts import read_line
from apps.core.verbs import verb


@verb
def create_team(*, slug: str, name: str, by: Actor, now: datetime | None = None) -> Team:
    """Make a team; people are put into it next."""
    take_calendar_guard()
    if refusal := why_not_administer(asker(by)):
        raise Refused(refusal)
    return add_team(slug=slug, name=name, by=by, at=now or database_now())


@verb
def rename_team(team_id: int, *, name: str, by: Actor, now: datetime | None = None) -> Team:
    """Change the printed name; the short name stays."""
    team, now = Team.objects.lock(team_id, now)
    if refusal := why_not_change_team(asker(by), team_facts(team)):
        raise Refused(refusal, about=team.reference)
    before, team.name = team.name, read_line(name, field="name", longest=LONGEST_NAME)
    if before == team.name:
        return team
    team.save(update_fields=["name"])
    record(Event.TEAM_RENAMED, subject=team, by=by, at=now, details={"name": team.name, "old_name": before})
    return team


@verb
def retire_team(team_id: int, *, by: Actor, now: datetime | None = None) -> Team:
    """End a team nobody is in any more."""
    take_calendar_guard()
    team, now = Team.objects.lock(team_id, now)
    if refusal := why_not_retire_team(asker(by), team_facts(team)):
        raise Refused(refusal, about=team.reference)
    team.retired_at = now
    team.save(update_fields=["retired_at"])
    record(Event.TEAM_RETIRED, subject=team, by=by, at=now, details={"name": team.name})
    return team


@verb
def start_membership(team_id: int, person_id: int, *, by: Actor, now: datetime | None = None) -> Membership:
    """Put a person into a team."""
    take_calendar_guard()
    team, now = Team.objects.lock(team_id, now)
    person = Person.objects.get(pk=person_id)
    if refusal := why_not_start_membership(asker(by), team_facts(team), subject_of(person), stands=is_member(person, team)):
        raise Refused(refusal, about=person.reference)
    return add_member(team, person, by=by, at=now)


@verb
def end_membership(team_id: int, person_id: int, *, by: Actor, now: datetime | None = None) -> None:
    """Take a person out of a team."""
    take_calendar_guard()
    team, now = Team.objects.lock(team_id, now)
    person = Person.objects.get(pk=person_id)
    if refusal := why_not_end_membership(asker(by), team_facts(team), subject_of(person), stands=is_member(person, team)):
        raise Refused(refusal, about=person.reference)
    end_memberships(person, team, by=by, at=now)
