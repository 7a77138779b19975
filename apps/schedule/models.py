"""When deploying is allowed, forbidden or stopped; what is planned and what is reserved."""

from django.db import models
from django.db.models import Q

from apps.catalog.models import Service, Target
from apps.changes.models import Leg
from apps.core.ids import new_id
from apps.core.locks import Lockable
from apps.core.references import Reference, reference
from apps.schedule.fields import MomentRanges
from apps.schedule.rules import FOR_GOOD


class RuleKind(models.TextChoices):
    """Whether the wall is closed or open during the rule."""

    FREEZE = "FREEZE"
    WINDOW = "WINDOW"


class HoldSource(models.TextChoices):
    """What placed a hold."""

    PERSON = "PERSON"
    INCIDENT = "INCIDENT"
    CHECK = "CHECK"
    ROLLBACK = "ROLLBACK"


class CalendarRule(models.Model):
    """A freeze or a window. `covers` holds the UTC ranges the gate reads; `time_zone` is the zone it was written in."""

    public_id = models.UUIDField(default=new_id, unique=True, editable=False)
    kind = models.CharField(max_length=6, choices=RuleKind)
    title = models.CharField(max_length=120)
    reason = models.CharField(max_length=300, default="", blank=True)
    scope = models.BigIntegerField()  # catalog.models.scope_number
    covers = MomentRanges()
    time_zone = models.CharField(max_length=64)
    live_until = models.DateTimeField()  # the end of the last range, or FOR_GOOD for a scope's last window: past rules are never read
    expanded_until = models.DateTimeField(null=True)  # how far `covers` is written out; null where nothing recurs
    declared_at = models.DateTimeField()
    declared_by = models.CharField(max_length=80)
    lifted_at = models.DateTimeField(null=True)
    lifted_by = models.CharField(max_length=80, default="", blank=True)

    objects = Lockable["CalendarRule"].as_manager()

    class Meta:
        indexes = [models.Index(fields=["scope", "live_until"], condition=Q(lifted_at__isnull=True), name="standing_calendar_rule")]
        constraints = [
            models.CheckConstraint(
                condition=Q(lifted_at__isnull=True, lifted_by="") | (Q(lifted_at__isnull=False) & ~Q(lifted_by="")),
                name="rule_lifted_at_and_by",
            ),
            models.UniqueConstraint(
                fields=["scope"],
                condition=Q(kind="WINDOW", lifted_at__isnull=True, live_until=FOR_GOOD),
                name="one_last_window_per_scope",
            ),
        ]

    @property
    def reference(self) -> Reference:
        """`freeze:<public id>` or `window:<public id>`."""
        return reference(self.kind.lower(), self.public_id)


class Hold(models.Model):
    """A stop placed now, until it is lifted."""

    public_id = models.UUIDField(default=new_id, unique=True, editable=False)
    scope = models.BigIntegerField()
    source = models.CharField(max_length=8, choices=HoldSource)
    source_ref = models.CharField(max_length=80, default="", blank=True)  # "incident:<public id>", "deployment:<public id>"
    reason = models.CharField(max_length=300)
    placed_at = models.DateTimeField()
    placed_by = models.CharField(max_length=80)
    lifted_at = models.DateTimeField(null=True)
    lifted_by = models.CharField(max_length=80, default="", blank=True)
    lift_reason = models.CharField(max_length=300, default="", blank=True)

    objects = Lockable["Hold"].as_manager()

    class Meta:
        indexes = [models.Index(fields=["scope"], condition=Q(lifted_at__isnull=True), name="standing_hold")]
        constraints = [
            models.CheckConstraint(
                condition=Q(lifted_at__isnull=True, lifted_by="") | (Q(lifted_at__isnull=False) & ~Q(lifted_by="")),
                name="hold_lifted_at_and_by",
            ),
            # Machines may be told of the same thing twice; people may each place a hold of their own.
            models.UniqueConstraint(
                fields=["scope", "source", "source_ref"],
                condition=Q(lifted_at__isnull=True) & ~Q(source="PERSON"),
                name="one_standing_hold_per_source",
            ),
        ]

    @property
    def reference(self) -> Reference:
        """`hold:<public id>`."""
        return reference("hold", self.public_id)


class Slot(models.Model):
    """When a leg is planned to happen inside its period. Movable; outside everything that is signed."""

    leg = models.OneToOneField(Leg, on_delete=models.PROTECT, related_name="+")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    booked_at = models.DateTimeField()
    booked_by = models.CharField(max_length=80)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(ends_at__gt=models.F("starts_at")), name="slot_has_length")]


class Reservation(models.Model):
    """The reach of a running deployment: from its start to the end of its way back."""

    target = models.ForeignKey(Target, on_delete=models.PROTECT, related_name="+")
    service = models.ForeignKey(Service, on_delete=models.PROTECT, related_name="+")
    held_for = models.UUIDField(unique=True)  # public id of the deployment
    starts_at = models.DateTimeField()
    reserved_until = models.DateTimeField()
    released_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["service", "reserved_until"], condition=Q(released_at__isnull=True), name="standing_reservation")]
        constraints = [models.CheckConstraint(condition=Q(reserved_until__gt=models.F("starts_at")), name="reservation_has_length")]
