"""Gathering: every fact about one question, read at one moment by one statement."""

import json
from dataclasses import replace
from datetime import datetime

from apps.approvals.facts import MAKERS, makers_of, with_makers
from apps.changes.models import Change
from apps.core.signing import signing_key
from apps.gate.reading import Gathered, read_facts
from apps.gate.rules import LegFacts, Question
from apps.gate.statement import gather_statement
from apps.gate.wire import read


def gather(question: Question, *, now: datetime | None = None) -> Gathered:
    """Load everything about one question in one statement; `now` is for tests and dry runs only.

    Where a policy asks everyone of a group the statement is run again with the members in it: the rare case pays, and what
    is judged is still read at one moment. Where a policy keeps out who made the commits, they are read beside it: what was
    read of a repository never changes."""
    gathered = _gathered(question, now, everyone=False)
    if any(rule.needed == 0 for leg in gathered.facts.legs if leg.quorum.policy for rule in leg.quorum.policy.rules):
        gathered = _gathered(question, now, everyone=True)
    if any(_keeps_makers_out(leg) for leg in gathered.facts.legs):
        legs = tuple(_with_makers(leg) if _keeps_makers_out(leg) else leg for leg in gathered.facts.legs)
        return replace(gathered, facts=replace(gathered.facts, legs=legs))
    return gathered


def _keeps_makers_out(leg: LegFacts) -> bool:
    return leg.quorum.policy is not None and bool(leg.quorum.policy.exclude & MAKERS)


def _with_makers(leg: LegFacts) -> LegFacts:
    makers = makers_of(Change.objects.get(public_id=leg.change_id))
    return replace(leg, quorum=with_makers(leg.quorum, makers))


def _gathered(question: Question, now: datetime | None, *, everyone: bool) -> Gathered:
    asked = question
    statement = gather_statement(personal=asked.is_personal, keyed=bool(asked.key), everyone=everyone)
    ((body,),) = read(
        statement,
        (asked.credential, asked.service, asked.environment, asked.identities, now, asked.leg_id, asked.key, signing_key().id),
    )
    assert body is not None  # noqa: S101 - json_build_object is never null
    return read_facts(json.loads(body), question)
