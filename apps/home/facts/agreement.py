"""Who must agree to a change, who did, what lapsed and whether it can be agreed at all, as pages show it."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from apps.approvals.facts import look_ahead
from apps.approvals.rules import (
    PersonFacts,
    QuorumFacts,
    ReviewFacts,
    RuleAnswer,
    RuleState,
    forecast,
    group_words,
    needed_of,
    quorum,
    stands,
    to_come,
    unproved_words,
)
from apps.changes.models import Change
from apps.changes.rules import PreApproval
from apps.changes.states import ENDED, State
from apps.home.facts.signed import Given, counted, rejections, uncounted
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
    beforehand: list[dict[str, str]] = field(default_factory=list)  # what the change's model says, place by place
    signed: frozenset[str] = frozenset()  # the parts that a rule covers
    rejected: list[Given] = field(default_factory=list)  # who said no

    @property
    def agreed_count(self) -> int:
        """How many rules are met."""
        return self.states.count(RuleState.AGREED)

    @property
    def missing_count(self) -> int:
        """How many rules are not."""
        return len(self.states) - self.agreed_count


def agreement(review: ReviewFacts, *, now: datetime, starts: Mapping[UUID, datetime] | None = None) -> Agreement:
    """The rules of every place that asks for agreement, by place and stage; who is away is looked up here, and the STARTS if not given.

    Of a change that is over it tells what was agreed and what was not; nobody is waited for any more."""
    asked = [leg for leg in review.legs if leg.required == "APPROVED"]
    quiet = [leg for leg in review.legs if leg.required != "APPROVED"]
    is_over = review.state in ENDED
    if not is_over:
        asked = [*look_ahead(asked, now=now, starts=starts)]
    stages, states = [], []
    for leg in asked:
        answers = quorum(leg).rules
        states += [str(answer.state) for answer in answers]
        stages += staged(leg, answers, many=len(asked) > 1, review=review)
    open_legs = [] if is_over else asked
    return Agreement(
        stages=stages,
        states=states,
        feasible=[feasible(leg) for leg in to_come(open_legs) if not quorum(leg).met],
        unasked=listed([f"{leg.service} in {leg.environment}" for leg in quiet]) if quiet and not is_over else "",
        excluded=excluded_words([leg for leg in open_legs if leg.asks_somebody]),
        beforehand=[beforehand(leg.pre_approval, f"{leg.service} in {leg.environment}") for leg in asked if leg.pre_approval],
        signed=frozenset(part for leg in asked if leg.policy and leg.asks_somebody for rule in leg.policy.rules for part in rule.parts),
        rejected=rejections(review.legs, ref=review.ref),
    )


def beforehand(given: PreApproval, place: str) -> dict[str, str]:
    """What a model says about one place: nobody has to sign, or why people have to."""
    if given.holds:
        return {"tone": "go", "icon": "template", "text": f"{place} is approved beforehand by {given.words}. Nobody has to sign."}
    said = f"{place} is not approved beforehand by the model {given.model}, so people sign. {' '.join(given.doubts)}"
    return {"tone": "wait", "icon": "template", "text": said}


def staged(leg: QuorumFacts, answers: Iterable[RuleAnswer], *, many: bool, review: ReviewFacts) -> list[dict[str, object]]:
    """One heading for each stage of a leg; a single stage of a single place needs none."""
    by_stage: dict[int, list[dict[str, object]]] = {}
    for answer in answers:
        by_stage.setdefault(answer.rule.stage, []).append(rule_row(leg, answer, review=review))
    names = {stage: " · ".join(heading(leg, stage, many=many, stages=len(by_stage))) for stage in by_stage}
    return [{"name": names[stage], "rules": rows} for stage, rows in sorted(by_stage.items())]


def heading(leg: QuorumFacts, stage: int, *, many: bool, stages: int) -> list[str]:
    """What tells one group of rules from the next."""
    return [*([f"{leg.service} in {leg.environment}"] if many else []), *([f"Stage {stage}"] if stages > 1 else [])]


def rule_row(leg: QuorumFacts, answer: RuleAnswer, *, review: ReviewFacts) -> dict[str, object]:
    """One rule in the shape of the rules component."""
    rule, is_over = answer.rule, review.state in ENDED
    given = counted(leg, answer, ref=review.ref)
    people = answer.by or answer.lapsed or (() if is_over else candidates(leg, answer))
    is_solo = any(one.is_solo for one in given)
    return {
        "name": rule.label,
        "needed": needed_of(rule, facts=leg) or "everyone",
        "state": "" if is_over and answer.missing else str(answer.state),
        "word": "Agreed alone" if is_solo and answer.state is RuleState.AGREED else "",
        "is_solo": is_solo,
        "people": [person.name for person in people],
        "by": over_words(answer) if is_over else by_words(leg, answer),
        "given": given,
        "uncounted": uncounted(leg, answer, ref=review.ref),
        "covers": rule.parts,
        "note": "" if is_over else note_words(leg, answer),
    }


def over_words(answer: RuleAnswer) -> str:
    """What a rule lacked when the change ended."""
    if not answer.missing:
        return ""
    return f"{answer.missing} more was needed." if answer.by else "Nobody had agreed."


def candidates(leg: QuorumFacts, answer: RuleAnswer) -> tuple[PersonFacts, ...]:
    """Who could still fill a seat."""
    return next((one.candidates for one in forecast(leg).rules if one.rule.key == answer.rule.key), ())


def by_words(leg: QuorumFacts, answer: RuleAnswer) -> str:
    """Whose agreement lapsed, or who can agree; empty where somebody has, which is told line by line."""
    if answer.by:
        return ""
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
        "text": f"{place} can be agreed: {len(able)} {'person' if len(able) == 1 else 'people'} can sign. {unproved(leg)}".rstrip(),
    }


def unproved(leg: QuorumFacts) -> str:
    """Who of them adds a stronger proof first."""
    return unproved_words(forecast(leg), asked=leg.policy.strength) if leg.policy else ""


def excluded_words(legs: Collection[QuorumFacts]) -> str:
    """Who the policies keep from signing, and where whoever asked for it may sign alone."""
    policies = [leg.policy for leg in legs if leg.policy]
    hands = {hand for policy in policies for hand in (policy.exclude | {"requester"}) - ({"requester"} if policy.solo else set())}
    said = [SAID_OF.get(hand, f"its {hand.replace('_', ' ')}") for hand in sorted(hands, reverse=True)]
    alone = [f"{leg.service} in {leg.environment}" for leg in legs if leg.policy and leg.policy.solo]
    sentences = [f"Cannot sign: {listed(said)}."] if said else []
    if alone:
        sentences.append(f"Whoever asked for it may sign alone for {listed(alone)}; that is marked SOLO.")
    return " ".join(sentences)


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


def submitted_words(change: Change) -> str:
    """What came of submitting it."""
    if Change.objects.filter(pk=change.pk, state=State.APPROVED).exists():
        return f"{change.ref} is approved: nobody has to sign."
    return f"{change.ref} is in review. Whoever must agree sees it now."
