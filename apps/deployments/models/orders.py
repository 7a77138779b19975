"""Orders and what became of them. The row is the order; Celery only wakes somebody up."""

from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from apps.catalog.models import Target, TargetSettings
from apps.catalog.versions import Version
from apps.changes.models import Leg
from apps.core.ids import new_id
from apps.core.locks import Lockable
from apps.core.references import Reference, reference
from apps.deployments.rules.verdicts import Sample
from apps.deployments.states import FINAL, IN_FLIGHT, WORKED_ON, State


class ClockTimestamp(models.Func):
    """`clock_timestamp()`: the moment itself, not the start of the transaction."""

    function = "clock_timestamp"
    output_field = models.DateTimeField()


class Executor(models.TextChoices):
    """Who does the work."""

    WORKER = "WORKER"
    EXTERNAL = "EXTERNAL"


class Orders(Lockable["Deployment"]):
    """Queries about orders."""

    def open(self) -> Self:
        """Orders that are not over."""
        return self.exclude(state__in=sorted(FINAL))

    def due(self) -> Self:
        """Orders a worker should look at now, by the database's clock; a lease that still runs keeps others away."""
        now = ClockTimestamp()
        unleased = Q(lease_expires_at__isnull=True) | Q(lease_expires_at__lte=now)
        return self.filter(unleased, executor=Executor.WORKER, state__in=sorted(WORKED_ON), wake_at__lte=now)

    def silent(self) -> Self:
        """What CI carries out and has not spoken of for as long as it may: their `wake_at` is the end of its patience."""
        return self.filter(executor=Executor.EXTERNAL, state=State.RUNNING, wake_at__lte=ClockTimestamp())


