"""IANA time zones by name: which exist. Pure; reads the zone data that Python finds."""

from functools import cache
from zoneinfo import ZoneInfo, available_timezones


@cache
def zone_names() -> frozenset[str]:
    """Every zone name known here; `localtime` and the like are no names and left out."""
    return frozenset(name for name in available_timezones() if name == "UTC" or "/" in name)


def zone_named(name: str) -> ZoneInfo | None:
    """The zone called NAME, or None."""
    return ZoneInfo(name) if name in zone_names() else None
