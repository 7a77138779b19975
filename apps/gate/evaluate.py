"""The endpoint's logic, free of HTTP: hear a question, judge, record, hand out tickets. Two statements per evaluation."""

import hashlib
import json
import secrets
from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from psycopg.errors import UniqueViolation

from apps.audit.keys import list_key
from apps.audit.record import Draft, compose
from apps.audit.vocabulary import Event
from apps.core.actors import system
from apps.core.ids import MILLISECOND, id_at, id_text, moment_in, new_id
from apps.core.references import reference
from apps.core.refusals import Refused, not_allowed, not_now
from apps.core.signing import signing_key
from apps.gate.answers import (
    about,
    actor_of,
    is_pending,
    is_same,
    judged_leg,
    meant,
    question_bytes,
    read_question,
    record_bytes,
    record_of,
    told,
)
from apps.gate.gather import gather
from apps.gate.inputs import Credential
from apps.gate.models import Evaluation
from apps.gate.reading import Gathered
from apps.gate.recording import Asked, Handed, write_answer
from apps.gate.rotations import of_one_credential
from apps.gate.rules import Action, Answer, AskerFacts, AskerKind, Facts, Question, Verdict, Way, judge, way_to_yes
from apps.gate.tickets import LONGEST_LIFE, ROLLBACK_LIFE, Permit, Signed, issue

SOONEST, LATEST = 2, 15  # seconds until a PENDING is asked again
BACK_OFFLINE = int(ROLLBACK_LIFE.total_seconds())  # the way back waits for nobody
WORTH_KEEPING = timedelta(seconds=60)  # a ticket with less left is not handed out again

DRY_RUN_ONLY = not_allowed(
    "dry_run_only",
    "A personal token asks the gate for information only.",
    "Set dry_run, or ask with a gate token; an administrator issues one.",
)
KEY_REUSED = not_now(
    "key_reused", "This Idempotency-Key was used for another question within 24 hours.", "Use one key per question and run attempt."
)


class UnknownToken(Exception):
    """Nobody issued the token, or it is over; `token` is the row where there is one."""

    def __init__(self, asker: AskerFacts, now: datetime) -> None:
        super().__init__(asker.kind)
        self.asker, self.now = asker, now


@dataclass(frozen=True, slots=True)
class Reply:
    """What the asker is told; `is_new` where an evaluation began with it."""

    body: dict[str, Any]
    is_new: bool = False

    @property
    def evaluation(self) -> str | None:
        """The id to ask again by; None for a dry run."""
        found: str | None = self.body["id"]
        return found


def answer(question: Question, *, dry_run: bool = False) -> Reply:
    """Answer a question. The same key and question are the same evaluation, judged again unless its answer was final.

    Raises UnknownToken, and Refused where the key belongs to another question or a person asks for more than a dry run."""
    try:
        return _answered(question, dry_run=dry_run)
    except UniqueViolation:  # a twin's answer bears the same microsecond: nothing was written, and the clock has gone on
        return _answered(question, dry_run=dry_run)


def _answered(question: Question, *, dry_run: bool = False) -> Reply:
    heard = gather(replace(question, key="") if dry_run else question)
    facts = heard.facts
    _let_in(facts, dry_run=dry_run)
    if dry_run:
        verdict = judge(facts)
        return Reply(_told(None, facts, record_of(None, facts, verdict), way=_way(facts, verdict)))
    data, before = question_bytes(question), heard.asked_before
    if before is None:
        reply = _begun(question, heard, data)
        # Nobody but a twin with the same key comes in between, and the twin's evaluation is there now.
        return reply if reply is not None else _answered(question)
    if bytes.fromhex(before["body_hash"]) != hashlib.sha256(data).digest():
        raise Refused(KEY_REUSED)
    return _again(question, heard, data, before)


def look_again(evaluation: UUID, *, credential: Credential) -> Reply | None:
    """Judge a stored question at this moment; records nothing and hands out nothing. None where there is no such evaluation."""
    at = moment_in(evaluation)
    row = Evaluation.objects.filter(id=evaluation, at__gte=at, at__lt=at + MILLISECOND).first() if at else None
    asked = read_question(bytes(row.question)) if row else Question("", "", ())
    facts = gather(credential.asks(asked)).facts
    _let_in(facts, dry_run=True)
    if row is None or not _may_see(facts, row):
        return None
    verdict = judge(facts)
    return Reply(_told(evaluation, facts, record_of(evaluation, facts, verdict), way=_way(facts, verdict)))


