"""Moments and spans in words, for people: absolute time first, the distance after it.

Pure functions over aware datetimes; the caller gives the zone and the page's now."""

import re
from calendar import isleap
from datetime import UTC, datetime, timedelta, tzinfo

MINUTE, HOUR, DAY = 60, 3600, 86400
UNITS = ((DAY, "d"), (HOUR, "h"), (MINUTE, "min"), (1, "s"))
# What full_words and utc_words write of a moment in UTC: in sentences of rules, which know no reader.
TOLD_IN_UTC = re.compile(r"\b(?:[A-Z][a-z]{2} (\d{1,2} [A-Z][a-z]{2} \d{4}, \d\d:\d\d)|(\d\d [A-Z][a-z]{2} \d\d:\d\d)) UTC\b")
CLOSE_DAYS = 6  # within this many days a weekday names one day only


def span_words(seconds: float, *, parts: int = 2) -> str:
    """Say a span with at most PARTS units, rounded down: 250 is "4 min 10 s"."""
    left, words = int(abs(seconds)), []
    for size, unit in UNITS:
        count, left = divmod(left, size)
        if count:
            words.append(f"{count} {unit}")
        elif words:
            break
        if len(words) == parts:
            break
    return " ".join(words) or "0 s"


def distance_words(moment: datetime, *, now: datetime) -> str:
    """Say how far away MOMENT is: "in 2 h 10 min", "4 min ago", "now"."""
    seconds = (moment - now).total_seconds()
    if abs(seconds) < 1:
        return "now"
    far = abs(seconds) >= DAY
    words = span_words(seconds, parts=1 if far or abs(seconds) < MINUTE else 2)
    if not far and abs(seconds) >= HOUR:
        words = span_words(abs(seconds) // MINUTE * MINUTE)
    return f"in {words}" if seconds > 0 else f"{words} ago"


def near_words(moment: datetime, *, zone: tzinfo, now: datetime | None) -> str:
    """Say MOMENT as briefly as NOW allows: "today 16:30", "Wed 16:40", "19 Nov 17:30"."""
    local = moment.astimezone(zone)
    if now is None:
        return f"{local:%a} {local.day} {local:%b %Y %H:%M}"
    today = now.astimezone(zone).date()
    days = (local.date() - today).days
    if days in {-1, 0, 1}:
        return f"{('yesterday', 'today', 'tomorrow')[days + 1]} {local:%H:%M}"
    if abs(days) <= CLOSE_DAYS:
        return f"{local:%a %H:%M}"
    if abs(local.date() - today) < timedelta(days=300):
        return f"{local.day} {local:%b %H:%M}"
    return f"{local.day} {local:%b %Y %H:%M}"


def clock_words(moment: datetime, *, zone: tzinfo, now: datetime | None) -> str:
    """Say MOMENT for a column of times: the bare clock today, the day before it otherwise."""
    local = moment.astimezone(zone)
    if now is not None and local.date() == now.astimezone(zone).date():
        return f"{local:%H:%M}"
    if now is None or abs((local.date() - now.astimezone(zone).date()).days) > CLOSE_DAYS:
        return f"{local.day} {local:%b %H:%M}" if now and local.year == now.year else f"{local.day} {local:%b %Y}"
    return f"{local:%a %H:%M}"


def full_words(moment: datetime, *, zone: tzinfo) -> str:
    """Say MOMENT whole, with its zone: "Thu 19 Nov 2026, 16:30 CET"."""
    local = moment.astimezone(zone)
    return f"{local:%a} {local.day} {local:%b %Y, %H:%M} {local.tzname()}"


def exact_words(moment: datetime) -> str:
    """Say MOMENT to the second in UTC, for the hover text."""
    utc = moment.astimezone(UTC)
    return f"{utc:%a} {utc.day} {utc:%b %Y, %H:%M:%S} UTC"


def utc_words(at: datetime) -> str:
    """`20 Nov 21:00 UTC`, whatever zone the moment was written in: for sentences of rules, which know no reader."""
    return f"{at.astimezone(UTC):%d %b %H:%M} UTC"


def told_in(text: str, *, zone: tzinfo, now: datetime) -> str:
    """The sentence with each moment that is written in UTC said in ZONE; what is no such moment stays as it is."""

    def said(match: re.Match[str]) -> str:
        try:
            at = _whole(match[1]) if match[1] else _nearest(match[2], now)
        except ValueError:  # somebody typed a day that no calendar has
            return match[0]
        return full_words(at, zone=zone)

    return TOLD_IN_UTC.sub(said, text)


def _whole(words: str) -> datetime:
    return datetime.strptime(words, "%d %b %Y, %H:%M").replace(tzinfo=UTC)


def _nearest(words: str, now: datetime) -> datetime:
    """A moment told without its year is the one nearest to now."""
    years = (now.year - 1, now.year, now.year + 1)
    found = [_whole(f"{words[:6]} {year}, {words[7:]}") for year in years if words[:6] != "29 Feb" or isleap(year)]
    return min(found, key=lambda at: abs(at - now))
