"""The only way to notifications: one's own, those that failed for administrators, and what is due for workers."""

from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404

from apps.accounts.access import has_role
from apps.accounts.models import Person
from apps.accounts.roles import Role
from apps.core.refusals import Refused
from apps.notifications.kinds import Timing
from apps.notifications.models import ClockTimestamp, Delivery, Digest, OrderType
from apps.notifications.rules import NOT_AN_ADMINISTRATOR
from apps.notifications.states import State

MOST = 200


def deliveries_for(person: Person) -> QuerySet[Delivery]:
    """What a person was told, or would have been, the newest first."""
    return Delivery.objects.filter(person=person).order_by("-pk")


def failed_deliveries(person: Person) -> QuerySet[Delivery]:
    """What could not be sent to anybody, the newest first; Refused for who is no administrator."""
    _only_administrators(person)
    return Delivery.objects.filter(state=State.FAILED).select_related("person", "digest").order_by("-pk")


def get_failed_delivery(person: Person, public_id: UUID) -> Delivery:
    """One delivery as administrators get it; 404 where there is none, Refused for everybody else."""
    found = Delivery.objects.filter(public_id=public_id).first()
    if found is None:
        raise Http404
    _only_administrators(person)
    return found


def _only_administrators(person: Person) -> None:
    if not has_role(person, Role.ADMINISTRATOR):
        raise Refused(NOT_AN_ADMINISTRATOR)


def due_mail() -> list[tuple[OrderType, int]]:
    """What a worker should send now, the longest waiting first; digests, which waited for an hour, after the rest."""
    at_once = Delivery.objects.due().filter(timing=Timing.NOW).order_by("wake_at", "pk").values_list("pk", flat=True)[:MOST]
    digests = Digest.objects.due().order_by("wake_at", "pk").values_list("pk", flat=True)[:MOST]
    return [*((Delivery, pk) for pk in at_once), *((Digest, pk) for pk in digests)]


def something_is_due() -> bool:
    """Whether a worker has anything to send."""
    return Delivery.objects.due().filter(timing=Timing.NOW).exists() or Digest.objects.due().exists()


def senders_at_work() -> int:
    """How many mails are being sent now."""
    running = {"state": State.QUEUED, "lease_expires_at__gt": ClockTimestamp()}
    return Delivery.objects.filter(**running).count() + Digest.objects.filter(**running).count()


def people_with_digests() -> list[int]:
    """Whose hour has come, with something that waited for it."""
    waiting = Delivery.objects.filter(state=State.QUEUED, timing=Timing.DIGEST, digest__isnull=True, wake_at__lte=ClockTimestamp())
    return [*waiting.order_by("person").values_list("person", flat=True).distinct()[:MOST]]
