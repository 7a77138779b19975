"""One evaluation explained: what was asked and by whom, every answer it got, and what the gate says of it now."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import Http404
from django.urls import reverse

from apps.accounts.models import Person
from apps.catalog.access import services_hidden_from
from apps.catalog.models import Target
from apps.changes.access import changes_for
from apps.core.ids import MILLISECOND
from apps.core.references import parse_number
from apps.core.refusals import Refused
from apps.gate.answers import bound, judged_leg, read_question
from apps.gate.foreseeing import Foresight, foresee
from apps.gate.log import get_evaluation
from apps.gate.models import Evaluation, GateToken, Ticket, VerdictRow
from apps.gate.retention import why_gone
from apps.gate.rules import RULES, Action, Question, Run, idle_rules

MOST_ANSWERS = 100
TITLES = {rule.name: rule.title for rule in RULES}
ASKS = {rule.name: rule.asks for rule in RULES}
BOUND = {
    "change": "Change",
    "revision": "Revision",
    "revision_digest": "Content of the revision",
    "settings_digest": "Deployment settings",
    "policy_digest": "Policy",
}


@dataclass(frozen=True, slots=True)
class Answered:
    """One answer as it was recorded."""

    at: datetime
    verdict: str
    is_final: bool
    record: Mapping[str, Any]
    digest: str
    judge: int
    required: str  # what the place asks for today: the record does not say
    goes_back: bool

    @property
    def findings(self) -> list[dict[str, Any]]:
        """Findings in the shape of the component."""
        return [shown_finding(one) for one in self.record.get("findings", ())]

    @property
    def rules(self) -> list[dict[str, str]]:
        """Every rule that was judged, what is in the way first."""
        has_change = bool(self.record.get("bound", {}).get("change"))
        idle = idle_rules(required=self.required, has_change=has_change, goes_back=self.goes_back)
        return judged_rules(self.findings, [name for name in self.record.get("passed", ()) if name not in idle])

    @property
    def counts(self) -> str:
        """How many rules said what."""
        return counted_rules(self.rules)


@dataclass(frozen=True, slots=True)
class Explained:
    """Everything the page shows."""

    evaluation: Evaluation
    question: Question
    target: Target | None
    token: GateToken | None
    answers: list[Answered]  # the newest first
    tickets: list[Ticket]
    now: Foresight
    ref: str = ""  # the change that the last answer was about, where the reader may see it

    @property
    def last(self) -> Answered:
        """What was answered last."""
        return self.answers[0]

    @property
    def service(self) -> str:
        """The service by its name, or by the word that was asked for."""
        return self.target.service.name if self.target else self.question.service

    @property
    def environment(self) -> str:
        """The environment likewise."""
        return self.target.environment.name if self.target else self.question.environment

    @property
    def run(self) -> Run | None:
        """The run that asked."""
        return self.question.run

    @property
    def is_trusted_job(self) -> bool:
        """Whether a CI job proved itself, instead of carrying a token."""
        return self.token is not None and hasattr(self.token, "trust")

    @property
    def run_url(self) -> str:
        """Its page; empty for what is no web address."""
        url = self.question.run.url if self.question.run else ""
        return url if url.startswith(("https://", "http://")) else ""

    @property
    def last_note(self) -> str:
        """How far the last answer holds."""
        if self.last.is_final:
            return "final: asking again cannot help"
        return f"the last of {len(self.answers)} answers" if len(self.answers) > 1 else "the only answer so far"

    @property
    def differences(self) -> list[tuple[str, str, str]]:
        """What the last answer held for and what holds now, where that is not the same."""
        then, now = self.last.record.get("bound", {}), bound(self.now.facts, self.now.verdict)
        return [(name, str(then.get(key) or ""), str(now[key] or "")) for key, name in BOUND.items() if (then.get(key) or None) != now[key]]

    @property
    def new_codes(self) -> list[str]:
        """What is in the way now and was not then."""
        return sorted(set(self.now.verdict.codes) - {one["code"] for one in self.last.record.get("findings", ())})

    @property
    def gone_codes(self) -> list[str]:
        """What was in the way then and is not now."""
        return sorted({one["code"] for one in self.last.record.get("findings", ())} - set(self.now.verdict.codes))


def explained(person: Person, public_id: UUID, *, now: datetime | None = None) -> Explained:
    """One evaluation with all that is known of it; 404 for one about a service that this person may not see."""
    row = get_evaluation(public_id)
    if row is None and (gone := why_gone(public_id)):
        raise Refused(gone)
    if row is None:
        raise Http404
    question = read_question(bytes(row.question))
    target = Target.objects.select_related("service__team", "environment").filter(pk=row.target_id).first() if row.target_id else None
    _seen(person, question, target)
    answers = answers_to(row, question, required=target.environment.change_required if target else "")
    if not answers:
        raise Http404
    token = GateToken.objects.select_related("trust__issuer").filter(pk=row.token_id).first()
    asking = replace(question, credential=bytes(token.hash)) if token else question
    said = foresee(asking, now=now)
    return Explained(
        evaluation=row,
        question=question,
        target=target,
        token=token,
        answers=answers,
        tickets=[*Ticket.objects.filter(evaluation_id=row.id).select_related("spent").order_by("-issued_at", "-pk")[:MOST_ANSWERS]],
        now=said,
        ref=seen_ref(person, answers[0].record),
    )


def answers_to(row: Evaluation, question: Question, *, required: str) -> list[Answered]:
    """Every answer an evaluation got, the newest first."""
    rows = VerdictRow.objects.filter(evaluation_id=row.id, at__gte=row.at - MILLISECOND).order_by("-at")[:MOST_ANSWERS]
    return [
        Answered(
            at=one.at,
            verdict=one.verdict,
            is_final=one.is_final,
            record=json.loads(bytes(one.record)),
            digest=hashlib.sha256(bytes(one.record)).hexdigest(),
            judge=one.judge,
            required=required,
            goes_back=question.action is Action.ROLLBACK,
        )
        for one in rows
    ]


def seen_ref(person: Person, record: Mapping[str, Any]) -> str:
    """The change an answer is about, where the reader may see it."""
    ref = str(record.get("bound", {}).get("change") or "")
    number = parse_number(ref, prefix="CHG")
    return ref if number and changes_for(person).filter(pk=number).exists() else ""


def shown_finding(one: Mapping[str, Any]) -> dict[str, Any]:
    """A recorded finding in the shape of the component."""
    until = one.get("until")
    return {**one, "until": datetime.fromisoformat(until) if until else None}


def judged_rules(findings: Iterable[Mapping[str, Any]], passed: Iterable[str]) -> list[dict[str, str]]:
    """Rules as rows: what was found in its own words, then what passed, with what it asks. `place` is where the log's code leads to."""
    found, named = [], set()
    for one in findings:
        code, title = one["code"], TITLES.get(one["rule"], one["rule"])
        place = "" if code in named else f"code-{code}"
        named.add(code)
        found.append({"effect": one["effect"], "title": title, "said": one["message"], "code": code, "place": place})
    return found + [{"effect": "PASS", "title": TITLES.get(name, name), "said": ASKS.get(name, "")} for name in passed]


