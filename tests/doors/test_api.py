"""Every field, part of a path and header of the API is sent what nobody should send: problem JSON that names it, and nothing changes.

What there is to send is read from the OpenAPI document; each address that takes a body needs a polite one in `polite_body`."""

import json
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from drf_spectacular.generators import SchemaGenerator

from apps.accounts.actions import issue_personal_token
from apps.gate.tickets import PAYLOAD_TYPE
from tests.doors.desk import Desk
from tests.doors.routes import ROUTES
from tests.doors.town import Town, undone
from tests.doors.values import MEGABYTE, UNKNOWN
from tests.factories.changes import OTHER_COMMIT
from tests.factories.deployments import make_leg
from tests.factories.gate import make_gate_token
from tests.factories.pipelines import Job

Path = tuple[str | int, ...]
SCHEMA: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)
METHODS = ("get", "post", "put", "patch", "delete")
OPERATIONS = {
    document["operationId"]: (method, path, document)
    for path, documents in SCHEMA["paths"].items()
    for method, document in documents.items()
    if method in METHODS
}
WITH_BODY = [name for name, (_, _, document) in OPERATIONS.items() if "requestBody" in document]
WITH_PATH = [name for name, (_, path, _) in OPERATIONS.items() if "{" in path]
PROBLEM = "application/problem+json"
FILES = "multipart/form-data"
TAKES_FILES = {name for name in WITH_BODY if FILES in OPERATIONS[name][2]["requestBody"]["content"]}
# Done without a body too, as the document says: its only field is optional. The others change nothing when nothing is sent.
DONE_WITH_NOTHING = {"withdraw_change"}
TEXTS = ("a\x00b", "\x1b[31m", "a\ud800b", "x" * 100_000)  # no text of a question or a change holds these
NO_TEXTS: tuple[object, ...] = (5, True, [], {})
NO_NUMBERS: tuple[object, ...] = ("ten", "", 10**30, -(10**30), 1.5, True, [], {}, "1e400")
NO_LISTS: tuple[object, ...] = ("text", 5, {}, True)
NO_OBJECTS: tuple[object, ...] = ("text", 5, [], True)
ODD = ("", "\u202egpj.exe\u200b", "null", None, -1, 2**63)  # may be taken or refused
# Well formed, and none of ours.
NO_TICKET = {"payloadType": PAYLOAD_TYPE, "payload": "AAAA", "signatures": [{"keyid": "k1", "sig": "AAAA"}]}
# Refused with 409, not 422: a digest nobody knows is one of an older revision as far as anybody can tell.
STALE = {("revision_digest",)}


def polite_body(operation: str, town: Town) -> dict[str, Any]:
    """What a program would send; every field that takes something is in it."""
    target = town.place
    step = {"what": "Roll out", "by": "AUTOMATION", "expected_seconds": 120, "verify": "/version says so"}
    change = {
        "scope": {
            "items": [
                {
                    "service": target.service.slug,
                    "label": "3.18.1",
                    "identities": [OTHER_COMMIT],
                    "environments": [target.environment.slug],
                }
            ],
            "aspects": ["CODE"],
            "reason": "Visitors give up when the outward ferry is full.",
            "impact": "Nobody notices.",
        },
        "plan": {"steps": [step], "evidence": [{"name": "build", "sha256": "ab" * 32, "kind": "log"}]},
        "rollback": {
            "strategy": "PREVIOUS_RELEASE",
            "steps": [step],
            "trigger": "turnstiles stay shut",
            "seconds_to_restore": 140,
            "irreversible": ["mail that was sent"],
            "data_strategy": "none is touched",
            "reason": "It was rehearsed.",
            "point_of_no_return": 1,
        },
        "period": {"not_before": "2030-01-01T00:00:00Z", "not_after": "2031-01-01T00:00:00Z", "zone": "Europe/Berlin"},
        "story": {"title": "Offer the return ferry first", "labels": ["checkout"], "told": ["Payments"], "description": "Long."},
    }
    asked = {**change, "needs": [town.drafts["chief"].ref]}
    question = {
        "service": target.service.slug,
        "environment": target.environment.slug,
        "identities": {"git": OTHER_COMMIT.removeprefix("git:"), "sha256": ["ab" * 32], "config": "cd" * 32},
        "action": "deploy",
        "run": {"system": "github", "id": "7", "attempt": 1, "url": "https://ci.example.org/7"},
        "dry_run": False,
    }
    draft = town.drafts["chief"]
    assert draft.revision is not None
    known: dict[str, dict[str, Any]] = {
        "create_change": asked,
        "revise_change": {**change, "revision_digest": draft.revision.digest},
        "gate_evaluations_create": question,
        "attach_evidence": {
            "link": "https://ci.example.org/7",
            "name": "pipeline 7",
            "environment": draft.legs.get().environment.slug,
            "service": draft.legs.get().service.slug,
        },
        "gate_deployments_create": {
            "ticket": NO_TICKET,
            "run": {"system": "github", "id": "7", "attempt": 1, "url": "https://ci.example.org/7"},
        },
        "gate_deployments_reports_create": {
            "kind": "failed",
            "sequence": 1,
            "occurred_at": "2026-01-01T00:00:00Z",
            "message": "The image could not be pulled.",
            "has_switched": False,
        },
        "gate_deployments_observations_create": {
            **{name: question[name] for name in ("service", "environment", "identities")},
            "label": "3.19.0-hotfix",
            "source": "probe of the load balancer",
        },
        "gate_deployments_unbegun_create": {
            **{name: question[name] for name in ("service", "environment", "identities")},
            "label": "3.19.0-hotfix",
            "source": "the pipeline of the hotfix",
        },
        "comment_on_change": {"text": "Looked at the log.\nAll is well."},
        "withdraw_change": {"reason": "The ferry is sold.\nNobody misses it."},  # what nothing of was started, such as a draft
    }
    return deepcopy(known[operation])


