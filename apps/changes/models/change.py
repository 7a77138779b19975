"""A change, its immutable revisions and the rows the gate looks it up by."""

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector, SearchVectorField
from django.db import models
from django.db.models import Q

from apps.accounts.models import Person
from apps.catalog.models import Environment, Service, Target
from apps.changes.content import PARTS, Bound, ModelRef
from apps.changes.states import ENDED, LARGEST_FAILURES, LEG_OPEN, OPEN, Kind, LegState, Outcome, State, values
from apps.core.ids import new_id
from apps.core.locks import Lockable
from apps.core.references import Reference, reference


class Change(models.Model):
    """A request for change, `CHG-<number>`."""

    public_id = models.UUIDField(default=new_id, unique=True, editable=False)
    kind = models.CharField(max_length=10, choices=[(kind.value, kind.value) for kind in Kind])
    state = models.CharField(max_length=12, choices=[(state.value, state.value) for state in State], default=State.DRAFT.value)
    outcome = models.CharField(max_length=24, choices=[(outcome.value, outcome.value) for outcome in Outcome], default="", blank=True)
    title = models.CharField(max_length=200)  # of the newest revision, for lists
    requester = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    revision = models.ForeignKey("Revision", null=True, on_delete=models.PROTECT, related_name="+")  # the newest one
    not_before = models.DateTimeField(null=True)  # of the newest revision's period; null: from now on
    not_after = models.DateTimeField(null=True)
    # For searching: the words of what the newest revision says and of the comments, as `changes.steps.words` puts them together.
    words = models.TextField(default="", blank=True)
    searched = models.GeneratedField(
        expression=SearchVector("words", config="simple"), output_field=SearchVectorField(), db_persist=True, editable=False
    )
    labels = ArrayField(models.CharField(max_length=200), default=list, blank=True)
    aspects = ArrayField(models.CharField(max_length=20), default=list, blank=True)
    created_at = models.DateTimeField()
    submitted_at = models.DateTimeField(null=True)
    made_from = models.ForeignKey("ChangeModelVersion", null=True, on_delete=models.PROTECT, related_name="+")  # null: from nothing
    risk = models.PositiveSmallIntegerField(null=True)  # points of the newest revision as they were when it was submitted or saved

    objects = Lockable["Change"].as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["state", "-id"], name="change_by_state"),
            models.Index(fields=["not_after"], condition=Q(state__in=values(OPEN)), name="open_change_by_end"),
            # For the list: a page by each order it has, and the searches that find few among many.
            models.Index(fields=["-id"], condition=Q(state__in=values(OPEN)), name="open_change_by_number"),
            models.Index(fields=["created_at", "id"], name="change_by_creation"),
            models.Index(fields=["not_after", "id"], name="change_by_end"),
            models.Index(fields=["title", "id"], name="change_by_title"),
            models.Index(fields=["requester", "-id"], name="change_by_requester"),
            models.Index(fields=["kind", "-id"], name="change_by_kind"),
            GinIndex(fields=["labels"], name="change_by_label", fastupdate=False),
            GinIndex(fields=["searched"], name="change_by_words", fastupdate=False),
            models.Index(fields=["risk", "-id"], name="change_by_risk"),
        ]
        constraints = [
            models.CheckConstraint(condition=~Q(state__in=values(OPEN)) | Q(submitted_at__isnull=False), name="open_change_was_submitted"),
            models.CheckConstraint(
                condition=(Q(state__in=values(ENDED)) & ~Q(outcome="")) | (~Q(state__in=values(ENDED)) & Q(outcome="")),
                name="ended_change_has_an_outcome",
            ),
            models.CheckConstraint(condition=~Q(kind=Kind.STANDARD.value) | Q(made_from__isnull=False), name="standard_change_has_a_model"),
        ]

    def __str__(self) -> str:
        return self.ref

    @property
    def ref(self) -> str:
        """What people call it: CHG-1042."""
        return f"CHG-{self.pk}"

    @property
    def reference(self) -> Reference:
        """`change:<public id>`."""
        return reference("change", self.public_id)

    @property
    def is_open(self) -> bool:
        """Submitted and not over: the gate may say yes to its legs."""
        return self.state in OPEN


class Revision(models.Model):
    """An immutable snapshot of a change's content: five parts as canonical bytes, and what binds them."""

    public_id = models.UUIDField(default=new_id, unique=True, editable=False)
    change = models.ForeignKey(Change, on_delete=models.PROTECT, related_name="revisions")
    number = models.PositiveIntegerField()
    author = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    made_at = models.DateTimeField()
    scope = models.BinaryField()
    plan = models.BinaryField()
    rollback = models.BinaryField()
    period = models.BinaryField()
    story = models.BinaryField()
    scope_digest = models.CharField(max_length=64)
    plan_digest = models.CharField(max_length=64)
    rollback_digest = models.CharField(max_length=64)
    period_digest = models.CharField(max_length=64)
    story_digest = models.CharField(max_length=64)
    digest = models.CharField(max_length=64)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["change", "number"], name="revisions_are_numbered")]

    @property
    def part_digests(self) -> dict[str, str]:
        """The digest of each part, by name."""
        return {part: getattr(self, f"{part}_digest") for part in PARTS}

    @property
    def bound(self) -> Bound:
        """What its digest binds beside the parts; change, requester and author are read with it, a STANDARD change's model too."""
        change = self.change
        made_from = change.made_from if change.kind == Kind.STANDARD else None
        model = ModelRef(made_from.model.public_id, made_from.number, made_from.digest) if made_from else None
        return Bound(change.public_id, change.kind, change.requester.public_id, self.number, self.author.public_id, model)


