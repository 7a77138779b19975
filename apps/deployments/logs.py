"""The output of a deployment as it is stored: readable text in chunks, capped with a line that says so."""

import re
from datetime import datetime

from apps.deployments.models import Deployment, LogChunk

LARGEST = 1_000_000
CAPPED = "The log is capped here. What follows lies on the target.\n"
# Colours and cursor moves of terminals; then every control character that is no line end or tab, and halves of characters: a NUL or
# a lone surrogate cannot be stored, and a program's last words would keep what they say from being acted on.
ESCAPES = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-_])")
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def readable(text: str) -> str:
    """The text without what only a terminal understands."""
    return CONTROLS.sub("", ESCAPES.sub("", text))


def append_log(deployment: Deployment, text: str, *, at: datetime) -> None:
    """Store output of the current attempt on a locked row; the caller saves the row, whose cursor counts the size."""
    text = readable(text)
    size = int(deployment.cursor.get("log_size", 0))
    if not text or size > LARGEST:
        return
    if size + len(text) > LARGEST:
        text = f"{text[: LARGEST - size]}\n{CAPPED}"
        deployment.cursor["log_size"] = LARGEST + 1
    else:
        deployment.cursor["log_size"] = size + len(text)
    LogChunk.objects.create(deployment=deployment, attempt=deployment.attempt, offset=size, at=at, text=text)
