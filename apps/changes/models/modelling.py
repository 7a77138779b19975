"""Change models, their wordings, and the wordings that wait for a second person."""

from django.db import models
from django.db.models import F, Q

from apps.accounts.models import Person
from apps.core.ids import new_id
from apps.core.locks import Lockable
from apps.core.references import Reference, reference


class ChangeModel(models.Model):
    """A template to begin a change from; what it says is in its versions."""

    public_id = models.UUIDField(default=new_id, unique=True, editable=False)
    slug = models.SlugField(max_length=60, unique=True)
    name = models.CharField(max_length=120)
    version = models.ForeignKey("ChangeModelVersion", null=True, on_delete=models.PROTECT, related_name="+")  # the one in force
    retired_at = models.DateTimeField(null=True)

    objects = Lockable["ChangeModel"].as_manager()

    def __str__(self) -> str:
        return self.name

    @property
    def reference(self) -> Reference:
        """`change_model:<public id>`."""
        return reference("change_model", self.public_id)


class ChangeModelVersion(models.Model):
    """One immutable wording of a template, as canonical bytes. One that approves beforehand says so under the server's signature."""

    model = models.ForeignKey(ChangeModel, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    body = models.BinaryField()
    digest = models.CharField(max_length=64)
    author = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    made_at = models.DateTimeField()
    agreed_by = models.ForeignKey(Person, null=True, on_delete=models.PROTECT, related_name="+")  # null: the author alone
    statement = models.BinaryField(default=b"")  # empty where it approves nothing beforehand
    key_id = models.CharField(max_length=40, default="", blank=True)
    alg = models.CharField(max_length=20, default="", blank=True)
    signature = models.BinaryField(default=b"")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["model", "number"], name="model_versions_are_numbered"),
            models.CheckConstraint(condition=~Q(agreed_by=F("author")), name="nobody_agrees_to_their_own_model"),
        ]


class ModelOutcome(models.TextChoices):
    """What became of a proposed wording."""

    AGREED = "AGREED"
    REFUSED = "REFUSED"
    TAKEN_BACK = "TAKEN_BACK"


class ChangeModelProposal(models.Model):
    """A wording that approves changes beforehand, which one administrator proposes and a second person agrees to."""

    public_id = models.UUIDField(default=new_id, unique=True, editable=False)
    model = models.ForeignKey(ChangeModel, null=True, on_delete=models.PROTECT, related_name="+")  # null: it would be a new one
    slug = models.SlugField(max_length=60)
    name = models.CharField(max_length=120)
    body = models.BinaryField()
    replaces = models.ForeignKey(ChangeModelVersion, null=True, on_delete=models.PROTECT, related_name="+")  # in force when it was written
    proposed_at = models.DateTimeField()
    proposed_by = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    decided_at = models.DateTimeField(null=True)
    decided_by = models.ForeignKey(Person, null=True, on_delete=models.PROTECT, related_name="+")
    outcome = models.CharField(max_length=10, choices=ModelOutcome, default="", blank=True)

    objects = Lockable["ChangeModelProposal"].as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["slug"], condition=Q(decided_at__isnull=True), name="one_open_proposal_per_model"),
            models.CheckConstraint(
                condition=Q(decided_at__isnull=True, decided_by__isnull=True, outcome="")
                | (Q(decided_at__isnull=False, decided_by__isnull=False) & ~Q(outcome="")),
                name="model_proposal_decided_at_and_by",
            ),
            models.CheckConstraint(
                condition=~Q(outcome="AGREED") | ~Q(decided_by=F("proposed_by")), name="nobody_agrees_to_their_own_proposal"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def reference(self) -> Reference:
        """`change_model_proposal:<public id>`."""
        return reference("change_model_proposal", self.public_id)
