"""What one administrator asked for about administrators, until another one does the same."""

from django.db import models

from apps.accounts.models.people import Person
from apps.accounts.rules import Act


class SecondHand(models.Model):
    """That one administrator asked for something that takes two; another who does the same makes it happen."""

    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    act = models.CharField(max_length=10, choices=[(act.value, act.value) for act in Act])
    asked_at = models.DateTimeField()
    asked_by = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    done_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["person", "act"], condition=models.Q(done_at__isnull=True), name="standing_second_hands")]