class Deployment(models.Model):
    """The order to bring a version to a target, `DEP-<number>`. A rollback names the deployment it undoes."""

    public_id = models.UUIDField(default=new_id, unique=True, editable=False)
    target = models.ForeignKey(Target, on_delete=models.PROTECT, related_name="+")
    leg = models.ForeignKey(Leg, null=True, on_delete=models.PROTECT, related_name="+")  # null: an environment that needs no change
    undoes = models.OneToOneField(
        "self", null=True, on_delete=models.PROTECT, related_name="undone_by"
    )  # one rollback per deployment, ever
    executor = models.CharField(max_length=8, choices=Executor, default=Executor.WORKER)
    state = models.CharField(max_length=12, choices=[(state.value, state.value) for state in State], default=State.QUEUED)
    label = models.CharField(max_length=120)
    identities = ArrayField(models.CharField(max_length=200))
    previous_label = models.CharField(max_length=120, default="", blank=True)  # what ran when it was ordered
    previous_identities = ArrayField(models.CharField(max_length=200), default=list)
    settings = models.ForeignKey(TargetSettings, null=True, on_delete=models.PROTECT, related_name="+")  # null: CI needs none of ours
    way_back_seconds = models.PositiveIntegerField(default=0)
    runs_by_itself = models.BooleanField(default=False)  # the plan's way back is one we carry out
    is_irreversible = models.BooleanField(default=False)  # the plan names a part that cannot be undone
    # The lease, beside the state: who holds it, which attempt, until when by the database's clock.
    holder = models.CharField(max_length=120, default="", blank=True)
    attempt = models.PositiveIntegerField(default=0)  # the fence: every write-back matches id and attempt
    turn = models.PositiveIntegerField(
        null=True
    )  # the how-manieth to begin on its target: with the attempt, the fence the target itself checks
    lease_expires_at = models.DateTimeField(null=True)
    cursor = models.JSONField(default=dict)  # where the runner stands inside its state: never read by rules
    wake_at = models.DateTimeField()
    refusal_code = models.CharField(max_length=60, default="", blank=True)
    waits_for = models.CharField(max_length=400, default="", blank=True)  # why a queued order was not begun when last judged
    failure = models.CharField(max_length=400, default="", blank=True)
    ordered_at = models.DateTimeField()
    ordered_by = models.CharField(max_length=80)
    begun_at = models.DateTimeField(null=True)
    switched_at = models.DateTimeField(null=True)  # the moment users began to see the new version
    read_back_at = models.DateTimeField(null=True)  # the moment the target itself said that it runs the new version
    ended_at = models.DateTimeField(null=True)

    objects = Orders.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["wake_at"], condition=Q(state__in=sorted(WORKED_ON)), name="open_deployments"),
            models.Index(fields=["target", "-id"], name="deployment_by_target"),
            models.Index(fields=["leg", "-id"], name="deployment_by_leg"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["target"], condition=Q(state__in=sorted(IN_FLIGHT)), name="one_in_flight_per_target"),
            models.UniqueConstraint(fields=["leg"], condition=Q(state=State.QUEUED), name="one_queued_order_per_leg"),
            models.UniqueConstraint(fields=["target", "turn"], name="turns_are_numbered"),
            models.CheckConstraint(
                condition=~Q(state__in=sorted(IN_FLIGHT)) | Q(turn__isnull=False, begun_at__isnull=False), name="in_flight_has_begun"
            ),
            models.CheckConstraint(condition=Q(executor=Executor.EXTERNAL) | Q(settings__isnull=False), name="a_worker_has_settings"),
            models.CheckConstraint(
                condition=Q(lease_expires_at__isnull=True, holder="") | (Q(lease_expires_at__isnull=False) & ~Q(holder="")),
                name="lease_has_a_holder",
            ),
            models.CheckConstraint(
                condition=Q(state__in=sorted(FINAL), ended_at__isnull=False) | (~Q(state__in=sorted(FINAL)) & Q(ended_at__isnull=True)),
                name="final_has_ended",
            ),
        ]

    def __str__(self) -> str:
        return self.ref

    @property
    def ref(self) -> str:
        """What people call it: DEP-17."""
        return f"DEP-{self.pk}"

    @property
    def reference(self) -> Reference:
        """`deployment:<public id>`."""
        return reference("deployment", self.public_id)

    @property
    def is_final(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state in FINAL

    @property
    def is_external(self) -> bool:
        """Whether CI carries it out."""
        return self.executor == Executor.EXTERNAL

    @property
    def is_reported(self) -> bool:
        """Whether only its reporter says that it succeeded: nobody has seen it there yet."""
        return self.is_external and self.state == State.SUCCEEDED and self.read_back_at is None

    @property
    def waits_for_person(self) -> bool:
        """Whether a person is asked what is true there: of what CI fell silent about nobody else can be asked."""
        return self.state == State.NEEDS_HUMAN or (self.is_external and self.state == State.UNKNOWN)

    @property
    def is_way_back(self) -> bool:
        """Whether it undoes another one."""
        return self.undoes_id is not None

    @property
    def version(self) -> Version:
        """What it brings."""
        return Version(self.label, tuple(self.identities))

    @property
    def previous(self) -> Version | None:
        """What ran when it was ordered."""
        return Version(self.previous_label, tuple(self.previous_identities)) if self.previous_identities else None


class Move(models.Model):
    """One move of a deployment: who, when, why."""

    deployment = models.ForeignKey(Deployment, on_delete=models.PROTECT, related_name="moves")
    seq = models.PositiveIntegerField()
    start = models.CharField(max_length=12)
    goal = models.CharField(max_length=12)
    at = models.DateTimeField()
    by = models.CharField(max_length=80)
    reason = models.CharField(max_length=400, default="", blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["deployment", "seq"], name="deployment_moves_are_numbered")]


class Attempt(models.Model):
    """One claim of an order; its number is the fence."""

    deployment = models.ForeignKey(Deployment, on_delete=models.PROTECT, related_name="attempts")
    number = models.PositiveIntegerField()
    holder = models.CharField(max_length=120)
    claimed_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    ended_as = models.CharField(max_length=12, default="", blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["deployment", "number"], name="attempts_are_numbered")]


class LogChunk(models.Model):
    """A piece of an attempt's output, secrets masked before it came here."""

    deployment = models.ForeignKey(Deployment, on_delete=models.PROTECT, related_name="log_chunks")
    attempt = models.PositiveIntegerField()
    offset = models.PositiveIntegerField()
    at = models.DateTimeField()
    text = models.TextField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["deployment", "attempt", "offset"], name="a_chunk_once_per_offset")]


class Measurement(models.Model):
    """One answer to a check of a deployment."""

    deployment = models.ForeignKey(Deployment, on_delete=models.PROTECT, related_name="measurements")
    check_name = models.CharField(max_length=80)
    number = models.PositiveIntegerField()
    at = models.DateTimeField()
    verdict = models.CharField(max_length=12, choices=[(sample.value, sample.value) for sample in Sample])
    value = models.CharField(max_length=200, default="", blank=True)
    said = models.CharField(max_length=400, default="", blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["deployment", "check_name", "number"], name="measurements_are_numbered")]
