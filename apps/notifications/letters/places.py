"""Mails about what happens in a place: deployments and incidents; and about standing in for somebody."""

from django.urls import reverse

from apps.approvals.models import Delegation
from apps.audit.vocabulary import Event
from apps.catalog.access import services_for
from apps.deployments.models import Deployment
from apps.incidents.models import Incident
from apps.notifications.kinds import Kind, Relation
from apps.notifications.letters.deciding import cut
from apps.notifications.letters.shape import Letter, Reader, address_of, section
from apps.notifications.models import Delivery


def deployment_letter(delivery: Delivery, order: Deployment, *, is_brief: bool) -> Letter:
    """One mail about one deployment that did not go well, or about its way back."""
    place = f"{order.target.service.name} in {order.target.environment.name}"
    headline, lead, cure = _deployment_words(delivery, order, place="its place" if is_brief else place)
    change = order.leg.change.ref if order.leg is not None else ""
    about = section(
        "What is known",
        ("Place", place),
        ("Version", order.label),
        ("Ran before", order.previous_label),
        ("Why", cut(order.failure or (order.undoes.failure if order.undoes else ""))),
        ("Change", change),
    )
    return Letter(
        subject=f"{headline}: {order.ref}" if is_brief else f"{headline}: {order.label} of {place} ({order.ref})",
        lead=lead,
        cure=cure,
        url=address_of(reverse("deployments:deployment", args=[order.pk])),
        word=f"Open {order.ref}",
        because=Relation(delivery.relation).words,
        sections=() if is_brief else (about,),
    )


def _deployment_words(delivery: Delivery, order: Deployment, *, place: str) -> tuple[str, str, str]:
    if delivery.kind == Kind.DEPLOYMENT_NEEDS_HUMAN:
        lead = f"{order.ref} to {place} cannot be judged by a machine: nobody knows for certain what runs there."
        return (
            "A deployment needs a person",
            lead,
            "Look at the target, then say on its page what is true. Until then nothing else begins there.",
        )
    if delivery.event == Event.ROLLBACK_ORDERED:
        bad = order.undoes.ref if order.undoes else "A deployment"
        return "Being rolled back", f"{bad} went wrong in {place} and is being rolled back by {order.ref}.", "Follow it on its page."
    if delivery.event == Event.DEPLOYMENT_SUCCEEDED:
        lead = f"{order.ref} brought {place} back to what ran before; it was read back there."
        return "Rolled back", lead, "The target is on hold. Lift the hold when it is understood what went wrong."
    if delivery.event == Event.DEPLOYMENT_REFUSED:
        return "A deployment was refused", f"{order.ref} to {place} was not begun: the gate said no.", "Its page says what is missing."
    return "A deployment failed", f"{order.ref} to {place} failed.", "Its page shows the log and what runs there now."


def incident_letter(delivery: Delivery, incident: Incident, *, reader: Reader, is_brief: bool) -> Letter:
    """One mail about an incident that opened."""
    place = f"{incident.target.service.name} in {incident.target.environment.name}"
    about = section("What is known", ("Place", place), ("What", incident.title), ("Users hurt since", reader.moment(incident.started_at)))
    return Letter(
        subject=f"Incident opened: {incident.ref}" if is_brief else f"Incident opened: {incident.title} ({incident.ref})",
        lead=f"{incident.ref} is open: something is wrong for users.",
        cure="Its page shows everything that happened to the service since the day before.",
        url=address_of(reverse("incidents:incident", args=[incident.pk])),
        word=f"Open {incident.ref}",
        because=Relation(delivery.relation).words,
        sections=() if is_brief else (about,),
    )


def delegation_letter(delivery: Delivery, delegation: Delegation, *, reader: Reader) -> Letter:
    """One mail to whoever stands in for somebody."""
    name = delegation.person.name
    ends = delivery.event == Event.DELEGATION_ENDED
    wanted = delegation.service_ids or []
    services = [service.name for service in services_for(reader.person).filter(pk__in=wanted)]
    unseen = ["others that you do not see"] if len(services) < len(set(wanted)) else []
    about = section(
        "What it covers",
        ("From", reader.moment(delegation.starts_at)),
        ("To", reader.moment(delegation.ended_at or delegation.ends_at)),
        ("Services", ", ".join(services + unseen) or "all"),
        ("Kinds of change", ", ".join(kind.lower() for kind in delegation.kinds or []) or "all"),
    )
    return Letter(
        subject=f"You no longer stand in for {name}" if ends else f"You stand in for {name}",
        lead=f"Signing in the place of {name} has ended." if ends else f"{name} asks you to sign in their place.",
        cure="Nothing is left to do."
        if ends
        else "What waits for them waits for you too while it lasts; what you may not sign yourself stays excluded.",
        url=address_of(reverse("home:home")),
        word="Open what waits for you",
        because=Relation(delivery.relation).words,
        sections=(about,),
    )
