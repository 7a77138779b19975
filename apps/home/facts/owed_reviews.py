"""Reviews of exceptions that a person's teams owe, or that are owed for what they asked for: from the day it was agreed."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q

from apps.accounts.access import teams_of
from apps.accounts.models import Person
from apps.approvals.facts import debtors_of, judged, owing_exceptions, proved, read_exceptions
from apps.approvals.models import LegException
from apps.approvals.rules import why_not_review_exception
from apps.approvals.steps import signer
from apps.catalog.facts import person_facts
from apps.changes.access import changes_for
from apps.core.refusals import Refusal

SHOWN = 20


@dataclass(frozen=True, slots=True)
class Owed:
    """One review that is owed, and why this person does not write it now."""

    one: LegException
    refusal: Refusal | None
    is_overdue: bool


def reviews_owed_by(person: Person, *, now: datetime) -> list[Owed]:
    """What the teams of this person owe, and what is owed for what they asked for; the earliest due first."""
    theirs = Q(team__in=teams_of(person).values("pk")) | Q(asked_by=person.pk)
    owing = owing_exceptions().filter(theirs, leg__change__in=changes_for(person)).values("pk")
    rows = proved(read_exceptions().filter(pk__in=owing).order_by("review_due_at", "pk")[:SHOWN])
    return [
        Owed(
            told.one,
            why_not_review_exception(
                told.facts,
                leg=told.leg,
                person=person_facts(person, told.one.leg.service),
                debtors=debtors_of(told.one, person),
                by=signer(person),
                now=now,
            ),
            is_overdue=told.one.review_due_at is not None and told.one.review_due_at <= now,
        )
        for told in judged(rows, now=now)
    ]
