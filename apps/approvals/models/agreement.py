"""Policies (versioned), sign-offs (signed) and who stands in for whom. Whether a sign-off stands is derived, never written."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from apps.accounts.models import Person
from apps.approvals.models.statements import SignedStatement
from apps.catalog.models import Environment, Service
from apps.changes.models import Change, Revision
from apps.core.ids import new_id
from apps.core.locks import Lockable
from apps.core.references import Reference, reference


class Decision(models.TextChoices):
    """What a person decided."""

    APPROVE = "APPROVE"
    REJECT = "REJECT"


class Meaning(models.TextChoices):
    """What the signature means (21 CFR 11.50)."""

    APPROVAL = "APPROVAL"
    REVIEW = "REVIEW"
    AUTHORISATION = "AUTHORISATION"


REJECTION = "REJECTION"  # what a no means; no rule of a policy asks for one


class Policy(models.Model):
    """Who must agree before something goes to an environment; the most specific one applies."""

    public_id = models.UUIDField(default=new_id, unique=True, editable=False)
    name = models.CharField(max_length=120)
    environment = models.ForeignKey(Environment, on_delete=models.PROTECT, related_name="+")
    service = models.ForeignKey(Service, null=True, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=10, default="", blank=True)  # a kind of change; empty: every kind
    least_risk = models.PositiveSmallIntegerField(default=0)  # points of risk from which on it applies
    version = models.ForeignKey("PolicyVersion", null=True, on_delete=models.PROTECT, related_name="+")  # the one in force
    retired_at = models.DateTimeField(null=True)

    objects = Lockable["Policy"].as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["environment", "service", "kind", "least_risk"],
                condition=Q(retired_at__isnull=True),
                nulls_distinct=False,
                name="one_policy_per_selector",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def reference(self) -> Reference:
        """`policy:<public id>`."""
        return reference("policy", self.public_id)


class PolicyVersion(models.Model):
    """One immutable wording of a policy, as canonical bytes."""

    policy = models.ForeignKey(Policy, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    body = models.BinaryField()
    digest = models.CharField(max_length=64)
    made_at = models.DateTimeField()
    made_by = models.CharField(max_length=80)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["policy", "number"], name="policy_versions_are_numbered")]


class ProposalOutcome(models.TextChoices):
    """What became of a proposal."""

    CONFIRMED = "CONFIRMED"
    REFUSED = "REFUSED"
    TAKEN_BACK = "TAKEN_BACK"


class PolicyProposal(models.Model):
    """A wording, or the end, of a policy that one administrator proposes and another one confirms."""

    public_id = models.UUIDField(default=new_id, unique=True, editable=False)
    environment = models.ForeignKey(Environment, on_delete=models.PROTECT, related_name="+")
    service = models.ForeignKey(Service, null=True, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=10, default="", blank=True)
    least_risk = models.PositiveSmallIntegerField(default=0)
    name = models.CharField(max_length=120)
    body = models.BinaryField(null=True)  # null: the policy shall end
    replaces = models.ForeignKey(PolicyVersion, null=True, on_delete=models.PROTECT, related_name="+")  # in force when it was written
    proposed_at = models.DateTimeField()
    proposed_by = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    decided_at = models.DateTimeField(null=True)
    decided_by = models.ForeignKey(Person, null=True, on_delete=models.PROTECT, related_name="+")
    outcome = models.CharField(max_length=10, choices=ProposalOutcome, default="", blank=True)

    objects = Lockable["PolicyProposal"].as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["environment", "service", "kind", "least_risk"],
                condition=Q(decided_at__isnull=True),
                nulls_distinct=False,
                name="one_open_proposal_per_selector",
            ),
            models.CheckConstraint(
                condition=Q(decided_at__isnull=True, decided_by__isnull=True, outcome="")
                | (Q(decided_at__isnull=False, decided_by__isnull=False) & ~Q(outcome="")),
                name="proposal_decided_at_and_by",
            ),
            models.CheckConstraint(
                condition=~Q(outcome="CONFIRMED") | ~Q(decided_by=models.F("proposed_by")), name="nobody_confirms_their_own_proposal"
            ),
        ]

    @property
    def reference(self) -> Reference:
        """`policy_proposal:<public id>`."""
        return reference("policy_proposal", self.public_id)


class Absence(models.Model):
    """A time in which somebody does not sign. It only informs: nobody loses a right by it."""

    public_id = models.UUIDField(default=new_id, unique=True, editable=False)
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    entered_at = models.DateTimeField()
    entered_by = models.CharField(max_length=80)
    cancelled_at = models.DateTimeField(null=True)
    cancelled_by = models.CharField(max_length=80, default="", blank=True)

    objects = Lockable["Absence"].as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(ends_at__gt=models.F("starts_at")), name="absence_ends_after_it_starts"),
            models.CheckConstraint(
                condition=Q(cancelled_at__isnull=True, cancelled_by="") | (Q(cancelled_at__isnull=False) & ~Q(cancelled_by="")),
                name="absence_cancelled_at_and_by",
            ),
        ]
        indexes = [models.Index(fields=["person", "ends_at"], condition=Q(cancelled_at__isnull=True), name="standing_absences")]

    @property
    def reference(self) -> Reference:
        """`absence:<public id>`."""
        return reference("absence", self.public_id)


class Delegation(models.Model):
    """One person signs in another's place, from when to when and for what. Written once; it may be ended early."""

    public_id = models.UUIDField(default=new_id, unique=True, editable=False)
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    delegate = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    service_ids = ArrayField(models.BigIntegerField(), null=True)  # null: every service
    kinds = ArrayField(models.CharField(max_length=10), null=True)  # null: every kind of change
    given_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    ended_by = models.CharField(max_length=80, default="", blank=True)

    objects = Lockable["Delegation"].as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(ends_at__gt=models.F("starts_at")), name="delegation_ends_after_it_starts"),
            models.CheckConstraint(condition=~Q(person=models.F("delegate")), name="nobody_stands_in_for_themselves"),
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True, ended_by="") | (Q(ended_at__isnull=False) & ~Q(ended_by="")),
                name="delegation_ended_at_and_by",
            ),
        ]
        indexes = [
            models.Index(fields=["person", "ends_at"], condition=Q(ended_at__isnull=True), name="standing_delegations"),
            models.Index(fields=["delegate", "ends_at"], condition=Q(ended_at__isnull=True), name="standing_stand_ins"),
        ]

    @property
    def reference(self) -> Reference:
        """`delegation:<public id>`."""
        return reference("delegation", self.public_id)


