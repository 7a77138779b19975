"""Gathering: every fact about one question, read at one moment by one statement."""

from dataclasses import replace
from datetime import datetime
from typing import Any

import orjson
from django.db import connection

from apps.approvals.facts import MAKERS, makers_of, with_makers
from apps.changes.models import Change
from apps.core.signing import signing_key
from apps.gate.ground import Ground, ground_of, keep_ground
from apps.gate.reading import Gathered, read_facts, read_moving
from apps.gate.rules import LegFacts, Question
from apps.gate.statement import gather_statement, moving_statement
from apps.gate.wire import Statement, read


def gather(question: Question, *, now: datetime | None = None) -> Gathered:
    """Load everything about one question in one statement; `now` is for tests and dry runs only.

    Where a policy asks everyone of a group the statement is run again with the members in it: the rare case pays, and what
    is judged is still read at one moment. Where a policy keeps out who made the commits, they are read beside it: what was
    read of a repository never changes. Inside a transaction nothing is taken from memory and nothing is kept: what begins is
    judged there, and what one writes there is seen."""
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
    key_id, is_kept = signing_key().id, not connection.in_atomic_block
    ground = ground_of(question, key_id=key_id) if is_kept and not (everyone or question.is_personal) else None
    if ground is not None and (found := _moved(question, now, ground=ground)) is not None:
        return found
    asked, statement = question, gather_statement(personal=question.is_personal, keyed=bool(question.key), everyone=everyone)
    values = (asked.credential, asked.service, asked.environment, asked.identities, now, asked.leg_id, asked.key, key_id)
    gathered = read_facts(_read(statement, values), question)
    if is_kept:
        keep_ground(gathered.ground, question, key_id=key_id, is_ahead=now is not None)
    return gathered


def _moved(question: Question, now: datetime | None, *, ground: Ground) -> Gathered | None:
    """What moves, where the ground that is kept is still the ground and all of it is known; None where not, and all is read anew."""
    statement = moving_statement(keyed=bool(question.key), has_rungs=bool(ground.rungs))
    rungs = [target for _, target in ground.rungs]
    where = ground.where or ()
    body = _read(statement, (question.credential, *where, question.identities, question.key, rungs, now, question.leg_id))
    return read_moving(body, question, ground=ground) if ground.still_holds(body) else None


def _read(statement: Statement, values: tuple[object, ...]) -> Any:  # noqa: ANN401 - JSON has no narrower type
    ((body,),) = read(statement, values)
    assert body is not None  # noqa: S101 - json_build_object is never null
    return orjson.loads(body)
