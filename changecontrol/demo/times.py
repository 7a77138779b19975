"""Moments as the forms of the story want them."""

from datetime import datetime
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("Europe/Berlin")


def local(moment: datetime) -> str:
    """A moment in the zone of the people of the story."""
    return moment.astimezone(ZONE).strftime("%Y-%m-%dT%H:%M")
