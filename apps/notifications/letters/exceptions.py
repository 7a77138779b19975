"""Mails about exceptions: one that waits for its second person, one that is over, and one whose review is owed."""

from django.urls import reverse

from apps.approvals.facts import place_of
from apps.approvals.models import LegException
from apps.approvals.rules import LIFTABLE, ExceptionKind
from apps.audit.vocabulary import Event
from apps.notifications.kinds import Kind, Relation
from apps.notifications.letters.deciding import cut
from apps.notifications.letters.shape import Letter, Reader, address_of, section
from apps.notifications.models import Delivery


def exception_letter(delivery: Delivery, one: LegException, *, reader: Reader, is_brief: bool) -> Letter:
    """What is asked, by whom, for what; nothing is decided by opening its page."""
    place, kind = place_of(one.leg), ExceptionKind(one.kind)
    headline, lead, cure = _words(delivery, one, place="its place" if is_brief else place, reader=reader)
    about = section(
        "What is known",
        ("Place", place),
        ("Change", f"{one.leg.change.ref} {one.leg.change.title}"),
        ("Version", one.leg.item.label),
        ("Passes", ", ".join(LIFTABLE[rule] for rule in LIFTABLE if rule in one.lifts) or kind.text),
        ("Minutes", str(one.minutes)),
        ("Why", cut(one.reason)),
    )
    return Letter(
        subject=f"{headline}: {one.ref}" if is_brief else f"{headline}: {place} ({one.ref})",
        lead=lead,
        cure=cure,
        url=address_of(reverse("home:exception", args=[one.pk])),
        word=f"Open {one.ref}",
        because=Relation(delivery.relation).words,
        sections=() if is_brief else (about,),
    )


def _words(delivery: Delivery, one: LegException, *, place: str, reader: Reader) -> tuple[str, str, str]:
    """Headline, lead and cure."""
    if delivery.kind == Kind.REVIEW_OVERDUE:
        return _owed_words(delivery, one, place=place, reader=reader)
    if delivery.kind == Kind.EXCEPTION_DECIDED:
        return _decided_words(delivery, one, place=place)
    lead = f"{one.asked_by.name} asks for an exception for {place} and needs a second person."
    return "An exception asks for you", lead, "Read it on its page, then agree or refuse. It passes nothing before somebody agrees."


def _owed_words(delivery: Delivery, one: LegException, *, place: str, reader: Reader) -> tuple[str, str, str]:
    due = reader.moment(one.review_due_at) if one.review_due_at else ""
    cure = f"Somebody of {one.team.name} writes it on its page."
    if delivery.event == Event.EXCEPTION_OVERDUE:
        lead = f"The review of {one.ref} for {place} is overdue since {due}."
        return "A review is overdue", lead, f"Write it on its page. Until then {one.team.name} gets no other exception."
    if delivery.event == Event.EXCEPTION_REMINDED:
        lead = f"The review of {one.ref} for {place} is due {due}."
        return "A review is due", lead, f"{cure} Once it is overdue the team gets no other exception."
    second = one.agreed_by.name if one.agreed_by else "A second person"
    until = f" until {reader.moment(one.ends_at)}" if one.ends_at else ""
    lead = f"{second} agreed to the exception that {one.asked_by.name} asked for. It passes the gate for {place}{until}."
    return "An exception was agreed to", lead, f"Its review is owed until {due}. {cure}"


def _decided_words(delivery: Delivery, one: LegException, *, place: str) -> tuple[str, str, str]:
    anew = "Ask for a new one from the change page, where it is still needed."
    if delivery.event == Event.EXCEPTION_LAPSED:
        lead = f"Nobody decided on {one.ref} for {place} within 24 hours, so it is over."
        return "Nobody decided on your exception", lead, anew
    person, word = (one.refused_by, "refused") if one.refused_by else (one.withdrawn_by, "withdrew")
    why = f": “{cut(one.end_reason)}”" if one.end_reason else "."
    return (
        f"Your exception was {'refused' if one.refused_by else 'withdrawn'}",
        f"{person.name if person else 'Somebody'} {word} {one.ref} for {place}{why}",
        anew,
    )
