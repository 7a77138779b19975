"""Given sign-offs in words: who, meaning what, when, proved by what, in whose place and why; and what keeps one from counting."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.urls import reverse

from apps.approvals.models import Decision
from apps.approvals.rules import (
    PASSKEY,
    PASSWORD,
    PASSWORD_AND_CODE,
    SESSION,
    QuorumFacts,
    RuleAnswer,
    RuleFacts,
    SignOffFacts,
    Strength,
    counted_by_voice,
    excluded_as,
    group_words,
    spoken_for,
    voice_of,
    was_away_since,
    why_not_counted,
)
from apps.home.facts.telling import listed

PROVED_BY = {
    PASSKEY: "passkey",
    PASSWORD_AND_CODE: "password and code",
    PASSWORD: "password",
    SESSION: "session alone",
}
DID = {
    "requester": "asked for this change",
    "last_editor": "edited last what the rule covers",
    "author": "wrote a commit of it",
    "committer": "committed it",
    "implementer": "had a part of it deployed",
}
LAPSED = "lapsed"
PROOF_ASKED = {
    Strength.ANY: "Nothing but a session proves it.",
    Strength.TWO_FACTORS: "The policy now asks for two factors.",
    Strength.PASSKEY: "The policy now asks for a passkey.",
}
UNPROVED = "Its proof does not hold, so it counts for nobody."


@dataclass(frozen=True, slots=True)
class Given:
    """One sign-off as a line; the name is the one that was printed in the statement."""

    id: UUID
    name: str
    now: str  # what the person is called today, where that is something else
    in_place_of: str
    meaning: str
    at: datetime
    proof: str
    reason: str
    url: str
    is_solo: bool = False
    is_rejection: bool = False
    why_not: str = ""  # what keeps it from counting

    @property
    def who(self) -> str:
        """Who signed, and in whose place."""
        return f"{self.name} for {self.in_place_of}" if self.in_place_of else self.name


def meaning_words(*, decision: str, meaning: str) -> str:
    """What a signature means, in one word."""
    return "rejection" if decision == Decision.REJECT else meaning.lower()


def given(one: SignOffFacts, *, ref: str, leg: QuorumFacts, why_not: str = "") -> Given:
    """A sign-off as a line of one leg."""
    printed = one.printed_name or one.person.name
    return Given(
        id=one.id,
        name=printed,
        now=one.person.name if one.person.name != printed else "",
        in_place_of=one.stands_for.name if one.stands_for else "",
        meaning=meaning_words(decision=one.decision, meaning=one.meaning),
        at=one.given_at,
        proof=PROVED_BY.get(one.proof, ""),
        reason=one.reason,
        url=reverse("home:given_sign_off", args=[ref, one.id]) if ref else "",
        is_solo=is_own(one, leg=leg),
        is_rejection=one.decision == Decision.REJECT,
        why_not=why_not,
    )


def is_own(one: SignOffFacts, *, leg: QuorumFacts) -> bool:
    """Whether whoever asked for the change signed it alone."""
    return one.stands_for is None and one.person.canonical_id in leg.hands["requester"]


def counted(leg: QuorumFacts, answer: RuleAnswer, *, ref: str) -> list[Given]:
    """The sign-offs that fill the seats of a rule."""
    found = counted_by_voice(leg).get(answer.rule.key, {})
    seated = {person.id for person in answer.by}
    return [given(one, ref=ref, leg=leg) for one in found.values() if one.person.id in seated]


def uncounted(leg: QuorumFacts, answer: RuleAnswer, *, ref: str) -> list[Given]:
    """The newest sign-off of everybody who spoke for a rule and does not count for it now, with what keeps it from counting."""
    heard = {voice for voices in counted_by_voice(leg).values() for voice in voices}
    newest: dict[UUID, SignOffFacts] = {}
    for one in leg.sign_offs:
        if one.decision == Decision.APPROVE and voice_of(one) not in heard and speaks(one, rule=answer.rule, leg=leg):
            newest[voice_of(one)] = one
    lines = []
    for one in newest.values():
        code = why_not_counted(one, rule=answer.rule, facts=leg)
        if code is not None:
            lines.append(given(one, ref=ref, leg=leg, why_not=why_words(one, code=code, rule=answer.rule, leg=leg)))
    return lines


def speaks(one: SignOffFacts, *, rule: RuleFacts, leg: QuorumFacts) -> bool:
    """Whether a sign-off was given for a rule: for its group, or for another group of its place where no rule asks that one now."""
    if spoken_for(rule.group, facts=leg) in one.groups:
        return True
    asked = {spoken_for(each.group, facts=leg) for each in (leg.policy.rules if leg.policy else ())}
    here = {named for named in one.groups if named[1] == str(leg.target_id)}
    return bool(here) and not here & asked


def rejections(legs: Iterable[QuorumFacts], *, ref: str) -> list[Given]:
    """Who said no, once each."""
    found = {one.id: (one, leg) for leg in legs for one in leg.sign_offs if one.decision == Decision.REJECT}
    return [given(one, ref=ref, leg=leg, why_not="" if one.signature_ok else UNPROVED) for one, leg in found.values()]


def why_words(one: SignOffFacts, *, code: str, rule: RuleFacts, leg: QuorumFacts) -> str:
    """What keeps a sign-off from counting, as a sentence."""
    holder = one.stands_for or one.person
    away = one.person if was_away_since(one.person, given_at=one.given_at) else holder
    changed = [part for part, seen in one.covered.items() if leg.digests.get(part) != seen]
    said = {
        "no_policy": "No policy says who agrees here.",
        "signature": UNPROVED,
        "proof": PROOF_ASKED[leg.policy.strength] if leg.policy else "",
        "meaning": f"The rule now asks for {rule.meaning.lower()}.",
        "inactive": f"{away.name} was deactivated after it." if away.is_active else f"{away.name} is not active any more.",
        "mandate": f"{holder.name} had not asked {one.person.name} to sign at that time.",
        "group": f"{holder.name} is not {group_words(rule.group, service=leg.service)} any more, or the rule asks others now.",
        "parts": f"The rule now covers more: {listed([part for part in rule.parts if part not in one.covered] or ['more'])}.",
        LAPSED: f"An edit changed {listed(changed or ['what it covered'])} after it.",
    }
    if code == "excluded" and leg.policy is not None:
        hand = excluded_as(one.person, rule=rule, policy=leg.policy, hands=leg.hands, stands_for=one.stands_for)
        return f"{one.person.name} {DID.get(hand or '', 'is kept out')}, so it does not count."
    return said.get(code, "It does not count for this rule now.")
