"""The simulator: who would have to sign a change, in force now or under a wording that is only proposed."""

from dataclasses import dataclass
from typing import Any

from django.http import Http404
from django.utils import timezone

from apps.approvals.facts import Asked, Supposed, who_must_sign, who_must_sign_change
from apps.approvals.forms import Question
from apps.approvals.models import Policy, PolicyProposal
from apps.approvals.rules import PolicyFacts, QuorumFacts, RuleForecast, group_words, needed_of, unproved_words
from apps.changes.access import get_change
from apps.changes.states import Kind
from apps.core.pages import PageRequest

UNSEEN = "No change that you may see has this number. Write one like CHG-7."
NOTHING = "Name a change, or choose a service."
NAMED = 8


@dataclass(frozen=True, slots=True)
class AskedRule:
    """One rule of the answer, in words."""

    name: str
    needed: str
    people: list[str]
    said: str
    is_short: bool


def asked_about(
    request: PageRequest, form: Question, *, place: Policy | PolicyProposal, policy: PolicyFacts | None = None
) -> list[dict[str, Any]] | None:
    """The answer to what the form asks; None where it asks nothing that can be answered. POLICY is asked instead of the one in force."""
    if not form.is_bound or not {"change", "service", "requester"} & request.GET.keys() or not form.is_valid():
        return None
    given, now = form.cleaned_data, timezone.now()
    if given["change"]:
        try:
            change = get_change(request.user, given["change"].strip().upper())
        except Http404:
            form.add_error("change", UNSEEN)
            return None
        return [shown(asked) for asked in who_must_sign_change(change, now=now, policy=policy)]
    about = place.service or given["service"]
    if about is None:
        form.add_error("service", NOTHING)
        return None
    supposed = Supposed(about, place.environment, place.kind or Kind.NORMAL, given["risk"] or place.least_risk, given["requester"])
    return [shown(asked) for asked in who_must_sign([supposed], now=now, policy=policy)]


def shown(asked: Asked) -> dict[str, Any]:
    """One place of the answer, as the page shows it."""
    leg, forecast = asked.leg, asked.forecast
    return {
        "place": f"{leg.service} in {leg.environment}",
        "policy": leg.policy.name if leg.policy else "",
        "rules": [rule_row(one, leg=leg) for one in forecast.rules],
        "tone": "go" if forecast.can_be_met else "stop",
        "icon": "circle-check" if forecast.can_be_met else "user-exclamation",
        "text": said_of(leg) or (f"It can be met. {unproved(asked)}".rstrip() if forecast.can_be_met else " ".join(forecast.cures)),
    }


def unproved(asked: Asked) -> str:
    """Who could sign and adds a stronger proof first."""
    return unproved_words(asked.forecast, asked=asked.leg.policy.strength) if asked.leg.policy else ""


def said_of(leg: QuorumFacts) -> str:
    """Why nobody has to sign; empty where somebody has to."""
    if leg.pre_approval and leg.is_pre_approved:
        return f"Nobody has to sign: approved beforehand by {leg.pre_approval.words}."
    return "" if leg.asks_somebody else "Nobody has to sign here."


def rule_row(one: RuleForecast, *, leg: QuorumFacts) -> AskedRule:
    """One rule, with the people who could sign it."""
    people = [
        f"{person.name} for {one.stand_ins[person.canonical_id].name}" if person.canonical_id in one.stand_ins else person.name
        for person in one.candidates
    ]
    whose = group_words(one.rule.group, service=leg.service)
    more = f" and {len(people) - NAMED} more" if len(people) > NAMED else ""
    said = f"{', '.join(people[:NAMED])}{more}" if people else f"Nobody can: no {whose}"
    away = f". Away: {', '.join(person.name for person in one.away)}" if one.away else ""
    needed = f"{needed_of(one.rule, facts=leg) or 'every'} × {whose}"
    return AskedRule(one.rule.label, needed, people[:NAMED], said + away, one.missing > 0)
