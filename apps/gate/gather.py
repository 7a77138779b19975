"""Gathering: every fact about one question, read at one moment by one statement."""

import json
from datetime import datetime

from apps.core.signing import signing_key
from apps.gate.reading import Gathered, read_facts
from apps.gate.rules import Question
from apps.gate.statement import gather_statement
from apps.gate.wire import read


def gather(question: Question, *, now: datetime | None = None) -> Gathered:
    """Load everything about one question in one statement; `now` is for tests and dry runs only.

    Where a policy asks everyone of a group the statement is run again with the members in it: the rare case pays, and what
    is judged is still read at one moment."""
    gathered = _gathered(question, now, everyone=False)
    if any(rule.needed == 0 for leg in gathered.facts.legs if leg.quorum.policy for rule in leg.quorum.policy.rules):
        return _gathered(question, now, everyone=True)
    return gathered


def _gathered(question: Question, now: datetime | None, *, everyone: bool) -> Gathered:
    asked = question
    statement = gather_statement(personal=asked.is_personal, keyed=bool(asked.key), everyone=everyone)
    ((body,),) = read(
        statement,
        (asked.credential, asked.service, asked.environment, asked.identities, now, asked.leg_id, asked.key, signing_key().id),
    )
    assert body is not None  # noqa: S101 - json_build_object is never null
    return read_facts(json.loads(body), question)
