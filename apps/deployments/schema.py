"""Deployments of CI in the OpenAPI document: the views are plain Django, so the generator does not see them."""

from typing import Any

from apps.deployments.inputs import BASE64, LONGEST_MESSAGE, LONGEST_NAME
from apps.deployments.models import Executor
from apps.deployments.rules.observing import Meaning
from apps.deployments.rules.reporting import LARGEST_SEQUENCE, Effect, Kind
from apps.deployments.states import State
from apps.gate.inputs import KEY as KEY_TEXT
from apps.gate.inputs import MOST_IDENTITIES, SLUG
from apps.gate.schema import SCHEMAS as GATE
from apps.gate.tickets import PAYLOAD_TYPE

Schema = dict[str, Any]
JSON, PROBLEM = "application/json", "application/problem+json"
PROBLEMS = {
    "400": "The body is not a JSON object.",
    "401": "There is no token, nobody issued it, or it is over.",
    "403": "The ticket is none of ours, or the token is a person's.",
    "404": "There is no such deployment, or the token is not for its service and environment.",
    "409": "Not now: the ticket was spent, the gate says no meanwhile, the report contradicts what is known, or too much waits.",
    "415": "The body is not sent as JSON.",
    "422": "A field cannot be read; `errors` names each one.",
    "429": "More often than this asker, or this address, may; `Retry-After` says when again.",
    "503": "Nobody could tell whether it was done. Send the same again, under the same key or number.",
}


def add_deployments(result: Schema, generator: object, request: object, public: object) -> Schema:
    """Add the paths and components of deployments to the document; a hook of the generator, after the gate's."""
    del generator, request, public
    result.setdefault("components", {}).setdefault("schemas", {}).update(SCHEMAS)
    result["paths"] = dict(sorted({**result.get("paths", {}), **PATHS}.items()))
    return result


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _object(properties: Schema, *, required: tuple[str, ...] | None = None, **more: object) -> Schema:
    return {"type": "object", "properties": properties, "required": list(properties if required is None else required), **more}


def _answers(good: str, said: str, schema: str, *codes: str) -> Schema:
    found: Schema = {good: {"description": said, "content": {JSON: {"schema": _ref(schema)}}}}
    return found | {code: {"description": PROBLEMS[code], "content": {PROBLEM: {"schema": _ref("GateProblem")}}} for code in codes}


def _operation(name: str, summary: str, responses: Schema, *, body: str = "", parameters: tuple[Schema, ...] = ()) -> Schema:
    made: Schema = {"operationId": name, "summary": summary, "tags": ["gate"], "security": [{"gateToken": []}], "responses": responses}
    if parameters:
        made["parameters"] = list(parameters)
    if body:
        made["requestBody"] = {"required": True, "content": {JSON: {"schema": _ref(body)}}}
    return made


