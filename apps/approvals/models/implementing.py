"""Who had a deployment of a change started: written when it begins, for the policies that keep them out."""

from django.db import models

from apps.accounts.models import Person
from apps.changes.models import Leg


class Implementer(models.Model):
    """One person had one leg started, once or more often. Never changed."""

    leg = models.ForeignKey(Leg, on_delete=models.PROTECT, related_name="+")
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()  # the first time

    class Meta:
        constraints = [models.UniqueConstraint(fields=["leg", "person"], name="one_implementer_per_leg")]
