"""Who must agree to a change, who did, what lapsed and whether it can be agreed at all, as pages show it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.utils import timezone

from apps.approvals.facts import look_ahead
from apps.approvals.rules import (
    PersonFacts,
    QuorumFacts,
    ReviewFacts,
    RuleAnswer,
    RuleState,
    SignOffFacts,
    forecast,
    group_words,
    needed_of,
    quorum,
    stands,
    to_come,
)
from apps.core.moments import near_words
from apps.home.facts.telling import listed

SAID_OF = {"requester": "whoever asked for it", "last_editor": "whoever edited it last"}


@dataclass(frozen=True, slots=True)
class Agreement:
    """The sheet of sign-offs: stages for the rules component, and what stands below them."""

    stages: list[dict[str, object]] = field(default_factory=list)
    states: list[str] = field(default_factory=list)
    feasible: list[dict[str, str]] = field(default_factory=list)
    unasked: str = ""  # places that need nobody's agreement
    excluded: str = ""
    signed: frozenset[str] = frozenset()  # the parts that a rule covers

    @property
    def agreed_count(self) -> int:
        """How many rules are met."""
        return self.states.count(RuleState.AGREED)

    @property
    def missing_count(self) -> int:
        """How many rules are not."""
        return len(self.states) - self.agreed_count


def agreement(review: ReviewFacts, *, now: datetime) -> Agreement:
    """The rules of every place that asks for agreement, by place and stage; who is away is looked up here."""
    asked = [*look_ahead([leg for leg in review.legs if leg.required == "APPROVED"], now=now)]
    quiet = [leg for leg in review.legs if leg.required != "APPROVED"]
    stages, states = [], []
    for leg in asked:
        answers = quorum(leg).rules
        states += [str(answer.state) for answer in answers]
        stages += staged(leg, answers, many=len(asked) > 1, now=now)
    return Agreement(
        stages=stages,
        states=states,
        feasible=[feasible(leg) for leg in to_come(asked) if not quorum(leg).met],
        unasked=listed([f"{leg.service} in {leg.environment}" for leg in quiet]) if quiet else "",
        excluded=excluded_words(asked),
        signed=frozenset(part for leg in asked if leg.policy for rule in leg.policy.rules for part in rule.parts),
    )


def staged(leg: QuorumFacts, answers: Iterable[RuleAnswer], *, many: bool, now: datetime) -> list[dict[str, object]]:
    """One heading for each stage of a leg; a single stage of a single place needs none."""
    by_stage: dict[int, list[dict[str, object]]] = {}
    for answer in answers:
        by_stage.setdefault(answer.rule.stage, []).append(rule_row(leg, answer, now=now))
    names = {stage: " · ".join(heading(leg, stage, many=many, stages=len(by_stage))) for stage in by_stage}
    return [{"name": names[stage], "rules": rows} for stage, rows in sorted(by_stage.items())]


def heading(leg: QuorumFacts, stage: int, *, many: bool, stages: int) -> list[str]:
    """What tells one group of rules from the next."""
    return [*([f"{leg.service} in {leg.environment}"] if many else []), *([f"Stage {stage}"] if stages > 1 else [])]


def rule_row(leg: QuorumFacts, answer: RuleAnswer, *, now: datetime) -> dict[str, object]:
    """One rule in the shape of the rules component."""
    rule, people = answer.rule, answer.by or answer.lapsed or candidates(leg, answer)
    return {
        "name": rule.label,
        "needed": needed_of(rule, facts=leg) or "everyone",
        "state": str(answer.state),
        "people": [person.name for person in people],
        "by": by_words(leg, answer, now=now),
        "covers": rule.parts,
        "note": note_words(leg, answer),
    }


def candidates(leg: QuorumFacts, answer: RuleAnswer) -> tuple[PersonFacts, ...]:
    """Who could still fill a seat."""
    return next((one.candidates for one in forecast(leg).rules if one.rule.key == answer.rule.key), ())


def by_words(leg: QuorumFacts, answer: RuleAnswer, *, now: datetime) -> str:
    """Who agreed and when, whose agreement lapsed, or who can agree."""
    if answer.by:
        return ", ".join(
            f"{signer_words(person, answer.stand_ins)}, {given_words(leg.sign_offs, person.id, now=now)}" for person in answer.by
        )
    if answer.lapsed:
        return f"{listed([person.name for person in answer.lapsed])} signed what was before"
    able = candidates(leg, answer)
    if not able:
        return f"Nobody can: no {group_words(answer.rule.group, service=leg.service)}"
    stand_ins = next((one.stand_ins for one in forecast(leg).rules if one.rule.key == answer.rule.key), {})
    return f"{listed([signer_words(person, stand_ins) for person in able])} can" if len(able) <= 2 else f"{len(able)} people can"


def signer_words(person: PersonFacts, stand_ins: Mapping[UUID, PersonFacts]) -> str:
    """Who signs, and in whose place."""
    return f"{person.name} for {stand_ins[person.id].name}" if person.id in stand_ins else person.name


def given_words(sign_offs: Iterable[SignOffFacts], person: UUID, *, now: datetime) -> str:
    """When a person's newest sign-off was given."""
    given = max((one.given_at for one in sign_offs if one.person.id == person), default=None)
    return near_words(given, zone=timezone.get_current_timezone(), now=now) if given else ""


