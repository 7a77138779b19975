"""Working hours: when somebody is there to be reminded. Pure; the clock on the wall counts, in the person's own zone."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from apps.core.refusals import BadContent

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True, slots=True)
class Hours:
    """Weekdays (0 is Monday) and the hours that begin on each, in a zone; those that end before they begin end on the next day."""

    days: frozenset[int] = frozenset(range(5))
    begins: time = time(9)
    ends: time = time(17)
    zone: str = "UTC"

    def __str__(self) -> str:
        names = ", ".join(WEEKDAYS[day][:3] for day in sorted(self.days))
        return f"{names}, {self.begins:%H:%M} to {self.ends:%H:%M}{' the next day' if self.pass_midnight else ''}"

    @property
    def pass_midnight(self) -> bool:
        """Whether they end on the day after they begin."""
        return self.ends < self.begins


def read_hours(days: Collection[int], begins: time, ends: time) -> tuple[list[int], time, time]:
    """Checked hours; raises BadContent naming the field."""
    wanted = sorted(set(days))
    if not wanted or not set(wanted) <= set(range(7)):
        raise BadContent({"days": ["Choose one weekday at least."]})
    first, last = begins.replace(second=0, microsecond=0, tzinfo=None), ends.replace(second=0, microsecond=0, tzinfo=None)
    if last == first:
        raise BadContent({"ends": [f"They begin at {first:%H:%M} too. Choose another end; an earlier one is on the next day."]})
    return wanted, first, last


def is_working(hours: Hours, at: datetime) -> bool:
    """Whether the person is there at this moment."""
    local = at.astimezone(ZoneInfo(hours.zone))
    clock, today, yesterday = local.time(), local.weekday() in hours.days, (local.weekday() - 1) % 7 in hours.days
    if hours.pass_midnight:
        return (today and clock >= hours.begins) or (yesterday and clock < hours.ends)
    return today and hours.begins <= clock < hours.ends


def next_working(hours: Hours, after: datetime) -> datetime:
    """The first moment from `after` on at which the person is there."""
    return next(max(begins, after) for begins, ends in _stretches(hours, after) if ends > after)


def after_working(hours: Hours, start: datetime, *, length: timedelta) -> datetime:
    """When so much working time has passed since `start`; real time counts on days on which the clocks change."""
    left = length
    for begins, ends in _stretches(hours, start):
        stretch = ends - max(begins, start)
        if stretch <= timedelta(0):
            continue
        if left <= stretch:
            return max(begins, start) + left
        left -= stretch
    raise AssertionError("unreachable: weeks do not end")  # pragma: no cover - the stretches go on for ever


def _stretches(hours: Hours, start: datetime) -> Iterator[tuple[datetime, datetime]]:
    """The working stretches from the day before `start` on, as moments."""
    day = start.astimezone(ZoneInfo(hours.zone)).date() - timedelta(days=1)
    while True:
        if day.weekday() in hours.days:
            last = day + timedelta(days=hours.pass_midnight)
            yield _moment(day, hours.begins, hours.zone, start), _moment(last, hours.ends, hours.zone, start)
        day += timedelta(days=1)


def _moment(day: date, clock: time, zone: str, like: datetime) -> datetime:
    """The moment a wall clock shows this; in a gap of the clocks, the moment after it."""
    return datetime.combine(day, clock, tzinfo=ZoneInfo(zone)).astimezone(like.tzinfo)
