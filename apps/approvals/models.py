"""Policies (versioned) and sign-offs (signed). Whether a sign-off stands is derived, never written."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from apps.accounts.models import Person
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


class Policy(models.Model):
    """Who must agree before something goes to an environment; the most specific one applies."""

    public_id = models.UUIDField(default=new_id, unique=True, editable=False)
    name = models.CharField(max_length=120)
    environment = models.ForeignKey(Environment, on_delete=models.PROTECT, related_name="+")
    service = models.ForeignKey(Service, null=True, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=10, default="", blank=True)  # a kind of change; empty: every kind
    version = models.ForeignKey("PolicyVersion", null=True, on_delete=models.PROTECT, related_name="+")  # the one in force
    retired_at = models.DateTimeField(null=True)

    objects = Lockable["Policy"].as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["environment", "service", "kind"],
                condition=Q(retired_at__isnull=True),
                nulls_distinct=False,
                name="one_policy_per_selector",
            ),
        ]

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


class SignOff(models.Model):
    """One person's decision about one revision: the statement's bytes, and what proves them."""

    public_id = models.UUIDField(default=new_id, unique=True, editable=False)
    change = models.ForeignKey(Change, on_delete=models.PROTECT, related_name="+")
    revision = models.ForeignKey(Revision, on_delete=models.PROTECT, related_name="+")
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    requester = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")  # copied so that a constraint sees both
    is_solo = models.BooleanField(default=False)
    decision = models.CharField(max_length=8, choices=Decision)
    meaning = models.CharField(max_length=14, choices=Meaning)
    covered_parts = ArrayField(models.CharField(max_length=10))
    given_at = models.DateTimeField()
    statement = models.BinaryField()
    statement_hash = models.CharField(max_length=64, unique=True)
    key_id = models.CharField(max_length=40)
    alg = models.CharField(max_length=20)
    signature = models.BinaryField()
    # Filled where the person signs with a passkey (WebAuthn); empty otherwise.
    credential_id = models.BinaryField(default=b"")
    authenticator_data = models.BinaryField(default=b"")
    client_data = models.BinaryField(default=b"")
    assertion = models.BinaryField(default=b"")
    rp_id = models.CharField(max_length=253, default="", blank=True)
    origin = models.CharField(max_length=300, default="", blank=True)
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