def note_words(leg: QuorumFacts, answer: RuleAnswer) -> str:
    """What stands below a rule."""
    if answer.state is RuleState.LAPSED:
        return "An edit changed what was covered. Read the difference and re-affirm."
    if answer.by and answer.missing:
        return f"{answer.missing} more needed."
    if needed_of(answer.rule, facts=leg) != answer.rule.needed:
        return "One more than the policy names: not everybody who made it is known."
    return ""


def feasible(leg: QuorumFacts) -> dict[str, str]:
    """Whether a leg's rules can be met by the people there are."""
    seen = forecast(leg)
    place = f"{leg.service} in {leg.environment}"
    if not seen.can_be_met:
        return {"tone": "stop", "icon": "user-exclamation", "text": f"{place} cannot be agreed. {' '.join(seen.cures)}"}
    able = {person.canonical_id for one in seen.rules for person in one.candidates}
    return {
        "tone": "go",
        "icon": "circle-check",
        "text": f"{place} can be agreed: {len(able)} {'person' if len(able) == 1 else 'people'} can sign.",
    }


def excluded_words(legs: Iterable[QuorumFacts]) -> str:
    """Who the policies keep from signing."""
    hands = {
        hand
        for leg in legs
        if leg.policy
        for hand in (leg.policy.exclude | ({"requester"} - ({"requester"} if leg.policy.solo else set())))
    }
    said = [SAID_OF.get(hand, f"its {hand.replace('_', ' ')}") for hand in sorted(hands, reverse=True)]
    return f"Cannot sign: {listed(said)}." if said else ""


@dataclass(frozen=True, slots=True)
class Effect:
    """What an edit did to the sign-offs that were there."""

    lapsed: list[str]
    untouched: list[str]


def effect_of_edit(review: ReviewFacts, *, before: dict[str, str]) -> Effect:
    """Whose sign-offs stood on the digests before the newest revision, and whether they still do."""
    now = review.legs[0].digests if review.legs else {}
    earlier = {
        one.id: one
        for leg in review.legs
        for one in leg.sign_offs
        if one.revision < review.revision and stands(one.covered, digests=before)
    }
    told = sorted((one.person.name, listed(list(one.covered)), stands(one.covered, digests=now)) for one in earlier.values())
    return Effect(
        lapsed=[f"{name}, who covered {parts}" for name, parts, holds in told if not holds],
        untouched=[f"{name}, who covered {parts}" for name, parts, holds in told if holds],
    )
