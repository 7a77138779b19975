"""Which rules a person may speak for: in their own right, or in the place of somebody who asked them to. Pure."""

from collections.abc import Iterator
from uuid import UUID

from apps.approvals.rules.counting import excluded_as, in_group, quorum, to_come, voice_of, why_not_counted
from apps.approvals.rules.giving import is_given_by_hands
from apps.approvals.rules.shapes import Mandate, QuorumFacts, ReviewFacts, RuleState, Seat, SignOffFacts
from apps.catalog.rules import PersonFacts


def person_in(leg: QuorumFacts, person_id: UUID | None) -> PersonFacts | None:
    """Find a person among the members of a leg's groups and those who stand in for them."""
    return next((one for one in leg.people if one.id == person_id), None)


def seats_for(facts: ReviewFacts, *, by: UUID | None) -> tuple[Seat, ...]:
    """Return every rule, of every leg, that the person may speak for and is not kept out of, whatever its stage.

    A seat that the requester or a kept-out editor gave is none here.

    One's own seats come first: who is in the group needs nobody's place."""
    seats: list[Seat] = []
    for leg in to_come(facts.legs):
        person = person_in(leg, by)
        if person is None or leg.policy is None or not leg.asks_somebody or not person.is_active:
            continue
        policy = leg.policy
        for holder, mandate in _voices(leg, person):
            seated = _seated(leg, holder or person, stands_for=holder, mandate=mandate)
            seats += [
                seat
                for seat in seated
                if excluded_as(person, rule=seat.rule, policy=policy, hands=leg.hands, stands_for=holder) is None
                and not is_given_by_hands(person, rule=seat.rule, policy=policy, hands=leg.hands, stands_for=holder)
            ]
    return tuple(sorted(seats, key=lambda seat: seat.stands_for is not None))


def asked_seats(facts: ReviewFacts, *, by: UUID | None) -> tuple[Seat, ...]:
    """Return every rule that asks for the person, agreeing or not: what a rejection speaks for. Of one voice."""
    seats = [
        seat
        for leg in facts.legs
        if (person := person_in(leg, by)) and person.is_active
        for holder, mandate in _voices(leg, person)
        for seat in _seated(leg, holder or person, stands_for=holder, mandate=mandate)
    ]
    voice = min((seat.voice for seat in seats), key=lambda one: (one is not None, one or UUID(int=0)), default=None)
    return tuple(seat for seat in seats if seat.voice == voice)


def open_seats(facts: ReviewFacts, *, by: UUID | None, meaning: str = "") -> tuple[Seat, ...]:
    """Return the seats whose stage is open, of one voice and one meaning: the one asked for, else that of the first seat still
    waiting.

    One that waits for this person comes before one that waits for others: who has reviewed may be asked to approve too.
    Who has spoken with a voice goes on with it, as long as it has a seat: a person is counted once."""
    given = own_sign_offs(facts, by=by)
    seats = [seat for seat in seats_for(facts, by=by) if seat.state is not RuleState.LATER]
    if used := next((_voice(one) for one in given if any((seat.voice,) == _voice(one) for seat in seats)), ()):
        seats = [seat for seat in seats if (seat.voice,) == used]
    waiting = [seat for seat in seats if seat.state is not RuleState.AGREED]
    unsaid = [seat for seat in waiting if not any(says_everything(own, seat=seat) for own in given)]
    first = next(iter((*unsaid, *waiting, *seats)), None)
    if meaning:
        first = next((seat for seat in (*unsaid, *waiting, *seats) if seat.rule.meaning == meaning), None)
    if first is None:
        return ()
    return tuple(seat for seat in seats if (seat.rule.meaning, seat.voice) == (first.rule.meaning, first.voice))


def own_sign_offs(facts: ReviewFacts, *, by: UUID | None) -> tuple[SignOffFacts, ...]:
    """The person's decisions that were not withdrawn, the newest first."""
    given = {one.id: one for leg in facts.legs for one in leg.sign_offs if one.person.id == by}
    return tuple(sorted(given.values(), key=lambda one: (one.revision, one.given_at), reverse=True))


def says_everything(sign_off: SignOffFacts, *, seat: Seat) -> bool:
    """Whether a sign-off counts for the seat and was given with the deployment settings of today before one's eyes."""
    if (_voice(sign_off) != (seat.voice,)) or why_not_counted(sign_off, rule=seat.rule, facts=seat.leg) is not None:
        return False
    return all(sign_off.settings.get(target) == digest for target, digest in seat.leg.settings.items())


def _voice(sign_off: SignOffFacts) -> tuple[UUID | None]:
    return (voice_of(sign_off) if sign_off.stands_for else None,)


def _voices(leg: QuorumFacts, person: PersonFacts) -> Iterator[tuple[PersonFacts | None, Mandate | None]]:
    """With which voices somebody may speak: their own, then of whom they stand in for now. Nobody passes a mandate on."""
    yield None, None
    for mandate in leg.mandates:
        holder = person_in(leg, mandate.person_id)
        if mandate.delegate_id == person.canonical_id and holder is not None and holder.is_active:
            yield holder, mandate


def _seated(leg: QuorumFacts, holder: PersonFacts, *, stands_for: PersonFacts | None, mandate: Mandate | None) -> list[Seat]:
    of = mandate.id if mandate else None
    return [Seat(leg, answer.rule, answer.state, stands_for, of) for answer in quorum(leg).rules if in_group(holder, answer.rule.group)]
