"""When a person is there: the browsers they are signed in with, and their working hours."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from apps.accounts.models.people import Person
from apps.core.ids import new_id

LONGEST_BROWSER = 300


class SignIn(models.Model):
    """A browser a person is signed in with. The row goes when the session does; the stream keeps what happened."""

    public_id = models.UUIDField(default=new_id, unique=True, editable=False)
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="sign_ins")
    session_key = models.CharField(max_length=40, unique=True)
    means = models.CharField(max_length=40)
    address = models.GenericIPAddressField(null=True)
    browser = models.CharField(max_length=LONGEST_BROWSER, default="", blank=True)
    signed_in_at = models.DateTimeField()


class WorkingHours(models.Model):
    """The weekdays and hours of a person, in their own zone; without a row, the house's own hours count."""

    person = models.OneToOneField(Person, on_delete=models.PROTECT, primary_key=True, related_name="working_hours")
    days = ArrayField(models.PositiveSmallIntegerField(), size=7)  # 0 is Monday
    begins = models.TimeField()
    ends = models.TimeField()  # not after they begin: on the next day

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~Q(ends=F("begins")), name="working_hours_are_some"),
            models.CheckConstraint(
                condition=Q(days__contained_by=[0, 1, 2, 3, 4, 5, 6], days__len__gt=0), name="working_hours_name_weekdays"
            ),
        ]
