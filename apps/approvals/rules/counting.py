"""Which sign-offs stand, which count, and whether the quorum of a leg is met. Pure; the gate asks the same functions."""

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from uuid import UUID

from apps.approvals.rules.matching import match_seats
from apps.approvals.rules.proofs import suffices
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
from apps.core.ids import id_text

LAPSED = "lapsed"
LAST_EDITOR = "last_editor"
BEGUN = frozenset({LegState.STARTED, LegState.DONE, LegState.SKIPPED})
REMEMBERED = 512  # answers; the gate is asked about the same few again and again


def group_text(group: Group, *, service_id: UUID) -> str:
    """Name a group for comparing then and now; what depends on the service names the service."""
    match group.kind:
        case "OWNER":
            return f"owner:{group.owner}:{id_text(service_id)}"
        case "ROLE":
            return f"role:{group.role}:{id_text(service_id)}"
        case "TEAM":
            return f"team:{group.team}"
        case _:
            listed = "\n".join(sorted(str(person) for person in group.persons))
            return f"persons:{hashlib.sha256(listed.encode()).hexdigest()}"


def spoken_for(group: Group, *, facts: QuorumFacts) -> tuple[str, str]:
    """How a statement names a group that speaks for a leg. The target is in it: what was said for one place says nothing for another."""
    return group_text(group, service_id=facts.service_id), id_text(facts.target_id)


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


def editor_of(part: str) -> str:
    """The hand of whoever last changed one part."""
    return f"{LAST_EDITOR}:{part}"


def excluded_as(
    person: PersonFacts,
    *,
    rule: RuleFacts,
    policy: PolicyFacts,
    hands: Mapping[str, Collection[UUID]],
    stands_for: PersonFacts | None = None,
) -> str | None:
    """Say what a person did that keeps them from agreeing to what a rule covers: requester, last_editor and so on; else None.

    Last editor is whoever last changed any part that the rule covers: an edit of another part by another person launders nothing.

    The requester is kept out whatever a policy says, unless it allows SOLO. Who did what must be known: a KeyError is a no,
    nobody known would be nobody excluded. Who stands in for somebody is kept out by what either of the two did."""
    if stands_for is not None and (hand := excluded_as(stands_for, rule=rule, policy=replace(policy, solo=False), hands=hands)):
        return hand
    of = person.canonical_id
    solo = policy.solo and of in hands["requester"] and stands_for is None
    for hand, names in _looked_at(policy.exclude, rule.parts):
        # All are looked up before one is found: what is not known is a no.
        done_by = [hands[name] for name in names]
        if solo and hand in {"requester", LAST_EDITOR}:
            continue
        for one in done_by:
            if of in one:
                return hand
    return None


