"""What was asked and answered, the newest first: a page at a time, at a cost that does not grow with the tables."""

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any
from uuid import UUID

from django.db import connection

from apps.core.ids import EPOCH, MILLISECOND, moment_in
from apps.gate.answers import read_question
from apps.gate.models import Evaluation
from apps.gate.rules import Question

WALK = 5_000  # questions that one page looks at, at most; then it says how far back it has looked
FEW_TARGETS = 20  # up to these many are looked for by the index of targets, each by itself
ANSWERED_WITHIN = timedelta(days=2)  # a key of a question lives for a day, so its answers lie near it


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a search of the log means in rows. None means any; an empty collection means none."""

    hidden_targets: Collection[int] = ()
    hidden_slugs: Collection[str] = ()
    targets: Collection[int] | None = None
    not_targets: Collection[int] = ()
    tokens: Collection[int] | None = None
    not_tokens: Collection[int] = ()
    verdicts: Collection[str] | None = None
    codes: Collection[str] = ()
    not_codes: Collection[str] = ()
    change: str = ""
    identities: Collection[str] = ()  # beginnings, such as git:4a92c6e; one of each term
    since: datetime | None = None
    before: datetime | None = None
    after: UUID | None = None  # where the page begins: behind this evaluation


@dataclass(frozen=True)
class Asked:
    """One evaluation with the last answer it got."""

    id: UUID
    at: datetime
    token_id: int
    target_id: int | None
    question_bytes: bytes = field(repr=False)
    verdict: str
    is_final: bool
    codes: tuple[str, ...]
    answered_at: datetime
    record_bytes: bytes = field(repr=False)

    @cached_property
    def question(self) -> Question:
        """What was asked."""
        return read_question(self.question_bytes)

    @cached_property
    def record(self) -> dict[str, Any]:
        """The answer as it was recorded."""
        found: dict[str, Any] = json.loads(self.record_bytes)
        return found


@dataclass(frozen=True, slots=True)
class Page:
    """One page of the log. `next_after` begins the next one; `looked_back_to` where this one ended before it was full."""

    rows: list[Asked]
    next_after: UUID | None = None
    looked_back_to: datetime | None = None


# The walk is bounded and goes by an index; what it found is looked at with its last answer until the page is full.
EVERYWHERE = """select e.id, e.at, e.token_id, e.question, e.target_id,
    row_number() over (order by e.id desc) as place
  from (select * from gate_evaluation e where {bounds} order by e.id desc limit %(walk)s) e"""
# Each target by a number of its own in the text: with a parameter the planner takes it for a rare one and sorts all there is.
HERE = "select h.*, row_number() over (partition by h.target_id order by h.at desc) as place from ({each}) h"
EACH = """(select e.id, e.at, e.token_id, e.question, e.target_id from gate_evaluation e
  where e.target_id = {target:d} and {bounds} order by e.at desc limit %(walk)s)"""
SQL = """with walked as materialized ({walk}),
  edge as materialized (select date_trunc('milliseconds', max(at)) + interval '1 millisecond' as at from walked where place = %(walk)s)
select w.id, w.at, w.token_id, w.target_id, w.question, v.verdict, v.is_final, v.codes, v.at, v.record, (select at from edge)
from (select * from walked where at >= coalesce((select at from edge), '-infinity') order by id desc) w
join lateral (select * from gate_verdict v where v.evaluation_id = w.id and v.at >= w.at and v.at < w.at + %(near)s
              order by v.at desc limit 1) v on true
