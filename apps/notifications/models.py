"""Who is to be told what, and what they chose. A row is the order to send a mail; what the mail says is never stored."""

from typing import Self, TypeVar

from django.db import models
from django.db.models import Q

from apps.accounts.models import Person
from apps.core.ids import new_id
from apps.core.locks import Lockable
from apps.core.references import Reference, reference
from apps.notifications.kinds import NEEDED, Kind, Relation, Timing
from apps.notifications.states import State

M = TypeVar("M", bound="Mail")


class ClockTimestamp(models.Func):
    """`clock_timestamp()`: the moment itself, not the start of the transaction."""

    function = "clock_timestamp"
    output_field = models.DateTimeField()


class Orders(Lockable[M]):
    """Queries about mail to send."""

    def due(self) -> Self:
        """What a worker should look at now, by the database's clock; a lease that still runs keeps others away."""
        now = ClockTimestamp()
        unleased = Q(lease_expires_at__isnull=True) | Q(lease_expires_at__lte=now)
        return self.filter(unleased, state=State.QUEUED, wake_at__lte=now)


class Mail(models.Model):
    """The order to send one mail to one person, and who works on it now."""

    public_id = models.UUIDField(default=new_id, unique=True, editable=False)
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    state = models.CharField(max_length=10, choices=[(state.value, state.value) for state in State], default=State.QUEUED.value)
    said = models.CharField(max_length=400, default="", blank=True)  # why it was not sent, or what the last try met
    queued_at = models.DateTimeField()
    wake_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    attempt = models.PositiveIntegerField(default=0)  # the fence: every write-back matches id and attempt
    tries = models.PositiveSmallIntegerField(default=0)  # since it was last queued: after the last one it is given up
    holder = models.CharField(max_length=120, default="", blank=True)
    lease_expires_at = models.DateTimeField(null=True)

    class Meta:
        abstract = True
        constraints = [
            models.CheckConstraint(
                condition=Q(lease_expires_at__isnull=True, holder="") | (Q(lease_expires_at__isnull=False) & ~Q(holder="")),
                name="%(class)s_lease_has_a_holder",
            ),
            models.CheckConstraint(
                condition=Q(state=State.QUEUED, ended_at__isnull=True)
                | (~Q(state=State.QUEUED) & Q(ended_at__isnull=False, lease_expires_at__isnull=True)),
                name="%(class)s_that_ended_has_ended_at",
            ),
        ]

    @property
    def kind_name(self) -> str:
        """`delivery` or `digest`, as references and message ids name it."""
        return str(self._meta.model_name)

    @property
    def reference(self) -> Reference:
        """`delivery:<public id>` or `digest:<public id>`."""
        return reference(self.kind_name, self.public_id)


class Digest(Mail):
    """One mail about all that waited for a person's hour."""

    objects = Orders["Digest"].as_manager()

    class Meta(Mail.Meta):
        indexes = [models.Index(fields=["wake_at"], condition=Q(state=State.QUEUED), name="queued_digest")]


class Delivery(Mail):
    """One person is to be told of one entry of the stream, once."""

    entry_id = models.UUIDField()
    event = models.CharField(max_length=40)
    kind = models.CharField(max_length=24, choices=[(kind.value, kind.value) for kind in Kind])
    relation = models.CharField(max_length=10, choices=[(relation.value, relation.value) for relation in Relation])
    timing = models.CharField(max_length=6, choices=[(timing.value, timing.value) for timing in Timing])
    subject = models.CharField(max_length=80)  # "change:<public id>", "deployment:<public id>"
    thread = models.CharField(max_length=80)  # what mails about it hang together by
    told_at = models.DateTimeField()  # when it happened
    digest = models.ForeignKey(Digest, null=True, on_delete=models.SET_NULL, related_name="deliveries")

    objects = Orders["Delivery"].as_manager()

    class Meta(Mail.Meta):
        indexes = [
            models.Index(fields=["wake_at"], condition=Q(state=State.QUEUED), name="queued_delivery"),
            models.Index(fields=["person", "-id"], name="delivery_by_person"),
            models.Index(fields=["person", "subject", "-id"], name="delivery_by_subject"),
            models.Index(fields=["-id"], condition=Q(state=State.FAILED), name="failed_delivery"),
            models.Index(fields=["ended_at"], name="delivery_by_end"),
        ]
        constraints = [
            *Mail.Meta.constraints,
            models.UniqueConstraint(fields=["entry_id", "person"], name="a_person_is_told_once_of_an_entry"),
        ]


Order = Delivery | Digest
OrderType = type[Delivery] | type[Digest]


class Choice(models.Model):
    """When a person wants to be told of one kind; without a row, as usual."""

    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=24, choices=[(kind.value, kind.value) for kind in Kind])
    timing = models.CharField(max_length=6, choices=[(timing.value, timing.value) for timing in Timing])

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["person", "kind"], name="one_choice_per_kind"),
            models.CheckConstraint(condition=~Q(timing=Timing.NEVER, kind__in=sorted(NEEDED)), name="needed_kinds_are_always_told"),
        ]


class Schedule(models.Model):
    """When a person reads: the hour of their digest in their own zone, and whether the rest waits for their working hours."""

    person = models.OneToOneField(Person, primary_key=True, on_delete=models.PROTECT, related_name="+")
    digest_hour = models.PositiveSmallIntegerField(default=8)
    only_in_hours = models.BooleanField(default=False)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(digest_hour__gte=0, digest_hour__lte=23), name="digest_hour_is_an_hour")]
