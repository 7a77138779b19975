"""Incidents and their append-only timeline."""

from django.db import models
from django.db.models import Q

from apps.catalog.models import Target
from apps.core.ids import new_id
from apps.core.locks import Lockable
from apps.core.references import Reference, reference
from apps.incidents.states import State


class Incident(models.Model):
    """Something wrong for users, `INC-<number>`; one open at a time per target."""

    public_id = models.UUIDField(default=new_id, unique=True, editable=False)
    target = models.ForeignKey(Target, on_delete=models.PROTECT, related_name="+")
    title = models.CharField(max_length=200)
    state = models.CharField(max_length=10, choices=[(state.value, state.value) for state in State], default=State.OPEN)
    opened_by = models.CharField(max_length=80)
    # The entry that opened it (again): followed twice, opened once. Null where a person did.
    opened_for = models.UUIDField(null=True, unique=True)
    started_at = models.DateTimeField()  # when users began to be hurt, as far as we know
    opened_at = models.DateTimeField()
    recovered_at = models.DateTimeField(null=True)
    resolved_at = models.DateTimeField(null=True)

    objects = Lockable["Incident"].as_manager()

    class Meta:
        indexes = [models.Index(fields=["target", "-id"], name="incident_by_target")]
        constraints = [
            models.UniqueConstraint(fields=["target"], condition=~Q(state=State.RESOLVED), name="one_open_incident_per_target"),
            models.CheckConstraint(
                condition=Q(state=State.RESOLVED, resolved_at__isnull=False) | (~Q(state=State.RESOLVED) & Q(resolved_at__isnull=True)),
                name="resolved_has_resolved_at",
            ),
            models.CheckConstraint(condition=~Q(state=State.RECOVERED) | Q(recovered_at__isnull=False), name="recovered_has_recovered_at"),
        ]

    def __str__(self) -> str:
        return self.ref

    @property
    def ref(self) -> str:
        """What people call it: INC-3."""
        return f"INC-{self.pk}"

    @property
    def reference(self) -> Reference:
        """`incident:<public id>`."""
        return reference("incident", self.public_id)


class TimelineEntry(models.Model):
    """What a person says happened: when it happened and when we learned it. A correction supersedes; nothing is edited.

    What the machinery did is not copied here: the page reads it from the stream."""

    public_id = models.UUIDField(default=new_id, unique=True, editable=False)
    incident = models.ForeignKey(Incident, on_delete=models.PROTECT, related_name="timeline")
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    by = models.CharField(max_length=80)
    text = models.TextField()
    supersedes = models.OneToOneField("self", null=True, on_delete=models.PROTECT, related_name="superseded_by")

    @property
    def reference(self) -> Reference:
        """`timeline:<public id>`."""
        return reference("timeline", self.public_id)