class SignOff(SignedStatement):
    """One person's decision about one revision: the statement's bytes, and what proves them."""

    public_id = models.UUIDField(default=new_id, unique=True, editable=False)
    change = models.ForeignKey(Change, on_delete=models.PROTECT, related_name="+")
    revision = models.ForeignKey(Revision, on_delete=models.PROTECT, related_name="+")
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    requester = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")  # copied so that a constraint sees both
    is_solo = models.BooleanField(default=False)
    delegation = models.ForeignKey(Delegation, null=True, on_delete=models.PROTECT, related_name="+")  # null: in one's own right
    decision = models.CharField(max_length=8, choices=Decision)
    meaning = models.CharField(max_length=14, choices=[*Meaning.choices, (REJECTION, "Rejection")])
    covered_parts = ArrayField(models.CharField(max_length=10))
    given_at = models.DateTimeField()
    withdrawn_at = models.DateTimeField(null=True)
    withdrawn_by = models.CharField(max_length=80, default="", blank=True)

    objects = Lockable["SignOff"].as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["revision", "person", "meaning"], condition=Q(withdrawn_at__isnull=True), name="one_standing_sign_off"
            ),
            models.CheckConstraint(condition=Q(is_solo=True) | ~Q(person=models.F("requester")), name="no_self_approval"),
            models.CheckConstraint(
                condition=Q(withdrawn_at__isnull=True, withdrawn_by="") | (Q(withdrawn_at__isnull=False) & ~Q(withdrawn_by="")),
                name="sign_off_withdrawn_at_and_by",
            ),
        ]
        indexes = [models.Index(fields=["change"], condition=Q(withdrawn_at__isnull=True), name="standing_sign_offs")]

    @property
    def reference(self) -> Reference:
        """`sign_off:<public id>`."""
        return reference("sign_off", self.public_id)


class Nudge(models.Model):
    """That somebody was told once that an agreement waits: who, at which step, about which revision."""

    change = models.ForeignKey(Change, on_delete=models.PROTECT, related_name="+")
    revision = models.ForeignKey(Revision, on_delete=models.PROTECT, related_name="+")
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    step = models.CharField(max_length=9, choices=[("REMINDED", "Reminded"), ("ESCALATED", "Escalated")])
    since = models.DateTimeField()  # what was waited for since then; sent back and submitted again it waits anew
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["revision", "person", "step", "since"], name="one_nudge_per_step")]


class Look(models.Model):
    """Which revision of a change a person had before them last; only ever replaced by a later one."""

    change = models.ForeignKey(Change, on_delete=models.PROTECT, related_name="+")
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    revision = models.ForeignKey(Revision, on_delete=models.PROTECT, related_name="+")
    looked_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["change", "person"], name="one_look_per_person")]
