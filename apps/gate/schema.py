"""The gate in the OpenAPI document: its views are plain Django, so the generator does not see them."""

from collections.abc import Mapping
from typing import Any

from apps.gate.inputs import LONGEST_KEY, MOST_IDENTITIES, RUN_MEMBERS, SLUG
from apps.gate.rules import RULES, Action, Answer, Effect

Schema = dict[str, Any]
JSON = "application/json"
PROBLEMS = {
    "400": "The body is not a JSON object.",
    "401": "There is no token, nobody issued it, or it is over.",
    "403": "A personal token may only make dry runs.",
    "405": "The address takes another method.",
    "409": "The Idempotency-Key belongs to another question.",
    "410": "The month it was answered in was let go; the audit stream keeps its hash.",
    "415": "The body is not sent as JSON.",
    "422": "A field cannot be read; `errors` names each one.",
    "429": "More often than this asker, or this address, may; `Retry-After` says when again.",
    "503": "The gate could not tell. This is no yes.",
}


def add_gate(result: Schema, generator: object, request: object, public: object) -> Schema:
    """Add the gate's paths and components to the document; a hook of the generator, which names the arguments."""
    del generator, request, public
    components = result.setdefault("components", {})
    components.setdefault("schemas", {}).update(SCHEMAS)
    components.setdefault("securitySchemes", {})["gateToken"] = {
        "type": "http",
        "scheme": "bearer",
        "description": "A gate token (`ccg_…`), the OpenID token of a trusted CI job, or a personal token (`ccp_…`) for dry runs.",
    }
    result["paths"] = dict(sorted({**result.get("paths", {}), **PATHS}.items()))
    return result


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _text(description: str, **more: object) -> Schema:
    return {"type": "string", "description": description, **more}


def _maybe(description: str, **more: object) -> Schema:
    return {"type": ["string", "null"], "description": description, **more}


def _object(properties: Mapping[str, Schema], *, required: tuple[str, ...] | None = None, **more: object) -> Schema:
    return {"type": "object", "properties": dict(properties), "required": list(properties if required is None else required), **more}


def _answers(*codes: str, **good: str) -> Schema:
    told = {code.removeprefix("s"): _told(said, JSON, "GateAnswer") for code, said in good.items()}
    missing = "There is no such evaluation."
    return told | {code: _told(PROBLEMS.get(code, missing), "application/problem+json", "GateProblem") for code in codes}


def _told(said: str, media_type: str, schema: str) -> Schema:
    return {"description": said, "content": {media_type: {"schema": _ref(schema)}}}


