"""Who keeps an agreement waiting, since when, and what the policy says is done about it. Pure; silence never approves."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from apps.approvals.rules.counting import counted_by_voice, quorum, to_come
from apps.approvals.rules.forecasting import forecast
from apps.approvals.rules.shapes import PolicyFacts, QuorumAnswer, QuorumFacts, ReviewFacts, RuleAnswer, RuleState
from apps.catalog.rules import PersonFacts

WAITING = frozenset({RuleState.WAITING, RuleState.LAPSED})


@dataclass(frozen=True, slots=True)
class Wait:
    """One rule of one leg that waits: under which policy, since when, and for whom who is there."""

    leg: QuorumFacts
    policy: PolicyFacts
    since: datetime
    people: tuple[PersonFacts, ...]
    label: str = ""  # what the rule is called


def waits(review: ReviewFacts, *, since: datetime, now: datetime) -> tuple[Wait, ...]:
    """Every rule that waits now; SINCE is when the change came under review. A later stage waits since the one before agreed.

    What a rule covers was changed after that: it waits since then. An edit of anything else begins no wait anew.

    Who is away now is not waited for: whoever stands in for them is."""
    legs = [replace(leg, before=now) for leg in to_come(review.legs) if leg.asks_somebody]
    return tuple(wait for leg in legs if leg.policy for wait in _of(leg, leg.policy, review.changed_at, since))


def _of(leg: QuorumFacts, policy: PolicyFacts, changed_at: Mapping[str, datetime], since: datetime) -> Iterator[Wait]:
    answers = quorum(leg)
    spoken = counted_by_voice(leg)
    able = {one.rule.key: one for one in forecast(leg).rules}
    for answer in answers.rules:
        if answer.state not in WAITING:
            continue
        signed = {one.person.canonical_id for one in spoken[answer.rule.key].values()}
        people = (one for one in able[answer.rule.key].candidates if one.canonical_id not in signed)
        began = max((since, *(changed_at[part] for part in answer.rule.parts if part in changed_at)))
        yield Wait(leg, policy, _opened(leg, answers, answer, began), tuple(people), answer.rule.label)


def _opened(leg: QuorumFacts, answers: QuorumAnswer, answer: RuleAnswer, since: datetime) -> datetime:
    earlier = {person.id for one in answers.rules if one.rule.stage < answer.rule.stage for person in one.by}
    return max((since, *(one.given_at for one in leg.sign_offs if one.person.id in earlier)))
