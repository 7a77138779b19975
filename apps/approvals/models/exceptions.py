"""Exceptions: what two people let pass for one leg, and for how long. Whether one counts is derived, never written."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from apps.accounts.models import Person, Team
from apps.approvals.models.statements import SignedStatement
from apps.approvals.rules.exceptions import LONGEST_MINUTES, SHORTEST_MINUTES, ExceptionKind
from apps.changes.models import Leg, Revision
from apps.core.ids import new_id
from apps.core.locks import Lockable
from apps.core.references import Reference, reference

WAITING = Q(agreed_at__isnull=True, refused_at__isnull=True, withdrawn_at__isnull=True, lapsed_at__isnull=True)


def _pair(at: str, by: str, *also: Q) -> Q:
    """Both are there, with all of ALSO, or neither is."""
    there, nothing = Q(**{f"{at}__isnull": False, f"{by}__isnull": False}), Q(**{f"{at}__isnull": True, f"{by}__isnull": True})
    for one in also:
        there, nothing = there & one, nothing & ~one
    return there | nothing


class LegException(models.Model):
    """An exception, `EXC-<number>`: one leg, one version of it, minutes, a reason, two people and the review they owe."""

    public_id = models.UUIDField(default=new_id, unique=True, editable=False)
    leg = models.ForeignKey(Leg, on_delete=models.PROTECT, related_name="+")
    revision = models.ForeignKey(Revision, on_delete=models.PROTECT, related_name="+")
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="+")  # of the service then; it owes the review
    kind = models.CharField(max_length=10, choices=[(kind.value, kind.value) for kind in ExceptionKind])
    lifts = ArrayField(models.CharField(max_length=20), default=list)  # GATE: the rules that are lifted
    minutes = models.PositiveSmallIntegerField()
    reason = models.TextField()
    asked_at = models.DateTimeField()
    asked_by = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    agreed_at = models.DateTimeField(null=True)
    agreed_by = models.ForeignKey(Person, null=True, on_delete=models.PROTECT, related_name="+")
    ends_at = models.DateTimeField(null=True)
    review_due_at = models.DateTimeField(null=True)
    refused_at = models.DateTimeField(null=True)
    refused_by = models.ForeignKey(Person, null=True, on_delete=models.PROTECT, related_name="+")
    withdrawn_at = models.DateTimeField(null=True)
    withdrawn_by = models.ForeignKey(Person, null=True, on_delete=models.PROTECT, related_name="+")
    lapsed_at = models.DateTimeField(null=True)  # nobody decided in time
    end_reason = models.TextField(default="", blank=True)  # why it was refused, or withdrawn
    due_told_at = models.DateTimeField(null=True)
    overdue_told_at = models.DateTimeField(null=True)
    reviewed_at = models.DateTimeField(null=True)
    reviewed_by = models.ForeignKey(Person, null=True, on_delete=models.PROTECT, related_name="+")
    review = models.TextField(default="", blank=True)
    prevention = models.TextField(default="", blank=True)

    objects = Lockable["LegException"].as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["leg", "kind"],
                condition=WAITING,
                name="one_waiting_exception_per_kind",
            ),
            models.CheckConstraint(condition=Q(agreed_by__isnull=True) | ~Q(agreed_by=F("asked_by")), name="exception_takes_two"),
            models.CheckConstraint(
                condition=_pair("agreed_at", "agreed_by", Q(ends_at__isnull=False), Q(review_due_at__isnull=False)),
                name="exception_agreed_at_and_by",
            ),
            models.CheckConstraint(
                condition=Q(ends_at__isnull=True) | Q(ends_at__gt=F("agreed_at")), name="exception_ends_after_it_begins"
            ),
            models.CheckConstraint(condition=_pair("refused_at", "refused_by"), name="exception_refused_at_and_by"),
            models.CheckConstraint(condition=_pair("withdrawn_at", "withdrawn_by"), name="exception_withdrawn_at_and_by"),
            models.CheckConstraint(
                condition=Q(refused_at__isnull=True) | Q(agreed_at__isnull=True, withdrawn_at__isnull=True),
                name="exception_refused_is_over",
            ),
            models.CheckConstraint(
                condition=Q(lapsed_at__isnull=True) | Q(agreed_at__isnull=True, refused_at__isnull=True, withdrawn_at__isnull=True),
                name="exception_lapsed_is_over",
            ),
            models.CheckConstraint(condition=_pair("reviewed_at", "reviewed_by", ~Q(review="")), name="exception_reviewed_at_and_by"),
            models.CheckConstraint(
                condition=Q(reviewed_at__isnull=True) | Q(agreed_at__isnull=False), name="exception_reviewed_was_agreed"
            ),
            models.CheckConstraint(
                condition=Q(minutes__gte=SHORTEST_MINUTES, minutes__lte=LONGEST_MINUTES), name="exception_lasts_minutes"
            ),
            models.CheckConstraint(
                condition=(Q(kind=ExceptionKind.GATE.value) & Q(lifts__len__gt=0)) | (~Q(kind=ExceptionKind.GATE.value) & Q(lifts__len=0)),
                name="exception_of_the_gate_names_rules",
            ),
        ]
        indexes = [
            models.Index(
                fields=["leg", "ends_at"], condition=Q(agreed_at__isnull=False, withdrawn_at__isnull=True), name="agreed_exceptions_of_leg"
            ),
            models.Index(
                fields=["team", "review_due_at"],
                condition=Q(agreed_at__isnull=False, reviewed_at__isnull=True),
                name="exceptions_owing_review",
            ),
            models.Index(
                fields=["asked_at"],
                condition=WAITING,
                name="waiting_exceptions",
            ),
            models.Index(fields=["team", "-id"], name="exceptions_of_team"),
        ]

    def __str__(self) -> str:
        return self.ref

    @property
    def ref(self) -> str:
        """What people call it: EXC-12."""
        return f"EXC-{self.pk}"

    @property
    def reference(self) -> Reference:
        """`exception:<public id>`."""
        return reference("exception", self.public_id)

    @property
    def is_waiting(self) -> bool:
        """Whether nobody has decided on it."""
        return not any((self.agreed_at, self.refused_at, self.withdrawn_at, self.lapsed_at))


class Act(models.TextChoices):
    """What a signature of an exception does."""

    ASK = "ASK"
    AGREE = "AGREE"


class ExceptionSignature(SignedStatement):
    """What the first person signed, and what the second one did."""

    exception = models.ForeignKey(LegException, on_delete=models.PROTECT, related_name="signatures")
    act = models.CharField(max_length=5, choices=Act)
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    given_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["exception", "act"], name="one_signature_per_act")]
