"""The one table of badges: every state a page can show, as an icon, a word and a tone.

A state looks the same wherever it appears. Colour only repeats what icon and word say."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Badge:
    """How one state is shown."""

    word: str
    icon: str
    tone: str
    live: bool = False


BADGES: Final[dict[str, dict[str, Badge]]] = {
    "change": {
        "DRAFT": Badge("Draft", "circle-dashed", "mute"),
        "IN_REVIEW": Badge("In review", "circle-half-2", "wait"),
        "APPROVED": Badge("Approved", "circle-check", "go"),
        "IN_PROGRESS": Badge("In progress", "progress", "ink"),
        "POST_REVIEW": Badge("Post review", "clipboard-check", "ink"),
        "CLOSED": Badge("Closed", "circle-check-f", "mute"),
        "REJECTED": Badge("Rejected", "circle-x", "stop"),
        "WITHDRAWN": Badge("Withdrawn", "circle-minus", "mute"),
        "EXPIRED": Badge("Expired", "hourglass-off", "mute"),
    },
    "rule": {
        "AGREED": Badge("Agreed", "circle-check", "go"),
        "WAITING": Badge("Waiting", "hourglass", "wait"),
        "LAPSED": Badge("Lapsed", "refresh-alert", "wait"),
        "LATER": Badge("Later stage", "circle-dashed", "mute"),
    },
    "leg": {
        "WAITING": Badge("Waiting", "hourglass", "wait"),
        "STARTED": Badge("Started", "progress", "ink"),
        "DONE": Badge("Done", "circle-check", "go"),
        "FAILED": Badge("Failed", "circle-x", "stop"),
        "ROLLED_BACK": Badge("Rolled back", "arrow-back-up", "stop"),
        "SKIPPED": Badge("Skipped", "player-skip-forward", "mute"),
    },
    "outcome": {
        "SUCCESSFUL": Badge("Successful", "check", "go"),
        "SUCCESSFUL_WITH_ISSUES": Badge("With issues", "alert-triangle", "wait"),
        "ROLLED_BACK": Badge("Rolled back", "arrow-back-up", "stop"),
        "FAILED": Badge("Failed", "x", "stop"),
        "NOT_DEPLOYED": Badge("Not deployed", "minus", "mute"),
    },
    "deployment": {
        "QUEUED": Badge("Queued", "stack-2", "mute"),
        "RUNNING": Badge("Running", "progress", "ink", live=True),
        "VERIFYING": Badge("Verifying", "eye-search", "ink"),
        "SUCCEEDED": Badge("Succeeded", "circle-check", "go"),
        "FAILED": Badge("Failed", "circle-x", "stop"),
        "ABORTING": Badge("Aborting", "player-stop", "wait"),
        "ABORTED": Badge("Aborted", "square-x", "mute"),
        "UNKNOWN": Badge("Unknown", "help-hexagon", "unknown"),
        "RECONCILING": Badge("Reconciling", "zoom-question", "unknown"),
        "NEEDS_HUMAN": Badge("Needs a person", "user-exclamation", "stop"),
        "REPORTED": Badge("Reported", "speakerphone", "wait"),
    },
    "verdict": {
        "ALLOW": Badge("Yes", "circle-check-f", "go"),
        "PENDING": Badge("Not yet", "hourglass-f", "wait"),
        "DENY": Badge("No", "octagon-minus-f", "stop"),
        "COULD_NOT_TELL": Badge("Could not tell", "help-hexagon-f", "unknown"),
    },
    "finding": {
        "BLOCK": Badge("Blocks", "octagon-minus", "stop"),
        "WAIT": Badge("Waits", "hourglass", "wait"),
        "WARN": Badge("Warns", "alert-triangle", "wait"),
        "PASS": Badge("Passes", "check", "go"),
        "OFF": Badge("Off", "circle-off", "mute"),
    },
    "incident": {
        "OPEN": Badge("Open", "flame", "stop"),
        "MITIGATED": Badge("Mitigated", "bandage", "wait"),
        "RECOVERED": Badge("Recovered", "heartbeat", "go"),
        "RESOLVED": Badge("Resolved", "circle-check", "mute"),
        "REVIEW_OWED": Badge("Review owed", "clipboard-text", "wait"),
    },
    "notification": {
        "QUEUED": Badge("Waits", "hourglass", "mute"),
        "SENT": Badge("Sent", "circle-check", "go"),
        "FAILED": Badge("Not sent", "circle-x", "stop"),
        "SUPERSEDED": Badge("Out of date", "circle-minus", "mute"),
        "SUPPRESSED": Badge("Not wanted", "circle-off", "mute"),
    },
    "derived": {
        "SCHEDULED": Badge("Scheduled", "calendar-event", "ink"),
        "OVERDUE": Badge("Overdue", "clock-exclamation", "stop"),
        "BLOCKED": Badge("Blocked", "barrier-block", "stop"),
        "ON_HOLD": Badge("On hold", "hand-stop", "stop"),
        "FROZEN": Badge("Frozen", "snowflake", "freeze"),
        "LAPSED": Badge("Lapsed", "refresh-alert", "wait"),
        "OPEN": Badge("Open", "circle-check", "go"),
        "DRIFT": Badge("Drift", "git-compare", "unknown"),
    },
}


def badge_for(family: str, *, state: str) -> Badge:
    """Return how STATE of FAMILY is shown; a state without a badge is a mistake in the program."""
    try:
        return BADGES[family][state]
    except KeyError:
        raise LookupError(f"no badge for {family} state {state!r}; add it to BADGES") from None
