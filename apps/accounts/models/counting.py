"""What is counted for a while over all processes: attempts to sign in, and whatever else asks Django's cache."""

from django.db import models


class Counted(models.Model):
    """A short-lived value under a key; `apps.accounts.counting` is the only one who reads and writes it."""

    key = models.CharField(max_length=300, primary_key=True)
    value = models.JSONField()
    expires_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["expires_at"], name="counted_expires_at")]
