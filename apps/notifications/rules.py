"""When something is told, when it is tried again, and what may be chosen: pure answers."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from apps.core.refusals import Refusal, not_allowed, not_now
from apps.notifications.kinds import TOPICS, Kind
from apps.notifications.states import State

MINUTE = timedelta(minutes=1)
# After each failed try the next one waits longer; after the last of them it is given up: nearly a day.
WAITS = tuple(minutes * MINUTE for minutes in (1, 5, 15, 60, 180, 360, 720))
MOST_TRIES = len(WAITS) + 1
DAY_HOURS = range(24)
NOT_AN_ADMINISTRATOR = not_allowed(
    "not_an_administrator", "Administrators look after mail that failed.", "Ask one; the people page names them."
)


def wait_after(tries: int) -> timedelta | None:
    """How long to wait after so many tries; None: give up."""
    return WAITS[tries - 1] if 0 < tries <= len(WAITS) else None


def next_digest(now: datetime, *, hour: int, zone: ZoneInfo) -> datetime:
    """The next time a person's clock shows the hour of their digest. An hour that a clock change skips is the moment it skips to."""
    local = now.astimezone(zone)
    today = local.replace(hour=hour, minute=0, second=0, microsecond=0, fold=0)
    # Compared as moments: two local times of one zone compare by the clock's face, whatever it was set to in between.
    if today.astimezone(UTC) > now:
        return today.astimezone(UTC)
    return (today + timedelta(days=1)).astimezone(UTC)


def why_not_choices(chosen: Mapping[str, str]) -> dict[str, list[str]]:
    """By kind, what is wrong with what a person chose."""
    errors: dict[str, list[str]] = {}
    for kind, timing in chosen.items():
        topic = TOPICS.get(Kind(kind)) if kind in {*Kind} else None
        if topic is None:
            errors[kind] = ["Nothing of this name is told."]
        elif timing not in topic.choices:
            errors[kind] = [f"{topic.label}: choose {' or '.join(choice.label.lower() for choice in topic.choices)}."]
    return errors


def why_not_hour(hour: int) -> str | None:
    """What is wrong with the hour of a digest, or None."""
    return None if hour in DAY_HOURS else "A day has the hours 0 to 23."


def why_not_retry(state: str, *, is_administrator: bool) -> Refusal | None:
    """Say why a delivery cannot be tried again, or None."""
    if not is_administrator:
        return NOT_AN_ADMINISTRATOR
    if state != State.FAILED:
        word = state.lower()
        return not_now("not_failed", f"This is {word}; only what failed is tried again.", "Nothing is left to do here.")
    return None
