"""Evidence: bytes kept once by their digest, and who showed them for which version of which change. Bytes are never edited."""

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from apps.accounts.models import Person
from apps.catalog.models import Service
from apps.changes.models.change import Change, Leg
from apps.core.ids import new_id
from apps.core.locks import Lockable
from apps.core.references import Reference, reference


class EvidenceKind(models.TextChoices):
    """What the bytes are, found by reading them; stored in capitals, signed in small letters."""

    JUNIT = "JUNIT"
    SARIF = "SARIF"
    LINK = "LINK"
    TEXT = "TEXT"
    JSON = "JSON"
    XML = "XML"
    HTML = "HTML"
    IMAGE = "IMAGE"
    PDF = "PDF"
    ARCHIVE = "ARCHIVE"
    FILE = "FILE"


class EvidenceFile(models.Model):
    """The bytes of one digest, in chunks beside it or in a file under FILES_DIR, and what was counted in them."""

    sha256 = models.CharField(max_length=64, unique=True)
    size = models.PositiveBigIntegerField()
    kind = models.CharField(max_length=10, choices=EvidenceKind)
    counted: Any = models.JSONField(default=dict)
    link = models.CharField(max_length=2000, default="", blank=True)
    is_outside = models.BooleanField(default=False)  # under FILES_DIR
    kept_at = models.DateTimeField()

    objects = Lockable["EvidenceFile"].as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(kind=EvidenceKind.LINK) ^ Q(link=""), name="a_link_has_an_address"),
        ]


class EvidenceChunk(models.Model):
    """A stretch of the bytes."""

    file = models.ForeignKey(EvidenceFile, on_delete=models.PROTECT, related_name="chunks")
    position = models.PositiveIntegerField()
    body = models.BinaryField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["file", "position"], name="chunks_are_numbered")]


class EvidenceUpload(models.Model):
    """Something shown by a person for a version. Without a change it waits for the form it was sent from to be saved;
    with a leg it is a fact of that leg, outside everything that is signed."""

    public_id = models.UUIDField(default=new_id, unique=True, editable=False)
    file = models.ForeignKey(EvidenceFile, on_delete=models.PROTECT, related_name="uploads")
    name = models.CharField(max_length=120)
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()
    service = models.ForeignKey(Service, null=True, on_delete=models.PROTECT, related_name="+")
    label = models.CharField(max_length=120, default="", blank=True)
    identities = ArrayField(models.CharField(max_length=200), default=list)
    change = models.ForeignKey(Change, null=True, on_delete=models.PROTECT, related_name="uploads")
    leg = models.ForeignKey(Leg, null=True, on_delete=models.PROTECT, related_name="uploads")
    attached_at = models.DateTimeField(null=True)

    objects = Lockable["EvidenceUpload"].as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(change__isnull=True, leg__isnull=True, attached_at__isnull=True)
                | Q(change__isnull=False, attached_at__isnull=False),
                name="evidence_attached_at",
            ),
            models.UniqueConstraint(fields=["leg", "file"], condition=Q(leg__isnull=False), name="a_leg_shows_a_file_once"),
            models.UniqueConstraint(
                fields=["change", "file"], condition=Q(change__isnull=False, leg__isnull=True), name="a_plan_shows_a_file_once"
            ),
        ]
        indexes = [
            models.Index(fields=["person", "at"], condition=Q(change__isnull=True), name="evidence_not_attached"),
        ]

    @property
    def reference(self) -> Reference:
        """`evidence:<public id>`."""
        return reference("evidence", self.public_id)
