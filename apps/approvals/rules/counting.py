"""Which sign-offs stand, which count, and whether the quorum of a leg is met. Pure; the gate asks the same functions."""

import hashlib
from collections.abc import Collection, Iterable, Mapping
from uuid import UUID

from apps.approvals.rules.matching import match_seats
from apps.approvals.rules.shapes import (
    Group,
    PolicyFacts,
    QuorumAnswer,
    QuorumFacts,
    RuleAnswer,
    RuleFacts,
    RuleState,
    SignOffFacts,
)
from apps.catalog.rules import PersonFacts
from apps.changes.states import LegState

LAPSED = "lapsed"
BEGUN = frozenset({LegState.STARTED, LegState.DONE, LegState.SKIPPED})


def group_text(group: Group, *, service_id: UUID) -> str:
    """Name a group for comparing then and now; what depends on the service names the service."""
    match group.kind:
        case "OWNER":
            return f"owner:{group.owner}:{service_id}"
        case "ROLE":
            return f"role:{group.role}:{service_id}"
        case "TEAM":
            return f"team:{group.team}"
        case _:
            listed = "\n".join(sorted(str(person) for person in group.persons))
            return f"persons:{hashlib.sha256(listed.encode()).hexdigest()}"


def spoken_for(group: Group, *, facts: QuorumFacts) -> tuple[str, str]:
    """How a statement names a group that speaks for a leg. The target is in it: what was said for one place says nothing for another."""
    return group_text(group, service_id=facts.service_id), str(facts.target_id)


def in_group(person: PersonFacts, group: Group) -> bool:
    """Whether the person belongs to the group now."""
    match group.kind:
        case "OWNER":
            return bool(person.owner_of) if group.owner == "ANY" else group.owner in person.owner_of
        case "ROLE":
            return group.role in person.roles
        case "TEAM":
            return group.team in person.team_ids
        case _:
            return bool(({person.canonical_id} | person.stands_for) & group.persons)


def excluded_as(person: PersonFacts, *, policy: PolicyFacts, hands: Mapping[str, Collection[UUID]]) -> str | None:
    """Say what a person did that keeps them from agreeing: requester, last_editor and so on; None where nothing does.

    The requester is kept out whatever a policy says, unless it allows SOLO. Who did what must be known: a KeyError is a no,
    nobody known would be nobody excluded."""
    of = person.canonical_id
    solo = policy.solo and of in hands["requester"]
    for hand in ("requester", *sorted(policy.exclude - {"requester"})):
        if of in hands[hand] and not (solo and hand in {"requester", "last_editor"}):
            return hand
    return None


def stands(covered: Mapping[str, str], *, digests: Mapping[str, str]) -> bool:
    """Whether everything a statement covers is still what was seen; covering nothing is not standing."""
    return bool(covered) and all(digests.get(part) == seen for part, seen in covered.items())


def why_not_counted(sign_off: SignOffFacts, *, rule: RuleFacts, facts: QuorumFacts) -> str | None:
    """Return the code of what keeps a sign-off from counting for a rule now, or None when it counts."""
    person, policy = sign_off.person, facts.policy
    if policy is None:
        return "no_policy"
    doubts = (
        ("decision", sign_off.decision != "APPROVE"),
        ("signature", sign_off.signature_ok is not True),
        ("meaning", sign_off.meaning != rule.meaning),
        ("inactive", not person.is_active),
        ("group", spoken_for(rule.group, facts=facts) not in sign_off.groups or not in_group(person, rule.group)),
        ("excluded", excluded_as(person, policy=policy, hands=facts.hands) is not None),
        ("parts", not set(rule.parts) <= set(sign_off.covered)),
        (LAPSED, not stands(sign_off.covered, digests=facts.digests)),
    )
    return next((code for code, holds in doubts if holds), None)


