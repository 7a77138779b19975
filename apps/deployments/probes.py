"""Asking over HTTP: what a check measures and what a target reports. Short, without redirects, with a cap on the answer."""

import logging
import socket
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx2

from apps.catalog.settings_body import Check
from apps.catalog.versions import Version
from apps.core.deadlines import Bounded, Deadline
from apps.deployments.rules.verdicts import Sample

# One line per question would drown the log: what was measured is stored.
logging.getLogger("httpx2").setLevel(logging.WARNING)

TIMEOUT = httpx2.Timeout(3.0, connect=2.0)
WHOLE_SECONDS, BODY_SECONDS = 6.0, 5  # after the second what has come is read; after the first nothing is
LARGEST = 65_536
LONGEST_SAID = 400
# The far end is not there or hangs up: the same would happen to a user. A name that cannot be found is our trouble.
SILENT = (httpx2.TimeoutException, httpx2.NetworkError, httpx2.RemoteProtocolError)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: a status and the beginning of the body, or `silence` and why."""

    status: int = 0
    body: str = ""
    silence: str = ""
    is_our_fault: bool = False
    took_ms: int = 0


@dataclass(frozen=True, slots=True)
class Reading:
    """One measurement, before it is stored."""

    sample: Sample
    value: str
    said: str


def fetch(url: str) -> Answer:
    """Ask once. Never raises for what the network or the far end does."""
    began = datetime.now(UTC)
    try:
        with (
            httpx2.Client(transport=Bounded(Deadline(WHOLE_SECONDS)), timeout=TIMEOUT, follow_redirects=False, trust_env=False) as client,
            client.stream("GET", url, headers={"User-Agent": "changecontrol", "Accept-Encoding": "identity"}) as response,
        ):
            body = _beginning(response, until=began.timestamp() + BODY_SECONDS)
            status = response.status_code
    except SILENT as error:
        lost = isinstance(error.__cause__ and error.__cause__.__cause__, socket.gaierror) or "Name or service" in str(error)
        return Answer(silence=_why(error), is_our_fault=lost)
    except (httpx2.HTTPError, httpx2.InvalidURL, ValueError) as error:
        return Answer(silence=_why(error), is_our_fault=True)
    took = int((datetime.now(UTC) - began).total_seconds() * 1000)
    return Answer(status=status, body=body.decode(errors="replace").replace("\x00", "�"), took_ms=took)


def _beginning(response: httpx2.Response, *, until: float) -> bytes:
    """Read up to the cap, and no longer than the time that is left: a slow drip must not hold a worker."""
    read = b""
    for piece in response.iter_raw():  # as it comes: gathered, a drip would go unseen
        read += piece
        if len(read) >= LARGEST or datetime.now(UTC).timestamp() > until:
            break
    return read[:LARGEST]


def _why(error: Exception) -> str:
    return (str(error) or type(error).__name__)[:LONGEST_SAID]


def measure(check: Check, version: Version) -> Reading:
    """Take one measurement of an HTTP check."""
    answer = fetch(check.url)
    if answer.silence:
        sample = Sample.ERROR if answer.is_our_fault else Sample.FAIL
        return Reading(sample, "", f"No answer: {answer.silence}"[:LONGEST_SAID])
    value = f"{answer.status} in {answer.took_ms} ms"
    if answer.status != check.expect_status:
        return Reading(Sample.FAIL, value, f"Answered {answer.status}, expected {check.expect_status}.")
    if not check.expect_text:
        return Reading(Sample.PASS, value, f"Answered {answer.status}.")
    if not answer.body.strip():
        return Reading(Sample.NO_DATA, value, f"Answered {answer.status} with nothing in it.")
    if any(text in answer.body for text in wordings(check.expect_text, version)):
        return Reading(Sample.PASS, value, f"Answered {answer.status} with the expected text.")
    return Reading(Sample.FAIL, value, f"Answered {answer.status}, but the text “{check.expect_text[:80]}” is not in it.")


def wordings(expected: str, version: Version) -> set[str]:
    """The texts that satisfy an expectation: `{version}` stands for the label or the commit."""
    if "{version}" not in expected:
        return {expected}
    return {expected.replace("{version}", name) for name in (version.label, version.git) if name}
