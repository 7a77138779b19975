#!/usr/bin/env python3
"""ccgate: ask Change Control whether this version may go to this environment now, begin it, and report what became of it.

One file, Python 3.8 or newer, no packages. Exit code 0 only where the answer is yes and its ticket was verified here, or where the
installation confirmed what was begun or reported; 1 no, 2 not yet, 3 could not tell. Whatever goes wrong
on the way (no network, a proxy's page, a redirect, half an answer, a wrong key, a bug in this file) is 3: it never fails open.

The installation is CHANGE_CONTROL_URL, the token CHANGE_CONTROL_TOKEN or the file CHANGE_CONTROL_TOKEN_FILE. Tickets are DSSE
envelopes around in-toto statements, signed with Ed25519 (RFC 8032); the public keys are a JSON Web Key Set (RFC 7517, RFC 8037)."""

from __future__ import annotations

import argparse
import base64
import hashlib
import http.client
import json
import os
import random
import re
import ssl
import sys
import threading
import time
import urllib.request
import uuid
from collections import defaultdict
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Dict, NoReturn, Tuple
from urllib.parse import urlencode, urlsplit

ALLOWED, DENIED, PENDING, COULD_NOT_TELL = 0, 1, 2, 3
AGENT = "ccgate/1"
CODES = "Exit code 0 is a verified yes, or a confirmed report; 1 no, 2 not yet, 3 could not tell."
LARGEST = 1000000  # bytes of an answer
SKEW = 300.0  # seconds this machine's clock may differ from the installation's
PAYLOAD_TYPE = "application/vnd.in-toto+json"
PREDICATE_TYPE = "urn:changecontrol:ticket:v1"
EVALUATIONS, KEYS = "/api/v1/gate/evaluations", "/.well-known/change-control/jwks.json"
DEPLOYMENTS = "/api/v1/deployments"
# What is reported, and the states of the deployment that may follow from it.
REPORTS = {"started": (), "progress": (), "succeeded": ("SUCCEEDED",), "failed": ("FAILED", "NEEDS_HUMAN"), "rolled-back": ("FAILED",)}
NO_TICKET = {
    "ticket": "Run check with --ticket-file first; it keeps one where the answer is yes.",
    "rollback_ticket": "There is one where people had to agree and something ran. Else ask with check --action rollback, then begin.",
}
UNNAMED = ("Nothing says what is deployed.", "Give --service, --environment and the version, as to check.")
NOTHING = {
    "detail": "This token began nothing of this version there that is not over.",
    "cure": "Use the token that began it, and name the version as check did. What has ended already is not told again.",
}
UNDECLARED = {
    "detail": "No deployment of this version is open here, and something else is known to run: it is listed as undeclared.",
    "cure": "An operator adopts or explains it. Next time ask with check, and begin, before it is deployed.",
}
REFUSALS = (400, 403, 409, 422)  # sending the same again changes nothing
FOR_NOW = ("occupied", "already_ordered")  # another deployment is on its way there: what began without us is told once that has ended
MOST_USED = 50  # tickets that a file remembers to have begun something: older ones do not hold any more
JSON_TYPES = ("application/json", "application/problem+json", "application/jwk-set+json")
TICKETS = ("ticket", "rollback_ticket")
LOOPBACK = ("localhost", "127.0.0.1", "::1")
COMMIT, DIGEST, UNITS = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?"), re.compile(r"[0-9a-f]{64}"), {"": 1, "s": 1, "m": 60, "h": 3600}
ID = re.compile(r"[0-9a-f-]{36}")

Json = Dict[str, Any]
NO_ANSWER: Json = {}
Key = Tuple[bytes, float, float]  # public bytes, and between which seconds of the clock it signs


class CouldNotTell(Exception):
    """There is no answer that can be trusted; `cure` says what to do."""

    def __init__(self, said: str, cure: str = "", again: float | None = None, *, away: bool = False) -> None:
        super().__init__(said)
        self.cure = cure
        self.again = again  # seconds after which asking again may help
        self.away = away  # nobody of the installation has answered


