"""What CI carries out, what it said of it, and what runs that nobody declared."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from apps.catalog.models import Target
from apps.catalog.versions import Version
from apps.core.ids import new_id
from apps.core.locks import Lockable
from apps.core.references import Reference, reference
from apps.deployments.models.orders import Deployment
from apps.deployments.rules.reporting import Effect, Kind


class Pipeline(models.Model):
    """What CI began with a ticket, and what it was answered: the same request again gets the same answer."""

    deployment = models.OneToOneField(Deployment, primary_key=True, on_delete=models.PROTECT, related_name="pipeline")
    ticket_id = models.UUIDField(unique=True)
    goes_back = models.BooleanField()  # the ticket was for the way back
    caller = models.CharField(max_length=80)  # who spent it
    key = models.CharField(max_length=200, default="", blank=True)  # its Idempotency-Key
    asked = models.CharField(max_length=64)  # SHA-256 of what was sent under it
    answer = models.TextField()  # as it was given
    run_system = models.CharField(max_length=40, default="", blank=True)
    run_id = models.CharField(max_length=200, default="", blank=True)
    run_attempt = models.PositiveIntegerField(default=1)
    run_url = models.CharField(max_length=500, default="", blank=True)
    sequence = models.PositiveBigIntegerField(default=0)  # the highest report that was taken
    used_at = models.DateTimeField(null=True)  # when it began while we were away; null: we were asked first
    codes = ArrayField(models.CharField(max_length=60), default=list)  # what the gate had to say when it was told of that

    class Meta:
        constraints = [models.UniqueConstraint(fields=["caller", "key"], condition=~Q(key=""), name="one_beginning_per_key")]

    @property
    def run_page(self) -> str:
        """The run's page; empty for what is no web address."""
        return self.run_url if self.run_url.startswith(("https://", "http://")) else ""


class Report(models.Model):
    """One thing that CI said of a deployment. Written once; what it did is beside it."""

    deployment = models.ForeignKey(Deployment, on_delete=models.PROTECT, related_name="reports")
    sequence = models.PositiveBigIntegerField()
    kind = models.CharField(max_length=11, choices=[(kind.value, kind.value.replace("_", " ").lower()) for kind in Kind])
    effect = models.CharField(max_length=12, choices=[(effect.value, effect.value) for effect in Effect])
    asked = models.CharField(max_length=64)  # SHA-256 of what was sent
    by = models.CharField(max_length=80)
    at = models.DateTimeField()
    occurred_at = models.DateTimeField(null=True)  # as the reporter says
    message = models.CharField(max_length=400, default="", blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["deployment", "sequence"], name="reports_are_numbered")]


class Settled(models.TextChoices):
    """What became of something undeclared."""

    ADOPTED = "ADOPTED"
    EXPLAINED = "EXPLAINED"
    GONE = "GONE"  # what we know of was seen there again


class Undeclared(models.Model):
    """A version that was seen on a target or reported, and no deployment brought it there."""

    public_id = models.UUIDField(default=new_id, unique=True, editable=False)
    target = models.ForeignKey(Target, on_delete=models.PROTECT, related_name="+")
    label = models.CharField(max_length=120)
    identities = ArrayField(models.CharField(max_length=200))
    expected_label = models.CharField(max_length=120, default="", blank=True)  # what we knew to run there
    source = models.CharField(max_length=120, default="", blank=True)  # what saw it first, as it names itself
    sources = ArrayField(models.CharField(max_length=120, blank=True), default=list, blank=True)  # what saw it last and nothing else since
    seen_at = models.DateTimeField()
    seen_by = models.CharField(max_length=80)
    last_seen_at = models.DateTimeField()
    seen_count = models.PositiveIntegerField(default=1)
    settled_at = models.DateTimeField(null=True)
    settled_by = models.CharField(max_length=80, default="", blank=True)
    outcome = models.CharField(max_length=9, choices=Settled, default="", blank=True)
    reason = models.CharField(max_length=400, default="", blank=True)
    lapsed_at = models.DateTimeField(null=True)  # since when an explanation holds no more; null while it may run there still

    objects = Lockable["Undeclared"].as_manager()

    class Meta:
        indexes = [models.Index(fields=["-seen_at"], name="undeclared_by_age")]
        constraints = [
            models.UniqueConstraint(fields=["target", "identities"], condition=Q(settled_at__isnull=True), name="one_open_per_version"),
            models.UniqueConstraint(
                fields=["target", "identities"],
                condition=Q(outcome="EXPLAINED", lapsed_at__isnull=True),
                name="one_explanation_per_version",
            ),
            models.CheckConstraint(condition=Q(lapsed_at__isnull=True) | Q(outcome="EXPLAINED"), name="only_explanations_lapse"),
            models.CheckConstraint(
                condition=Q(settled_at__isnull=True, settled_by="", outcome="")
                | (Q(settled_at__isnull=False) & ~Q(settled_by="") & ~Q(outcome="")),
                name="undeclared_settled_at_and_by",
            ),
        ]

    @property
    def is_only_reported(self) -> bool:
        """Whether somebody says that it runs there, and nothing has seen it."""
        return self.settled_at is None and not self.sources

    @property
    def told_by(self) -> str:
        """What sees it there, as it names itself; where nothing does, what told of it first."""
        first, *more = sorted(self.sources, key=lambda name: not name) or [self.source]
        return f"{first} and {len(more)} more" if more else first

    @property
    def reference(self) -> Reference:
        """`undeclared:<public id>`."""
        return reference("undeclared", self.public_id)

    @property
    def version(self) -> Version:
        """What runs there."""
        return Version(self.label, tuple(self.identities))
