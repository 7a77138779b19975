"""Agreements that wait: which changes to look at, and what is due about each."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import chain
from uuid import UUID

from django.db.models import Q, QuerySet

from apps.accounts.access import present_people
from apps.accounts.facts import hours_of, hours_of_people
from apps.accounts.hours import after_working
from apps.accounts.models import Person
from apps.accounts.roles import Role
from apps.approvals.facts.outlook import look_ahead
from apps.approvals.facts.policies import policy_facts
from apps.approvals.facts.review import newest, review_facts
from apps.approvals.models import Nudge, Policy
from apps.approvals.rules import Wait, waits
from apps.catalog.grants import people_with_role
from apps.catalog.models import Service
from apps.changes.models import Change
from apps.changes.states import State

REMINDED, ESCALATED = "REMINDED", "ESCALATED"


@dataclass(frozen=True, slots=True)
class Due:
    """One thing to tell one person."""

    step: str
    person: Person
    since: datetime


@dataclass(frozen=True, slots=True)
class Expiry:
    """A rule was not met in the time that its policy gives."""

    policy: str
    hours: int
    rule: str


def changes_to_look_at(now: datetime) -> QuerySet[Change]:
    """Changes in review where some policy gives time to wait; the longest first. Each may still turn out not to be due."""
    places = [policy.environment_id for policy in Policy.objects.open_now().select_related("version") if _shortest(policy)]
    found = Change.objects.filter(state=State.IN_REVIEW, legs__is_current=True, legs__environment__in=places, revision__made_at__lt=now)
    return found.distinct().order_by("pk")


def waiting_since(change: Change) -> datetime:
    """When the change came under review last: when it was submitted, or lost its agreement after that."""
    came = change.moves.filter(leg__isnull=True, goal=State.IN_REVIEW).order_by("-seq").values_list("at", flat=True).first()
    return came or newest(change).made_at


def waits_of(change: Change, *, now: datetime) -> tuple[Wait, ...]:
    """The rules that wait now, with whoever is there to sign them."""
    review = review_facts(change, now=now)
    return waits(replace(review, legs=look_ahead(review.legs, now=now)), since=waiting_since(change), now=now)


def due_now(change: Change, found: Iterable[Wait], *, now: datetime) -> list[Due]:
    """Who is to be told now and was not told at this step of this wait; each once. In working hours of whoever is told."""
    found = [*found]
    told = set(Nudge.objects.filter(change=change).values_list("person_id", "step", "since"))
    due: dict[tuple[int, str], Due] = {}
    for one in chain(_reminders(found, now=now), _escalations(found, now=now)):
        key = (one.person.pk, one.step)
        if (*key, one.since) not in told and key not in due:
            due[key] = one
    return [*due.values()]


def expiry_of(change: Change, found: Iterable[Wait], *, now: datetime) -> Expiry | None:
    """The policy whose time is over, in working hours of whoever asked; None while there is time."""
    hours = hours_of(change.requester)
    for wait in found:
        given = wait.policy.expire_after_hours
        if given is not None and after_working(hours, wait.since, length=timedelta(hours=given)) <= now:
            return Expiry(wait.policy.name, given, wait.label)
    return None


def _shortest(policy: Policy) -> int | None:
    facts = policy_facts(policy)
    hours = (facts.remind_after_hours, facts.escalate_after_hours, facts.expire_after_hours) if facts else ()
    return min((one for one in hours if one is not None), default=None)


def _reminders(found: list[Wait], *, now: datetime) -> Iterator[Due]:
    asked = [wait for wait in found if wait.policy.remind_after_hours is not None]
    people = {one.public_id: one for one in Person.objects.present().filter(public_id__in=_ids(asked)).order_by("pk")}
    for wait in asked:
        those = [people[one.canonical_id] for one in wait.people if one.canonical_id in people]
        yield from _told(REMINDED, those, wait, hours=wait.policy.remind_after_hours or 0, now=now)


def _escalations(found: list[Wait], *, now: datetime) -> Iterator[Due]:
    for wait in found:
        if wait.policy.escalate_after_hours is not None:
            service = Service.objects.select_related("team").get(public_id=wait.leg.service_id)
            managers = [*people_with_role(Role.RELEASE_MANAGER, service).filter(~Q(public_id__in=wait.leg.away))]
            told = managers or [*present_people(Role.ADMINISTRATOR)]
            yield from _told(ESCALATED, told, wait, hours=wait.policy.escalate_after_hours, now=now)


def _told(step: str, people: list[Person], wait: Wait, *, hours: int, now: datetime) -> Iterator[Due]:
    theirs = hours_of_people(people)
    for person in people:
        if after_working(theirs[person.pk], wait.since, length=timedelta(hours=hours)) <= now:
            yield Due(step, person, wait.since)


def _ids(found: Iterable[Wait]) -> set[UUID]:
    return {person.canonical_id for wait in found for person in wait.people}