class Item(models.Model):
    """A service and the version asked for it, as the newest revision says."""

    change = models.ForeignKey(Change, on_delete=models.PROTECT, related_name="items")
    position = models.PositiveSmallIntegerField()
    service = models.ForeignKey(Service, on_delete=models.PROTECT, related_name="+")
    label = models.CharField(max_length=120)
    identities = ArrayField(models.CharField(max_length=200))
    asked_as = models.CharField(
        max_length=200, default="", blank=True
    )  # what was written for its commit; outside everything that is signed
    is_current = models.BooleanField(default=True)

    class Meta:
        indexes = [models.Index(fields=["label", "change"], name="item_by_label")]
        constraints = [
            models.UniqueConstraint(fields=["change", "service"], condition=Q(is_current=True), name="one_current_item_per_service"),
        ]


class Leg(models.Model):
    """One service in one environment of a change. `is_open` repeats the change's and the leg's state for the gate's index."""

    public_id = models.UUIDField(default=new_id, unique=True, editable=False)
    change = models.ForeignKey(Change, on_delete=models.PROTECT, related_name="legs")
    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="legs")
    service = models.ForeignKey(Service, on_delete=models.PROTECT, related_name="+")
    environment = models.ForeignKey(Environment, on_delete=models.PROTECT, related_name="+")
    target = models.ForeignKey(Target, on_delete=models.PROTECT, related_name="+")
    state = models.CharField(max_length=12, choices=[(state.value, state.value) for state in LegState], default=LegState.WAITING.value)
    failures_count = models.PositiveSmallIntegerField(default=0)
    rolled_back_revision = models.PositiveIntegerField(default=0)  # the revision that was rolled back; a newer one opens the leg again
    is_open = models.BooleanField(default=False)
    is_current = models.BooleanField(default=True)
    before: "dict[str, Any]"  # label and identities of what it replaces, read by `changes.facts.with_before` alone

    objects = Lockable["Leg"].as_manager()

    class Meta:
        indexes = [models.Index(fields=["environment", "service"], condition=Q(is_open=True), name="open_leg_by_place")]
        constraints = [
            models.UniqueConstraint(fields=["change", "service", "environment"], condition=Q(is_current=True), name="one_current_leg"),
            models.CheckConstraint(
                condition=Q(is_open=False) | Q(is_current=True, state__in=values(LEG_OPEN)), name="open_leg_may_start_or_runs"
            ),
        ]

    @property
    def reference(self) -> Reference:
        """`leg:<public id>`."""
        return reference("leg", self.public_id)

    @property
    def can_start(self) -> bool:
        """Whether its own state allows a start."""
        return self.state in LEG_OPEN and self.state != LegState.STARTED and self.failures_count < LARGEST_FAILURES


class LegIdentity(models.Model):
    """The gate's lookup key: which legs name this identity."""

    leg = models.ForeignKey(Leg, on_delete=models.CASCADE, related_name="identities")
    service = models.ForeignKey(Service, on_delete=models.PROTECT, related_name="+")
    environment = models.ForeignKey(Environment, on_delete=models.PROTECT, related_name="+")
    identity = models.CharField(max_length=200)
    is_open = models.BooleanField(default=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["leg", "identity"], name="an_identity_once_per_leg")]
        indexes = [
            models.Index(fields=["service", "environment", "identity", "leg"], condition=Q(is_open=True), name="open_leg_by_identity"),
            models.Index(fields=["service", "environment", "identity", "-leg"], name="any_leg_by_identity"),
            # A search by the first digits of a commit; without the class a comparison by prefix would read every row.
            models.Index(fields=["identity"], opclasses=["varchar_pattern_ops"], name="leg_identity_by_prefix"),
        ]


class Move(models.Model):
    """One move of a change or of one of its legs: who, when, why."""

    change = models.ForeignKey(Change, on_delete=models.PROTECT, related_name="moves")
    leg = models.ForeignKey(Leg, null=True, on_delete=models.PROTECT, related_name="moves")
    seq = models.PositiveIntegerField()
    start = models.CharField(max_length=12)
    goal = models.CharField(max_length=12)
    at = models.DateTimeField()
    by = models.CharField(max_length=80)
    reason = models.CharField(max_length=300, default="", blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["change", "seq"], name="moves_are_numbered")]


class Comment(models.Model):
    """Something said about a change; outside everything that is signed."""

    public_id = models.UUIDField(default=new_id, unique=True, editable=False)
    change = models.ForeignKey(Change, on_delete=models.PROTECT, related_name="comments")
    author = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()
    text = models.TextField()
