"""Services, environments, targets and what arrived there. Nothing is deleted; `retired_at` ends a life."""

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Q

from apps.accounts.models import Person, Team
from apps.accounts.roles import FOR_ONE_SERVICE
from apps.catalog.rules import LONGEST_GRACE
from apps.core.ids import new_id
from apps.core.locks import Lockable
from apps.core.references import Reference, reference


class ChangeRequired(models.TextChoices):
    """How strict an environment is."""

    NO = "NO"
    RECORDED = "RECORDED"
    APPROVED = "APPROVED"


class OwnerKind(models.TextChoices):
    """What a person answers for."""

    BUSINESS = "BUSINESS"
    TECHNICAL = "TECHNICAL"


class Outcome(models.TextChoices):
    """How an arrival ended."""

    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    ROLLED_BACK = "ROLLED_BACK"
    ADOPTED = "ADOPTED"
    LEFT = "LEFT"  # it failed, its way back failed too, and a person found that it is what runs


class Service(models.Model):
    """Something that is changed."""

    public_id = models.UUIDField(default=new_id, unique=True, editable=False)
    slug = models.SlugField(max_length=60, unique=True)
    name = models.CharField(max_length=120)
    description = models.TextField(default="", blank=True)
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="+")
    tier = models.PositiveSmallIntegerField(default=2)
    time_zone = models.CharField(max_length=64, default="UTC")
    repository = models.CharField(max_length=400, default="", blank=True)  # where commits come from; a path or URL git understands
    repository_id = models.CharField(max_length=120, default="", blank=True)  # the repository's own immutable id, part of a git identity
    is_restricted = models.BooleanField(default=False)
    retired_at = models.DateTimeField(null=True)

    objects = Lockable["Service"].as_manager()

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(tier__gte=1, tier__lte=4), name="tier_is_1_to_4")]

    def __str__(self) -> str:
        return self.name

    @property
    def reference(self) -> Reference:
        """`service:<public id>`."""
        return reference("service", self.public_id)


class ServiceAlias(models.Model):
    """An old slug that keeps working for CI. A slug, old or new, is of one service for ever."""

    slug = models.SlugField(max_length=60, primary_key=True)
    service = models.ForeignKey(Service, on_delete=models.PROTECT, related_name="aliases")


class Ownership(models.Model):
    """A business or technical owner of a service, from when to when. Who began it matters to exclusions."""

    service = models.ForeignKey(Service, on_delete=models.PROTECT, related_name="ownerships")
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=10, choices=OwnerKind)
    started_at = models.DateTimeField()
    started_by = models.CharField(max_length=80, default="", blank=True)
    ended_at = models.DateTimeField(null=True)
    ended_by = models.CharField(max_length=80, default="", blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["service", "person", "kind"], condition=Q(ended_at__isnull=True), name="one_standing_ownership"
            ),
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True, ended_by="") | (Q(ended_at__isnull=False) & ~Q(ended_by="")),
                name="ownership_ended_at_and_by",
            ),
        ]


class ServiceRole(models.Model):
    """A role of a person for one service alone, from when to when. Who gave it matters to exclusions."""

    service = models.ForeignKey(Service, on_delete=models.PROTECT, related_name="roles")
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    role = models.CharField(max_length=20, choices=[(role.value, role.value) for role in FOR_ONE_SERVICE])
    started_at = models.DateTimeField()
    started_by = models.CharField(max_length=80)
    ended_at = models.DateTimeField(null=True)
    ended_by = models.CharField(max_length=80, default="", blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["service", "person", "role"], condition=Q(ended_at__isnull=True), name="one_standing_service_role"
            ),
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True, ended_by="") | (Q(ended_at__isnull=False) & ~Q(ended_by="")),
                name="service_role_ended_at_and_by",
            ),
            models.CheckConstraint(condition=~Q(role__in=["ADMINISTRATOR", "AUDITOR"]), name="wide_roles_are_for_no_service"),
        ]


