"""Writing an answer: evaluation, verdict, tickets and audit entry in one statement, on disk before an ALLOW is spoken."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from uuid import UUID

from apps.audit.record import Draft
from apps.gate.rules import VERSION, Action, Answer, Verdict
from apps.gate.tickets import Signed
from apps.gate.wire import Statement, write

TYPES = (
    "text", "bigint", "text", "bytea", "uuid", "timestamptz", "bytea", "bigint", "text", "boolean", "text[]", "bytea",
    "smallint", "uuid[]", "text[]", "text[]", "bytea[]", "text[]", "bytea[]", "timestamptz[]", "uuid", "text", "text", "text[]", "bytea",
)  # fmt: skip

# `synchronous_commit` holds for this one transaction: a DENY may be lost with the power, an ALLOW may not.
MODE = "mode as materialized (select set_config('synchronous_commit', $1, true) as is_set)"
# Everything hangs on `go`: it is empty where another request has taken the key meanwhile, and then nothing is written.
GO_KEYED = """taken as (
    insert into gate_evaluationkey (token_id, key, body_hash, evaluation_id, at)
    select $2, $3, $4, $5, $6 from mode on conflict do nothing returning 1),
  go as materialized (select 1 from taken)"""
GO = "go as materialized (select 1 from mode)"
PARTS = {
    "asked": """insert into gate_evaluation (id, at, token_id, key, question, target_id) select $5, $6, $2, $3, $7, $8 from go""",
    "answered": """insert into gate_verdict (evaluation_id, at, verdict, is_final, codes, record, judge)
    select $5, $6, $9, $10, $11, $12, $13 from go""",
    "handed": """insert into gate_ticket (public_id, evaluation_id, action, binds, payload, key_id, signature, issued_at, expires_at)
    select x.id, $5, x.action, x.binds, x.payload, x.key_id, x.signature, $6, x.expires_at
    from go, unnest($14::uuid[], $15::text[], $16::text[], $17::bytea[], $18::text[], $19::bytea[], $20::timestamptz[])
      as x(id, action, binds, payload, key_id, signature, expires_at)""",
    "told": "insert into audit_entry (id, event, at, subject, refs, body) select $21, $22, $6, $23, $24, $25 from go",
    "used": "update gate_gatetoken set used_at = $6 from go where gate_gatetoken.id = $2",
}


@cache
def answer_statement(parts: frozenset[str], *, keyed: bool) -> Statement:
    """The statement with only the parts this answer needs: starting a part costs as much as running it."""
    named = [name for name in PARTS if name in parts]
    written = ",\n  ".join([MODE, GO_KEYED if keyed else GO, *(f"{name} as ({PARTS[name]})" for name in named)])
    return Statement("_".join(["gate_answer", *named, *(["keyed"] if keyed else [])]), f"with {written} select count(*) from go", TYPES)


@dataclass(frozen=True, slots=True)
class Handed:
    """A ticket to be stored and handed out."""

    id: UUID
    action: Action
    binds: str
    signed: Signed
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
    notes_use: bool  # the token's last use is written once an hour


def write_answer(asked: Asked, *, at: datetime, verdict: Verdict, record: bytes | None, tickets: Sequence[Handed], entry: Draft) -> bool:
    """Write one answer; False where another request has taken the key meanwhile and nothing was written.

    `record` is None where the answer is the one already recorded; `at` is the moment that was judged."""
    wanted = {"asked": asked.is_new, "answered": record is not None, "handed": bool(tickets), "told": True, "used": asked.notes_use}
    parts = frozenset(name for name, is_in in wanted.items() if is_in)
    entry_id, event, _, subject, refs, body = entry.columns
    values = (
        "on" if verdict.verdict is Answer.ALLOW else "off",
        asked.token,
        asked.key,
        asked.body_hash,
        asked.id,
        at,
        asked.question,
        asked.target,
        verdict.verdict.value,
        verdict.final,
        verdict.codes,
        record,
        VERSION,
        [one.id for one in tickets],
        [one.action.value for one in tickets],
        [one.binds for one in tickets],
        [one.signed.payload for one in tickets],
        [one.signed.key_id for one in tickets],
        [one.signed.signature for one in tickets],
        [one.expires_at for one in tickets],
        entry_id,
        event.value,
        subject,
        refs,
        body,
    )
    return write(answer_statement(parts, keyed=asked.is_new and bool(asked.key)), values) == [[b"1"]]