def quorum(facts: QuorumFacts) -> QuorumAnswer:
    """Answer how far the agreement for one leg is, by distinct people, stage after stage.

    Where the environment asks for no agreement it is met; where it asks and no policy says whose, it never is."""
    if facts.required != "APPROVED":
        return QuorumAnswer(rules=(), met=True)
    if facts.policy is None or not facts.policy.rules:
        return QuorumAnswer(rules=(), met=False, has_policy=facts.policy is not None)
    rules = sorted(facts.policy.rules, key=lambda rule: rule.stage)  # stable: a stage keeps the order it is written in
    counted = {rule.key: _by_person(facts, rule, None) for rule in rules}
    seats = [(rule, wanted) for rule in rules for wanted in seats_of(rule, people=counted[rule.key], facts=facts)]
    taken = match_seats([wanted for _, wanted in seats])
    answers: list[RuleAnswer] = []
    for rule in rules:
        sitting = [person for (of, _), person in zip(seats, taken, strict=True) if of.key == rule.key]
        earlier = all(answer.missing == 0 for answer in answers if answer.rule.stage < rule.stage)
        answers.append(_answer(rule, sitting, people=counted[rule.key], lapsed=_by_person(facts, rule, LAPSED), is_open=earlier))
    return QuorumAnswer(rules=tuple(answers), met=all(answer.state is RuleState.AGREED for answer in answers))


def seats_of(rule: RuleFacts, *, people: Collection[UUID], facts: QuorumFacts) -> list[frozenset[UUID]]:
    """Return the seats of a rule as who could fill each; a rule for everyone has one seat per member.

    A group without anybody keeps one seat that nobody can fill: an empty group never agrees. So does somebody who is named
    and not among the facts: who is not known is not left out."""
    if rule.needed:
        return [frozenset(people)] * rule.needed
    members = sorted({person.canonical_id for person in members_of(rule, facts=facts)})
    known = {one for person in facts.people if person.id == person.canonical_id for one in (person.id, *person.stands_for)}
    seats: list[frozenset[UUID]] = [frozenset({member}) & frozenset(people) for member in members]
    return [*seats, *(frozenset() for _ in rule.group.persons - known)] or [frozenset()]


def members_of(rule: RuleFacts, *, facts: QuorumFacts) -> tuple[PersonFacts, ...]:
    """Return who could agree to a rule now: in the group, active, not excluded; one per human being."""
    if facts.policy is None:
        return ()
    found: dict[UUID, PersonFacts] = {}
    for person in facts.people:
        able = person.is_active and person.id == person.canonical_id and in_group(person, rule.group)
        if able and excluded_as(person, policy=facts.policy, hands=facts.hands) is None:
            found.setdefault(person.canonical_id, person)
    return tuple(found.values())


def to_come(legs: Iterable[QuorumFacts]) -> tuple[QuorumFacts, ...]:
    """The legs whose agreement still matters: what has begun was judged when it began."""
    return tuple(leg for leg in legs if leg.leg_state not in BEGUN)


def all_met(legs: Collection[QuorumFacts]) -> bool:
    """Whether the quorum of every leg still to come is met; a change without legs is not agreed."""
    return bool(legs) and all(quorum(leg).met for leg in to_come(legs))


def _by_person(facts: QuorumFacts, rule: RuleFacts, code: str | None) -> dict[UUID, PersonFacts]:
    found: dict[UUID, PersonFacts] = {}
    for sign_off in facts.sign_offs:
        if why_not_counted(sign_off, rule=rule, facts=facts) == code:
            found.setdefault(sign_off.person.canonical_id, sign_off.person)
    return found


def _answer(
    rule: RuleFacts, sitting: list[UUID | None], *, people: Mapping[UUID, PersonFacts], lapsed: Mapping[UUID, PersonFacts], is_open: bool
) -> RuleAnswer:
    by = tuple(people[person] for person in sitting if person is not None)
    missing = len(sitting) - len(by)
    gone = tuple(person for of, person in lapsed.items() if of not in people)
    if not is_open:
        state = RuleState.LATER
    elif not missing:
        state = RuleState.AGREED
    else:
        state = RuleState.LAPSED if gone else RuleState.WAITING
    return RuleAnswer(rule, state, by, gone, missing)