@lru_cache(maxsize=256)
def _looked_at(exclude: frozenset[str], parts: tuple[str, ...]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """What keeps people out, and by which names their hands are known: the requester first, whatever a policy says."""
    hands = ("requester", *sorted(exclude - {"requester"}))
    return tuple((hand, tuple(map(editor_of, parts)) if hand == LAST_EDITOR else (hand,)) for hand in hands)


def stands(covered: Mapping[str, str], *, digests: Mapping[str, str]) -> bool:
    """Whether everything a statement covers is still what was seen; covering nothing is not standing."""
    return bool(covered) and all(digests.get(part) == seen for part, seen in covered.items())


def was_away_since(person: PersonFacts, *, given_at: datetime) -> bool:
    """Whether somebody is not active, or was not at any time since they signed: coming back revives nothing."""
    return not person.is_active or (person.inactive_until is not None and given_at <= person.inactive_until)


def why_not_counted(sign_off: SignOffFacts, *, rule: RuleFacts, facts: QuorumFacts) -> str | None:
    """Return the code of what keeps a sign-off from counting for a rule now, or None when it counts."""
    policy = facts.policy
    if policy is None:
        return "no_policy"
    # Looked up before anything else: that nobody knows who did what is a no, whatever is in the way besides.
    hand = excluded_as(sign_off.person, rule=rule, policy=policy, hands=facts.hands, stands_for=sign_off.stands_for)
    if code := _why_not_said(sign_off, rule=rule, policy=policy) or _why_not_theirs(sign_off, rule=rule, facts=facts):
        return code
    if hand is not None:
        return "excluded"
    if not sign_off.covered.keys() >= set(rule.parts):
        return "parts"
    return None if stands(sign_off.covered, digests=facts.digests) else LAPSED


def _why_not_said(sign_off: SignOffFacts, *, rule: RuleFacts, policy: PolicyFacts) -> str | None:
    """Whether the statement is an agreement, proved, and to what the rule asks."""
    if sign_off.decision != "APPROVE":
        return "decision"
    if sign_off.signature_ok is not True:
        return "signature"
    if not suffices(sign_off.proof, asked=policy.strength):
        return "proof"
    return "meaning" if sign_off.meaning != rule.meaning else None


def _why_not_theirs(sign_off: SignOffFacts, *, rule: RuleFacts, facts: QuorumFacts) -> str | None:
    """Whether whoever signed may speak for the group: then, and now."""
    person, at = sign_off.person, sign_off.given_at
    holder = sign_off.stands_for or person
    if was_away_since(person, given_at=at) or (holder is not person and was_away_since(holder, given_at=at)):
        return "inactive"
    if sign_off.stands_for is not None and not sign_off.is_mandated:
        return "mandate"
    # Whether they are in the group now is the cheaper question.
    is_theirs = in_group(holder, rule.group) and spoken_for(rule.group, facts=facts) in sign_off.groups
    return None if is_theirs else "group"


def quorum(facts: QuorumFacts) -> QuorumAnswer:
    """Answer how far the agreement for one leg is, by distinct people, stage after stage.

    Where the environment asks for no agreement it is met, and where the change's model approves it beforehand; where people
    are asked and no policy says who, it never is. Of the very same facts the answer is remembered: neither of them ever changes."""
    if facts.people:  # many, and read anew each time: nothing of them is kept
        return _quorum(facts)
    known = _answers.get(id(facts))
    if known is not None and known[0] is facts:
        return known[1]
    answer = _quorum(facts)
    if len(_answers) >= REMEMBERED:
        _answers.clear()
    _answers[id(facts)] = (facts, answer)  # with the facts, so that nothing else is ever at their place
    return answer


_answers: dict[int, tuple[QuorumFacts, QuorumAnswer]] = {}


def _quorum(facts: QuorumFacts) -> QuorumAnswer:
    if not facts.asks_somebody:
        return QuorumAnswer(rules=(), met=True)
    if facts.policy is None or not facts.policy.rules:
        return QuorumAnswer(rules=(), met=False, has_policy=facts.policy is not None)
    rules = sorted(facts.policy.rules, key=lambda rule: rule.stage)  # stable: a stage keeps the order it is written in
    counted = counted_by_voice(facts)
    seats = [
        (rule, wanted) for rule in rules for wanted in seats_of(rule, voices={voice: voice for voice in counted[rule.key]}, facts=facts)
    ]
    taken = match_seats([wanted for _, wanted in seats])
    answers: list[RuleAnswer] = []
    fallen = [one for one in facts.sign_offs if not stands(one.covered, digests=facts.digests)]
    for rule in rules:
        sitting = [person for (of, _), person in zip(seats, taken, strict=True) if of.key == rule.key]
        earlier = all(answer.missing == 0 for answer in answers if answer.rule.stage < rule.stage)
        answers.append(_answer(rule, sitting, counted=counted[rule.key], lapsed=_lapsed(fallen, facts, rule), is_open=earlier))
    return QuorumAnswer(rules=tuple(answers), met=all(answer.state is RuleState.AGREED for answer in answers))


def voice_of(sign_off: SignOffFacts) -> UUID:
    """Whose seat a sign-off fills: one's own, or that of whom one stands in for."""
    return (sign_off.stands_for or sign_off.person).canonical_id


def counted_by_voice(facts: QuorumFacts) -> dict[str, dict[UUID, SignOffFacts]]:
    """The sign-offs that count, by rule and by whose seat they fill.

    A voice is heard once, whoever speaks; and a person has one voice, the one they used last: that makes matching voices to
    seats a matching of distinct people too."""
    rules = facts.policy.rules if facts.policy else ()
    heard: dict[UUID, UUID] = {}
    found: dict[str, dict[UUID, SignOffFacts]] = {rule.key: {} for rule in rules}
    for sign_off in sorted(facts.sign_offs, key=lambda one: (one.revision, one.given_at, one.id), reverse=True):
        keys = [rule.key for rule in rules if why_not_counted(sign_off, rule=rule, facts=facts) is None]
        voice = voice_of(sign_off)
        if keys and heard.setdefault(sign_off.person.canonical_id, voice) == voice:
            for key in keys:
                found[key].setdefault(voice, sign_off)
    return found


def seats_of(rule: RuleFacts, *, voices: Mapping[UUID, UUID], facts: QuorumFacts) -> list[frozenset[UUID]]:
    """Return the seats of a rule as who could fill each; a rule for everyone has one seat per member.

    VOICES says who would sit down for whom. A group without anybody keeps one seat that nobody can fill: an empty group never
    agrees. So does somebody who is named and not among the facts: who is not known is not left out."""
    if rule.needed:
        return [frozenset(voices.values())] * needed_of(rule, facts=facts)
    members = sorted({person.canonical_id for person in members_of(rule, facts=facts)})
    known = {one for person in facts.people if person.id == person.canonical_id for one in (person.id, *person.stands_for)}
    seats = [frozenset({voices[member]} if member in voices else ()) for member in members]
    return [*seats, *(frozenset() for _ in rule.group.persons - known)] or [frozenset()]


def needed_of(rule: RuleFacts, *, facts: QuorumFacts) -> int:
    """How many people a rule needs; 0 means everyone. Where makers are kept out and not all of them are known, the first rule
    that counts people needs one more: whoever made it may be among those who sign."""
    if not facts.has_unknown_makers:
        return rule.needed
    rules = sorted(facts.policy.rules, key=lambda one: one.stage) if facts.policy else []
    charged = next((one.key for one in rules if one.needed), None)
    return rule.needed + 1 if rule.key == charged else rule.needed


def members_of(rule: RuleFacts, *, facts: QuorumFacts) -> tuple[PersonFacts, ...]:
    """Return who could agree to a rule now: in the group, active, not excluded; one per human being."""
    if facts.policy is None:
        return ()
    found: dict[UUID, PersonFacts] = {}
    for person in facts.people:
        able = person.is_active and person.id == person.canonical_id and in_group(person, rule.group)
        if able and excluded_as(person, rule=rule, policy=facts.policy, hands=facts.hands) is None:
            found.setdefault(person.canonical_id, person)
    return tuple(found.values())


def to_come(legs: Iterable[QuorumFacts]) -> tuple[QuorumFacts, ...]:
    """The legs whose agreement still matters: what has begun was judged when it began."""
    return tuple(leg for leg in legs if leg.leg_state not in BEGUN)


def all_met(legs: Collection[QuorumFacts]) -> bool:
    """Whether the quorum of every leg still to come is met; a change without legs is not agreed."""
    return bool(legs) and all(quorum(leg).met for leg in to_come(legs))


def _lapsed(fallen: Iterable[SignOffFacts], facts: QuorumFacts, rule: RuleFacts) -> dict[UUID, PersonFacts]:
    found: dict[UUID, PersonFacts] = {}
    for sign_off in fallen:
        if why_not_counted(sign_off, rule=rule, facts=facts) == LAPSED:
            found.setdefault(voice_of(sign_off), sign_off.person)
    return found


def _answer(
    rule: RuleFacts,
    sitting: list[UUID | None],
    *,
    counted: Mapping[UUID, SignOffFacts],
    lapsed: Mapping[UUID, PersonFacts],
    is_open: bool,
) -> RuleAnswer:
    given = [counted[voice] for voice in sitting if voice is not None]
    missing = len(sitting) - len(given)
    gone = tuple(person for of, person in lapsed.items() if of not in counted)
    if not is_open:
        state = RuleState.LATER
    elif not missing:
        state = RuleState.AGREED
    else:
        state = RuleState.LAPSED if gone else RuleState.WAITING
    by = tuple(one.person for one in given)
    return RuleAnswer(rule, state, by, gone, missing, {one.person.id: one.stands_for for one in given if one.stands_for})
