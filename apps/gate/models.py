"""Tokens, rule modes, and what was asked and answered. Evaluations and verdicts are partitioned by month and insert-only."""

from datetime import datetime

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from apps.accounts.models import Person
from apps.approvals.models import ProposalOutcome
from apps.catalog.models import Environment, Target
from apps.core.ids import new_id
from apps.core.locks import Lockable
from apps.core.references import Reference, reference
from apps.gate.rules import KEPT, Action, Answer, Detail, Mode
from apps.gate.rules.workloads import IssuerKind


class GateToken(models.Model):
    """A credential of a pipeline. Only its hash is kept; null in a scope means all."""

    public_id = models.UUIDField(default=new_id, unique=True, editable=False)
    name = models.CharField(max_length=120)
    origin = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="+")  # the first that it was rotated from, if any
    prefix = models.CharField(max_length=12)  # the first characters, by which people recognise it
    hash = models.BinaryField(unique=True)  # SHA-256 of 256 random bits: nothing to guess, so nothing to slow down
    actions = ArrayField(models.CharField(max_length=10, choices=[(action.value, action.value) for action in Action]))
    service_ids = ArrayField(models.BigIntegerField(), null=True)
    environment_ids = ArrayField(models.BigIntegerField(), null=True)
    detail = models.CharField(max_length=5, choices=[(detail.value, detail.value) for detail in Detail], default=Detail.FULL)
    issued_at = models.DateTimeField()
    issued_by = models.CharField(max_length=80)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)
    revoked_by = models.CharField(max_length=80, default="", blank=True)
    used_at = models.DateTimeField(null=True)  # to the hour
    refused_at = models.DateTimeField(null=True)  # to the hour: a dead token that keeps asking is recorded once an hour

    objects = Lockable["GateToken"].as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(expires_at__gt=models.F("issued_at")), name="gate_token_expires"),
            models.CheckConstraint(condition=Q(actions__len__gte=1), name="gate_token_is_for_something"),
            models.CheckConstraint(
                condition=Q(revoked_at__isnull=True, revoked_by="") | (Q(revoked_at__isnull=False) & ~Q(revoked_by="")),
                name="gate_token_revoked_at_and_by",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def reference(self) -> Reference:
        """`gate_token:<public id>`."""
        return reference("gate_token", self.public_id)

    def is_live(self, now: datetime) -> bool:
        """Whether it may be used."""
        return self.revoked_at is None and now < self.expires_at


class Issuer(models.Model):
    """Who signs tokens of CI jobs. Only what stands here is ever asked for keys."""

    public_id = models.UUIDField(default=new_id, unique=True, editable=False)
    name = models.CharField(max_length=120)
    url = models.CharField(max_length=300)  # letter by letter what its tokens say
    kind = models.CharField(max_length=6, choices=[(kind.value, kind.value) for kind in IssuerKind])
    project_claim = models.CharField(max_length=80)  # which claim names the project by an id that no other gets
    added_at = models.DateTimeField()
    added_by = models.CharField(max_length=80)
    ended_at = models.DateTimeField(null=True)
    ended_by = models.CharField(max_length=80, default="", blank=True)

    objects = Lockable["Issuer"].as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["url"], condition=Q(ended_at__isnull=True), name="one_issuer_per_url"),
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True, ended_by="") | (Q(ended_at__isnull=False) & ~Q(ended_by="")),
                name="issuer_ended_at_and_by",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def reference(self) -> Reference:
        """`issuer:<public id>`."""
        return reference("issuer", self.public_id)


class Trust(models.Model):
    """Which CI job is taken for whom. What it may ask, and until when, is its grant: a token whose secret nobody has."""

    grant = models.OneToOneField(GateToken, primary_key=True, on_delete=models.PROTECT, related_name="trust")
    issuer = models.ForeignKey(Issuer, on_delete=models.PROTECT, related_name="trusts")
    audience = models.CharField(max_length=300)
    project = models.CharField(max_length=300)
    owner = models.CharField(max_length=100, default="", blank=True)
    environment = models.CharField(max_length=200, default="", blank=True)  # of the CI, not ours
    refs = ArrayField(models.CharField(max_length=300), default=list, blank=True)
    workflow = models.CharField(max_length=400, default="", blank=True)
    takes_merge_requests = models.BooleanField(default=False)
    own_commit = models.BooleanField(default=False)  # the job asks about the commit it runs on and about no other
    proposed_by = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    in_force_at = models.DateTimeField(null=True)
    confirmed_by = models.ForeignKey(Person, null=True, on_delete=models.PROTECT, related_name="+")

    objects = Lockable["Trust"].as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(confirmed_by__isnull=True) | (Q(in_force_at__isnull=False) & ~Q(confirmed_by=models.F("proposed_by"))),
                name="nobody_confirms_own_trust",
            ),
            models.CheckConstraint(condition=~Q(project="") & ~Q(audience=""), name="trust_is_pinned"),
        ]

    def __str__(self) -> str:
        return self.grant.name

    @property
    def reference(self) -> Reference:
        """`trust:<public id>`, the id of its grant."""
        return reference("trust", self.grant.public_id)


class RuleMode(models.Model):
    """How one rule is applied in one environment; without a row it is enforced."""

    environment = models.ForeignKey(Environment, on_delete=models.PROTECT, related_name="+")
    rule = models.CharField(max_length=30)
    mode = models.CharField(max_length=9, choices=[(mode.value, mode.value) for mode in Mode])
    set_at = models.DateTimeField()
    set_by = models.CharField(max_length=80)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["environment", "rule"], name="one_mode_per_rule"),
            models.CheckConstraint(condition=~Q(rule__in=sorted(KEPT)), name="rule_can_be_off"),
        ]