def counted_rules(rules: Sequence[Mapping[str, str]]) -> str:
    """How many rules were judged, and how many of them said what; one that found several things is counted by the worst, told first."""
    by_rule: dict[str, str] = {}
    for one in rules:
        by_rule.setdefault(one["title"], one["effect"])
    effects, words = [*by_rule.values()], {"BLOCK": "in the way", "WAIT": "to wait for", "WARN": "to know", "PASS": "passed"}
    said = ", ".join(f"{effects.count(effect)} {word}" for effect, word in words.items() if effect in effects)
    return f"{len(effects)} judged: {said}"


def change_url(foresight: Foresight, person: Person) -> str:
    """The page of the change that is judged now, where the reader may see it."""
    leg = judged_leg(foresight.facts, foresight.verdict)
    number = parse_number(leg.ref, prefix="CHG") if leg else None
    if leg is None or not number or not changes_for(person).filter(pk=number).exists():
        return ""
    return reverse("home:change", args=[leg.ref])


def _seen(person: Person, question: Question, target: Target | None) -> None:
    hidden = services_hidden_from(person)
    if target is not None:
        unseen = target.service.is_restricted and hidden.filter(pk=target.service_id).exists()
    else:
        unseen = hidden.filter(slug=question.service).exists() or hidden.filter(aliases__slug=question.service).exists()
    if unseen:
        raise Http404
