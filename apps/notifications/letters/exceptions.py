"""Mails about exceptions: one that waits for its second person, and one whose review is overdue."""

from django.urls import reverse

from apps.approvals.facts import place_of
from apps.approvals.models import LegException
from apps.approvals.rules import LIFTABLE, ExceptionKind
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
    if delivery.kind == Kind.REVIEW_OVERDUE:
        due = f" since {reader.moment(one.review_due_at)}" if one.review_due_at else ""
        lead = f"The review of {one.ref} for {place} is overdue{due}."
        return "A review is overdue", lead, f"Write it on its page. Until then {one.team.name} gets no other exception."
    lead = f"{one.asked_by.name} asks for an exception for {place} and needs a second person."
    return "An exception asks for you", lead, "Read it on its page, then agree or refuse. It passes nothing before somebody agrees."
