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