where {wanted}
order by w.id desc limit %(size)s"""
EDGE = "with walked as materialized ({walk}) select date_trunc('milliseconds', max(at)) + interval '1 millisecond' from walked where place = %(walk)s"


def log_page(wanted: Wanted, *, size: int, walk: int = WALK) -> Page:
    """The evaluations that are wanted, the newest first; one statement, two where the page is not full."""
    given = _parameters(wanted) | {"size": size + 1, "walk": walk, "near": ANSWERED_WITHIN}
    if wanted.targets is not None and not wanted.targets:
        return Page([])
    is_here = wanted.targets is not None and len(wanted.targets) <= FEW_TARGETS
    walked = _here(wanted) if is_here else EVERYWHERE.format(bounds=_bounds(wanted))
    with connection.cursor() as cursor:
        cursor.execute(SQL.format(walk=walked, wanted=_conditions(wanted, is_here=is_here)), given)
        rows = cursor.fetchall()
        found = [_asked(row) for row in rows[:size]]
        if len(rows) > size:
            return Page(found, next_after=found[-1].id)
        edge = rows[0][-1] if rows else _edge(cursor, walked, given)
    return Page(found, next_after=_floor(edge), looked_back_to=edge) if edge else Page(found)


def latest_in(environment_id: int, *, limit: int, walk: int) -> list[Asked]:
    """The last answers of one environment, the newest first, among the last questions anybody put to the gate."""
    inside = "w.target_id in (select t.id from catalog_target t where t.environment_id = %(environment)s)"
    given: dict[str, Any] = {"environment": environment_id, "size": limit, "walk": walk, "near": ANSWERED_WITHIN}
    with connection.cursor() as cursor:
        cursor.execute(SQL.format(walk=EVERYWHERE.format(bounds="true"), wanted=inside), given)
        return [_asked(row) for row in cursor.fetchall()]


def get_evaluation(public_id: UUID) -> Evaluation | None:
    """One evaluation by its id, which says in which partition it lies."""
    at = moment_in(public_id)
    return Evaluation.objects.filter(id=public_id, at__gte=at, at__lt=at + MILLISECOND).first() if at else None


def _edge(cursor: Any, walked: str, given: dict[str, Any]) -> datetime | None:  # noqa: ANN401 - Django's cursor has no type
    cursor.execute(EDGE.format(walk=walked), given)
    found: datetime | None = cursor.fetchone()[0]
    return found


def _asked(row: Iterable[Any]) -> Asked:
    public_id, at, token, target, question, verdict, final, codes, answered_at, record, *_ = row
    return Asked(public_id, at, token, target, bytes(question), verdict, final, tuple(codes), answered_at, bytes(record))


def _floor(moment: datetime) -> UUID:
    """The smallest id of this millisecond: everything below it is older."""
    return UUID(int=max(0, (moment - EPOCH) // MILLISECOND) << 80 | 0x7 << 76 | 0b10 << 62)


def _here(wanted: Wanted) -> str:
    bounds = _bounds(wanted)
    return HERE.format(each=" union all ".join(EACH.format(target=target, bounds=bounds) for target in sorted(wanted.targets or ())))


def _bounds(wanted: Wanted) -> str:
    """What the walk itself is bounded by: moments alone, as columns and as ids carry them, so that whichever index serves it."""
    said = ["true"]
    if wanted.after is not None:
        said += ["e.id < %(after)s", "e.at < %(after_at)s"]
    if wanted.since is not None:
        said += ["e.at >= %(since)s", "e.id >= %(since_id)s"]
    if wanted.before is not None:
        said += ["e.at < %(before)s", "e.id < %(before_id)s"]
    return " and ".join(said)


def _conditions(wanted: Wanted, *, is_here: bool) -> str:
    # A question about a place that does not exist names its service in words alone.
    unseen = "convert_from(w.question, 'UTF8')::json ->> 'service'"
    conditions = {
        "not (w.target_id is not null and w.target_id = any(%(hidden_targets)s))": wanted.hidden_targets,
        f"not (w.target_id is null and coalesce({unseen}, '') = any(%(hidden_slugs)s))": wanted.hidden_slugs,
        "w.target_id = any(%(targets)s)": wanted.targets is not None and not is_here,
        "not coalesce(w.target_id = any(%(not_targets)s), false)": wanted.not_targets,
        "w.token_id = any(%(tokens)s)": wanted.tokens is not None,
        "not w.token_id = any(%(not_tokens)s)": wanted.not_tokens,
        "v.verdict = any(%(verdicts)s)": wanted.verdicts is not None,
        "v.codes && %(codes)s::varchar[]": wanted.codes,
        "not v.codes && %(not_codes)s::varchar[]": wanted.not_codes,
        "convert_from(v.record, 'UTF8')::json -> 'bound' ->> 'change' = %(change)s": wanted.change,
        "convert_from(w.question, 'UTF8') like any(%(identities)s)": wanted.identities,
    }
    return " and ".join(["true", *(sql for sql, is_in in conditions.items() if is_in)])


def _parameters(wanted: Wanted) -> dict[str, Any]:
    names = ("hidden_targets", "hidden_slugs", "targets", "not_targets", "tokens", "not_tokens", "verdicts", "codes", "not_codes")
    lists = {name: sorted(getattr(wanted, name) or ()) for name in names}
    after_at = moment_in(wanted.after) if wanted.after else None
    behind: dict[str, Any] = {"after": wanted.after, "after_at": after_at + MILLISECOND if after_at else None}
    behind["identities"] = [f'%"{one}%' for one in wanted.identities]
    behind["since_id"] = _floor(wanted.since) if wanted.since else None
    behind["before_id"] = _floor(wanted.before + MILLISECOND) if wanted.before else None
    return {**lists, **behind, "change": wanted.change, "since": wanted.since, "before": wanted.before}
