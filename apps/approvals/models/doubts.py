"""That an agreement has to be counted again, and why: written by whoever reads the stream, gone when it was counted."""

from django.db import models

from apps.changes.models import Change


class Doubt(models.Model):
    """Something happened that may have changed what counts for an open change. One change may have several."""

    # Without a constraint: it would lock the change, and whoever reads the stream waits for nobody. No change is ever deleted.
    change = models.ForeignKey(Change, on_delete=models.PROTECT, related_name="+", db_constraint=False)
    reason = models.CharField(max_length=300)
    raised_at = models.DateTimeField()
