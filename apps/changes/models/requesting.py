"""What stands beside a request: input that is not saved yet, what must come first, answers already given."""

from django.db import models
from django.db.models import F, Q

from apps.accounts.models import Person
from apps.changes.models.change import Change


class DraftInput(models.Model):
    """What a person has typed and not saved: the form as it stands. No revision, and nobody else sees it.

    The page that shows the form chooses the id, so that a repeated request writes the same row."""

    public_id = models.UUIDField(editable=False)
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    change = models.ForeignKey(Change, null=True, on_delete=models.PROTECT, related_name="+")  # null: a new one
    body = models.TextField()  # JSON: names of fields to lists of texts
    saved_at = models.DateTimeField()
    became = models.ForeignKey(Change, null=True, on_delete=models.PROTECT, related_name="+")  # what it was sent as, where it was
    finished_at = models.DateTimeField(null=True)  # sent or dropped: what a slow request still brings for it is not kept

    class Meta:
        constraints = [models.UniqueConstraint(fields=["person", "public_id"], name="one_row_per_open_form")]
        indexes = [models.Index(fields=["person", "-saved_at"], name="draft_input_by_person")]


class Dependency(models.Model):
    """A change that should come after another one; outside everything that is signed."""

    change = models.ForeignKey(Change, on_delete=models.PROTECT, related_name="dependencies")
    needs = models.ForeignKey(Change, on_delete=models.PROTECT, related_name="dependants")
    since_at = models.DateTimeField()
    since_by = models.CharField(max_length=80)
    ended_at = models.DateTimeField(null=True)
    ended_by = models.CharField(max_length=80, default="", blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["change", "needs"], condition=Q(ended_at__isnull=True), name="one_standing_dependency"),
            models.CheckConstraint(condition=~Q(change=F("needs")), name="no_change_needs_itself"),
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True, ended_by="") | (Q(ended_at__isnull=False) & ~Q(ended_by="")),
                name="dependency_ended_at_and_by",
            ),
        ]


class GivenAnswer(models.Model):
    """What was answered under an Idempotency-Key, so that the same request asked again changes nothing; kept for a day."""

    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    credential = models.CharField(max_length=80)
    key = models.CharField(max_length=200)
    asked = models.CharField(max_length=64)  # SHA-256 of the method, the address and the body
    status = models.PositiveSmallIntegerField()
    body = models.TextField()
    location = models.CharField(max_length=200, default="", blank=True)
    given_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["person", "credential", "key"], name="one_answer_per_key")]
        indexes = [models.Index(fields=["given_at"], name="given_answer_by_age")]