# Ed25519 by RFC 8032, verification only: slow, and needs nothing but integers.

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT = pow(2, (P - 1) // 4, P)
Point = Tuple[int, int, int, int]


def _add(a: Point, b: Point) -> Point:
    u, v = (a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P
    w, z = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = v - u, z - w, z + w, v + u
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def _times(scalar: int, point: Point) -> Point:
    out: Point = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            out = _add(out, point)
        point, scalar = _add(point, point), scalar >> 1
    return out


def _point(data: bytes) -> Point | None:
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & ((1 << 255) - 1)
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT % P
    if (x * x - square) % P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = P - x
    return (x, y, 1, x * y % P)


BASE = _point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def verifies(public: bytes, message: bytes, signature: bytes) -> bool:
    """Tell whether this is the Ed25519 signature of MESSAGE by PUBLIC."""
    if len(public) != 32 or len(signature) != 64 or BASE is None:
        return False
    key, nonce, scalar = _point(public), _point(signature[:32]), int.from_bytes(signature[32:], "little")
    if key is None or nonce is None or scalar >= ORDER:
        return False
    hashed = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % ORDER
    left, right = _times(scalar, BASE), _add(nonce, _times(hashed, key))
    return (left[0] * right[2] - right[0] * left[2]) % P == 0 and (left[1] * right[2] - right[1] * left[2]) % P == 0


# Speaking HTTP


class _AsItIs(urllib.request.HTTPSHandler, urllib.request.HTTPHandler, urllib.request.HTTPErrorProcessor):
    """Takes each answer as it is, and shows on the request when it begins: until then nobody answers."""

    def http_response(self, request: urllib.request.Request, response: Any) -> Any:  # noqa: ANN401, ARG002 - as urllib has it
        return response  # no redirect is followed: a token is never carried elsewhere, and elsewhere is not believed

    https_response = http_response

    def do_open(self, http_class: Any, req: Any, **given: Any) -> Any:  # noqa: ANN401
        def answer(*args: Any, **more: Any) -> Any:  # noqa: ANN401
            req.answer = http.client.HTTPResponse(*args, **more)
            return req.answer

        def connection(*args: Any, **more: Any) -> Any:  # noqa: ANN401
            made = http_class(*args, **more)
            made.response_class = answer
            return made

        return super().do_open(connection, req, **given)


class Installation:
    """One installation of Change Control."""

    def __init__(self, url: str, token: str, *, ca_file: str = "", timeout: float = 15) -> None:
        parts = urlsplit(url.rstrip("/"))
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or parts.username:
            raise CouldNotTell(f"{url or 'Nothing'} is no address of an installation.", "Set CHANGE_CONTROL_URL=https://…")
        if parts.scheme == "http" and parts.hostname not in LOOPBACK:
            raise CouldNotTell(f"{url} is not encrypted: the token would be readable on the way.", "Use https://.")
        self.url, self.token, self.timeout = url.rstrip("/"), token, timeout
        context = ssl.create_default_context(cafile=ca_file or None)
        # What is not encrypted stays on this machine: a proxy would read the token, and could say yes.
        straight = [urllib.request.ProxyHandler({})] if parts.scheme == "http" else []
        self._opener = urllib.request.build_opener(_AsItIs(context=context), *straight)

    def send(self, path: str, body: Json | None = None, key: str = "") -> tuple[int, Json, float | None]:
        """Send one request; returns status, JSON object and the seconds of Retry-After. Raises CouldNotTell for all else."""
        headers = {"Accept": "application/json", "User-Agent": AGENT}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if self.token:
            headers["Authorization"] = "Bearer " + self.token
        if key:
            headers["Idempotency-Key"] = key
        data = None if body is None else json.dumps(body, sort_keys=True).encode()
        request = urllib.request.Request(self.url + path, data=data, headers=headers)  # noqa: S310 - its scheme was looked at
        found: list[tuple[int, Json, float | None] | Exception] = []
        worker = threading.Thread(target=self._exchange, args=(request, found), daemon=True)
        worker.start()
        worker.join(2 * self.timeout)  # each read and each address has its time; drop by drop, and one by one, they have no end
        # What is sent after all is as if its answer were lost: its key or its number makes it happen once.
        has_begun = isinstance(getattr(getattr(request, "answer", None), "status", None), int)
        found.append(CouldNotTell("The answer comes too slowly.", "", 5) if has_begun else TimeoutError("nothing came in time"))
        out = found[0]
        if isinstance(out, (OSError, http.client.HTTPException, ValueError)):
            said = f"{self.url} does not answer: {getattr(out, 'reason', None) or out}."
            raise CouldNotTell(said, "Look at the network and at the installation.", 5, away=True) from out
        if isinstance(out, Exception):
            raise out
        return out

    def _exchange(self, request: urllib.request.Request, found: list[Any]) -> None:
        ends = time.monotonic() + self.timeout
        try:
            with self._opener.open(request, timeout=self.timeout) as response:
                found.append(self._read(response, ends))
        except Exception as error:  # noqa: BLE001 - it is raised where it is waited for
            found.append(error)

    def _read(self, response: http.client.HTTPResponse, ends: float) -> tuple[int, Json, float | None]:
        status, kind = response.status, response.headers.get_content_type()
        retry = response.headers.get("Retry-After", "")
        wait = float(retry) if re.fullmatch(r"\d{1,5}", retry) else None
        if 300 <= status < 400:
            raise CouldNotTell(f"The answer points elsewhere ({status}).", "Set CHANGE_CONTROL_URL to the final address.")
        data = _bounded(response, ends)
        if kind not in JSON_TYPES:
            again = wait or 5 if status in (429, 502, 503, 504) else None
            said = f"The answer ({status}) is {kind}, not JSON: something else answered."
            raise CouldNotTell(said, "Look at the proxy.", again, away=status in (502, 503, 504))
        try:
            answer = json.loads(data.decode("utf-8"), object_pairs_hook=_once)
        except (ValueError, RecursionError) as error:
            raise CouldNotTell(f"The answer ({status}) cannot be read: {error}.", "", 5) from error
        if not isinstance(answer, dict):
            raise CouldNotTell(f"The answer ({status}) is no JSON object.")
        return status, answer, wait


def _bounded(response: http.client.HTTPResponse, ends: float) -> bytes:
    data = b""
    while True:
        part = response.read1(65536)
        if not part:
            break
        data += part
        if len(data) > LARGEST:
            raise CouldNotTell(f"The answer takes more than {LARGEST} bytes.")
        if time.monotonic() > ends:
            raise CouldNotTell("The answer comes too slowly.", "", 5)
    promised = response.headers.get("Content-Length")
    if promised is not None and promised.isdigit() and len(data) != int(promised):
        raise CouldNotTell("The answer ends in the middle.", "", 5)
    return data


def _once(pairs: list[tuple[str, Any]]) -> Json:
    out = dict(pairs)
    if len(out) != len(pairs):
        raise ValueError("a name stands there twice")
    return out


# Tickets


class Wanted:
    """What the job is about to do; without an action, whichever the ticket is for."""

    def __init__(self, service: str, environment: str, identities: list[str], action: str) -> None:
        self.service, self.environment, self.identities, self.action = service, environment, identities, action

    def body(self) -> Json:
        """The question for the gate."""
        kinds: dict[str, list[str]] = {}
        for identity in self.identities:
            kind, _, value = identity.partition(":")
            kinds.setdefault(kind, []).append(value)
        run = run_of_this_job()
        question = {"service": self.service, "environment": self.environment, "identities": kinds, "action": self.action.lower()}
        return {**question, "run": run} if run else question


def read_keys(document: Json) -> dict[str, Key]:
    """The public keys of a JSON Web Key Set by id, each with the times between which it signs."""
    found = {}
    for key in document.get("keys") or []:
        if isinstance(key, dict) and key.get("kty") == "OKP" and key.get("crv") == "Ed25519":
            text = str(key.get("x", "")).replace("-", "+").replace("_", "/")
            public = _unbase64(text + "=" * (-len(text) % 4))
            found[str(key.get("kid", ""))] = (public, float(key.get("nbf", 0)), float(key.get("exp", "inf")))
    if not found:
        raise CouldNotTell("The installation shows no key that signs tickets.", "Ask an administrator.")
    return found


def open_ticket(envelope: object, keys: dict[str, Key], wanted: Wanted, now: float) -> Json:
    """Verify a ticket; returns what it permits. Raises CouldNotTell unless it permits what is wanted, now."""
    payload, key_id, signature = _parts(envelope)
    if key_id not in keys:
        raise CouldNotTell("The ticket is signed with a key that the installation does not show.", "Ask an administrator.")
    public, begins, ends = keys[key_id]
    kind = PAYLOAD_TYPE.encode()
    if not verifies(public, b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload), signature):
        raise CouldNotTell("The signature of the ticket does not verify.", "Something on the way changes answers.")
    said, not_before, expires = _wanted_permit(payload, wanted)
    if not begins <= not_before + SKEW or not_before >= ends:
        raise CouldNotTell("The ticket is signed with a key that was not valid then.", "Ask an administrator.")
    if not not_before - SKEW <= now < expires:
        held = f"The ticket holds from {said['notBefore']} to {said['expiresAt']}; it is {_moment(now)} here."
        raise CouldNotTell(held, "Look at this machine's clock, and ask the gate again.")
    return said


def _wanted_permit(payload: bytes, wanted: Wanted) -> tuple[Json, float, float]:
    """What a ticket permits, if it is what is wanted; whoever calls looks at its signature, or leaves that to the installation."""
    try:
        said, not_before, expires = _permit(payload)
        is_same = _is_wanted(said, wanted)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CouldNotTell("The ticket says something that ccgate does not know.", "Fetch the newest ccgate.") from error
    if not is_same:
        version = ", ".join(map(plain, said["identities"]))
        held = f"The ticket is for {said['action']} of {version} of {said['service']} to {said['environment']}."
        raise CouldNotTell(held, "Run check again for this version, or name what the ticket is for.")
    return said, not_before, expires


def _permit(payload: bytes) -> tuple[Json, float, float]:
    statement = json.loads(payload.decode("utf-8"), object_pairs_hook=_once)
    said = statement["predicate"]
    if (statement["predicateType"], said["schema"]) != (PREDICATE_TYPE, 1):
        raise ValueError(statement["predicateType"])
    return dict(said), _seconds(said["notBefore"]), _seconds(said["expiresAt"])


def _is_wanted(said: Json, wanted: Wanted) -> bool:
    # An older name of a service still works: the installation says in the ticket which names the question used.
    asked, names = said["asked"], [said["service"], said["environment"]]
    if [wanted.service, wanted.environment] not in (names, [asked["service"], asked["environment"]]) or wanted.action not in (
        "",
        said["action"],
    ):
        return False
    return bool(said["identities"]) and set(said["identities"]) <= set(wanted.identities)


def _parts(envelope: Any) -> tuple[bytes, str, bytes]:  # noqa: ANN401 - whatever was answered
    try:
        kind, (signed,) = envelope["payloadType"], envelope["signatures"]
        payload, key_id, signature = _unbase64(envelope["payload"]), str(signed["keyid"]), _unbase64(signed["sig"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CouldNotTell("The answer carries no ticket: a DSSE envelope with one signature.") from error
    if kind != PAYLOAD_TYPE:
        raise CouldNotTell("The answer carries no ticket: it is of another kind.")
    return payload, key_id, signature


def _unbase64(text: str) -> bytes:
    data = base64.b64decode(text.encode("ascii"), validate=True)
    if base64.b64encode(data).decode("ascii") != text:  # the unused bits of the last character are not signed
        raise ValueError("base64 in another form")
    return data


def _seconds(text: str) -> float:
    return datetime.strptime(text[:19] + "Z", "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc).timestamp()


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


# Asking


def ask(installation: Installation, wanted: Wanted, say: Say, *, wait: float, retry: float) -> tuple[int, Json]:
    """Put the question until there is an answer; returns the exit code and the answer.

    What is not yet allowed is waited for WAIT seconds; an installation that does not answer is asked again for RETRY seconds."""
    key, began = key_of(wanted), time.monotonic()
    while True:
        try:
            code, answer, pause = _asked(installation, wanted, key)
            left = began + wait - time.monotonic()
            if code != PENDING or left <= 0:
                return code, answer
            say.waiting(answer, pause)
            pause = min(pause, left)
        except CouldNotTell as error:
            if error.again is None or time.monotonic() - began + error.again > max(wait, retry):
                raise
            pause = _apart(error.again)
            say.note(f"{error} Asking again in {pause:.0f} s.")
        time.sleep(max(1.0, pause))


def _apart(seconds: float) -> float:
    """A little longer, each job for itself: those that were turned away together do not come back together."""
    return seconds + random.uniform(0, seconds / 4)  # noqa: S311 - nothing is kept secret by it


def _asked(installation: Installation, wanted: Wanted, key: str) -> tuple[int, Json, float]:
    status, answer, retry = installation.send(EVALUATIONS, wanted.body(), key)
    code = _verdict(status, answer, retry)
    answer.pop("permit", None)  # what is verified is said by this file alone
    if code == ALLOWED:
        shown, keys, _ = installation.send(KEYS)
        if shown != 200:
            raise CouldNotTell(f"The installation does not show its keys ({shown}).", "", 5)
        permit = open_ticket(answer.get("ticket"), read_keys(keys), wanted, time.time())
        _check_clock(answer)
        answer = {**answer, "permit": permit, "keys": keys}
        if permit.get("evaluation") != answer.get("id"):
            raise CouldNotTell("The ticket belongs to another question.")
    return code, answer, retry or 10.0


def _verdict(status: int, answer: Json, retry: float | None) -> int:
    if status in (200, 201):
        code = {"ALLOW": ALLOWED, "DENY": DENIED, "PENDING": PENDING}.get(str(answer.get("verdict")))
        if code is None:
            raise CouldNotTell("The answer holds no verdict that ccgate knows.", "Fetch the newest ccgate.")
        return code
    raise _problem(status, answer, retry)


def _problem(status: int, answer: Json, retry: float | None) -> CouldNotTell:
    said = str(answer.get("detail") or answer.get("title") or f"The installation answers {status}.")
    for row in answer.get("errors") or []:
        said += f" {row.get('field')}: {row.get('message')}" if isinstance(row, dict) else ""
    is_busy = status == 409 and answer.get("code") == "busy"
    again = (retry or 5) if is_busy or status in (429, 500, 502, 503, 504) else None
    return CouldNotTell(said, str(answer.get("cure") or ""), again, away=status in (500, 502, 503, 504))


def _check_clock(answer: Json) -> None:
    try:
        apart = abs(_seconds(str(answer.get("at"))) - time.time())
    except ValueError as error:
        raise CouldNotTell("The answer does not say when it was given.") from error
    if apart > SKEW:
        raise CouldNotTell(f"The answer is of {answer.get('at')}; it is {_moment(time.time())} here.", "Set this machine's clock.")


# Deploying


class Kept:
    """The file of `check --ticket-file`: the tickets, and since `begin` the deployment and what is still to be told of it."""

    def __init__(self, path: str) -> None:
        self.path, self.document = path, json.loads(Path(path).read_text("utf-8"), object_pairs_hook=_once)
        if not isinstance(self.document, dict):
            raise CouldNotTell(f"{path} holds no ticket.", "Run check with --ticket-file first.")

    @property
    def begun(self) -> Json:
        """The deployment that was begun last."""
        found = self.document.get("begun")
        if not isinstance(found, dict) or not isinstance(found.get("pending"), list) or not isinstance(found.get("sequence"), int):
            raise CouldNotTell(f"{self.path} says of no deployment that it has begun.", "Run ccgate begin first.")
        return found

    @property
    def owed(self) -> list[Json]:
        """What the installation was not told yet, oldest first: other deployments than the last, then that one."""
        earlier, last = self.document.setdefault("earlier", []), self.document.get("begun")
        is_owed = isinstance(last, dict) and (not last.get("id") or bool(last.get("pending")))
        return [*earlier, *([last] if is_owed else [])]

    @property
    def used(self) -> list[object]:
        """The newest of the tickets that have begun something: none of them begins anything again without the installation."""
        return list(self.document.get("used", []))[-MOST_USED:]

    def begin(self, *, deployment: str = "", ref: str = "", envelope: object = None, offline_at: str = "") -> None:
        """Remember what has begun; the same again keeps what was reported."""
        known = self.document.get("begun")
        if not (isinstance(known, dict) and deployment and known.get("id") == deployment):
            self.document["earlier"] = self.owed
            known = {"id": deployment, "ref": ref, "envelope": envelope, "offline_at": offline_at, "sequence": 0, "pending": []}
        self.document["begun"] = known
        self.document["used"] = [*(one for one in self.used if one != envelope), envelope]
        self.write()

    def write(self) -> None:
        """Write it, whole or not at all."""
        write_private(self.path, self.document)


def left_in(path: str) -> Json:
    """What earlier runs left there and a later check must not forget: what the installation was not told yet, and used tickets."""
    try:
        kept = Kept(path)
    except (OSError, ValueError, CouldNotTell):
        return {"earlier": [], "used": []}
    return {"earlier": kept.owed, "used": kept.used}


def write_private(path: str, document: Json) -> None:
    """Replace a file by one that this user alone can read."""
    beside = Path(path + ".new")
    beside.unlink(missing_ok=True)  # what somebody else put there, or links to, is not what receives the tickets
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(document, file)
    beside.replace(path)


def tell(installation: Installation, path: str, body: Json | None, say: Say, *, key: str = "", retry: float = 0) -> tuple[int, Json]:
    """Send it until there is an answer: done, or a refusal that stands. The key, or a report's number, makes it happen once."""
    began = time.monotonic()
    while True:
        try:
            status, answer, wait = installation.send(path, body, key)
            if status in (200, 201) or (status in REFUSALS and answer.get("code") not in (None, "", "busy")):
                return status, answer
            raise _problem(status, answer, wait)
        except CouldNotTell as error:
            if error.again is None or time.monotonic() - began + error.again > retry:
                raise
            pause = _apart(error.again)
            say.note(f"{error} Sending it again in {pause:.0f} s.")
        time.sleep(max(1.0, pause))


def spend(installation: Installation, envelope: object, say: Say, *, retry: float, offline_at: str = "") -> tuple[int, Json]:
    """Let the deployment begin that a ticket permits; what was begun without the installation is told it with its moment."""
    payload = _parts(envelope)[0]
    said, run = _permit(payload)[0], run_of_this_job()
    body: Json = {"ticket": envelope}
    body.update({"run": run} if run else {})
    body.update({"offline_at": offline_at} if offline_at else {})
    key = "ccgate-begin-" + hashlib.sha256(payload + json.dumps([run, offline_at], sort_keys=True).encode()).hexdigest()
    status, answer = tell(installation, DEPLOYMENTS, body, say, key=key, retry=retry)
    if status in REFUSALS:
        return DENIED, answer
    named = [answer.get("ticket"), answer.get("action"), answer.get("state"), sorted(answer.get("identities") or [])]
    is_ours = named == [said["ticket"], said["action"].lower(), "RUNNING", sorted(said["identities"])]
    if status != 201 or not is_ours or not ID.fullmatch(str(answer.get("id"))):
        raise CouldNotTell("The answer does not say that this deployment has begun.", "Send it again: it begins once.")
    return ALLOWED, answer


def begin_offline(given: argparse.Namespace, kept: Kept, envelope: object, wanted: Wanted | None) -> Json:
    """Begin without the installation, if the ticket proves that this is permitted; raises CouldNotTell."""
    document = json.loads(Path(given.keys).read_text("utf-8"), object_pairs_hook=_once) if given.keys else kept.document.get("keys")
    if not isinstance(document, dict):
        raise CouldNotTell("There are no keys to verify the ticket with.", f"Keep those of {KEYS}, and give --keys.")
    if wanted is None:
        raise CouldNotTell(*UNNAMED)
    if envelope in kept.used:
        raise CouldNotTell("This ticket has begun a deployment already.", "Run check again once the installation answers.")
    now = time.time()
    permit = open_ticket(envelope, read_keys(document), wanted, now)
    begins, grace = _seconds(permit["notBefore"]), permit.get("offlineSeconds", 0)
    if not (type(grace) is int and now < begins + grace):
        raise CouldNotTell(f"The ticket permits a start without the installation for {plain(grace)} s after {permit['notBefore']}.")
    kept.begin(envelope=envelope, offline_at=_moment(max(now, begins)))
    return permit


def flush(installation: Installation, kept: Kept, say: Say, *, retry: float) -> tuple[int, Json]:
    """Send whatever is still to be told, in its order; what is refused for good is not sent again. Returns the answer of the last.

    What is refused for now stays, and what comes after it waits: the next run tells them."""
    code, answer = ALLOWED, NO_ANSWER
    for begun in kept.owed:
        code, answer = _flush(installation, kept, begun, say, retry=retry)
        if answer.get("code") in FOR_NOW:
            break
        if begun is not kept.document.get("begun"):
            kept.document["earlier"].remove(begun)
            kept.write()
            if code != ALLOWED:
                say.refused(answer)
    return code, answer


def _flush(installation: Installation, kept: Kept, begun: Json, say: Say, *, retry: float) -> tuple[int, Json]:
    code, answer = ALLOWED, NO_ANSWER
    if not begun.get("id"):
        envelope = begun.get("envelope")
        code, answer = spend(installation, envelope, say, retry=retry, offline_at=str(begun.get("offline_at") or ""))
        if answer.get("code") == "ticket_spent":  # it may have begun after all, and only the answer was lost
            code, answer = spend(installation, envelope, say, retry=retry)
        if code != ALLOWED:
            return code, answer
        begun.update({"id": answer["id"], "ref": str(answer.get("ref"))})
        kept.write()
    for _ in range(2 * len(begun["pending"])):
        if not begun["pending"]:
            break
        said = begun["pending"][0]
        status, answer = tell(installation, f"{DEPLOYMENTS}/{begun['id']}/reports", said, say, retry=retry)
        if answer.get("code") in ("sequence_reused", "out_of_order") and not begun.get("renumbered"):
            _renumber(installation, begun)
        else:
            code = DENIED if status in REFUSALS else code
            if status not in REFUSALS:
                _check_reported(status, answer, said, begun["id"])
            begun["pending"].pop(0)
            begun.pop("renumbered", None)
        kept.write()
    return code, answer


def _renumber(installation: Installation, begun: Json) -> None:
    status, answer, wait = installation.send(f"{DEPLOYMENTS}/{begun['id']}")
    newest = answer.get("sequence")
    if status != 200 or type(newest) is not int:
        raise _problem(status, answer, wait)
    for number, report in enumerate(begun["pending"], newest + 1):
        begun["sequence"] = report["sequence"] = number
    begun["renumbered"] = True


def find(installation: Installation, wanted: Wanted, say: Say, *, retry: float) -> Json:
    """What this token began there, of this version, and is not over; empty where there is none. Raises CouldNotTell."""
    about = [("service", wanted.service), ("environment", wanted.environment), *(("identity", one) for one in wanted.identities)]
    status, answer = tell(installation, f"{DEPLOYMENTS}?{urlencode(about)}", None, say, retry=retry)
    found = answer.get("deployments")
    if status != 200:
        raise _problem(status, answer, None)
    if found == []:
        return {}
    one = found[0] if isinstance(found, list) and len(found) == 1 and isinstance(found[0], dict) else {}
    named = one.get("identities")
    is_ours = isinstance(named, list) and named and all(isinstance(kind, str) and kind in wanted.identities for kind in named)
    if not is_ours or not ID.fullmatch(str(one.get("id"))) or type(one.get("sequence")) is not int:
        raise CouldNotTell("The answer does not say which deployment this is.", "Fetch the newest ccgate.")
    return one


def report_found(installation: Installation, wanted: Wanted, said: Json, say: Say, *, retry: float) -> tuple[int, Json]:
    """Report of what another job began, without its file; the number follows the last one that was taken."""
    status, answer, one = 409, NO_ANSWER, NO_ANSWER
    for _ in range(2):  # somebody else may have taken the number
        one = find(installation, wanted, say, retry=retry)
        if not one:
            return DENIED, tell_unbegun(installation, wanted, say, retry=retry) if said["kind"] == "succeeded" else NOTHING
        said["sequence"] = one["sequence"] + 1
        status, answer = tell(installation, f"{DEPLOYMENTS}/{one['id']}/reports", said, say, retry=retry)
        if answer.get("code") not in ("sequence_reused", "out_of_order"):
            break
    if status in REFUSALS:
        return DENIED, answer
    _check_reported(status, answer, said, one["id"])
    return ALLOWED, {**answer, "ref": one.get("ref")}


def tell_unbegun(installation: Installation, wanted: Wanted, say: Say, *, retry: float) -> Json:
    """A success that has no deployment is told all the same; what to say of it. Raises CouldNotTell."""
    body = {name: part for name, part in wanted.body().items() if name in ("service", "environment", "identities")}
    status, answer = tell(installation, f"{DEPLOYMENTS}/reports", {**body, "source": "ccgate report"}, say, retry=retry)
    if status in REFUSALS:
        return answer
    if status != 200 or answer.get("meaning") not in ("KNOWN", "ON_ITS_WAY", "UNDECLARED"):
        raise _problem(status, answer, None)
    return UNDECLARED if answer["meaning"] == "UNDECLARED" else NOTHING


def _check_reported(status: int, answer: Json, report: Json, deployment: str) -> None:
    said, now = answer.get("report"), answer.get("deployment")
    if status == 200 and isinstance(said, dict) and isinstance(now, dict):
        states = REPORTS[report["kind"].replace("_", "-")]
        is_ours = (said.get("sequence"), said.get("kind"), now.get("id")) == (report["sequence"], report["kind"], deployment)
        if is_ours and (not states or now.get("state") in states):
            return
    raise CouldNotTell("The answer does not say that the report was taken.", "Report it again.")


# Where the job runs

RUNS = {  # variable that names the system: (name, variables of the run's id, of its attempt, of its address, of who made it run)
    "GITHUB_ACTIONS": ("github", ("GITHUB_REPOSITORY", "GITHUB_RUN_ID"), "GITHUB_RUN_ATTEMPT", "", "GITHUB_TRIGGERING_ACTOR"),
    "GITLAB_CI": ("gitlab", ("CI_PROJECT_PATH", "CI_PIPELINE_ID"), "", "CI_PIPELINE_URL", "GITLAB_USER_LOGIN"),
    "JENKINS_URL": ("jenkins", ("BUILD_TAG",), "", "BUILD_URL", "BUILD_USER_ID"),
    "CIRCLECI": ("circleci", ("CIRCLE_WORKFLOW_ID",), "", "CIRCLE_BUILD_URL", "CIRCLE_USERNAME"),
    "BUILDKITE": ("buildkite", ("BUILDKITE_BUILD_ID",), "BUILDKITE_RETRY_COUNT", "BUILDKITE_BUILD_URL", "BUILDKITE_BUILD_CREATOR"),
}


def run_of_this_job() -> Json | None:
    """The CI run this is part of, as far as the environment tells; None outside of CI."""
    for marker, (system, ids, attempt, address, by) in RUNS.items():
        if not os.environ.get(marker):
            continue
        run_id = "/".join(os.environ.get(name, "") for name in ids)[:200]
        tried = os.environ.get(attempt, "") if attempt else ""
        url = os.environ.get(address, "") if address else ""
        if system == "github":
            url = "{GITHUB_SERVER_URL}/{GITHUB_REPOSITORY}/actions/runs/{GITHUB_RUN_ID}".format_map(defaultdict(str, os.environ))
        number = int(tried) + (system == "buildkite") if tried.isdigit() else 1
        run = {"system": system, "id": run_id, "attempt": max(1, number), "url": url if url.startswith("http") else ""}
        actor = plain(os.environ.get(by, ""), 200)
        return {**run, "actor": actor} if actor else run
    return None


def key_of(wanted: Wanted) -> str:
    """One key for one question of one run, so that the jobs of a matrix share the answer; a new one outside of CI."""
    if run_of_this_job() is None:
        return "ccgate-" + uuid.uuid4().hex
    return "ccgate-" + hashlib.sha256(json.dumps(wanted.body(), sort_keys=True).encode()).hexdigest()


# Telling people

MOST_STEPS, MOST_LINKS = 20, 50
MARKS = {"BLOCK": "x", "WAIT": "~", "WARN": "!"}
WORDS = {ALLOWED: "ALLOWED", DENIED: "DENIED", PENDING: "NOT YET", COULD_NOT_TELL: "COULD NOT TELL"}


def plain(text: object, longest: int = 500) -> str:
    """Text of others on one line of a log: no control or direction characters, nothing that a runner takes for a command."""
    said = "".join(char if char.isprintable() else " " for char in str(text))
    said = re.sub("[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]", "", said)[:longest]
    return re.sub("([:#])(?=\\1)", r"\1 ", said).strip()  # ::command::, ##[command], ##vso[…], ##teamcity[…]


class Say:
    """Prints for people: on stdout, or on stderr where stdout carries JSON."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self._out = sys.stderr if as_json else sys.stdout
        self._last = ""

    def note(self, text: str) -> None:
        """One line."""
        print(f"ccgate: {plain(text)}", file=self._out, flush=True)

    def waiting(self, answer: Json, pause: float) -> None:
        """What is waited for, once for as long as it stays the same."""
        said = "; ".join(lines_of(answer, with_cure=False))
        if said != self._last:
            self.note(f"Not yet: {said}. Asking again about every {pause:.0f} s.")
            self._last = said

    def answer(self, wanted: Wanted, code: int, answer: Json) -> None:
        """The answer with its reasons and cures, and the summary that the CI system shows."""
        version = ", ".join(f"{kind} {value[:12]}" for kind, _, value in (one.partition(":") for one in wanted.identities))
        title = f"{WORDS[code]}: {wanted.service} ({version}) to {wanted.environment}"
        lines, about = lines_of(answer), _address(answer)
        permit = answer.get("permit")
        if permit:
            named = f"{permit.get('change')}, " if permit.get("change") else ""
            lines.insert(0, plain(f"Verified ticket: {named}good until {permit.get('expiresAt')}, for one deployment."))
        steps = steps_of(answer) if code in (DENIED, PENDING) else []
        lines += ["What would make it a yes:", *steps] if steps else []
        lines += ["Asking this again cannot help."] if code == DENIED and answer.get("final") is True else []
        if answer.get("earliest") and code != ALLOWED:
            lines.append(plain(f"Earliest: {answer['earliest']}"))
        print(plain(title), *(f"  {line}" for line in lines), *([f"  {about}"] if about else []), sep="\n", file=self._out, flush=True)
        if self.as_json:  # without tickets: strangers read logs
            shown = {name: value for name, value in answer.items() if name not in (*TICKETS, "keys")}
            _print_json({**shown, "exit_code": code})
        _summarise(title, lines, about, links=[plain(title), *steps], is_first=True)

    def done(self, word: str, what: str, more: object, answer: Json) -> None:
        """What the installation confirmed."""
        self._say(f"{word}: {plain(what)}", plain(more or ""), {**answer, "exit_code": ALLOWED})

    def refused(self, answer: Json) -> None:
        """Why it was refused, and the cure."""
        said = _problem(409, answer, None)
        self._say(f"REFUSED: {plain(said)}", plain(said.cure), {**answer, "exit_code": DENIED})

    def _say(self, title: str, more: str, answer: Json) -> None:
        print(title, f"  {more}", sep="\n", file=self._out, flush=True)
        if self.as_json:
            _print_json(answer)
        now = answer.get("deployment")
        about = _address(answer) or _address(now if isinstance(now, dict) else {})
        _summarise(title, [more] if more != about else [], about, links=[title])


def _print_json(answer: Json) -> None:
    # The text of others is in it, and a runner takes ##[command] and ##vso[…] anywhere in a line: \u0023 is the same JSON.
    print(json.dumps(answer, sort_keys=True).replace("#", "\\u0023"))


def _address(answer: Json) -> str:
    """Where a person reads on; nothing where that is no web address."""
    about = plain(answer.get("url") or "")
    return about if about.startswith(("https://", "http://")) else ""


def lines_of(answer: Json, *, with_cure: bool = True) -> list[str]:
    """Each finding in words: what is wrong, what to do, who can, until when."""
    lines = []
    for finding in answer.get("findings") or []:
        if not isinstance(finding, dict):
            continue
        said = plain(finding.get("message") or finding.get("code"))
        lines.append(f"{MARKS.get(str(finding.get('effect')), '-')} {said}")
        if with_cure:
            told = [plain(finding[name]) for name in ("cure", "who") if finding.get(name)]
            lines += ["    " + " · ".join(told)] if told else []
            lines += [f"    until {plain(finding['until'])}"] if finding.get("until") else []
    return lines


def steps_of(answer: Json) -> list[str]:
    """The smallest set of steps to a yes: what to do, and who can; or what is waited for."""
    way = answer.get("way")
    steps = way.get("steps") if isinstance(way, dict) else None
    known = [step for step in steps if isinstance(step, dict)] if isinstance(steps, list) else []
    lines = [f"{number}. {_step(step)}" for number, step in enumerate(known[:MOST_STEPS], 1)]
    left = len(known) - len(lines)
    lines += [f"and {left} more"] if left else []
    if lines and isinstance(way, dict) and way.get("complete") is not True:
        lines.append("More may be asked for once this is done.")
    return lines


def _step(step: Json) -> str:
    found = step.get("codes")
    codes = ", ".join(plain(code, 60) for code in found) if isinstance(found, list) else ""
    if step.get("act") == "WAIT":
        return f"Wait until {plain(step['until'], 60)}. It ends by itself." if step.get("until") else f"Wait for {codes} to end by itself."
    told = [plain(step[name]) for name in ("cure", "who") if step.get(name)]
    return " · ".join(told) or f"Clear {codes}; the link says how."  # a token that is told codes alone


ANNOTATIONS = "ccgate-annotations.json"


def _summarise(title: str, lines: list[str], about: str, *, links: list[str], is_first: bool = False) -> None:
    """Tell it in the summary of the run too: what comes later stands below, so that a yes that was not used does not stand alone."""
    written = []
    if os.environ.get("GITHUB_STEP_SUMMARY"):
        marked = [re.sub(r"([\\`*_{}\[\]<>#|~])", r"\\\1", line) for line in (title, *lines) if line]
        text = f"### {marked[0]}\n\n" + "\n".join(f"- {line.strip()}" for line in marked[1:]) + f"\n\n{about}\n\n"
        written.append((os.environ["GITHUB_STEP_SUMMARY"], "a", text))
    before = [] if is_first else _links_before()
    about = about or (before[0]["external_link"]["url"] if before else "")
    if os.environ.get("GITLAB_CI") and about:
        shown = [*before, *({"external_link": {"label": label[:200], "url": about}} for label in links)]
        written.append((ANNOTATIONS, "w", json.dumps({"Change Control": shown[-MOST_LINKS:]})))
    try:
        for path, mode, text in written:
            with Path(path).open(mode, encoding="utf-8") as file:
                file.write(text)
    except OSError as error:  # the answer stands without its summary
        print(f"ccgate: the summary could not be written: {error}", file=sys.stderr)


def _links_before() -> list[Json]:
    """What this job has shown on GitLab already; nothing where that cannot be read."""
    try:
        found = json.loads(Path(ANNOTATIONS).read_text("utf-8"))["Change Control"]
        return [one for one in found if isinstance(one["external_link"]["url"], str)]
    except (OSError, ValueError, KeyError, TypeError):
        return []


# The command line


def check(given: argparse.Namespace) -> int:
    """Ask the gate."""
    wanted, say = wanted_by(given), Say(as_json=given.json)
    try:
        code, answer = ask(installation_by(given), wanted, say, wait=duration(given.wait), retry=duration(given.retry_for))
        if code == ALLOWED and given.ticket_file:
            write_private(given.ticket_file, {**{name: answer.get(name) for name in (*TICKETS, "keys")}, **left_in(given.ticket_file)})
    except CouldNotTell as error:
        answer = {"findings": [{"effect": "BLOCK", "message": f"{error} This is no yes.", "cure": error.cure}], "verdict": None}
        code = COULD_NOT_TELL
    say.answer(wanted, code, answer)
    return code


def verify(given: argparse.Namespace) -> int:
    """Verify a ticket without the installation."""
    envelope, document = (json.loads(Path(path).read_text("utf-8"), object_pairs_hook=_once) for path in (given.ticket_file, given.keys))
    names = ("rollback_ticket", "ticket") if given.action == "rollback" else ("ticket",)
    wanted = wanted_by(given)
    ticket = next((envelope[name] for name in names if envelope.get(name)), envelope)
    permit = open_ticket(ticket, read_keys(document), wanted, time.time())
    Say(as_json=given.json).answer(wanted, ALLOWED, {"permit": permit})
    return ALLOWED


def begin(given: argparse.Namespace) -> int:
    """Spend the ticket that check kept, and begin the deployment."""
    return _begin(given, "ticket")


def rollback(given: argparse.Namespace) -> int:
    """Spend the rollback ticket that check kept, and begin the way back."""
    return _begin(given, "rollback_ticket")


def _begin(given: argparse.Namespace, name: str) -> int:
    kept, say, retry = Kept(given.ticket_file), Say(as_json=given.json), duration(given.retry_for)
    installation, envelope = installation_by(given), kept.document.get(name)
    if envelope is None:
        raise CouldNotTell(f"{given.ticket_file} holds no {name.replace('_', ' ')}.", NO_TICKET[name])
    wanted = named_by(given, envelope)
    try:
        code, answer = flush(installation, kept, say, retry=retry)
        if answer.get("code") not in FOR_NOW:  # else it would stand in the way of what began before it
            code, answer = spend(installation, envelope, say, retry=retry)
    except CouldNotTell as error:
        if not (given.offline and error.away):
            raise
        permit = begin_offline(given, kept, envelope, wanted)
        say.done("BEGUN", f"{permit.get('service')} without the installation", f"{error} The next report tells it.", {"offline": True})
        return ALLOWED
    if code == ALLOWED:
        kept.begin(deployment=answer["id"], ref=str(answer.get("ref")), envelope=envelope)
        say.done("BEGUN", f"{answer.get('ref')}: {answer.get('service')} in {answer.get('environment')}", answer.get("url"), answer)
    else:
        say.refused(answer)
    return code


def report(given: argparse.Namespace) -> int:
    """Say what became of the deployment that was begun last, or without the ticket file of the one that this token has open there."""
    say, retry = Say(as_json=given.json), duration(given.retry_for)
    said: Json = {"kind": given.kind.replace("-", "_"), "occurred_at": _moment(time.time())}
    said.update({"message": plain(given.message, 400)} if given.message else {})
    said.update({"has_switched": True} if given.switched else {})
    if given.ticket_file:
        kept = Kept(given.ticket_file)
        begun = kept.begun
        named_by(given, begun.get("envelope"))
        begun["sequence"] += 1
        begun["pending"].append({**said, "sequence": begun["sequence"]})
        kept.write()  # before it is sent: what is lost on the way is sent by the next one
        code, answer = flush(installation_by(given), kept, say, retry=retry)
        ref = begun["ref"]
    else:
        if not (given.service and given.environment):
            raise CouldNotTell("Nothing says which deployment.", "Give --ticket-file, or --service, --environment and the version.")
        code, answer = report_found(installation_by(given), wanted_by(given), said, say, retry=retry)
        ref = answer.get("ref")
    if code == ALLOWED:
        say.done("REPORTED", f"{ref} {given.kind}", f"It is {(answer.get('deployment') or {}).get('state')}.", answer)
    else:
        say.refused(answer)
    return code


def installation_by(given: argparse.Namespace) -> Installation:
    """The installation that arguments and environment name."""
    token, path = os.environ.get("CHANGE_CONTROL_TOKEN", ""), os.environ.get("CHANGE_CONTROL_TOKEN_FILE", "")
    if not token and path:
        token = Path(path).read_text("ascii")
    if not token.strip():
        raise CouldNotTell("There is no token.", "Set CHANGE_CONTROL_TOKEN to a gate token; an administrator issues one.")
    if not re.fullmatch(r"[!-~]+", token.strip()):
        raise CouldNotTell("The token holds a character that no token has.", "Copy it again.")
    url = given.url or os.environ.get("CHANGE_CONTROL_URL", "")
    return Installation(url, token.strip(), ca_file=given.ca_file, timeout=duration(given.timeout))


def wanted_by(given: argparse.Namespace) -> Wanted:
    """What the arguments ask for; raises CouldNotTell where no version is named in full."""
    identities = []
    if given.commit:
        identities.append("git:" + given.commit.lower())
        if not COMMIT.fullmatch(given.commit.lower()):
            raise CouldNotTell(f"{given.commit} is no full commit id.", "Give all 40 or 64 hex digits; a branch or tag moves.")
    for kind, values in (("sha256", given.digest), ("config", given.config)):
        for value in values:
            digest = value.lower()[7:] if value.lower().startswith("sha256:") else value.lower()
            if not DIGEST.fullmatch(digest):
                raise CouldNotTell(f"{value} is no SHA-256 digest.", "Give 64 hex digits, such as sha256:….")
            identities.append(f"{kind}:{digest}")
    if not identities:
        raise CouldNotTell("Nothing says which version.", "Give --commit, --digest or --config.")
    return Wanted(given.service, given.environment, sorted(set(identities)), given.action.upper())


def named_by(given: argparse.Namespace, envelope: object) -> Wanted | None:
    """What the arguments name beside a kept ticket, None where they name nothing; raises CouldNotTell unless the ticket is for it."""
    if not (given.service or given.environment or given.commit or given.digest or given.config):
        return None
    if not (given.service and given.environment):
        raise CouldNotTell(*UNNAMED)
    wanted = wanted_by(given)
    _wanted_permit(_parts(envelope)[0], wanted)
    return wanted


def duration(text: str) -> float:
    """Seconds of `90`, `90s`, `30m` or `2h`; raises CouldNotTell for anything else."""
    found = re.fullmatch(r"(\d{1,6})([smh]?)", text.strip())
    if not found:
        raise CouldNotTell(f"{text} is no length of time.", "Write 90s, 30m or 2h.")
    return float(int(found[1]) * UNITS[found[2]])


def arguments() -> argparse.ArgumentParser:
    """What can be said to ccgate."""
    parser = _Parser(prog="ccgate", description="Ask Change Control before deploying, and tell it what became of it.", epilog=CODES)
    commands = parser.add_subparsers(dest="command", required=True)
    for work in (check, begin, report, rollback, verify):
        name, about = work.__name__, (work.__doc__ or "").strip()
        command = commands.add_parser(name, help=about, description=about)
        # What check --action rollback was given is begun as the ticket, and reported of: its action is in it.
        command.set_defaults(work=work, action="rollback" if name == "rollback" else "")
        command.add_argument("--json", action="store_true", help="print the answer as JSON; words go to stderr")
        command.add_argument("--ticket-file", default="", required=name not in ("check", "report"), help="where the tickets are kept")
        _version(command, is_needed=name in ("check", "verify"))
        if name in ("check", "verify"):
            command.add_argument("--action", choices=("deploy", "rollback"), default="deploy")
        if name in ("begin", "rollback", "verify"):
            command.add_argument("--keys", default="", required=name == "verify", help=f"the key set, kept from {KEYS}")
        if name in ("begin", "rollback"):
            command.add_argument("--offline", action="store_true", help="begin without an installation that is away, if the ticket permits")
        if name != "verify":
            _way(command)
    commands.choices["check"].add_argument("--wait", default="0", metavar="30m", help="how long to wait for what is not yet allowed")
    commands.choices["report"].add_argument("kind", choices=tuple(REPORTS), help="what became of it")
    commands.choices["report"].add_argument("--message", default="", help="one line for people")
    commands.choices["report"].add_argument("--switched", action="store_true", help="with failed: users saw the new version")
    return parser


def _version(command: argparse.ArgumentParser, *, is_needed: bool) -> None:
    command.add_argument("--service", default="", required=is_needed, help="short name of the service")
    command.add_argument("--environment", default="", required=is_needed, help="short name of the environment")
    command.add_argument("--commit", default="", help="full id of the commit")
    command.add_argument("--digest", action="append", default=[], help="SHA-256 of an artifact; may be given again")
    command.add_argument("--config", action="append", default=[], help="SHA-256 of an attached plan")


def _way(command: argparse.ArgumentParser) -> None:
    command.add_argument("--url", default="", help="the installation; else CHANGE_CONTROL_URL")
    command.add_argument("--retry-for", default="60s", metavar="60s", help="how long an installation that does not answer is asked again")
    command.add_argument("--timeout", default="15s", metavar="15s", help="how long one request may take")
    command.add_argument("--ca-file", default="", help="certificates that sign the installation's own")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        # argparse leaves with 2, which would read as "not yet".
        self.print_usage(sys.stderr)
        self.exit(COULD_NOT_TELL, f"ccgate: {message}\n")


def main() -> int:
    """Run, and leave with 0 only for a verified yes."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    given = arguments().parse_args()
    try:
        return int(given.work(given))
    except CouldNotTell as error:
        print(f"ccgate: {plain(error)} {plain(error.cure)}", file=sys.stderr)
        title = f"{WORDS[COULD_NOT_TELL]}: {given.command}"
        _summarise(title, [plain(error), plain(error.cure)], "", links=[title])
    except KeyboardInterrupt:
        print("ccgate: stopped. This is no yes.", file=sys.stderr)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is no yes
        print(f"ccgate: {type(error).__name__}: {plain(error)}. This is no yes.", file=sys.stderr)
    return COULD_NOT_TELL


if __name__ == "__main__":
    sys.exit(main())