@dataclass
class Program:
    """Whoever speaks to the API: with the token that an address asks for."""

    town: Town
    headers: dict[str, str]
    client: Client
    deployment: str  # one that CI carries out

    def path(self, operation: str, **parts: str) -> str:
        """The address of an operation."""
        return OPERATIONS[operation][1].format(
            **({"ref": self.town.drafts["chief"].ref, "evaluation_id": UNKNOWN, "deployment_id": self.deployment} | parts)
        )

    def send(self, operation: str, body: object = None, *, path: str = "", headers: dict[str, str] | None = None) -> HttpResponse:
        """Send it; text and bytes as they are, everything else as JSON."""
        data = body if isinstance(body, (bytes, str)) else json.dumps(body)
        method, given = OPERATIONS[operation][0], {**self.headers, **(headers or {})}
        return self.client.generic(method.upper(), path or self.path(operation), data, content_type="application/json", headers=given)


@pytest.fixture(scope="module")
def programs(town: Town, desk: Desk) -> Iterator[dict[str, Program]]:
    """One for the gate and one for everything else."""
    with undone():
        made = {"gate": make_gate_token()[1], "api": issue_personal_token(name="script", days=3, by=town.people["chief"].actor).secret}
        job = Job(make_leg().target)
        begun = str(job.begin(job.tickets(OTHER_COMMIT)["ticket"]).public_id)
        browser = Client(raise_request_exception=False)
        yield {name: Program(town, {"Authorization": f"Bearer {secret}"}, browser, begun) for name, secret in made.items()}


@pytest.fixture(autouse=True)
def everything_undone() -> None:
    """The tokens of this module stand until its end; each test compares for itself."""


def program_for(operation: str, programs: dict[str, Program]) -> Program:
    return programs["gate" if operation.startswith("gate") else "api"]


