"""What helps people find changes again: who watches which one, and the searches a person keeps."""

from django.db import models

from apps.accounts.models import Person
from apps.changes.models.change import Change
from apps.core.ids import new_id
from apps.core.references import Reference, reference


class Watch(models.Model):
    """A person who is told of what happens to a change. The row goes when they stop; the stream keeps both moments."""

    change = models.ForeignKey(Change, on_delete=models.PROTECT, related_name="watches")
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    since_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["person", "change"], name="one_watch_per_person_and_change")]


class SavedSearch(models.Model):
    """A search a person gave a name to, as the text they would write."""

    public_id = models.UUIDField(default=new_id, unique=True, editable=False)
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    name = models.CharField(max_length=40)
    text = models.CharField(max_length=500)
    saved_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["person", "name"], name="one_saved_search_per_name")]

    @property
    def reference(self) -> Reference:
        """`saved_search:<public id>`."""
        return reference("saved_search", self.public_id)
