"""Mails about a change: what is asked, what became of it, what was said."""

from collections.abc import Callable, Mapping
from typing import Final

from django.urls import reverse

from apps.audit.entries import StreamEntry
from apps.audit.vocabulary import Event
from apps.changes.facts import current_legs
from apps.changes.models import Change
from apps.notifications.kinds import Kind, Relation
from apps.notifications.letters.deciding import cut, deciding_sections, passage, place_of, since_signed
from apps.notifications.letters.shape import Letter, Reader, Section, address_of, listing, section
from apps.notifications.models import Delivery
from apps.schedule.facts import slots_of

NO_ANSWER = "Nothing is decided by answering this mail or by opening its links."
DECIDE = f"Read it here or on its page, then approve it, reject it or ask for a change there. {NO_ANSWER}"
SIGNING = frozenset({Kind.SIGN_OFF_ASKED, Kind.SIGN_OFF_LAPSED, Kind.SIGN_OFF_REMINDED})
COMMENTS = frozenset({Kind.MENTIONED, Kind.COMMENTED})
Words = Callable[[Change, str, Reader], tuple[str, str, str]]  # headline, lead, cure


def change_letter(
    delivery: Delivery, change: Change, *, entry: StreamEntry, by: str, reader: Reader, is_brief: bool, is_short: bool
) -> Letter:
    """One mail about one change, or its line in a digest (short). Of what only some may see, a mail names the number and no more."""
    headline, lead, cure = words_of(delivery, change, by=by, reader=reader)
    is_signing = delivery.kind in SIGNING
    route, word = ("home:sign_off", "Decide") if is_signing else ("home:change", "Open the change")
    return Letter(
        subject=f"{headline}: {change.ref}" if is_brief else f"{headline}: {change.title} ({change.ref})",
        lead=lead,
        cure=cure,
        url=address_of(reverse(route, args=[change.ref])),
        word=f"{word} {change.ref}" if is_signing else word,
        because=Relation(delivery.relation).words,
        short="" if is_brief or not is_short else in_short(change, reader=reader),
        sections=() if is_brief or is_short else sections_of(delivery, change, entry=entry, reader=reader),
    )


def in_short(change: Change, *, reader: Reader) -> str:
    """What a line of a digest says of a change: versions, places, when, risk."""
    legs, slots = [*current_legs(change)], slots_of(change)
    starts = min((slot.starts_at for slot in slots.values()), default=None)
    when = f"planned for {reader.moment(starts)}" if starts else f"until {reader.moment(change.not_after)}" if change.not_after else ""
    risk = "" if change.risk is None else f"risk {change.risk}"
    return " · ".join(part for part in (*(f"{place_of(leg)} {passage(leg)}" for leg in legs), when, risk) if part)


def words_of(delivery: Delivery, change: Change, *, by: str, reader: Reader) -> tuple[str, str, str]:
    """The fact in the subject, the fact in a sentence, and the cure."""
    words = BY_KIND.get(delivery.kind) or BY_EVENT.get(delivery.event) or _news
    if delivery.event == Event.SIGN_OFF_ESCALATED:
        words = _escalated
    return words(change, by, reader)


def sections_of(delivery: Delivery, change: Change, *, entry: StreamEntry, reader: Reader) -> tuple[Section, ...]:
    """Enough to decide where a decision is asked; the words that were written; else what it is about."""
    reason, text = entry.details.get("reason") or "", entry.details.get("text") or ""
    said = listing("What was written" if delivery.kind in COMMENTS else "Why", [cut(text or reason)])
    if delivery.kind == Kind.SIGN_OFF_LAPSED:
        return (since_signed(change, reader=reader), *deciding_sections(change, reader=reader))
    if delivery.kind in SIGNING:
        return deciding_sections(change, reader=reader)
    return (said, section("What it is about", *((place_of(leg), passage(leg)) for leg in current_legs(change))))


def _asked(change: Change, by: str, reader: Reader) -> tuple[str, str, str]:
    del by, reader
    return "Your agreement is asked for", f"{change.requester.name} asks for your agreement to {change.ref}.", DECIDE


def _lapsed(change: Change, by: str, reader: Reader) -> tuple[str, str, str]:
    del reader
    number = change.revision.number if change.revision else 0
    lead = f"{by} edited what you had signed of {change.ref}; revision {number} is the newest."
    return "Your sign-off lapsed", lead, f"Read the difference, then re-affirm on its page. {NO_ANSWER}"