MOMENT = {"type": "string", "format": "date-time"}
MAYBE_MOMENT = {"type": ["string", "null"], "format": "date-time"}
TEXT = {"type": "string"}
NUMBER = {"type": "integer", "minimum": 1, "maximum": LARGEST_SEQUENCE}
BASE64_TEXT = {"type": "string", "pattern": f"^{BASE64.pattern}$"}
TICKET = _object(
    {
        "payloadType": {"type": "string", "enum": [PAYLOAD_TYPE]},
        "payload": BASE64_TEXT,
        "signatures": {
            "type": "array",
            "items": _object(
                {"keyid": {"type": "string", "pattern": f"^{KEY_TEXT.pattern}$"}, "sig": BASE64_TEXT}, additionalProperties=False
            ),
            "minItems": 1,
            "maxItems": 1,
        },
    },
    additionalProperties=False,
    description="As the gate handed it out.",
)
SCHEMAS: dict[str, Schema] = {
    "GateBeginning": _object(
        {
            "ticket": TICKET,
            "run": {"oneOf": [_ref("GateRun"), {"type": "null"}]},
            "offline_at": {**MAYBE_MOMENT, "description": "When it began while the installation was away, as its ticket permits."},
        },
        required=("ticket",),
        additionalProperties=False,
    ),
    "GateDeployment": _object(
        {
            "id": {"type": "string", "format": "uuid"},
            "ref": TEXT,
            "executor": {"type": "string", "enum": [executor.value for executor in Executor]},
            "state": {"type": "string", "enum": [state.value for state in State]},
            "is_confirmed": {"type": "boolean", "description": "Something saw it there; a success is only reported before that."},
            "service": TEXT,
            "environment": TEXT,
            "label": TEXT,
            "identities": {"type": "array", "items": TEXT},
            "change": {"type": ["string", "null"]},
            "undoes": {"type": ["string", "null"], "format": "uuid"},
            "failure": TEXT,
            "begun_at": MAYBE_MOMENT,
            "ended_at": MAYBE_MOMENT,
            "silent_at": {**MAYBE_MOMENT, "description": "Without a report until then its state is UNKNOWN."},
            "sequence": {"type": ["integer", "null"], "description": "The highest number of a report that was taken."},
            "ticket": {"type": "string", "format": "uuid", "description": "The ticket that was spent; where it began."},
            "action": {"type": "string", "enum": ["deploy", "rollback"]},
            "url": {"type": "string", "format": "uri"},
        },
        required=("id", "ref", "executor", "state", "is_confirmed", "service", "environment", "identities", "url"),
    ),
    "GateDeployments": _object(
        {"deployments": {"type": "array", "items": _ref("GateDeployment"), "maxItems": 1}}, required=("deployments",)
    ),
    "GateReport": _object(
        {
            "kind": {"type": "string", "enum": [kind.value.lower() for kind in Kind]},
            "sequence": {
                **NUMBER,
                "description": "Higher in each report of a deployment, by 2^43 at most; the same number is the same report.",
            },
            "occurred_at": {**MAYBE_MOMENT, "description": "When it happened, by the reporter's clock."},
            "message": {"type": "string", "maxLength": LONGEST_MESSAGE},
            "has_switched": {"type": "boolean", "default": False, "description": "With failed: users saw the new version."},
        },
        required=("kind", "sequence"),
        additionalProperties=False,
    ),
    "GateObservation": _object(
        {
            "service": {"type": "string", "pattern": f"^{SLUG.pattern}$"},
            "environment": {"type": "string", "pattern": f"^{SLUG.pattern}$"},
            "identities": GATE["GateQuestion"]["properties"]["identities"],
            "label": {"type": "string", "maxLength": LONGEST_NAME},
            "source": {"type": "string", "maxLength": LONGEST_NAME, "description": "What saw it, for people."},
        },
        required=("service", "environment", "identities"),
        additionalProperties=False,
    ),
    "GateObserved": _object(
        {
            "meaning": {"type": "string", "enum": [meaning.value for meaning in Meaning]},
            "deployment": {"type": ["string", "null"], "format": "uuid"},
            "undeclared": {
                "type": ["object", "null"],
                "properties": {
                    "id": {"type": "string", "format": "uuid"},
                    "seen_at": MOMENT,
                    "seen_count": NUMBER,
                    "is_explained": {"type": "boolean", "description": "A person said what it is, and that holds."},
                },
                "additionalProperties": True,
            },
        }
    ),
    "GateReported": _object(
        {
            "report": _object(
                {
                    "sequence": NUMBER,
                    "kind": TEXT,
                    "effect": {"type": "string", "enum": [effect.value for effect in Effect]},
                    "at": MOMENT,
                }
            ),
            "deployment": _ref("GateDeployment"),
        }
    ),
}
KEY: Schema = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "maxLength": 200, "pattern": "^[!-~]{1,200}$"},
    "description": "The same key and body are answered the same while nobody has said what came of the deployment, then 409 `begun_before`.",
}
ID: Schema = {"name": "deployment_id", "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"}}
TOLD = ("400", "401", "403", "404", "409", "415", "422", "429", "503")  # what may be answered to whoever says something of a place
NAME: Schema = {"type": "string", "pattern": f"^{SLUG.pattern}$"}
WHERE: tuple[Schema, ...] = (
    {"name": "service", "in": "query", "required": True, "schema": NAME},
    {"name": "environment", "in": "query", "required": True, "schema": NAME},
    {
        "name": "identity",
        "in": "query",
        "required": True,
        "schema": {"type": "array", "items": TEXT, "minItems": 1, "maxItems": MOST_IDENTITIES},
        "description": "Kind and value, such as `git:` and the full commit id; once for each that was asked for.",
    },
)
PATHS: dict[str, Schema] = {
    "/api/v1/deployments": {
        "get": _operation(
            "gate_deployments_list",
            "What this very token began there, of this version, and is not over: for jobs that do not share a file.",
            _answers("200", "One, or none.", "GateDeployments", "401", "403", "404", "422", "429", "503"),
            parameters=WHERE,
        ),
        "post": _operation(
            "gate_deployments_create",
            "Begin what a ticket permits. It is judged again, spent once, and the target is occupied.",
            _answers("201", "It has begun.", "GateDeployment", "400", "401", "403", "409", "415", "422", "429", "503"),
            body="GateBeginning",
            parameters=(KEY,),
        ),
    },
    "/api/v1/deployments/observations": {
        "post": _operation(
            "gate_deployments_observations_create",
            "Say what runs on a target now, however it came there.",
            _answers("200", "What it means.", "GateObserved", *TOLD),
            body="GateObservation",
        )
    },
    "/api/v1/deployments/reports": {
        "post": _operation(
            "gate_deployments_unbegun_create",
            "Say that something was deployed that has no deployment here: somebody adopts or explains it.",
            _answers("200", "What it means: KNOWN, ON_ITS_WAY or UNDECLARED.", "GateObserved", *TOLD),
            body="GateObservation",
        )
    },
    "/api/v1/deployments/{deployment_id}": {
        "get": _operation(
            "gate_deployments_retrieve",
            "A deployment as it stands.",
            _answers("200", "As it stands.", "GateDeployment", "401", "403", "404", "429", "503"),
            parameters=(ID,),
        )
    },
    "/api/v1/deployments/{deployment_id}/reports": {
        "post": _operation(
            "gate_deployments_reports_create",
            "Say what becomes of a deployment that CI carries out.",
            _answers("200", "It was taken; what it did is in `effect`.", "GateReported", *TOLD),
            body="GateReport",
            parameters=(ID,),
        )
    },
}
