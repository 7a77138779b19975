"""Whether a quorum can be met at all and in time, by whom, and what would help. Pure."""

from collections.abc import Sequence
from uuid import UUID

from apps.approvals.rules.counting import counted_by_voice, excluded_as, members_of, needed_of, seats_of
from apps.approvals.rules.giving import is_given_by_hands
from apps.approvals.rules.matching import match_seats
from apps.approvals.rules.proofs import ASKS_FOR, TO_ADD, Strength
from apps.approvals.rules.shapes import Forecast, Group, QuorumFacts, RuleFacts, RuleForecast
from apps.catalog.rules import PersonFacts
from apps.core.moments import utc_words

Signer = tuple[PersonFacts, PersonFacts | None]  # who signs, and in whose place
NAMED = 3


def forecast(facts: QuorumFacts) -> Forecast:
    """Say whether the people there are could fill every seat of one leg's policy, in time where `before` says by when.

    Somebody who comes back too late counts only through whoever stands in for them."""
    where = f"{facts.service} in {facts.environment}"
    if not facts.asks_somebody:
        return Forecast(can_be_met=True, rules=(), cures=())
    if facts.policy is None or not facts.policy.rules:
        return Forecast(can_be_met=False, rules=(), cures=(f"No policy says who agrees to {where}. An administrator writes one.",))
    rules = sorted(facts.policy.rules, key=lambda rule: rule.stage)
    able = {rule.key: _able(rule, facts) for rule in rules}
    seats = [
        (rule, wanted)
        for rule in rules
        for wanted in seats_of(rule, voices={voice: who.canonical_id for voice, (who, _) in able[rule.key].items()}, facts=facts)
    ]
    taken = match_seats([wanted for _, wanted in seats])
    empty = [rule.key for (rule, _), person in zip(seats, taken, strict=True) if person is None]
    found = tuple(_foreseen(rule, able[rule.key], missing=empty.count(rule.key), facts=facts) for rule in rules)
    cures = tuple(_cure(one, facts) for one in found if one.missing)
    return Forecast(can_be_met=not cures, rules=found, cures=cures)


def unproved_words(seen: Forecast, *, asked: Strength) -> str:
    """Who could sign and adds a stronger proof first: `Bo adds a passkey first: …`; empty where nobody has to."""
    names = sorted({who.name for rule in seen.rules for who in rule.unproved})
    if not names:
        return ""
    who = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if len(names) <= NAMED else f"{len(names)} of them"
    return f"{who} {'adds' if len(names) == 1 else 'add'} {TO_ADD[asked]} first: the policy asks for {ASKS_FOR[asked]}."


def group_words(group: Group, *, service: str) -> str:
    """Name a group for a person: `business owner of payments`."""
    match group.kind:
        case "OWNER":
            return f"{'owner' if group.owner == 'ANY' else f'{group.owner.lower()} owner'} of {service}"
        case "ROLE":
            return group.role.lower().replace("_", " ")
        case "TEAM":
            return "member of the team"
        case _:
            return "person on the rule's list"


def _able(rule: RuleFacts, facts: QuorumFacts) -> dict[UUID, Signer]:
    """Who would sign for each voice of a rule: who has signed, who is there, or who stands in for somebody who is not."""
    found: dict[UUID, Signer] = {}
    for member in members_of(rule, facts=facts):
        if not _is_given(member, rule, facts) and (signer := _signer(member, rule, facts)):
            found[member.canonical_id] = signer
    given = counted_by_voice(facts)[rule.key]
    return found | {voice: (one.person, one.stands_for) for voice, one in given.items()}


def _signer(member: PersonFacts, rule: RuleFacts, facts: QuorumFacts) -> Signer | None:
    if not _is_late(member.canonical_id, facts):
        return member, None
    asked = {mandate.delegate_id for mandate in facts.mandates if mandate.person_id == member.canonical_id}
    return next(((one, member) for one in _present(facts) if one.id in asked and _may(one, rule, facts, stands_for=member)), None)


def _is_late(person: UUID, facts: QuorumFacts) -> bool:
    return facts.before is not None and person in facts.away and facts.away[person] >= facts.before


def _present(facts: QuorumFacts) -> list[PersonFacts]:
    able = [one for one in facts.people if one.is_active and one.id == one.canonical_id]
    return [one for one in able if not _is_late(one.id, facts)]


def _may(person: PersonFacts, rule: RuleFacts, facts: QuorumFacts, *, stands_for: PersonFacts) -> bool:
    policy = facts.policy
    if policy is None or excluded_as(person, rule=rule, policy=policy, hands=facts.hands, stands_for=stands_for):
        return False
    return not _is_given(person, rule, facts, stands_for=stands_for)


def _is_given(person: PersonFacts, rule: RuleFacts, facts: QuorumFacts, *, stands_for: PersonFacts | None = None) -> bool:
    """Whether they would sit where whoever asks for the change put them."""
    policy = facts.policy
    return policy is not None and is_given_by_hands(person, rule=rule, policy=policy, hands=facts.hands, stands_for=stands_for)


def _foreseen(rule: RuleFacts, able: dict[UUID, Signer], *, missing: int, facts: QuorumFacts) -> RuleForecast:
    candidates = {who.canonical_id: who for who, _ in able.values()}
    away = tuple(one for one in members_of(rule, facts=facts) if one.canonical_id not in able)
    others = [one for one in _present(facts) if one.id not in candidates and _may(one, rule, facts, stands_for=away[0])] if away else []
    stand_ins = {who.canonical_id: of for who, of in able.values() if of is not None}
    signed = {one.person.canonical_id for one in counted_by_voice(facts)[rule.key].values()} if facts.unproved else set()
    unproved = tuple(who for of, who in candidates.items() if of in facts.unproved - signed)
    return RuleForecast(rule, tuple(candidates.values()), missing, away, tuple(others), stand_ins, unproved)


def _cure(one: RuleForecast, facts: QuorumFacts) -> str:
    needed = needed_of(one.rule, facts=facts) or len(one.candidates) + one.missing
    able = f"{len(one.candidates)} can sign" if one.candidates else "nobody can sign"
    if one.away and facts.before is not None:
        return f"“{one.rule.label}” needs {needed} and {able} before {utc_words(facts.before)}: {_away_words(one)}"
    more = f"{one.missing} more {group_words(one.rule.group, service=facts.service)}"
    return f"“{one.rule.label}” needs {needed} and {able}. An administrator names {more} who is neither requester nor last editor."


def _away_words(one: RuleForecast) -> str:
    gone = f"{len(one.away)} of {len(one.away) + len(one.candidates)} are away" if len(one.away) > 1 else f"{one.away[0].name} is away"
    names = _listed([person.name for person in one.away])
    who = f" {_listed([person.name for person in one.could_stand_in])} could stand in." if one.could_stand_in else ""
    told = f" ({names})" if len(one.away) > 1 else ""
    return f"{gone}{told}.{who} {names} can ask somebody to stand in, or the slot moves."


def _listed(names: Sequence[str]) -> str:
    shown = sorted(names)[:NAMED]
    return " or ".join(shown) if len(names) <= NAMED else f"{', '.join(shown)} or {len(names) - NAMED} more"