class Relaxation(models.Model):
    """That an environment asks for less, proposed by one administrator and confirmed by another."""

    public_id = models.UUIDField(default=new_id, unique=True, editable=False)
    environment = models.ForeignKey(Environment, on_delete=models.PROTECT, related_name="+")
    rule = models.CharField(max_length=30, default="", blank=True)  # empty: what a change needs there
    before = models.CharField(max_length=10)
    after = models.CharField(max_length=10)
    reason = models.CharField(max_length=300, default="", blank=True)
    proposed_at = models.DateTimeField()
    proposed_by = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    decided_at = models.DateTimeField(null=True)
    decided_by = models.ForeignKey(Person, null=True, on_delete=models.PROTECT, related_name="+")
    outcome = models.CharField(max_length=10, choices=ProposalOutcome, default="", blank=True)

    objects = Lockable["Relaxation"].as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["environment", "rule"], condition=Q(decided_at__isnull=True), name="one_open_relaxation"),
            models.CheckConstraint(
                condition=Q(decided_at__isnull=True, decided_by__isnull=True, outcome="")
                | (Q(decided_at__isnull=False, decided_by__isnull=False) & ~Q(outcome="")),
                name="relaxation_decided_at_and_by",
            ),
            models.CheckConstraint(condition=~Q(outcome="CONFIRMED") | ~Q(decided_by=models.F("proposed_by")), name="nobody_relaxes_alone"),
        ]

    @property
    def reference(self) -> Reference:
        """`relaxation:<public id>`."""
        return reference("relaxation", self.public_id)


class Evaluation(models.Model):
    """A question that was put to the gate. Its id is a UUIDv7 of `at`, so it says in which partition it lies."""

    pk = models.CompositePrimaryKey("id", "at")
    id = models.UUIDField()
    at = models.DateTimeField()
    token_id = models.BigIntegerField()
    key = models.CharField(max_length=200)
    question = models.BinaryField()
    target_id = models.BigIntegerField(null=True)

    class Meta:
        indexes = [models.Index(fields=["target_id", "-at"], name="evaluation_by_target")]


class VerdictRow(models.Model):
    """One answer to an evaluation: the exact bytes that were recorded, and what they bind."""

    pk = models.CompositePrimaryKey("evaluation_id", "at")
    evaluation_id = models.UUIDField()
    at = models.DateTimeField()
    verdict = models.CharField(max_length=7, choices=[(answer.value, answer.value) for answer in Answer])
    is_final = models.BooleanField()
    codes = ArrayField(models.CharField(max_length=40))
    record = models.BinaryField()
    judge = models.SmallIntegerField()  # the version of the rules that answered

    class Meta:
        db_table = "gate_verdict"


class EvaluationKey(models.Model):
    """An Idempotency-Key of a token, for 24 hours: unpartitioned, because a unique index of a partitioned table must hold `at`."""

    token = models.ForeignKey(GateToken, on_delete=models.PROTECT, related_name="+", db_index=False)  # the constraint has one
    key = models.CharField(max_length=200)
    body_hash = models.BinaryField()
    evaluation_id = models.UUIDField()
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["token", "key"], name="one_evaluation_per_key")]
        indexes = [models.Index(fields=["at"], name="evaluation_key_age")]


class Ticket(models.Model):
    """A signed permission that an ALLOW handed out."""

    public_id = models.UUIDField(default=new_id, unique=True, editable=False)
    evaluation_id = models.UUIDField()
    action = models.CharField(max_length=10, choices=[(action.value, action.value) for action in Action])
    binds = models.CharField(max_length=64)  # SHA-256 of what it permits: another leg, revision or settings is another ticket
    payload = models.BinaryField()
    key_id = models.CharField(max_length=40)
    signature = models.BinaryField()
    issued_at = models.DateTimeField()
    expires_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["evaluation_id", "-issued_at"], name="ticket_by_evaluation")]

    @property
    def reference(self) -> Reference:
        """`ticket:<public id>`."""
        return reference("ticket", self.public_id)


class SpentTicket(models.Model):
    """A ticket that was used. One row per ticket, ever."""

    ticket = models.OneToOneField(Ticket, primary_key=True, on_delete=models.PROTECT, related_name="spent")
    spent_at = models.DateTimeField()
    spent_by = models.CharField(max_length=80)
    spent_for = models.CharField(max_length=80)  # "deployment:<public id>"


class BadgeLink(models.Model):
    """That whoever has its address sees whether a target is open. The address is signed, not stored."""

    public_id = models.UUIDField(default=new_id, unique=True, editable=False)
    target = models.ForeignKey(Target, on_delete=models.PROTECT, related_name="+")
    made_at = models.DateTimeField()
    made_by = models.CharField(max_length=80)
    ended_at = models.DateTimeField(null=True)
    ended_by = models.CharField(max_length=80, default="", blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["target"], condition=Q(ended_at__isnull=True), name="one_badge_per_target"),
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True, ended_by="") | (Q(ended_at__isnull=False) & ~Q(ended_by="")),
                name="badge_ended_at_and_by",
            ),
        ]

    def __str__(self) -> str:
        return f"Badge of {self.target_id}"

    @property
    def reference(self) -> Reference:
        """`badge:<public id>`."""
        return reference("badge", self.public_id)


class UnknownTokens(models.Model):
    """How many requests of a day carried a token that nobody issued. Counted, not recorded: a flood fills no table."""

    day = models.DateField(primary_key=True)
    count = models.BigIntegerField()
