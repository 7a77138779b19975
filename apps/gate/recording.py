"""Writing an answer: evaluation, verdict, tickets and audit entry in one statement, on disk before an ALLOW is spoken."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from apps.audit.record import Draft
from apps.gate.rules import VERSION, Answer, Verdict
from apps.gate.wire import Statement, write

# Every insert hangs on `go`: it is empty where another request has taken the Idempotency-Key meanwhile, and then nothing is
# written. `synchronous_commit` holds for this one transaction: a DENY may be lost with the power, an ALLOW may not.
ANSWER = Statement(
    "gate_answer",
    """with mode as materialized (select set_config('synchronous_commit', $1, true) as is_set),
  taken as (
    insert into gate_evaluationkey (token_id, key, body_hash, evaluation_id, at)
    select $2, $3, $4, $5, $6 from mode where $7 and $3 <> '' on conflict do nothing returning 1),
  go as materialized (select 1 from mode where not $7 or $3 = '' or exists (select 1 from taken)),
  asked as (
    insert into gate_evaluation (id, at, token_id, key, question, target_id)
    select $5, $6, $2, $3, $8, $9 from go where $7),
  answered as (
    insert into gate_verdict (evaluation_id, at, verdict, is_final, codes, record, judge)
    select $5, $6, $10, $11, $12, $13, $14 from go where $13 is not null),
  handed as (
    insert into gate_ticket (public_id, evaluation_id, action, binds, envelope, issued_at, expires_at)
    select x.id, $5, x.action, x.binds, x.envelope, $6, x.expires_at
    from go, unnest($15::uuid[], $16::text[], $17::text[], $18::bytea[], $19::timestamptz[]) as x(id, action, binds, envelope, expires_at)),
  told as (
    insert into audit_entry (id, event, at, subject, refs, body)
    select $20, $21, $6, $22, $23, $24 from go where $24 is not null),
  used as (
    update gate_gatetoken set used_at = $6 from go
    where gate_gatetoken.id = $2 and (used_at is null or used_at < $6 - interval '1 hour'))
select count(*) from go""",
    (
        "text", "bigint", "text", "bytea", "uuid", "timestamptz", "boolean", "bytea", "bigint", "text", "boolean", "text[]", "bytea",
        "smallint", "uuid[]", "text[]", "text[]", "bytea[]", "timestamptz[]", "uuid", "text", "text", "text[]", "bytea",
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Handed:
    """A ticket to be stored and handed out."""

    id: UUID
    action: str
    binds: str
    envelope: bytes
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Asked:
    """An evaluation as it is stored: its id, who asked under which key, and the question's bytes."""

    id: UUID
    token: int
    key: str
    body_hash: bytes
    question: bytes
    target: int | None
    is_new: bool


def write_answer(
    asked: Asked, *, at: datetime, verdict: Verdict, record: bytes | None, tickets: Sequence[Handed], entry: Draft | None
) -> bool:
    """Write one answer; False where another request has taken the key meanwhile and nothing was written.

    `record` is None where the answer is the one already recorded; `at` is the moment that was judged."""
    told = entry.columns if entry else (None,) * 6
    rows = write(
        ANSWER,
        (
            "on" if verdict.verdict is Answer.ALLOW else "off",
            asked.token,
            asked.key,
            asked.body_hash,
            asked.id,
            at,
            asked.is_new,
            asked.question,
            asked.target,
            verdict.verdict.value,
            verdict.final,
            list(verdict.codes),
            record,
            VERSION,
            [one.id for one in tickets],
            [one.action for one in tickets],
            [one.binds for one in tickets],
            [one.envelope for one in tickets],
            [one.expires_at for one in tickets],
            told[0],
            told[1].value if told[1] else None,
            told[3],
            told[4] if told[4] is not None else [],
            told[5],
        ),
    )
    return rows == [[b"1"]]
