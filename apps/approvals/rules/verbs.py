"""Why a verb of sign-off is refused: pure answers for the action, for the page and for the API alike."""

from collections.abc import Callable

from apps.approvals.rules.counting import excluded_as, in_group, members_of, quorum, spoken_for, to_come
from apps.approvals.rules.giving import is_given_by_hands
from apps.approvals.rules.proofs import ASKS_FOR, PASSKEY, PASSWORD, PASSWORD_AND_CODE, SESSION, TO_ADD, Strength, strictest, suffices
from apps.approvals.rules.seats import asked_seats, open_seats, own_sign_offs, person_in, says_everything, seats_for
from apps.approvals.rules.shapes import QuorumFacts, ReviewFacts, SignOffFacts
from apps.catalog.rules import PersonFacts
from apps.changes.states import OPEN, LegState, State
from apps.core.actors import Actor, ActorKind
from apps.core.moments import utc_words
from apps.core.refusals import Refusal, not_allowed, not_now

RUNNING_OR_DONE = frozenset({LegState.STARTED, LegState.DONE})
# The credentials by which somebody is there in person; what is not named here does not sign.
PRESENT = frozenset({PASSKEY, PASSWORD_AND_CODE, PASSWORD, SESSION})
HANDS = {
    "requester": ("own_change", "You asked for this change, so you cannot sign it."),
    "last_editor": ("own_edit", "You made the last edit of what you would sign, so you cannot sign it."),
    "implementer": ("own_deployment", "You had a part of this change deployed, so you cannot sign it."),
}


def why_not_signed_by(by: Actor) -> Refusal | None:
    """Only a person who is present signs; a token of theirs does not."""
    if by.kind is ActorKind.PERSON and by.credential in PRESENT:
        return None
    return not_allowed("not_a_person", "Only a person signs, not a token or a workload.", "Sign in and open the change's sign-off page.")


def why_not_stale(facts: ReviewFacts, *, revision_digest: str) -> Refusal | None:
    """What is decided on, or edited, must be what was read."""
    if revision_digest == facts.revision_digest:
        return None
    when = utc_words(facts.revised_at)
    return not_now(
        "stale_revision",
        f"{facts.revised_by} edited {facts.ref} on {when}; revision {facts.revision} is the newest.",
        "Read the difference, then go on from that revision.",
    )


def why_not_approve(facts: ReviewFacts, *, revision_digest: str, by: Actor, meaning: str = "") -> Refusal | None:
    """Say why a person cannot agree to this revision, or None."""
    answers: tuple[Callable[[], Refusal | None], ...] = (
        lambda: why_not_signed_by(by),
        lambda: _why_not_open(facts, State.IN_REVIEW, State.APPROVED, State.IN_PROGRESS),
        lambda: why_not_stale(facts, revision_digest=revision_digest),
        lambda: _why_not_asked(facts, by=by),
        lambda: _why_not_self_granted(facts, by=by),
        lambda: _why_not_seated(facts, by=by, meaning=meaning),
        lambda: _why_not_proved_enough(facts, by=by, meaning=meaning),
        lambda: _why_not_again(facts, by=by, meaning=meaning),
    )
    return next((refusal for answer in answers if (refusal := answer())), None)


def why_not_reject(facts: ReviewFacts, *, revision_digest: str, by: Actor) -> Refusal | None:
    """Say why a person cannot reject this revision; who is asked may always say no, an editor too, a requester withdraws."""
    answers: tuple[Callable[[], Refusal | None], ...] = (
        lambda: why_not_signed_by(by),
        lambda: _why_not_open(facts, State.IN_REVIEW, State.APPROVED),
        lambda: _why_not_begun(facts, "rejected"),
        lambda: why_not_stale(facts, revision_digest=revision_digest),
        lambda: _why_not_own(facts, by=by, cure="Withdraw it instead."),
        lambda: _why_not_in_a_group(facts, by=by),
        lambda: _why_not_self_granted(facts, by=by),
    )
    return next((refusal for answer in answers if (refusal := answer())), None)


def why_not_send_back(facts: ReviewFacts, *, by: Actor, is_release_manager: bool) -> Refusal | None:
    """Say why a person cannot send the change back to its requester."""
    return (
        why_not_signed_by(by)
        or _why_not_open(facts, State.IN_REVIEW)
        or _why_not_begun(facts, "sent back")
        or _why_not_own(facts, by=by, cure="Edit it as it is, or withdraw it.")
        or (None if is_release_manager else _why_not_in_a_group(facts, by=by))
    )


