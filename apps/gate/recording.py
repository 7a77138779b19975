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
    "smallint", "uuid", "text", "text", "text[]", "bytea",
)  # fmt: skip
TICKET_TYPES = ("uuid", "text", "text", "bytea", "text", "bytea", "timestamptz")  # of each ticket that is handed out

# Where there is a key everything hangs on `taken`: it is empty where another request has taken the key meanwhile, and then
# nothing is written.
TAKEN = """taken as (
    insert into gate_evaluationkey (token_id, key, body_hash, evaluation_id, at)
    values ($2, $3, $4, $5, $6) on conflict do nothing returning 1)"""
PARTS = {
    "asked": "insert into gate_evaluation (id, at, token_id, key, question, target_id) select $5, $6, $2, $3, $7, $8 {from_taken}",
    "answered": """insert into gate_verdict (evaluation_id, at, verdict, is_final, codes, record, judge)
    select $5, $6, $9, $10, $11, $12, $13 {from_taken}""",
    "told": "insert into audit_entry (id, event, at, subject, refs, body) select $14, $15, $6, $16, $17, $18 {from_taken}",
    "used": "update gate_gatetoken set used_at = $6 {from_taken} where gate_gatetoken.id = $2",
}
TICKETS = """insert into gate_ticket (public_id, evaluation_id, action, binds, payload, key_id, signature, issued_at, expires_at)
    select v.public_id, $5, v.action, v.binds, v.payload, v.key_id, v.signature, $6, v.expires_at
    from (values {rows}) as v(public_id, action, binds, payload, key_id, signature, expires_at) {and_taken}"""
# `synchronous_commit` holds for this one transaction: a DENY may be lost with the power, an ALLOW may not. It is looked at
# when the transaction ends, so it may be set last.
WRITTEN = "select set_config('synchronous_commit', $1, true)"


@cache
def answer_statement(parts: frozenset[str], *, tickets: int, keyed: bool) -> Statement:
    """The statement with only the parts this answer needs: starting a part costs as much as running it."""
    from_taken = "from taken" if keyed else ""
    written = {name: part.format(from_taken=from_taken) for name, part in PARTS.items() if name in parts}
    if tickets:
        rows = ", ".join(_ticket_row(number) for number in range(tickets))
        written["handed"] = TICKETS.format(rows=rows, and_taken="cross join taken" if keyed else "")
    named = [*(name for name in PARTS if name in parts), *([f"handed_{tickets}"] if tickets else []), *(["keyed"] if keyed else [])]
    steps = [*([TAKEN] if keyed else []), *(f"{name} as ({part})" for name, part in written.items())]
    written_all = ",\n  ".join(steps)
    return Statement("_".join(["gate_answer", *named]), f"with {written_all} {WRITTEN} {from_taken}", TYPES + TICKET_TYPES * tickets)


def _ticket_row(number: int) -> str:
    first = len(TYPES) + len(TICKET_TYPES) * number + 1
    return "(" + ", ".join(f"${first + place}" for place in range(len(TICKET_TYPES))) + ")"


@cache
def _parts(*, asked: bool, answered: bool, used: bool) -> frozenset[str]:
    wanted = {"asked": asked, "answered": answered, "told": True, "used": used}
    return frozenset(name for name, is_in in wanted.items() if is_in)


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
    parts = _parts(asked=asked.is_new, answered=record is not None, used=asked.notes_use)
    entry_id, event, _, subject, refs, body = entry.columns
    values = [
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
        entry_id,
        event.value,
        subject,
        refs,
        body,
    ]
    for one in tickets:
        signed = one.signed
        values += (one.id, one.action.value, one.binds, signed.payload, signed.key_id, signed.signature, one.expires_at)
    return bool(write(answer_statement(parts, tickets=len(tickets), keyed=asked.is_new and bool(asked.key)), values))
