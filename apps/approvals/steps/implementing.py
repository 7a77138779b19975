"""What the apps above tell about who has a change deployed."""

from datetime import datetime

from apps.accounts.models import Person
from apps.approvals.models import Implementer
from apps.changes.models import Leg
from apps.core.actors import Actor


def note_implementer(leg: Leg, *, by: Actor, at: datetime) -> None:
    """Remember that this person had the leg started; machinery is nobody. The entry of the start tells it."""
    if by.person_id is not None:
        Implementer.objects.get_or_create(leg=leg, person=Person.objects.get(public_id=by.person_id), defaults={"at": at})
