"""What people chose: which kinds at once, in the digest or never, and when they read."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from apps.accounts.facts import hours_of_people
from apps.accounts.hours import Hours
from apps.accounts.models import Person
from apps.notifications.kinds import Kind, Timing, timing_of
from apps.notifications.models import Choice, Schedule

USUAL_HOUR = 8


@dataclass(frozen=True, slots=True)
class Wishes:
    """The choices of one person; what was never chosen is as usual. `hours` is None where nothing waits for them."""

    chosen: Mapping[str, str] = field(default_factory=dict)
    digest_hour: int = USUAL_HOUR
    only_in_hours: bool = False
    hours: Hours | None = None

    def timing(self, kind: Kind) -> Timing:
        """When this person is told of a kind."""
        return timing_of(kind, self.chosen.get(kind))


def wishes_of(people: Collection[Person]) -> dict[int, Wishes]:
    """The wishes of many people by row id, in three statements."""
    chosen: defaultdict[int, dict[str, str]] = defaultdict(dict)
    for person_id, kind, timing in Choice.objects.filter(person__in=people).values_list("person_id", "kind", "timing"):
        chosen[person_id][kind] = timing
    schedules = {row.person_id: row for row in Schedule.objects.filter(person__in=people)}
    waiting = [person_id for person_id, row in schedules.items() if row.only_in_hours]
    hours = hours_of_people([person for person in people if person.pk in waiting])
    return {
        person.pk: Wishes(
            chosen[person.pk],
            schedules[person.pk].digest_hour if person.pk in schedules else USUAL_HOUR,
            person.pk in waiting,
            hours.get(person.pk),
        )
        for person in people
    }


def wishes_of_one(person: Person) -> Wishes:
    """The wishes of one person."""
    return wishes_of([person])[person.pk]