def _may_see(facts: Facts, row: Evaluation) -> bool:
    # A token sees its own evaluations, a person those of services they see; others are as unknown as what does not exist.
    asker, service = facts.asker, facts.service
    if asker.kind is AskerKind.PERSON:
        return service is not None and (asker.sees_restricted or not service.is_restricted)
    return asker.pk == row.token_id or of_one_credential(asker.pk).filter(pk=row.token_id).exists()


def _let_in(facts: Facts, *, dry_run: bool) -> None:
    if not facts.asker.is_live:
        raise UnknownToken(facts.asker, facts.now)
    if facts.asker.kind is AskerKind.PERSON and not dry_run:
        raise Refused(DRY_RUN_ONLY)


def _begun(question: Question, heard: Gathered, data: bytes) -> Reply | None:
    """The first answer of an evaluation; None where a twin has begun it meanwhile."""
    facts, verdict = heard.facts, judge(heard.facts)
    evaluation = id_at(facts.now)
    asked = _asked(evaluation, question, heard, data, is_new=True)
    record = record_of(evaluation, facts, verdict)
    stored, tickets = record_bytes(record), _tickets(_permits(evaluation, heard, verdict), heard)
    entry = _entry(evaluation, facts, verdict, record=stored, tickets=tickets)
    if not write_answer(asked, at=facts.now, verdict=verdict, record=stored, tickets=tickets, entry=entry):
        return None
    return Reply(_told(evaluation, facts, record, tickets, way=_way(facts, verdict)), is_new=True)


def _again(question: Question, heard: Gathered, data: bytes, before: Mapping[str, Any]) -> Reply:
    """A later answer of an evaluation: the recorded one where it was final, else a new judgement."""
    facts, evaluation, last = heard.facts, UUID(before["id"]), before["last"]
    if last["final"]:
        return Reply(_told(evaluation, facts, json.loads(b64decode(last["record"]))))
    verdict = judge(facts)
    record, permits = record_of(evaluation, facts, verdict), _permits(evaluation, heard, verdict)
    live = _live_tickets(before, facts, permits)
    tickets = [] if live else _tickets(permits, heard)
    stored = None if is_same(last, verdict) else record_bytes(record)
    if tickets or stored is not None:
        asked = _asked(evaluation, question, heard, data, is_new=False)
        entry = _entry(evaluation, facts, verdict, record=stored, tickets=tickets)
        write_answer(asked, at=facts.now, verdict=verdict, record=stored, tickets=tickets, entry=entry)
    return Reply(_told(evaluation, facts, record, live or tickets, way=_way(facts, verdict)))


def _asked(evaluation: UUID, question: Question, heard: Gathered, data: bytes, *, is_new: bool) -> Asked:
    facts = heard.facts
    return Asked(
        id=evaluation,
        token=facts.asker.pk,
        key=question.key,
        body_hash=hashlib.sha256(data).digest(),
        question=data,
        target=facts.target.pk if facts.target else None,
        is_new=is_new,
        notes_use=not heard.is_use_noted,
    )


def _entry(evaluation: UUID, facts: Facts, verdict: Verdict, *, record: bytes | None, tickets: Sequence[Handed]) -> Draft:
    """The entry of an answer; a renewed ticket for an answer already recorded is told as that."""
    assert facts.asker.id is not None  # noqa: S101 - only tokens are recorded, and every token has an id
    handed = [id_text(one.id) for one in tickets]
    data: dict[str, object] = {"tickets": handed}
    if facts.asker.workload is not None:
        data["job"] = facts.asker.workload.words
    if record is not None:
        data |= {
            "verdict": verdict.verdict.value,
            "codes": list(verdict.codes),
            "final": verdict.final,
            "record": hashlib.sha256(record).hexdigest(),
        }
    event = Event.TICKET_ISSUED if record is None else Event.GATE_ANSWERED
    by = actor_of(facts.asker)
    return compose(event, subject=reference("evaluation", evaluation), by=by, at=facts.now, refs=about(facts, verdict), data=data)