MOMENT = {"format": "date-time"}
IDENTITY = {"type": "string", "minLength": 40, "maxLength": 80}
CODES = sorted({code for rule in RULES for code in rule.codes})
SCHEMAS: dict[str, Schema] = {
    "GateQuestion": _object(
        {
            "service": _text("Short name of the service; an old one works.", pattern=f"^{SLUG.pattern}$"),
            "environment": _text("Short name of the environment; an old one works.", pattern=f"^{SLUG.pattern}$"),
            "identities": _object(
                {
                    "git": {**IDENTITY, "description": "Full commit id: 40 or 64 hexadecimal digits."},
                    "sha256": {
                        "description": "Artifact digests.",
                        "anyOf": [IDENTITY, {"type": "array", "items": IDENTITY, "minItems": 1, "maxItems": MOST_IDENTITIES - 1}],
                    },
                    "config": {**IDENTITY, "description": "Digest of a configuration document."},
                },
                required=(),
                additionalProperties=False,
                minProperties=1,
                description="Every identity of the version. Branches, tags and short commit ids are refused.",
            ),
            "action": {"type": "string", "enum": [action.value.lower() for action in Action], "default": "deploy"},
            "run": {"oneOf": [_ref("GateRun"), {"type": "null"}]},
            "dry_run": {"type": "boolean", "default": False, "description": "Judge, record nothing, hand out nothing."},
        },
        required=("service", "environment", "identities"),
        additionalProperties=False,
    ),
    "GateRun": _object(
        {
            **{name: {"type": "string", "maxLength": longest} for name, longest in RUN_MEMBERS.items()},
            "attempt": {"type": "integer", "minimum": 1},
        },
        required=(),
        additionalProperties=False,
        description="The pipeline run, as it names itself; recorded, never trusted. Of a trusted CI job its token says it instead.",
    ),
    "GateFinding": _object(
        {
            "rule": _text("Which rule."),
            "effect": {"type": "string", "enum": [effect.value for effect in Effect]},
            "code": _text("Stable; listed in docs/gate-rules.md.", enum=CODES),
            "message": _text("The fact. Left out where the token is told codes only."),
            "cure": _text("What changes it."),
            "who": _text("Who can act."),
            "until": _maybe("The moment it ends by itself.", **MOMENT),
            "url": _text("Where a person acts on it.", format="uri"),
        },
        required=("rule", "effect", "code", "until", "url"),
    ),
    "GateWay": _object(
        {
            "complete": {"type": "boolean", "description": "False where more may be asked for once these are done."},
            "steps": {
                "type": "array",
                "items": _object(
                    {
                        "act": {"type": "string", "enum": ["DO", "WAIT"]},
                        "codes": {"type": "array", "items": {"type": "string", "enum": CODES}},
                        "until": _maybe("When the wait is over; null where nobody knows, or where somebody acts.", **MOMENT),
                        "cure": _text("What to do. Left out where the token is told codes only."),
                        "who": _text("Who can."),
                    },
                    required=("act", "codes", "until"),
                ),
            },
        },
        description="The smallest set of steps that would make it a yes; null where it is one, and where the answer is final.",
    ),
    "GateTicket": _object(
        {
            "payloadType": {"type": "string"},
            "payload": _text("Base64 of an in-toto statement."),
            "signatures": {
                "type": "array",
                "items": _object({"keyid": {"type": "string"}, "sig": {"type": "string"}}),
                "minItems": 1,
                "maxItems": 1,
            },
        },
        description="A DSSE envelope, signed with Ed25519. It is used once, when the deployment begins.",
    ),
    "GateAnswer": _object(
        {
            "id": _maybe("The evaluation; null for a dry run.", format="uuid"),
            "verdict": {"type": "string", "enum": [answer.value for answer in Answer]},
            "final": {"type": "boolean", "description": "Asking again cannot help."},
            "at": _text("The moment that was judged.", **MOMENT),
            "earliest": _maybe("No start before this, as far as the calendar knows.", **MOMENT),
            "codes": {"type": "array", "items": {"type": "string", "enum": CODES}},
            "findings": {"type": "array", "items": _ref("GateFinding")},
            "way": {"oneOf": [_ref("GateWay"), {"type": "null"}]},
            "bound": {"type": ["object", "null"], "description": "What the answer holds for.", "additionalProperties": True},
            "url": _text("Where a person reads on.", format="uri"),
            "ticket": {"oneOf": [_ref("GateTicket"), {"type": "null"}]},
            "rollback_ticket": {"oneOf": [_ref("GateTicket"), {"type": "null"}]},
            "retry_after": {"type": ["integer", "null"], "description": "Seconds until asking again is worth it."},
        }
    ),
    "GateProblem": _object(
        {
            "type": {"type": "string"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "code": _text("Stable."),
            "detail": _text("The fact."),
            "cure": _text("What changes it."),
            "errors": {
                "type": "array",
                "items": _object({"field": {"type": "string"}, "code": {"type": "string"}, "message": {"type": "string"}}),
            },
        },
        required=("type", "title", "status", "code", "detail"),
    ),
}
KEY: Schema = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "maxLength": LONGEST_KEY, "pattern": "^[!-~]{1,200}$"},
    "description": "The same key and question within 24 hours are the same evaluation: ask again with it while the answer is PENDING.",
}
PATHS: dict[str, Schema] = {
    "/api/v1/gate/evaluations": {
        "post": {
            "operationId": "gate_evaluations_create",
            "summary": "May this version go there now?",
            "tags": ["gate"],
            "security": [{"gateToken": []}],
            "parameters": [KEY],
            "requestBody": {"required": True, "content": {JSON: {"schema": _ref("GateQuestion")}}},
            "responses": _answers(
                "400", "401", "403", "409", "415", "422", "429", "503",
                s200="The same evaluation, judged again; or a dry run.", s201="A new evaluation.",
            ),
        }
    },
    "/api/v1/gate/evaluations/{evaluation_id}": {
        "get": {
            "operationId": "gate_evaluations_retrieve",
            "summary": "Judge an earlier question at this moment. Records nothing and hands out no ticket.",
            "tags": ["gate"],
            "security": [{"gateToken": []}],
            "parameters": [{"name": "evaluation_id", "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"}}],
            "responses": _answers("401", "404", "410", "429", "503", s200="The verdict at this moment."),
        }
    },
}  # fmt: skip