class Environment(models.Model):
    """A rung of the promotion ladder; a lower rank comes first."""

    public_id = models.UUIDField(default=new_id, unique=True, editable=False)
    slug = models.SlugField(max_length=60, unique=True)
    name = models.CharField(max_length=120)
    rank = models.PositiveSmallIntegerField()
    change_required = models.CharField(max_length=10, choices=ChangeRequired, default=ChangeRequired.APPROVED)
    required_since = models.DateTimeField(null=True)  # when that was changed last; null: never
    time_zone = models.CharField(max_length=64, default="UTC")
    offline_grace_minutes = models.PositiveSmallIntegerField(default=0)  # how old a yes may be that begins while we are away
    retired_at = models.DateTimeField(null=True)

    objects = Lockable["Environment"].as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(offline_grace_minutes__lte=LONGEST_GRACE), name="offline_grace_is_short"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def reference(self) -> Reference:
        """`environment:<public id>`."""
        return reference("environment", self.public_id)


class EnvironmentAlias(models.Model):
    """An old slug of an environment that keeps working for CI."""

    slug = models.SlugField(max_length=60, primary_key=True)
    environment = models.ForeignKey(Environment, on_delete=models.PROTECT, related_name="aliases")


class TargetSettings(models.Model):
    """How a target is deployed to: one immutable version. What is executed comes only from here."""

    target = models.ForeignKey("Target", on_delete=models.PROTECT, related_name="settings_versions")
    number = models.PositiveIntegerField()
    body = models.BinaryField()  # canonical bytes: driver, options, checks, start, seconds
    digest = models.CharField(max_length=64)
    made_at = models.DateTimeField()
    made_by = models.CharField(max_length=80)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["target", "number"], name="settings_are_numbered")]


class Target(models.Model):
    """One service in one environment, with the facts the gate asks for."""

    public_id = models.UUIDField(default=new_id, unique=True, editable=False)
    service = models.ForeignKey(Service, on_delete=models.PROTECT, related_name="targets")
    environment = models.ForeignKey(Environment, on_delete=models.PROTECT, related_name="targets")
    settings = models.ForeignKey(TargetSettings, null=True, on_delete=models.PROTECT, related_name="+")
    running_label = models.CharField(max_length=120, default="", blank=True)
    running_identities = ArrayField(models.CharField(max_length=200), default=list)
    running_since = models.DateTimeField(null=True)
    previous_label = models.CharField(max_length=120, default="", blank=True)
    previous_identities = ArrayField(models.CharField(max_length=200), default=list)
    occupied_by = models.UUIDField(null=True)  # public id of the deployment; no foreign key points up
    occupied_since = models.DateTimeField(null=True)
    rollback_ready_at = models.DateTimeField(null=True)
    locked_at = models.DateTimeField(null=True)
    locked_by = models.CharField(max_length=80, default="", blank=True)
    lock_reason = models.CharField(max_length=300, default="", blank=True)
    retired_at = models.DateTimeField(null=True)

    objects = Lockable["Target"].as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["service", "environment"], name="one_target_per_service_and_environment"),
            models.CheckConstraint(
                condition=Q(occupied_by__isnull=True, occupied_since__isnull=True)
                | Q(occupied_by__isnull=False, occupied_since__isnull=False),
                name="occupied_by_and_since",
            ),
            models.CheckConstraint(
                condition=Q(locked_at__isnull=True, locked_by="") | (Q(locked_at__isnull=False) & ~Q(locked_by="")),
                name="target_locked_at_and_by",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.service.slug} in {self.environment.slug}"

    @property
    def reference(self) -> Reference:
        """`target:<public id>`."""
        return reference("target", self.public_id)


class Arrival(models.Model):
    """A version reached a target: append-only. Promotion and suspects are read from here."""

    public_id = models.UUIDField(default=new_id, unique=True, editable=False)
    target = models.ForeignKey(Target, on_delete=models.PROTECT, related_name="arrivals")
    label = models.CharField(max_length=120)
    identities = ArrayField(models.CharField(max_length=200))
    outcome = models.CharField(max_length=12, choices=Outcome)
    at = models.DateTimeField()
    caused_by = models.CharField(max_length=80)  # "deployment:<public id>", or "adoption:<entry id>"

    class Meta:
        indexes = [
            models.Index(fields=["target", "-at"], name="arrival_by_target"),
            # The gate's promotion rule asks by version; without a list of pending rows that every question would read.
            GinIndex(fields=["identities"], name="arrival_by_identity", fastupdate=False),
        ]


def scope_number(kind: str, pk: int = 0) -> int:
    """The one integer by which calendar rules name what they cover: kind · 10⁹ + id."""
    return SCOPE_KINDS.index(kind) * 1_000_000_000 + pk


SCOPE_KINDS: list[Any] = ["EVERYTHING", "ENVIRONMENT", "TIER", "TEAM", "SERVICE", "TARGET"]
