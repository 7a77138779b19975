"""Asking the judge from inside: pages look, workers and redeemers judge under the locks they hold. Nothing is recorded."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from django.db import connection

from apps.changes.models import Leg
from apps.gate.gather import gather
from apps.gate.rules import Action, Facts, Question, Verdict, judge


def look(question: Question, *, now: datetime | None = None) -> tuple[Facts, Verdict]:
    """Judge a question; records nothing and hands out nothing."""
    facts = gather(question, now=now).facts
    return facts, judge(facts)


def judge_under_lock(question: Question, *, now: datetime | None = None) -> tuple[Facts, Verdict]:
    """Judge inside the caller's transaction, after its locks.

    A statement of its own, always: one that waited for a lock would still read what was true before it waited."""
    if not connection.in_atomic_block:
        raise RuntimeError("judge_under_lock is called inside the transaction that holds the locks")
    return look(question, now=now)


def question_about(leg: Leg, *, action: Action = Action.DEPLOY, deployment: UUID | None = None) -> Question:
    """The question our own machinery asks about one leg, with the identities the leg names.

    `deployment` is the one that asks: the target it is on and the way back it has reserved are not in its way."""
    going = leg.target.previous_identities if action is Action.ROLLBACK else leg.item.identities
    return Question(
        service=leg.service.slug,
        environment=leg.environment.slug,
        identities=tuple(going),
        action=action,
        leg_id=leg.pk,
        deployment=deployment,
    )


def verdict_now(leg: Leg, *, now: datetime | None = None) -> Verdict:
    """What the gate says about a leg at this moment."""
    return look(question_about(leg), now=now)[1]


def verdicts_for(legs: Iterable[Leg], *, now: datetime | None = None) -> dict[int, Verdict]:
    """What the gate says about several legs, by the leg's row: one statement each."""
    return {leg.pk: verdict_now(leg, now=now) for leg in legs}