def why_not_withdraw_sign_off(facts: ReviewFacts, *, sign_off: SignOffFacts, by: Actor) -> Refusal | None:
    """Say why a sign-off cannot be taken back: it is another's, the change is over, or what it allowed has begun."""
    if sign_off.person.id != by.person_id:
        return not_allowed("not_yours", f"This sign-off is {sign_off.person.name}'s.", f"Only {sign_off.person.name} takes it back.")
    if facts.state not in {State.DRAFT, *OPEN}:
        return _why_not_open(facts, *OPEN)
    if any(leg.leg_state in RUNNING_OR_DONE and speaks_for(sign_off, leg=leg) for leg in facts.legs):
        return not_now("leg_started", "The deployment that this sign-off allowed has begun.", "Abort or roll back the deployment instead.")
    return None


def speaks_for(sign_off: SignOffFacts, *, leg: QuorumFacts) -> bool:
    """Whether the statement names a group of the leg's policy, for the leg's target."""
    rules = leg.policy.rules if leg.policy else ()
    return any(spoken_for(rule.group, facts=leg) in sign_off.groups for rule in rules)


def _why_not_open(facts: ReviewFacts, *states: State) -> Refusal | None:
    if facts.state in states:
        return None
    words = {
        State.DRAFT: ("not_submitted", f"{facts.ref} is a draft.", "Its requester submits it first."),
        State.APPROVED: ("already_approved", f"{facts.ref} is approved.", "Withdraw your own sign-off, or reject it."),
        State.IN_PROGRESS: ("in_progress", f"A deployment of {facts.ref} has begun.", "Abort or roll back the deployment instead."),
    }
    over = (
        "change_over",
        f"{facts.ref} is {facts.state.lower().replace('_', ' ')}; nothing is decided on it any more.",
        "Copy it into a new change.",
    )
    return not_now(*words.get(State(facts.state), over))


def _why_not_begun(facts: ReviewFacts, done: str) -> Refusal | None:
    if not any(leg.leg_state in RUNNING_OR_DONE for leg in facts.legs):
        return None
    return not_now(
        "leg_started",
        f"A deployment of {facts.ref} has begun, so it cannot be {done}.",
        "Withdraw your sign-off from what is still to come.",
    )


def _why_not_own(facts: ReviewFacts, *, by: Actor, cure: str) -> Refusal | None:
    if by.person_id != facts.requester_id:
        return None
    return not_allowed("own_change", "You asked for this change.", cure)


def _why_not_asked(facts: ReviewFacts, *, by: Actor) -> Refusal | None:
    """Excluded everywhere, or in no group at all: which of both is said."""
    if seats_for(facts, by=by.person_id):
        return None
    required = [leg for leg in to_come(facts.legs) if leg.asks_somebody]
    if beforehand := _why_nobody(facts):
        return beforehand
    if not required:
        return not_now("nobody_asked", f"{facts.ref} needs nobody's agreement for what is still to come.", "Deploy it.")
    if all(leg.policy is None for leg in required):
        where = ", ".join(sorted({f"{leg.service} in {leg.environment}" for leg in required}))
        return not_now("no_policy", f"No policy says who agrees to {where}.", "An administrator writes one.")
    hand = next((hand for leg in required if (hand := _hand(leg, by=by))), None)
    if hand is None:
        return _why_not_let_in(facts, required, by=by) or _not_asked(facts, required, by=by)
    code, said = HANDS.get(hand, (f"own_{hand}", f"You are the {hand.replace('_', ' ')} of this change, so you cannot sign it."))
    return not_allowed(code, said, _others_words(required, by=by))


def _hand(leg: QuorumFacts, *, by: Actor) -> str | None:
    if leg.policy is None or by.person_id is None:
        return None
    nobody = PersonFacts(
        by.person_id, "", is_active=True, roles=frozenset(), team_ids=frozenset(), owner_of=frozenset(), canonical_id=by.person_id
    )
    person = person_in(leg, by.person_id) or nobody
    hands = (excluded_as(person, rule=rule, policy=leg.policy, hands=leg.hands) for rule in leg.policy.rules)
    return next((hand for hand in hands if hand), None)


def _others_words(legs: list[QuorumFacts], *, by: Actor) -> str:
    others = {
        person.canonical_id: person.name
        for leg in legs
        for rule in (leg.policy.rules if leg.policy else ())
        for person in members_of(rule, facts=leg)
        if person.id != by.person_id and leg.policy and not is_given_by_hands(person, rule=rule, policy=leg.policy, hands=leg.hands)
    }
    if not others:
        return "Nobody else can sign it: an administrator names another owner."
    named = sorted(others.values())
    return f"{', '.join(named[:3])} can." if len(named) <= 3 else f"{', '.join(named[:3])} and {len(named) - 3} more can."


