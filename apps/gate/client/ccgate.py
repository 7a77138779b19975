#!/usr/bin/env python3
"""ccgate: ask Change Control whether this version may go to this environment now. One file, Python 3.8 or newer, no packages.

Exit code 0 only where the answer is yes and its ticket was verified here; 1 no, 2 not yet, 3 could not tell. Whatever goes wrong
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
import re
import ssl
import sys
import threading
import time
import urllib.error
import urllib.request
import uuid
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Dict, NoReturn, Tuple
from urllib.parse import urlsplit

ALLOWED, DENIED, PENDING, COULD_NOT_TELL = 0, 1, 2, 3
AGENT = "ccgate/1"
CODES = "Exit code 0 is a verified yes; 1 no, 2 not yet, 3 could not tell."
LARGEST = 1000000  # bytes of an answer
SKEW = 300.0  # seconds this machine's clock may differ from the installation's
PAYLOAD_TYPE = "application/vnd.in-toto+json"
PREDICATE_TYPE = "urn:changecontrol:ticket:v1"
EVALUATIONS, KEYS = "/api/v1/gate/evaluations", "/.well-known/change-control/jwks.json"
JSON_TYPES = ("application/json", "application/problem+json", "application/jwk-set+json")
TICKETS = ("ticket", "rollback_ticket")
LOOPBACK = ("localhost", "127.0.0.1", "::1")
COMMIT, DIGEST, UNITS = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?"), re.compile(r"[0-9a-f]{64}"), {"": 1, "s": 1, "m": 60, "h": 3600}

Json = Dict[str, Any]
Key = Tuple[bytes, float, float]  # public bytes, and between which seconds of the clock it signs


class CouldNotTell(Exception):
    """There is no answer that can be trusted; `cure` says what to do."""

    def __init__(self, said: str, cure: str = "", again: float | None = None) -> None:
        super().__init__(said)
        self.cure = cure
        self.again = again  # seconds after which asking again may help


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


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object, **__: object) -> None:
        return None  # a token is never carried elsewhere, and elsewhere is not believed


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
        self._opener = urllib.request.build_opener(_NoRedirect, urllib.request.HTTPSHandler(context=context))

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
        ends = time.monotonic() + self.timeout
        late = threading.Timer(2 * self.timeout, _give_up)  # each read has its time; drop by drop they have no end
        late.daemon = True
        late.start()
        try:
            try:
                response = self._opener.open(request, timeout=self.timeout)
            except urllib.error.HTTPError as error:
                response = error
            with response:
                return self._read(response, ends)
        except (OSError, http.client.HTTPException, ValueError) as error:
            said = getattr(error, "reason", None) or error
            raise CouldNotTell(f"{self.url} does not answer: {said}.", "Look at the network and at the installation.", 5) from error
        finally:
            late.cancel()

    def _read(self, response: http.client.HTTPResponse, ends: float) -> tuple[int, Json, float | None]:
        status, kind = response.status, response.headers.get_content_type()
        retry = response.headers.get("Retry-After", "")
        wait = float(retry) if re.fullmatch(r"\d{1,5}", retry) else None
        if 300 <= status < 400:
            raise CouldNotTell(f"The answer points elsewhere ({status}).", "Set CHANGE_CONTROL_URL to the final address.")
        data = _bounded(response, ends)
        if kind not in JSON_TYPES:
            again = wait or 5 if status in (429, 502, 503, 504) else None
            raise CouldNotTell(f"The answer ({status}) is {kind}, not JSON: something else answered.", "Look at the proxy.", again)
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


def _give_up() -> None:
    print("ccgate: the answer comes too slowly. This is no yes.", file=sys.stderr, flush=True)
    os._exit(COULD_NOT_TELL)


def _once(pairs: list[tuple[str, Any]]) -> Json:
    out = dict(pairs)
    if len(out) != len(pairs):
        raise ValueError("a name stands there twice")
    return out


# Tickets


class Wanted:
    """What the job is about to do."""

    def __init__(self, service: str, environment: str, identities: list[str], action: str) -> None:
        self.service, self.environment, self.identities, self.action = service, environment, identities, action
        self.names = [service, environment]

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
    try:
        said, not_before, expires = _permit(payload)
        is_same = _is_wanted(said, wanted)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CouldNotTell("The ticket says something that ccgate does not know.", "Fetch the newest ccgate.") from error
    if not is_same:
        version = ", ".join(map(plain, said["identities"]))
        raise CouldNotTell(f"The ticket is for {said['action']} of {version} of {said['service']} to {said['environment']}.")
    if not begins <= not_before + SKEW or not_before >= ends:
        raise CouldNotTell("The ticket is signed with a key that was not valid then.", "Ask an administrator.")
    if not not_before - SKEW <= now < expires:
        held = f"The ticket holds from {said['notBefore']} to {said['expiresAt']}; it is {_moment(now)} here."
        raise CouldNotTell(held, "Look at this machine's clock, and ask the gate again.")
    return said


def _permit(payload: bytes) -> tuple[Json, float, float]:
    statement = json.loads(payload.decode("utf-8"), object_pairs_hook=_once)
    said = statement["predicate"]
    if (statement["predicateType"], said["schema"]) != (PREDICATE_TYPE, 1):
        raise ValueError(statement["predicateType"])
    return dict(said), _seconds(said["notBefore"]), _seconds(said["expiresAt"])


def _is_wanted(said: Json, wanted: Wanted) -> bool:
    # An older name of a service still works: the installation says in the ticket which names the question used.
    asked, names = said["asked"], [said["service"], said["environment"]]
    if wanted.names not in (names, [asked["service"], asked["environment"]]) or said["action"] != wanted.action:
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
    return base64.b64decode(text.encode("ascii"), validate=True)


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
            pause = error.again
            say.note(f"{error} Asking again in {pause:.0f} s.")
        time.sleep(max(1.0, pause))


def _asked(installation: Installation, wanted: Wanted, key: str) -> tuple[int, Json, float]:
    status, answer, retry = installation.send(EVALUATIONS, wanted.body(), key)
    code = _verdict(status, answer, retry)
    answer.pop("permit", None)  # what is verified is said by this file alone
    if code == ALLOWED:
        permit = open_ticket(answer.get("ticket"), read_keys(_taken(installation.send(KEYS))), wanted, time.time())
        _check_clock(answer)
        answer = {**answer, "permit": permit}
        if permit.get("evaluation") != answer.get("id"):
            raise CouldNotTell("The ticket belongs to another question.")
    return code, answer, retry or 10.0


def _taken(sent: tuple[int, Json, float | None]) -> Json:
    if sent[0] != 200:
        raise CouldNotTell(f"The installation does not show its keys ({sent[0]}).", "", 5)
    return sent[1]


def _verdict(status: int, answer: Json, retry: float | None) -> int:
    if status in (200, 201):
        code = {"ALLOW": ALLOWED, "DENY": DENIED, "PENDING": PENDING}.get(str(answer.get("verdict")))
        if code is None:
            raise CouldNotTell("The answer holds no verdict that ccgate knows.", "Fetch the newest ccgate.")
        return code
    said = str(answer.get("detail") or answer.get("title") or f"The installation answers {status}.")
    for row in answer.get("errors") or []:
        said += f" {row.get('field')}: {row.get('message')}" if isinstance(row, dict) else ""
    raise CouldNotTell(said, str(answer.get("cure") or ""), (retry or 5) if status in (429, 500, 502, 503, 504) else None)


def _check_clock(answer: Json) -> None:
    try:
        apart = abs(_seconds(str(answer.get("at"))) - time.time())
    except ValueError as error:
        raise CouldNotTell("The answer does not say when it was given.") from error
    if apart > SKEW:
        raise CouldNotTell(f"The answer is of {answer.get('at')}; it is {_moment(time.time())} here.", "Set this machine's clock.")


# Where the job runs

RUNS = {  # variable that names the system: (name, variables of the run's id, of its attempt, of its address)
    "GITHUB_ACTIONS": ("github", ("GITHUB_REPOSITORY", "GITHUB_RUN_ID"), "GITHUB_RUN_ATTEMPT", ""),
    "GITLAB_CI": ("gitlab", ("CI_PROJECT_PATH", "CI_PIPELINE_ID"), "", "CI_PIPELINE_URL"),
    "JENKINS_URL": ("jenkins", ("BUILD_TAG",), "", "BUILD_URL"),
    "CIRCLECI": ("circleci", ("CIRCLE_WORKFLOW_ID",), "", "CIRCLE_BUILD_URL"),
    "BUILDKITE": ("buildkite", ("BUILDKITE_BUILD_ID",), "BUILDKITE_RETRY_COUNT", "BUILDKITE_BUILD_URL"),
}


def run_of_this_job() -> Json | None:
    """The CI run this is part of, as far as the environment tells; None outside of CI."""
    for marker, (system, ids, attempt, address) in RUNS.items():
        if not os.environ.get(marker):
            continue
        run_id = "/".join(os.environ.get(name, "") for name in ids)[:200]
        tried = os.environ.get(attempt, "") if attempt else ""
        url = os.environ.get(address, "") if address else ""
        if system == "github":
            url = "{GITHUB_SERVER_URL}/{GITHUB_REPOSITORY}/actions/runs/{GITHUB_RUN_ID}".format_map(_Or(os.environ))
        number = int(tried) + (system == "buildkite") if tried.isdigit() else 1
        return {"system": system, "id": run_id, "attempt": max(1, number), "url": url if url.startswith("http") else ""}
    return None


class _Or(Dict[str, str]):
    def __missing__(self, name: str) -> str:
        return ""


def key_of(wanted: Wanted) -> str:
    """One key for one question of one run, so that the jobs of a matrix share the answer; a new one outside of CI."""
    run = run_of_this_job()
    if run is None:
        return "ccgate-" + uuid.uuid4().hex
    return "ccgate-" + hashlib.sha256(json.dumps(wanted.body(), sort_keys=True).encode()).hexdigest()


# Telling people

MARKS = {"BLOCK": "x", "WAIT": "~", "WARN": "!"}
WORDS = {ALLOWED: "ALLOWED", DENIED: "DENIED", PENDING: "NOT YET", COULD_NOT_TELL: "COULD NOT TELL"}


def plain(text: object, longest: int = 500) -> str:
    """Text of others on one line of a log: no control or direction characters, nothing that a runner takes for a command."""
    said = "".join(char if char.isprintable() else " " for char in str(text))
    said = re.sub("[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]", "", said)[:longest]
    return said.replace("::", ": :").replace("##[", "## [").replace("##vso", "## vso").strip()


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
        lines, about = lines_of(answer), plain(answer.get("url") or "")
        about = about if about.startswith(("https://", "http://")) else ""
        permit = answer.get("permit")
        if permit:
            named = f"{permit.get('change')}, " if permit.get("change") else ""
            lines.insert(0, plain(f"Verified ticket: {named}good until {permit.get('expiresAt')}, for one deployment."))
        if answer.get("earliest") and code != ALLOWED:
            lines.append(plain(f"Earliest: {answer['earliest']}"))
        print(plain(title), *(f"  {line}" for line in lines), *([f"  {about}"] if about else []), sep="\n", file=self._out, flush=True)
        if self.as_json:  # without tickets: strangers read logs
            shown = {name: value for name, value in answer.items() if name not in TICKETS}
            print(json.dumps({**shown, "exit_code": code}, sort_keys=True))
        _summarise(title, lines, about)


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


def _summarise(title: str, lines: list[str], about: str) -> None:
    written = []
    if os.environ.get("GITHUB_STEP_SUMMARY"):
        marked = [re.sub(r"([\\`*_{}\[\]<>#|~])", r"\\\1", line) for line in (title, *lines)]
        text = f"### {marked[0]}\n\n" + "\n".join(f"- {line.strip()}" for line in marked[1:]) + f"\n\n{about}\n\n"
        written.append((os.environ["GITHUB_STEP_SUMMARY"], "a", text))
    if os.environ.get("GITLAB_CI") and about:
        link = {"external_link": {"label": title, "url": about}}
        written.append(("ccgate-annotations.json", "w", json.dumps({"Change Control": [link]})))
    try:
        for path, mode, text in written:
            with Path(path).open(mode, encoding="utf-8") as file:
                file.write(text)
    except OSError as error:  # the answer stands without its summary
        print(f"ccgate: the summary could not be written: {error}", file=sys.stderr)


# The command line


def check(given: argparse.Namespace) -> int:
    """Ask the gate."""
    wanted, say = wanted_by(given), Say(as_json=given.json)
    try:
        code, answer = ask(installation_by(given), wanted, say, wait=duration(given.wait), retry=duration(given.retry_for))
        if code == ALLOWED and given.ticket_file:
            tickets = {name: answer.get(name) for name in TICKETS}
            descriptor = os.open(given.ticket_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w") as file:
                json.dump(tickets, file)
    except CouldNotTell as error:
        answer = {"findings": [{"effect": "BLOCK", "message": f"{error} This is no yes.", "cure": error.cure}], "verdict": None}
        code = COULD_NOT_TELL
    say.answer(wanted, code, answer)
    return code


def verify(given: argparse.Namespace) -> int:
    """Verify a ticket without the installation."""
    envelope, document = (json.loads(Path(path).read_text("utf-8"), object_pairs_hook=_once) for path in (given.ticket_file, given.keys))
    keys = read_keys(document)
    name = "rollback_ticket" if given.action == "rollback" else "ticket"
    wanted = wanted_by(given)
    permit = open_ticket(envelope.get(name, envelope), keys, wanted, time.time())
    Say(as_json=given.json).answer(wanted, ALLOWED, {"permit": permit})
    return ALLOWED


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


def duration(text: str) -> float:
    """Seconds of `90`, `90s`, `30m` or `2h`; raises CouldNotTell for anything else."""
    found = re.fullmatch(r"(\d{1,6})([smh]?)", text.strip())
    if not found:
        raise CouldNotTell(f"{text} is no length of time.", "Write 90s, 30m or 2h.")
    return float(int(found[1]) * UNITS[found[2]])


def arguments() -> argparse.ArgumentParser:
    """What can be said to ccgate."""
    parser = _Parser(prog="ccgate", description="Ask Change Control before deploying.", epilog=CODES)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, work, about in (("check", check, "ask the gate"), ("verify", verify, "verify a ticket without the installation")):
        command = commands.add_parser(name, help=about, description=(work.__doc__ or "").strip())
        command.set_defaults(work=work)
        command.add_argument("--service", required=True, help="short name of the service")
        command.add_argument("--environment", required=True, help="short name of the environment")
        command.add_argument("--commit", default="", help="full id of the commit")
        command.add_argument("--digest", action="append", default=[], help="SHA-256 of an artifact; may be given again")
        command.add_argument("--config", action="append", default=[], help="SHA-256 of an attached plan")
        command.add_argument("--action", choices=("deploy", "rollback"), default="deploy")
        command.add_argument("--json", action="store_true", help="print the answer as JSON; words go to stderr")
        command.add_argument(
            "--ticket-file", default="", required=name == "verify", help="where the tickets are written (check) or read (verify)"
        )
    check_only, verify_only = commands.choices["check"], commands.choices["verify"]
    check_only.add_argument("--url", default="", help="the installation; else CHANGE_CONTROL_URL")
    check_only.add_argument("--wait", default="0", metavar="30m", help="how long to wait for what is not yet allowed")
    check_only.add_argument(
        "--retry-for", default="60s", metavar="60s", help="how long an installation that does not answer is asked again"
    )
    check_only.add_argument("--timeout", default="15s", metavar="15s", help="how long one request may take")
    check_only.add_argument("--ca-file", default="", help="certificates that sign the installation's own")
    verify_only.add_argument("--keys", required=True, help=f"the key set, kept from {KEYS}")
    return parser


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
    except KeyboardInterrupt:
        print("ccgate: stopped. This is no yes.", file=sys.stderr)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is no yes
        print(f"ccgate: {type(error).__name__}: {plain(error)}. This is no yes.", file=sys.stderr)
    return COULD_NOT_TELL


if __name__ == "__main__":
    sys.exit(main())