def _permits(evaluation: UUID, heard: Gathered, verdict: Verdict) -> list[Permit]:
    """What a yes permits: the deployment and, where people had to agree, the way back from it."""
    facts, target, environment = heard.facts, heard.facts.target, heard.facts.environment
    if verdict.verdict is not Answer.ALLOW or target is None or environment is None or facts.service is None:
        return []
    leg = judged_leg(facts, verdict)
    forward = Permit(
        id=new_id(),
        installation=heard.ground.installation,
        evaluation=evaluation,
        action=facts.question.action,
        service=facts.service.slug,
        environment=environment.slug,
        asked=(facts.question.service, facts.question.environment),
        target=target.id,
        identities=meant(facts, verdict),
        change=leg.ref if leg else "",
        leg=id_text(leg.id) if leg else "",
        revision_digest=leg.revision_digest if leg else "",
        settings_digest=target.settings_digest,
        policy_digest=leg.quorum.policy.digest if leg and leg.quorum.policy else "",
        not_before=facts.now.replace(microsecond=0),
        expires_at=_expiry(facts, verdict),
        offline_seconds=environment.offline_minutes * 60 if facts.question.action is Action.DEPLOY else BACK_OFFLINE,
    )
    if facts.question.action is Action.ROLLBACK or environment.change_required != "APPROVED" or not target.running:
        return [forward]
    back = replace(
        forward,
        id=new_id(),
        action=Action.ROLLBACK,
        identities=target.running,
        expires_at=facts.now + ROLLBACK_LIFE,
        offline_seconds=BACK_OFFLINE,
    )
    return [forward, back]


def _expiry(facts: Facts, verdict: Verdict) -> datetime:
    """An hour at most, and not beyond what made it a yes: the signed period, the open window and the exceptions it relied on."""
    leg, ends = judged_leg(facts, verdict), [facts.now + LONGEST_LIFE]
    ends += [finding.lifted_until for finding in verdict.findings if finding.lifted_until is not None]
    if facts.question.action is Action.DEPLOY:
        ends += [leg.period.not_after] if leg and leg.period.not_after > facts.now and _is_change_needed(facts) else []  # else let pass
        windows = [one.ends_at for one in facts.calendar if one.kind == "WINDOW" and one.covers_now and one.ends_at]
        ends += [max(windows)] if windows else []
    return min(ends)


def _is_change_needed(facts: Facts) -> bool:
    return facts.environment is not None and facts.environment.change_required != "NO"


def _tickets(permits: Sequence[Permit], heard: Gathered) -> list[Handed]:
    key = signing_key()
    if permits and not heard.ground.is_key_listed:
        with transaction.atomic():
            list_key(key, by=system("gate"), at=heard.facts.now)
    return [Handed(one.id, one.action, one.binds, issue(one, key=key), one.expires_at) for one in permits]


def _live_tickets(before: Mapping[str, Any], facts: Facts, permits: Sequence[Permit]) -> list[Handed]:
    """The unspent tickets that still permit exactly this; none, unless all of them are there."""
    soon = facts.now + WORTH_KEEPING
    stored = [(one, datetime.fromisoformat(one["expires_at"])) for one in before["tickets"] or ()]
    fresh = {
        one["binds"]: Handed(
            id=UUID(one["id"]),
            action=Action(one["action"]),
            binds=one["binds"],
            signed=Signed(b64decode(one["payload"]), one["key_id"], b64decode(one["signature"])),
            expires_at=expires_at,
        )
        for one, expires_at in stored
        if expires_at > soon
    }
    found = [fresh[permit.binds] for permit in permits if permit.binds in fresh and fresh[permit.binds].expires_at <= permit.expires_at]
    return found if len(found) == len(permits) else []


def _way(facts: Facts, verdict: Verdict) -> Way | None:
    return None if verdict.verdict is Answer.ALLOW or verdict.final else way_to_yes(facts, verdict)


def _told(
    evaluation: UUID | None, facts: Facts, record: Mapping[str, Any], tickets: Sequence[Handed] = (), *, way: Way | None = None
) -> dict[str, Any]:
    body = told(record, evaluation=evaluation, detail=facts.asker.detail, way=way)
    for one in tickets:
        body["ticket" if one.action is facts.question.action else "rollback_ticket"] = one.signed.envelope
    if is_pending(record):
        body["retry_after"] = SOONEST + secrets.randbelow(LATEST - SOONEST + 1)
    return body
