"""What a repository said about a version: the commits and files since what ran. Written once by a worker, read by pages and exclusions."""

from typing import Any

from django.db import models

from apps.catalog.models import Service


class VersionReading(models.Model):
    """The way from one commit to another in a service's repository. `base` is empty where nothing ran."""

    service = models.ForeignKey(Service, on_delete=models.PROTECT, related_name="+")
    repository_id = models.CharField(max_length=120, default="", blank=True)
    base = models.CharField(max_length=64, default="", blank=True)
    commit = models.CharField(max_length=64)
    body: Any = models.JSONField()
    read_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["service", "repository_id", "base", "commit"], name="a_way_is_read_once"),
        ]


class FailedReading(models.Model):
    """A way that could not be read when it was last tried: why, and when it is tried again. Gone once it is read."""

    service = models.ForeignKey(Service, on_delete=models.PROTECT, related_name="+")
    repository_id = models.CharField(max_length=120, default="", blank=True)
    base = models.CharField(max_length=64, default="", blank=True)
    commit = models.CharField(max_length=64)
    reason = models.CharField(max_length=300)
    tries_count = models.PositiveIntegerField(default=1)
    tried_at = models.DateTimeField()
    next_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["service", "repository_id", "base", "commit"], name="a_way_fails_in_one_row"),
        ]