def shape(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema behind its reference."""
    for way in ("oneOf", "anyOf", "allOf"):
        if way in schema:
            schema = next(one for one in schema[way] if one.get("type") != "null") if way != "anyOf" else schema[way][-1]
    return shape(SCHEMA["components"]["schemas"][schema["$ref"].rpartition("/")[2]]) if "$ref" in schema else schema


def fields(schema: dict[str, Any], at: Path = ()) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Every field of a body with its schema, those of the first row of a list too."""
    schema = shape(schema)
    if at:
        yield at, schema
    for name, part in schema.get("properties", {}).items():
        yield from fields(part, (*at, name))
    if "items" in schema and at:
        yield from fields(schema["items"], (*at, 0))


def body_fields(operation: str) -> list[tuple[Path, dict[str, Any]]]:
    return list(fields(OPERATIONS[operation][2]["requestBody"]["content"]["application/json"]["schema"]))


CASES = [(operation, path, part) for operation in WITH_BODY for path, part in body_fields(operation)]


def kind_of(schema: dict[str, Any]) -> str:
    kinds = schema.get("type", "string")
    return next((kind for kind in kinds if kind != "null"), "string") if isinstance(kinds, list) else kinds


def never_taken(schema: dict[str, Any]) -> list[object]:
    """Values that no field of this kind takes."""
    match kind_of(schema):
        case "string" if "enum" in schema or schema.get("format") == "date-time":
            return [*TEXTS, *NO_TEXTS, "no such thing", UNKNOWN, "2026-02-31T25:61:00Z"]
        case "string":
            return [*TEXTS, *NO_TEXTS, *(["x" * (schema["maxLength"] + 1)] if "maxLength" in schema else [])]
        case "integer":
            return [*NO_NUMBERS]
        case "boolean":
            return ["yes please", 5, [], {}]
        case "array":
            return [*NO_LISTS, ["\x00"], [None], [[]]]
        case _:
            return [*NO_OBJECTS]


def changed(body: dict[str, Any], path: Path, value: object) -> dict[str, Any]:
    """The body with one value replaced."""
    made = deepcopy(body)
    place: Any = made
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return made


def complaint(answer: HttpResponse, path: Path, desk: Desk, before: set[str]) -> str:
    """What is wrong with a refusal of one field, or an empty text."""
    if path in STALE and answer.status_code == 409:
        return ""
    if answer.status_code not in {400, 422} or answer["Content-Type"] != PROBLEM:
        return f"{answer.status_code} {answer['Content-Type']} {answer.content[:120]!r}"
    told = answer.json()
    if told["status"] != answer.status_code or not told["code"] or not told["detail"]:
        return f"no problem: {told}"
    named = [error["field"] for error in told.get("errors", [])]
    wanted = ".".join(map(str, path))
    if answer.status_code == 422 and not any(wanted.startswith(field) or field.startswith(wanted) for field in named if field):
        return f"names {named}"
    if desk.changed() != before:
        return f"changes {desk.changed() - before}"
    return ""


@pytest.mark.parametrize("operation", WITH_BODY)
def test_api_takes_what_a_program_sends(operation: str, programs: dict[str, Program], town: Town) -> None:
    program, body = program_for(operation, programs), polite_body(operation, town)
    with undone():
        if "ticket" in body:
            job = Job(make_leg().target)
            program, body["ticket"] = (
                replace(program, headers={"Authorization": f"Bearer {job.secret}"}),
                job.tickets(OTHER_COMMIT)["ticket"],
            )
        answer = program.send(operation, body)

    # What is made is answered with 201, where the operation makes something.
    assert answer.status_code == max(int(status) for status in OPERATIONS[operation][2]["responses"] if status < "300"), answer.content


@pytest.mark.parametrize(("operation", "path", "part"), CASES, ids=[f"{name}-{'.'.join(map(str, path))}" for name, path, _ in CASES])
def test_api_names_the_field_that_holds_a_hostile_value(
    operation: str, path: Path, part: dict[str, Any], programs: dict[str, Program], town: Town, desk: Desk
) -> None:
    program, body = program_for(operation, programs), polite_body(operation, town)
    before, wrong = desk.changed(), []
    for value in never_taken(part):
        with undone():
            if said := complaint(program.send(operation, changed(body, path, value)), path, desk, before):
                wrong.append(f"{str(value)[:40]!r}: {said}")
    for value in ODD if operation != "revise_change" else ODD[:2]:  # the same fields as a new change has, and slower
        with undone():
            answer = program.send(operation, changed(body, path, value))
            if answer.status_code >= 500 or (answer.status_code >= 400 and desk.changed() != before):
                wrong.append(f"{value!r}: {answer.status_code} {answer.content[:200]!r} {desk.changed() - before}")

    assert not wrong, "\n".join(wrong)


BODIES: dict[str, bytes | str] = {
    "nothing": b"",
    "no JSON": b"{",
    "no object": b"[]",
    "null": b"null",
    "no UTF-8": b'{"story": "\xff"}',
    "no number": b'{"story": NaN}',
    "deep": b"[" * 20_000,
    "deep objects": b'{"scope":' * 20_000,
    "a long number": b'{"scope": ' + b"9" * 5000 + b"}",
    "a megabyte and more": b'{"story": "' + b"x" * MEGABYTE + b'"}',
    "a name twice": b'{"story": {}, "story": []}',
    "NUL": b"\x00",
    "with a mark in front": b"\xef\xbb\xbf{}",
}


@pytest.mark.parametrize("operation", WITH_BODY)
@pytest.mark.parametrize("body", BODIES)
def test_api_refuses_a_body_it_cannot_read(operation: str, body: str, programs: dict[str, Program], desk: Desk) -> None:
    program, before = program_for(operation, programs), desk.changed()
    if body == "nothing" and operation in DONE_WITH_NOTHING:
        with undone():
            program.send(operation, {})
            before = desk.changed()

    with undone():
        answer = program.send(operation, BODIES[body])

        assert answer.status_code in {400, 415, 422} or body == "nothing", answer.content[:300]
        assert answer["Content-Type"] == PROBLEM or answer.status_code == 200
        assert desk.changed() == before


def test_only_what_may_be_left_out_is_done_with_nothing() -> None:
    assert all(not OPERATIONS[name][2]["requestBody"].get("required") for name in DONE_WITH_NOTHING)


@pytest.mark.parametrize("operation", WITH_PATH)
@pytest.mark.parametrize(
    "part", ["a%00b", "%1b", "%e2%80%ae", "%ed%a0%80", "9" * 40, "CHG-" + "9" * 40, "CHG-0", "x" * 5000, UNKNOWN, "..%2f"]
)
def test_api_does_not_find_what_has_a_hostile_name(operation: str, part: str, programs: dict[str, Program], town: Town) -> None:
    program = program_for(operation, programs)

    with undone():
        answer = program.send(operation, {}, path=program.path(operation, ref=part, evaluation_id=part, deployment_id=part))

    assert answer.status_code == 404, answer.content[:300]
    # Only what the URL configuration lets through is answered by the API itself.
    assert answer["Content-Type"] == PROBLEM or "%2f" in part or operation.startswith("gate") is False


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize(
    ("header", "value", "statuses"),
    [
        *(("Authorization", value, {401}) for value in ("", "Bearer", "Bearer ", "Bearer x", "Basic eDp5", "Bearer ccp_" + "x" * 5000)),
        *(("Authorization", value, {401}) for value in ("Bearer ccg_\xff\xfe", "Bearer ccp_\x00\x01", "Bearer ccg_a ccg_b", "\xff")),
        *(("Accept", value, set()) for value in ("text/html", "\xff/\x00", "application/xml;q=x")),
        *(("Idempotency-Key", value, set()) for value in ("x" * 201, "a b", "\x00", "\xff\xfe", "\x1b[31m", " ", "\t")),
    ],
)  # fmt: skip
def test_api_answers_whatever_header_comes(
    operation: str, header: str, value: str, statuses: set[int], programs: dict[str, Program], town: Town
) -> None:
    program = program_for(operation, programs)
    body = polite_body(operation, town) if operation in WITH_BODY else None

    with undone():
        answer = program.send(operation, body, headers={header: value})

    assert answer.status_code < 500, answer.content[:300]
    assert not statuses or answer.status_code in statuses, answer.content[:300]
    assert answer.status_code < 400 or answer["Content-Type"] == PROBLEM


@pytest.mark.parametrize("value", ["x" * 201, "a b", "\xff\xfe", "\x00", "\x1b[31m", "x" * 100_000])
def test_gate_names_an_idempotency_key_it_does_not_take(value: str, programs: dict[str, Program], town: Town, desk: Desk) -> None:
    operation, before = "gate_evaluations_create", desk.changed()

    with undone():
        answer = programs["gate"].send(operation, polite_body(operation, town), headers={"Idempotency-Key": value})

        assert not complaint(answer, ("Idempotency-Key",), desk, before)


def test_every_api_address_is_in_the_document() -> None:
    documented = {path.strip("/") for path in SCHEMA["paths"]}
    routed = {
        route.path.replace("<str:", "<").replace("<uuid:", "<").replace("<", "{").replace(">", "}")
        for route in ROUTES.values()
        if route.is_api
    }

    assert routed == documented


def test_api_reads_only_json(programs: dict[str, Program], town: Town, desk: Desk) -> None:
    before = desk.changed()
    for operation in WITH_BODY:
        program = program_for(operation, programs)
        for kind in ("text/plain", "application/x-www-form-urlencoded", f"{FILES}; boundary=x", "\xff", ""):
            with undone():
                answer = program.client.post(program.path(operation), b"{}", content_type=kind, headers=program.headers)

                # Where the document offers files, their form is read: no part of one is in this body.
                statuses = {400, 422} if operation in TAKES_FILES and kind.startswith(FILES) else {415}
                assert answer.status_code in statuses, (operation, kind, answer.content[:300])
                assert answer["Content-Type"] == PROBLEM, (operation, kind)
                assert desk.changed() == before, (operation, kind)


def test_change_page_of_the_api_is_asked_for_by_its_name(programs: dict[str, Program], town: Town) -> None:
    answer = programs["api"].send("read_change", path=reverse("api:change", args=[town.drafts["chief"].ref]))

    assert answer.status_code == 200