def _until(change: Change, reader: Reader) -> str:
    return f" It expires on {reader.moment(change.not_after)}." if change.not_after else ""


def _reminded(change: Change, by: str, reader: Reader) -> tuple[str, str, str]:
    del by
    lead = f"{change.ref} of {change.requester.name} still waits for your agreement.{_until(change, reader)} Silence never approves."
    return "Your agreement is still asked for", lead, DECIDE


def _escalated(change: Change, by: str, reader: Reader) -> tuple[str, str, str]:
    del by
    lead = f"{change.ref} of {change.requester.name} still waits: who was asked has not decided.{_until(change, reader)}"
    return "An agreement is overdue", lead, f"Ask them, or decide yourself where you may. {NO_ANSWER}"


def _sent_back(change: Change, by: str, reader: Reader) -> tuple[str, str, str]:
    del reader
    cure = "Edit it and submit it again. What was agreed to stands as long as those parts stay as they are."
    return "Sent back to its requester", f"{by} asks for more work on {change.ref}.", cure


def _finished(change: Change, by: str, reader: Reader) -> tuple[str, str, str]:
    del by, reader
    outcome = change.outcome.lower().replace("_", " ")
    return "Over", f"{change.ref} is over: {outcome}.", "Its requester writes in a sentence what was learned, then closes it."


def _approved(change: Change, by: str, reader: Reader) -> tuple[str, str, str]:
    del by
    lead = f"{change.ref} is approved: everybody who must agree has.{_until(change, reader)}"
    return "Approved", lead, "It may be deployed inside its period; the gate judges again at the start."


def _rejected(change: Change, by: str, reader: Reader) -> tuple[str, str, str]:
    del reader
    return "Rejected", f"{by} rejected {change.ref}. Nothing of it is deployed.", "Copy it into a new change to ask differently."


def _withdrawn(change: Change, by: str, reader: Reader) -> tuple[str, str, str]:
    del reader
    return "Withdrawn", f"{by} withdrew {change.ref}. Nothing of it is deployed.", "Nothing is left to do."


def _expired(change: Change, by: str, reader: Reader) -> tuple[str, str, str]:
    del by, reader
    lead = f"{change.ref} expired before everything was agreed and done. Silence never approves."
    return "Expired", lead, "Copy it into a new change to ask again."


def _reopened(change: Change, by: str, reader: Reader) -> tuple[str, str, str]:
    del by, reader
    lead = f"{change.ref} is in review again: an agreement it had does not count any more."
    return "In review again", lead, "Its page names who must agree now."


def _commented(change: Change, by: str, reader: Reader) -> tuple[str, str, str]:
    del reader
    return f"{by} commented", f"{by} commented on {change.ref}.", "Answer on its page."


def _mentioned(change: Change, by: str, reader: Reader) -> tuple[str, str, str]:
    del reader
    return f"{by} names you", f"{by} names you in a comment on {change.ref}.", "Answer on its page."


def _in_your_place(change: Change, by: str, reader: Reader) -> tuple[str, str, str]:
    del reader
    cure = "Was it not agreed that they stand in for you: end the delegation on your page of absence and tell an administrator."
    return "Signed in your place", f"{by} decided on {change.ref}: your place was taken.", cure


def _news(change: Change, by: str, reader: Reader) -> tuple[str, str, str]:
    del by, reader
    return "News", f"Something happened to {change.ref}.", "Its page tells what."


BY_KIND: Final[Mapping[str, Words]] = {
    Kind.ACCOUNT: _in_your_place,
    Kind.SIGN_OFF_ASKED: _asked,
    Kind.SIGN_OFF_LAPSED: _lapsed,
    Kind.SIGN_OFF_REMINDED: _reminded,
    Kind.MENTIONED: _mentioned,
    Kind.COMMENTED: _commented,
}
BY_EVENT: Final[Mapping[str, Words]] = {
    Event.CHANGE_SENT_BACK: _sent_back,
    Event.CHANGE_FINISHED: _finished,
    Event.CHANGE_APPROVED: _approved,
    Event.CHANGE_REJECTED: _rejected,
    Event.CHANGE_WITHDRAWN: _withdrawn,
    Event.CHANGE_EXPIRED: _expired,
    Event.CHANGE_REOPENED: _reopened,
}