def _why_not_in_a_group(facts: ReviewFacts, *, by: Actor) -> Refusal | None:
    required = [leg for leg in facts.legs if leg.required == "APPROVED"]
    return None if asked_seats(facts, by=by.person_id) else _why_nobody(facts) or _not_asked(facts, required, by=by)


def _why_nobody(facts: ReviewFacts) -> Refusal | None:
    """A model speaks for everybody who would have to sign what is still to come."""
    legs = [leg for leg in to_come(facts.legs) if leg.required == "APPROVED"]
    given = next((leg.pre_approval for leg in legs if leg.pre_approval), None)
    if given is None or any(leg.asks_somebody for leg in legs):
        return None
    return not_now("pre_approved", f"Nobody has to sign: it is approved beforehand by {given.words}.", "A hold on the target stops it.")


def _why_not_let_in(facts: ReviewFacts, legs: list[QuorumFacts], *, by: Actor) -> Refusal | None:
    """In a group, and put there by a hand of this very change."""
    seated = [
        is_given_by_hands(person, rule=rule, policy=leg.policy, hands=leg.hands)
        for leg in legs
        if leg.policy and (person := person_in(leg, by.person_id))
        for rule in leg.policy.rules
        if in_group(person, rule.group)
    ]
    if not any(seated):
        return None
    return not_allowed(
        "let_in",
        f"What would let you sign {facts.ref} was given to you by whoever asked for it or edited it.",
        f"Another administrator gives it to you anew. {_others_words(legs, by=by)}",
    )


def _not_asked(facts: ReviewFacts, legs: list[QuorumFacts], *, by: Actor) -> Refusal:
    return not_allowed("not_asked", f"No rule asks you about {facts.ref}.", _others_words(legs, by=by))


def _why_not_self_granted(facts: ReviewFacts, *, by: Actor) -> Refusal | None:
    """Nobody makes themselves an approver of a change that is already open."""
    given = [one.self_granted_at for leg in facts.legs if (one := person_in(leg, by.person_id)) and one.self_granted_at]
    if facts.opened_at is None or not any(at > facts.opened_at for at in given):
        return None
    return not_allowed(
        "self_granted",
        f"You gave yourself a role, a team or a service after {facts.ref} was submitted.",
        "Somebody else signs this one; changes submitted from now on are open to you.",
    )


def _why_not_seated(facts: ReviewFacts, *, by: Actor, meaning: str) -> Refusal | None:
    if open_seats(facts, by=by.person_id, meaning=meaning):
        return None
    if meaning and open_seats(facts, by=by.person_id):
        return not_allowed(
            "other_meaning", f"No rule asks you for {meaning.lower()} of {facts.ref}.", "Sign with the meaning the rule names."
        )
    seat = seats_for(facts, by=by.person_id)[0]
    earlier = next(answer.rule for answer in quorum(seat.leg).rules if answer.missing and answer.rule.stage < seat.rule.stage)
    return not_now(
        "later_stage",
        f"“{seat.rule.label}” comes after “{earlier.label}”, which has not agreed yet.",
        f"Sign when “{earlier.label}” has agreed.",
    )


def _why_not_proved_enough(facts: ReviewFacts, *, by: Actor, meaning: str) -> Refusal | None:
    """An agreement that would not count is not taken. A rejection asks for none: to say no is never made harder."""
    seats = open_seats(facts, by=by.person_id, meaning=meaning)
    asked = strictest([seat.leg.policy.strength for seat in seats if seat.leg.policy])
    if asked is Strength.ANY or suffices(by.credential, asked=asked):
        return None
    where = next(seat.leg for seat in seats if seat.leg.policy and seat.leg.policy.strength is asked)
    alone = ", and your password alone is one" if by.credential == PASSWORD and asked is Strength.TWO_FACTORS else ""
    said = f"The policy of {where.service} in {where.environment} asks for {ASKS_FOR[asked]}{alone}."
    code = "passkey_required" if asked is Strength.PASSKEY else "two_factors_required"
    add = TO_ADD[asked if by.credential == PASSWORD else Strength.PASSKEY]  # a code goes with a password alone
    return not_allowed(code, said, f"Add {add} on your profile, then sign with it.")


def _why_not_again(facts: ReviewFacts, *, by: Actor, meaning: str) -> Refusal | None:
    seats = open_seats(facts, by=by.person_id, meaning=meaning)
    for own in own_sign_offs(facts, by=by.person_id):
        if all(says_everything(own, seat=seat) for seat in seats):
            when = utc_words(own.given_at)
            said = f"You agreed on {when}, and nothing you covered has changed since."
            return not_now("already", said, "Nothing is left for you to do here.")
    return None
