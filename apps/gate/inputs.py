"""Reading a question from the bytes of a request: strictly, with a sentence for every field that cannot be read."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from apps.catalog.versions import read_identity_map
from apps.core.refusals import BadContent
from apps.core.strict_json import read_json
from apps.core.texts import why_not_line
from apps.gate.rules import Action, Question, Run
from apps.gate.rules.workloads import Workload

LONGEST_BODY = 16_384
MOST_IDENTITIES = 20
LONGEST_KEY = 200
LARGEST_ATTEMPT = 1_000_000
MEMBERS = ("service", "environment", "identities", "action", "run", "dry_run")
RUN_MEMBERS = {"system": 40, "id": 200, "url": 500, "actor": 200}
SLUG = re.compile(r"[-a-zA-Z0-9_]{1,60}", re.ASCII)
KEY = re.compile(r"[!-~]{1,200}", re.ASCII)
BEARER = re.compile(r"cc[gp]_[A-Za-z0-9_-]{20,100}", re.ASCII)
KINDS = "Name identities by kind, such as {\"git\": \"<40 or 64 hex digits>\", \"sha256\": [\"<64 hex digits>\"]}."  # fmt: skip

ACTIONS = frozenset(action.value for action in Action)
Errors = dict[str, list[str]]


IN_CHUNKS = "The body comes in chunks, which are not read here. Send it whole, with its Content-Length."


class NotReadable(Exception):
    """The body is not one JSON object; nothing in it can be named."""


def read_body(data: bytes) -> Mapping[str, Any]:
    """Read one JSON object; raises NotReadable."""
    if len(data) > LONGEST_BODY:
        raise NotReadable(f"The body takes more than {LONGEST_BODY} bytes. A question fits into one thousand.")
    try:
        body = read_json(data.decode())
    except (ValueError, RecursionError) as error:
        raise NotReadable("The body is not JSON in UTF-8. Send one object with service, environment and identities.") from error
    if not isinstance(body, dict):
        raise NotReadable("The body is not a JSON object. Send one with service, environment and identities.")
    return body


@dataclass(frozen=True, slots=True)
class Credential:
    """A bearer token as it is looked up: its hash, and whether it has the form of a person's."""

    hash: bytes
    is_personal: bool
    workload: Workload | None = None  # the CI job that proved itself; `hash` is then that of its trust

    def asks(self, question: Question) -> Question:
        """The question, put by whoever this is. A job's run is what its issuer says, whatever the body says."""
        job = self.workload
        run = run_of(job) if job else question.run
        return replace(question, credential=self.hash, is_personal=self.is_personal, workload=job, run=run)


def run_of(job: Workload) -> Run:
    """The run a CI job is, by its issuer's word."""
    return Run(job.system, job.run_id, job.attempt, job.url, job.actor)


def read_question(body: Mapping[str, Any], *, credential: Credential, key: str = "") -> tuple[Question, bool]:
    """Read a question and whether it is a dry run; raises BadContent that names every field."""
    errors: Errors = {name[:80]: ["A question has no such field."] for name in body if name not in MEMBERS}
    question = Question(
        service=_slug(body, "service", errors),
        environment=_slug(body, "environment", errors),
        identities=_identities(body.get("identities"), errors),
        action=_action(body.get("action", "deploy"), errors),
        run=read_run(body.get("run"), errors),
        key=_key(key, errors),
        credential=credential.hash,
        is_personal=credential.is_personal,
    )
    dry_run = body.get("dry_run", False)
    if not isinstance(dry_run, bool):
        errors["dry_run"] = ["Write true or false."]
    if errors:
        raise BadContent(errors)
    return credential.asks(question) if credential.workload else question, dry_run


def read_bearer(header: str) -> Credential | None:
    """The token of an Authorization header; None where there is none that could be ours."""
    scheme, _, token = header.partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not BEARER.fullmatch(token):
        return None
    return Credential(hashlib.sha256(token.encode()).digest(), is_personal=token.startswith("ccp_"))


def _slug(body: Mapping[str, Any], field: str, errors: Errors) -> str:
    value = body.get(field)
    if isinstance(value, str) and SLUG.fullmatch(value):
        return value
    errors[field] = [f"Name the {field} by its short name: letters, digits, - and _, at most 60."]
    return ""


def _identities(value: object, errors: Errors) -> tuple[str, ...]:
    if not isinstance(value, dict) or not all(map(_is_identity, value.values())):
        errors["identities"] = [KINDS]
        return ()
    if sum(1 if isinstance(given, str) else len(given) for given in value.values()) > MOST_IDENTITIES:
        errors["identities"] = [f"A version has at most {MOST_IDENTITIES} identities."]
        return ()
    try:
        return read_identity_map({kind[:40]: given for kind, given in value.items()})
    except BadContent as error:
        errors.update(error.errors)
        return ()


def _is_identity(given: object) -> bool:
    return isinstance(given, str) or (isinstance(given, list) and bool(given) and all(isinstance(one, str) for one in given))


def _action(value: object, errors: Errors) -> Action:
    if isinstance(value, str) and value.upper() in ACTIONS:
        return Action(value.upper())
    errors["action"] = ["Ask for deploy or rollback."]
    return Action.DEPLOY


def read_run(value: object, errors: Errors) -> Run | None:
    """The run that asks; None where there is none, or where it cannot be read."""
    if value is None:
        return None
    if not isinstance(value, dict):
        errors["run"] = ["A run is an object with system, id, attempt, url and actor."]
        return None
    for name in value:
        if name not in {*RUN_MEMBERS, "attempt"}:
            errors[f"run.{name[:80]}"] = ["A run has no such field."]
    texts = {name: _line(value.get(name, ""), f"run.{name}", longest, errors) for name, longest in RUN_MEMBERS.items()}
    if texts["url"] and not _is_address(texts["url"]):
        errors["run.url"] = ["Write a web address that begins with https:// or http://."]
    attempt = value.get("attempt", 1)
    if not isinstance(attempt, int) or isinstance(attempt, bool) or not 1 <= attempt <= LARGEST_ATTEMPT:
        errors["run.attempt"] = [f"A whole number from 1 to {LARGEST_ATTEMPT}."]
        return None
    return Run(attempt=attempt, **texts)


def _line(value: object, field: str, longest: int, errors: Errors) -> str:
    if not isinstance(value, str):
        errors[field] = ["Write text."]
        return ""
    if said := why_not_line(value, longest=longest, empty=True):
        errors[field] = [said]
        return ""
    return value.strip()


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.netloc)


def _key(text: str, errors: Errors) -> str:
    if text and not KEY.fullmatch(text):
        errors["Idempotency-Key"] = [f"A key is at most {LONGEST_KEY} printable characters without blanks."]
    return text
