"""What the first page shows beside the inbox: what is left with me, what moves now, what stands in the way."""

from dataclasses import dataclass

from django.db.models import OuterRef, Subquery

from apps.accounts.models import Person
from apps.catalog.access import environments_in_order, services_for
from apps.catalog.models import ChangeRequired
from apps.changes.access import changes_for
from apps.changes.facts import current_legs
from apps.changes.models import Change, Leg, Move
from apps.changes.states import State
from apps.deployments.models import Deployment
from apps.deployments.states import FINAL
from apps.incidents.models import Incident

SHOWN = 10
DRAFT_WORDS = "A draft. Nobody else decides on it until you submit it."


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A change of one's own that one has to go on with."""

    change: Change
    legs: list[Leg]
    word: str  # Edit, Write review
    text: str
    icon: str
    route: str


def unfinished_of(person: Person) -> list[Unfinished]:
    """Their own changes that came back to this person, the newest first: drafts, and those whose review is owed."""
    back = Move.objects.filter(change=OuterRef("pk"), leg__isnull=True, goal=State.DRAFT).order_by("-seq").values("reason")[:1]
    mine = changes_for(person).filter(requester=person, state__in=[State.DRAFT, State.POST_REVIEW]).annotate(sent_back=Subquery(back))
    return [to_work_on(change, sent_back=change.sent_back or "") for change in mine.order_by("-pk")[:SHOWN]]


def to_work_on(change: Change, *, sent_back: str = "") -> Unfinished:
    """A change of one's own: a draft, with the words it was SENT BACK with, or one whose review is owed."""
    legs = list(current_legs(change))
    if change.state == State.DRAFT:
        text = f"Sent back: “{sent_back}” Edit it, then submit it again." if sent_back else DRAFT_WORDS
        return Unfinished(change, legs, "Edit", text, "circle-dashed", "home:edit_change")
    text = "It is over. Say in a sentence what was learned, then close it."
    return Unfinished(change, legs, "Write review", text, "clipboard-text", "home:change")


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
