"""What is recorded of an answer and what is told of it: plain data, from facts and verdict."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings

from apps.core.actors import Actor, ActorKind
from apps.core.canonical import utc_text
from apps.core.compact_json import sorted_json
from apps.core.ids import id_text
from apps.core.references import Reference, reference
from apps.gate.links import link_of
from apps.gate.rules import (
    FIRST,
    VERSION,
    Action,
    Answer,
    AskerFacts,
    AskerKind,
    Detail,
    Facts,
    Finding,
    LegFacts,
    Question,
    Run,
    Step,
    Verdict,
    Way,
)

SCHEMA = 1
OPENING = frozenset(rule.name for rule in FIRST)


def question_bytes(question: Question) -> bytes:
    """The question as it is stored and compared: the same question is the same bytes, however it was written."""
    run = question.run
    body = {
        "service": question.service,
        "environment": question.environment,
        "identities": list(question.identities),
        "action": question.action.value,
        "run": _run(run) if run else None,
    }
    return sorted_json(body)


def _run(run: Run) -> dict[str, Any]:
    said = {"system": run.system, "id": run.id, "attempt": run.attempt, "url": run.url}
    return {**said, "actor": run.actor} if run.actor else said


def read_question(data: bytes) -> Question:
    """A stored question, as if our own machinery asked it."""
    body = json.loads(data)
    return Question(
        service=body["service"],
        environment=body["environment"],
        identities=tuple(body["identities"]),
        action=Action(body["action"]),
        run=Run(**body["run"]) if body["run"] else None,
    )


def record_of(evaluation: UUID | None, facts: Facts, verdict: Verdict) -> dict[str, Any]:
    """The answer as it is recorded, whole whatever the asker is told."""
    return {
        "schema": SCHEMA,
        "evaluation": id_text(evaluation) if evaluation else None,
        "at": _moment(facts.now),
        "judge": VERSION,
        "verdict": verdict.verdict.value,
        "final": verdict.final,
        "earliest": _moment(verdict.earliest),
        "findings": [_finding(finding) for finding in verdict.findings],
        "passed": list(verdict.passed),
        "bound": bound(facts, verdict),
    }


def record_bytes(record: Mapping[str, Any]) -> bytes:
    """The bytes that are stored and hashed."""
    return sorted_json(record)


def bound(facts: Facts, verdict: Verdict) -> dict[str, Any]:
    """What the answer holds for: change a digest and it is another question."""
    leg, policy = judged_leg(facts, verdict), None
    if leg is not None:
        policy = leg.quorum.policy
    # Who may not ask is not told whether there is such a service, nor what it is called today.
    named = not OPENING.intersection(finding.rule for finding in verdict.findings)
    return {
        "service": facts.service.slug if facts.service and named else None,
        "environment": facts.environment.slug if facts.environment and named else None,
        "identities": list(meant(facts, verdict)),
        "change": leg.ref if leg else None,
        "revision": leg.revision if leg else None,
        "revision_digest": leg.revision_digest if leg else None,
        "settings_digest": facts.target.settings_digest or None if facts.target and named else None,
        "policy_digest": policy.digest if policy else None,
    }


def judged_leg(facts: Facts, verdict: Verdict) -> LegFacts | None:
    """The leg the verdict is about."""
    return next((leg for leg in facts.legs if leg.id == verdict.leg_id), None)


def meant(facts: Facts, verdict: Verdict) -> tuple[str, ...]:
    """The version an answer is about: as people agreed to it, or as it ran before. What was asked beside it is no part of a yes."""
    leg = judged_leg(facts, verdict)
    if leg is not None:
        return leg.identities
    is_back = facts.question.action is Action.ROLLBACK and verdict.verdict is Answer.ALLOW and facts.target is not None
    return facts.target.previous if is_back and facts.target else facts.question.identities


def about(facts: Facts, verdict: Verdict) -> list[Reference]:
    """Everything an entry about this answer names."""
    leg = judged_leg(facts, verdict)
    named = (
        ("trust" if facts.asker.kind is AskerKind.WORKLOAD else "gate_token", facts.asker.id),
        ("service", facts.service.id if facts.service else None),
        ("environment", facts.environment.id if facts.environment else None),
        ("target", facts.target.id if facts.target else None),
        ("change", leg.change_id if leg else None),
    )
    return [reference(kind, of) for kind, of in named if of is not None]


def told(record: Mapping[str, Any], *, evaluation: UUID | None, detail: Detail, way: Way | None = None) -> dict[str, Any]:
    """The answer as the asker reads it; a token that is told codes only gets no sentence and no name, a link always."""
    full, of = detail is Detail.FULL, id_text(evaluation) if evaluation else None
    url = f"{settings.PUBLIC_URL}/gate/{of or 'ask'}/"
    return {
        "id": of,
        "verdict": record["verdict"],
        "final": record["final"],
        "at": record["at"],
        "earliest": record["earliest"],
        "codes": sorted({finding["code"] for finding in record["findings"]}),
        "findings": [_told_finding(finding, record["bound"], url, full=full) for finding in record["findings"]],
        "way": _told_way(way, full=full) if way else None,
        "bound": record["bound"] if full else None,
        "url": url,
        "ticket": None,
        "rollback_ticket": None,
        "retry_after": None,
    }


def is_same(last: Mapping[str, Any] | None, verdict: Verdict) -> bool:
    """Whether the answer recorded last says the same: same verdict, same codes."""
    return last is not None and last["verdict"] == verdict.verdict and tuple(last["codes"]) == verdict.codes


def is_pending(record: Mapping[str, Any]) -> bool:
    """Whether asking again later may help."""
    return bool(record["verdict"] == Answer.PENDING)


def actor_of(asker: AskerFacts) -> Actor:
    """Whoever asked, as the stream names them."""
    of = id_text(asker.id) if asker.id else str(asker.id)
    if asker.kind is AskerKind.PERSON:
        return Actor(ActorKind.PERSON, of)
    return Actor(ActorKind.WORKLOAD if asker.kind is AskerKind.WORKLOAD else ActorKind.TOKEN, of)


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "rule": finding.rule,
        "effect": finding.effect.value,
        "code": finding.code,
        "message": finding.message,
        "cure": finding.cure,
        "who": finding.who,
        "until": _moment(finding.until),
    }


def _told_way(way: Way, *, full: bool) -> dict[str, Any]:
    """What would change the answer: the smallest set of steps, and whether more may follow them."""
    return {"complete": way.is_whole, "steps": [_step(step, full=full) for step in way.steps]}


def _step(step: Step, *, full: bool) -> dict[str, Any]:
    said: dict[str, Any] = {"act": "WAIT" if step.is_wait else "DO", "codes": list(step.codes), "until": _moment(step.until)}
    return {**said, "cure": step.cure, "who": step.who} if full else said


def _told_finding(finding: Mapping[str, Any], bound: Mapping[str, Any], url: str, *, full: bool) -> dict[str, Any]:
    """With the address where somebody acts on it; of codes only, the answer's own page: other addresses name the change."""
    if full:
        return {**finding, "url": link_of(finding["code"], bound, answer=url)}
    return {**{key: finding[key] for key in ("rule", "effect", "code", "until")}, "url": f"{url}#code-{finding['code']}"}


def _moment(moment: datetime | None) -> str | None:
    return utc_text(moment) if moment else None
