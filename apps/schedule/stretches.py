"""Stretches of time, from a moment up to but not including another, and how local times become them. Pure."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True, order=True)
class Stretch:
    """From `starts_at` up to but not including `ends_at`; both aware."""

    starts_at: datetime
    ends_at: datetime

    def holds(self, moment: datetime) -> bool:
        """Whether the moment lies in it."""
        return self.starts_at <= moment < self.ends_at

    def overlaps(self, other: "Stretch") -> bool:
        """Whether they share a moment; touching is not sharing."""
        return self.starts_at < other.ends_at and other.starts_at < self.ends_at


class NoSuchTime(Exception):
    """A local time that the zone's clocks jump over."""


def moment_of(local: datetime, *, zone: ZoneInfo, later: bool) -> datetime:
    """The moment a zone's clock shows LOCAL (naive); where it shows it twice, the LATER or the earlier one.

    Raises NoSuchTime when the clock jumps over it."""
    moment = local.replace(tzinfo=zone, fold=int(later)).astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None) != local:
        raise NoSuchTime(_jump(local, zone))
    return moment


def _jump(local: datetime, zone: ZoneInfo) -> str:
    """Say where the clock lands instead."""
    before = local.replace(tzinfo=zone, fold=0)
    width = abs(local.replace(tzinfo=zone, fold=1).utcoffset() - before.utcoffset())  # type: ignore[operator]  # a ZoneInfo always knows
    return f"The clock in {zone.key} jumps over {local:%H:%M} that night. Choose a time {_words(width)} earlier or later."


def _words(width: timedelta) -> str:
    minutes = int(width.total_seconds()) // 60
    return f"{minutes // 60} h" if minutes % 60 == 0 else f"{minutes} min"
