"""Whether a notification is still to be sent at the moment it would be: what is no longer true is not told."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from django.db.models import Q, QuerySet

from apps.accounts.models import Person
from apps.approvals.facts import review_facts
from apps.approvals.models import Delegation, LegException
from apps.approvals.rules import all_met
from apps.audit.vocabulary import Event
from apps.changes.models import Change
from apps.changes.states import OPEN, State
from apps.deployments.models import Deployment
from apps.gate.proposals import Proposal
from apps.incidents.models import Incident
from apps.incidents.states import State as IncidentState
from apps.notifications.facts.asking import waits_for
from apps.notifications.facts.subjects import Subject, may_be_told
from apps.notifications.facts.wishes import wishes_of_one
from apps.notifications.kinds import Kind, Timing
from apps.notifications.models import Delivery
from apps.notifications.states import State as MailState

Ending = tuple[MailState, str]
# The states of a change in which the news is still the newest.
TRUE_WHILE: Final[Mapping[str, frozenset[State]]] = {
    Event.CHANGE_SENT_BACK: frozenset({State.DRAFT}),
    Event.CHANGE_FINISHED: frozenset({State.POST_REVIEW}),
    Event.CHANGE_APPROVED: frozenset({State.APPROVED, State.IN_PROGRESS}),
    Event.CHANGE_REOPENED: frozenset({State.IN_REVIEW}),
}
# What asks somebody for something, and goes on doing so after the mail.
WAITING = frozenset(
    {
        Kind.SIGN_OFF_ASKED,
        Kind.SIGN_OFF_LAPSED,
        Kind.SIGN_OFF_REMINDED,
        Kind.EXCEPTION_ASKED,
        Kind.PROPOSAL_ASKED,
        Kind.REVIEW_OVERDUE,
        Kind.DEPLOYMENT_NEEDS_HUMAN,
    }
)
MOST_WAITING = 40
# Within each of these, a later mail about the same thing says what the earlier one would have.
SAME_NEWS = (
    frozenset({Kind.CHANGE_DECIDED, Kind.CHANGE_WATCHED, Kind.CHANGE_RETURNED}),
    frozenset({Kind.DEPLOYMENT_FAILED, Kind.DEPLOYMENT_NEEDS_HUMAN}),
    frozenset({Kind.SIGN_OFF_ASKED, Kind.SIGN_OFF_LAPSED, Kind.SIGN_OFF_REMINDED}),
    frozenset({Kind.DELEGATION_GIVEN}),
    frozenset({Kind.REVIEW_OVERDUE}),
)


def ending_of(delivery: Delivery, subject: Subject | None, *, now: datetime) -> Ending | None:
    """How a delivery ends without being sent, and why; None: send it."""
    person = delivery.person
    if not person.is_present:
        return MailState.SUPPRESSED, f"{person.name} cannot act any more."
    if subject is None and delivery.kind == Kind.PROPOSAL_ASKED:
        return MailState.SUPERSEDED, "It is decided."
    if subject is None or not may_be_told(person, subject):
        return MailState.SUPPRESSED, f"{person.name} may not see what it is about."
    if wishes_of_one(person).timing(Kind(delivery.kind)) is Timing.NEVER:
        return MailState.SUPPRESSED, f"{person.name} chose never to be told of this."
    said = why_outdated(delivery, subject, now=now)
    return (MailState.SUPERSEDED, said) if said else None


def why_outdated(delivery: Delivery, subject: Subject, *, now: datetime) -> str:
    """What has happened since that makes it old news; empty where nothing has."""
    if is_told_later(delivery):
        return "A later mail says what became of it."
    if is_told_twice(delivery):
        return f"{delivery.person.name} is told of it once, though two of their accounts were."
    match subject:
        case Change():
            return _outdated_change(delivery, subject)
        case Deployment() | Incident():
            return _outdated_place(delivery, subject)
        case LegException():
            return _outdated_exception(delivery, subject)
        case Delegation():
            is_over = delivery.event == Event.DELEGATION_GIVEN and (subject.ended_at is not None or subject.ends_at <= now)
            return "The delegation is over." if is_over else ""
        case Person() | Proposal():
            return ""


def _outdated_place(delivery: Delivery, subject: Deployment | Incident) -> str:
    if isinstance(subject, Incident):
        return f"{subject.ref} is resolved." if subject.state == IncidentState.RESOLVED else ""
    is_old = delivery.kind == Kind.DEPLOYMENT_NEEDS_HUMAN and not subject.waits_for_person
    return f"{subject.ref} needs nobody any more." if is_old else ""


def _outdated_exception(delivery: Delivery, one: LegException) -> str:
    if delivery.kind == Kind.REVIEW_OVERDUE:
        return f"The review of {one.ref} is written." if one.reviewed_at else ""
    if delivery.kind == Kind.EXCEPTION_DECIDED:
        return ""
    return "" if one.is_waiting else f"{one.ref} waits for nobody any more."


def told_and_waiting(person: Person) -> list[Delivery]:
    """The newest mail about each thing that asked this person for something and may do so still, the oldest first."""
    asked = Delivery.objects.filter(person=person, kind__in=sorted(WAITING), state=MailState.SENT)
    newest = asked.order_by("subject", "-pk").distinct("subject").values("pk")
    return [*Delivery.objects.filter(pk__in=newest).select_related("person").order_by("-pk")[:MOST_WAITING]][::-1]


def is_told_later(delivery: Delivery) -> bool:
    """Whether this person is told something newer about the same thing."""
    same = next((kinds for kinds in SAME_NEWS if delivery.kind in kinds), None)
    if same is None:
        return False
    later = _of_the_same(delivery).filter(subject=delivery.subject, kind__in=sorted(same), pk__gt=delivery.pk)
    return later.filter(state__in=[MailState.QUEUED, MailState.SENT]).exists()


def is_told_twice(delivery: Delivery) -> bool:
    """Whether the person is told of the very entry under another account that was merged into theirs: what went, or else the first."""
    others = _of_the_same(delivery).filter(entry_id=delivery.entry_id).exclude(pk=delivery.pk)
    return others.filter(Q(state=MailState.SENT) | Q(state=MailState.QUEUED, pk__lt=delivery.pk)).exists()


def _of_the_same(delivery: Delivery) -> QuerySet[Delivery]:
    return Delivery.objects.filter(Q(person=delivery.person_id) | Q(person__merged_into=delivery.person_id))


def _outdated_change(delivery: Delivery, change: Change) -> str:
    word = change.state.lower().replace("_", " ")
    if delivery.event == Event.SIGN_OFF_ESCALATED:
        waits = change.state in OPEN and not all_met(review_facts(change).legs)
        return "" if waits else f"{change.ref} waits for nobody any more; it is {word}."
    if delivery.kind in {Kind.SIGN_OFF_ASKED, Kind.SIGN_OFF_LAPSED, Kind.SIGN_OFF_REMINDED}:
        return (
            "" if waits_for(change, delivery.person) else f"{change.ref} does not wait for {delivery.person.name} any more; it is {word}."
        )
    wanted = TRUE_WHILE.get(delivery.event)
    return f"{change.ref} is {word} now." if wanted and change.state not in wanted else ""
