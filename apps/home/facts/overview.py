"""What the first page shows: what waits for me, what moves now, what stands in the way."""

from dataclasses import dataclass
from datetime import datetime

from apps.accounts.models import Person
from apps.approvals.facts import review_facts
from apps.approvals.rules import own_sign_offs, quorum, why_not_approve
from apps.catalog.access import environments_in_order, services_for
from apps.catalog.models import ChangeRequired
from apps.changes.access import changes_for
from apps.changes.facts import current_legs
from apps.changes.models import Change, Leg
from apps.changes.states import State
from apps.deployments.models import Deployment
from apps.deployments.states import FINAL
from apps.incidents.models import Incident

LOOKED_AT = 20  # open changes asked, the earliest end first: the page stays flat in the number of changes
SHOWN = 10


@dataclass(frozen=True, slots=True)
class Waiting:
    """A change somebody wants my signature or my work for."""

    change: Change
    legs: list[Leg]
    word: str  # Review, Re-affirm, Edit, Write review
    text: str
    icon: str
    tone: str
    until: datetime | None
    route: str = "home:sign_off"


def waiting_for(person: Person) -> list[Waiting]:
    """What waits for this person: signatures first, then their own changes that came back."""
    asked = changes_for(person).filter(state__in=[State.IN_REVIEW, State.APPROVED, State.IN_PROGRESS]).exclude(requester=person)
    nearest = asked.select_related("requester__merged_into", "revision").order_by("not_after", "pk")[:LOOKED_AT]
    found = [waiting for change in nearest if (waiting := to_sign(person, change))]
    mine = (
        changes_for(person)
        .filter(requester=person, state__in=[State.DRAFT, State.POST_REVIEW])
        .order_by("-pk")[: SHOWN - min(SHOWN, len(found))]
    )
    return [*found[:SHOWN], *(to_work_on(change) for change in mine)]


def to_sign(person: Person, change: Change) -> Waiting | None:
    """The change, when this person may agree to it and somebody still has to."""
    facts = review_facts(change)
    if all(quorum(leg).met for leg in facts.legs) or why_not_approve(facts, revision_digest=facts.revision_digest, by=person.actor):
        return None
    legs = list(current_legs(change))
    given = next(iter(own_sign_offs(facts, by=person.public_id)), None)
    if given and given.decision == "APPROVE" and given.revision < facts.revision:
        text = f"Your sign-off of revision {given.revision} lapsed. Read the difference to revision {facts.revision}, then re-affirm."
        return Waiting(change, legs, "Re-affirm", text, "refresh-alert", "wait", change.not_after)
    return Waiting(change, legs, "Review", f"{change.requester.name} asks for your agreement.", "writing-sign", "ink", change.not_after)


def to_work_on(change: Change) -> Waiting:
    """A change of one's own: a draft, or one whose review is owed."""
    legs = list(current_legs(change))
    if change.state == State.DRAFT:
        return Waiting(
            change,
            legs,
            "Edit",
            "A draft. Nobody else decides on it until you submit it.",
            "circle-dashed",
            "mute",
            None,
            "home:edit_change",
        )
    text = "It is over. Say in a sentence what was learned, then close it."
    return Waiting(change, legs, "Write review", text, "clipboard-text", "mute", None, "home:change")


def in_flight(person: Person) -> list[Deployment]:
    """Deployments that have not ended, of services this person may see."""
    moving = Deployment.objects.exclude(state__in=sorted(FINAL)).filter(target__service__in=services_for(person))
    return list(moving.select_related("target__service", "target__environment").order_by("-pk")[:SHOWN])


def recent_incidents(person: Person) -> list[Incident]:
    """The newest incidents of services this person may see."""
    seen = Incident.objects.filter(target__service__in=services_for(person))
    return list(seen.select_related("target__service", "target__environment").order_by("-pk")[:5])


def words_for(required: str) -> str:
    """How strict an environment is, in words."""
    words = {
        ChangeRequired.NO: "Needs no change. Any known version may go.",
        ChangeRequired.RECORDED: "Needs a submitted change.",
        ChangeRequired.APPROVED: "Needs a change that whoever must agree has signed.",
    }
    return words[ChangeRequired(required)]


def is_empty() -> bool:
    """Whether this installation has no environment yet."""
    return not environments_in_order().exists()
