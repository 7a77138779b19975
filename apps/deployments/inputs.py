"""Reading what CI sends about deployments: strictly, with a sentence for every field that cannot be read."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from apps.core.canonical import canonical_text
from apps.core.refusals import BadContent
from apps.core.strict_json import read_json
from apps.core.texts import why_not_line
from apps.deployments.rules.reporting import LARGEST_SEQUENCE, Kind
from apps.gate.inputs import KEY, LONGEST_KEY, MOST_IDENTITIES, Credential, Errors, NotReadable, read_question, read_run
from apps.gate.rules import Question, Run
from apps.gate.tickets import PAYLOAD_TYPE

LONGEST_BODY = 65_536
LONGEST_MESSAGE, LONGEST_NAME = 400, 120
SKEW = timedelta(minutes=5)  # clocks differ
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
BASE64 = re.compile(r"[A-Za-z0-9+/]{4,40000}={0,2}", re.ASCII)
IDENTITY = f"Give each as its kind and value, such as git:<40 or 64 hex digits>; 1 to {MOST_IDENTITIES} of them."
NO_TICKET = "Send the ticket as the gate handed it out: a DSSE envelope with one signature."
KINDS = {kind.value.lower(): kind for kind in Kind}


@dataclass(frozen=True, slots=True)
class Beginning:
    """A ticket to be spent, the run that spends it, and the key under which the same request gets the same answer."""

    ticket: Mapping[str, object]
    run: Run | None
    used_at: datetime | None  # when it began while we were away
    key: str
    asked: str


@dataclass(frozen=True, slots=True)
class Said:
    """One report."""

    kind: Kind
    sequence: int
    occurred_at: datetime | None
    message: str
    has_switched: bool
    asked: str


@dataclass(frozen=True, slots=True)
class Observation:
    """What was seen where, as a question names it, and what saw it."""

    place: Question
    label: str
    source: str


def read_object(data: bytes) -> Mapping[str, Any]:
    """Read one JSON object; raises NotReadable."""
    if len(data) > LONGEST_BODY:
        raise NotReadable(f"The body takes more than {LONGEST_BODY} bytes.")
    try:
        body = read_json(data.decode())
    except (ValueError, RecursionError) as error:
        raise NotReadable("The body is not JSON in UTF-8.") from error
    if not isinstance(body, dict):
        raise NotReadable("The body is not a JSON object.")
    return body


def read_beginning(body: Mapping[str, Any], *, key: str, now: datetime) -> Beginning:
    """Read a ticket to be spent; raises BadContent."""
    errors = _unknown(body, ("ticket", "run", "offline_at"))
    ticket = read_ticket(body.get("ticket"), errors)
    run = read_run(body.get("run"), errors)
    used_at = read_moment(body.get("offline_at"), "offline_at", now=now, errors=errors)
    if key and not KEY.fullmatch(key):
        errors["Idempotency-Key"] = [f"A key is at most {LONGEST_KEY} printable characters without blanks."]
    _refuse(errors)
    return Beginning(ticket, run, used_at, key, digest_of(body))


def read_ticket(value: Any, errors: Errors) -> Mapping[str, object]:  # noqa: ANN401 - whatever was sent
    """An envelope that may be a ticket; whether it is one says its signature."""
    parts, signatures = (value, value.get("signatures")) if isinstance(value, dict) else ({}, None)
    signed = signatures[0] if isinstance(signatures, list) and len(signatures) == 1 and isinstance(signatures[0], dict) else {}
    if set(parts) != {"payloadType", "payload", "signatures"} or set(signed) != {"keyid", "sig"}:
        errors["ticket"] = [NO_TICKET]
    elif parts["payloadType"] != PAYLOAD_TYPE:
        errors["ticket.payloadType"] = [NO_TICKET]
    elif not _is_text(BASE64, parts["payload"]):
        errors["ticket.payload"] = [NO_TICKET]
    elif not (_is_text(KEY, signed["keyid"]) and _is_text(BASE64, signed["sig"])):
        errors["ticket.signatures"] = [NO_TICKET]
    return parts


def _is_text(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def read_report(body: Mapping[str, Any], *, now: datetime) -> Said:
    """Read a report; raises BadContent."""
    errors = _unknown(body, ("kind", "sequence", "occurred_at", "message", "has_switched"))
    kind = KINDS.get(body["kind"]) if isinstance(body.get("kind"), str) else None
    if kind is None:
        errors["kind"] = [f"One of {', '.join(KINDS)}."]
    sequence = body.get("sequence")
    if not isinstance(sequence, int) or isinstance(sequence, bool) or not 1 <= sequence <= LARGEST_SEQUENCE:
        errors["sequence"] = [f"A whole number from 1 to {LARGEST_SEQUENCE}, higher in each report of a deployment."]
    has_switched = body.get("has_switched", False)
    if not isinstance(has_switched, bool):
        errors["has_switched"] = ["Write true or false."]
    occurred_at = read_moment(body.get("occurred_at"), "occurred_at", now=None, errors=errors)
    # A clock that is fast, or was never set, loses no report: the moment is told, and nothing is decided by it.
    occurred_at = min(occurred_at, now) if occurred_at and occurred_at > LONG_AGO else None
    message = read_message(body.get("message", ""), "message", errors)
    _refuse(errors)
    assert kind is not None  # noqa: S101 - an error was noted where it is
    assert isinstance(sequence, int)  # noqa: S101
    return Said(kind, sequence, occurred_at, message, has_switched=bool(has_switched), asked=digest_of(body))


def read_observation(body: Mapping[str, Any], *, credential: Credential) -> Observation:
    """Read what was seen where; raises BadContent."""
    errors: Errors = {}
    label = read_message(body.get("label", ""), "label", errors)
    source = read_message(body.get("source", ""), "source", errors)
    for field, text in (("label", label), ("source", source)):
        if len(text) > LONGEST_NAME:
            errors[field] = [f"The text has {len(text)} characters. {LONGEST_NAME} fit."]
    try:
        question, _ = read_question({name: body[name] for name in body if name not in ("label", "source")}, credential=credential)
    except BadContent as error:
        errors.update(error.errors)
    if "dry_run" in body or "action" in body or "run" in body:
        errors.update({name: ["There is no such field."] for name in ("dry_run", "action", "run") if name in body})
    _refuse(errors)
    return Observation(question, label or question.identities[0].partition(":")[2][:12], source)


def read_place(given: Mapping[str, list[str]], *, credential: Credential) -> Question:
    """Read from an address which version of what was begun where; raises BadContent."""
    body: dict[str, Any] = {name: values[0] if len(values) == 1 else values for name, values in given.items()}
    kinds: dict[str, list[str]] = {}
    for kind, _, value in (identity.partition(":") for identity in given.get("identity", ())):
        kinds.setdefault(kind, []).append(value)
    errors = _unknown(body, ("service", "environment", "identity"))
    try:
        named: dict[str, Any] = {name: body[name] for name in ("service", "environment") if name in body}
        question, _ = read_question(named | {"identities": kinds}, credential=credential)
    except BadContent as error:
        wrong = dict(error.errors)
        raise BadContent({**errors, **({"identity": [IDENTITY]} if wrong.pop("identities", None) else {}), **wrong}) from error
    _refuse(errors)
    return question


def read_moment(value: object, field: str, *, now: datetime | None, errors: Errors) -> datetime | None:
    """A moment with its zone, not after `now`; None where there is none, or where it cannot be read."""
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) and len(value) < 40 else None
        found = moment.astimezone(UTC) if moment is not None and moment.tzinfo is not None else None
    except (ValueError, OverflowError):
        found = None
    if found is None:
        errors[field] = ["Write a moment with its zone, such as 2026-11-20T14:00:00Z."]
    elif now is not None and found > now + SKEW:
        errors[field] = [f"This is in the future: it is {now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ} here."]
    return found


def read_message(value: object, field: str, errors: Errors) -> str:
    """One line of words."""
    if not isinstance(value, str):
        errors[field] = ["Write text."]
        return ""
    if said := why_not_line(value, longest=LONGEST_MESSAGE, empty=True):
        errors[field] = [said]
        return ""
    return canonical_text(value).strip()


def digest_of(body: Mapping[str, Any]) -> str:
    """One digest of what was sent, however it was written."""
    text = json.dumps(body, separators=(",", ":"), sort_keys=True)
    return hashlib.sha256(text.encode(errors="backslashreplace")).hexdigest()


def _unknown(body: Mapping[str, Any], known: tuple[str, ...]) -> Errors:
    return {name[:80]: ["There is no such field."] for name in body if name not in known}


def _refuse(errors: Errors) -> None:
    if errors:
        raise BadContent(errors)
