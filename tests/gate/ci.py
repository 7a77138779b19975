"""CI jobs for tests: a real issuer on loopback, the claims GitHub and GitLab write, and tokens signed as they should be or not."""

import base64
import hashlib
import hmac
import json
from time import time
from typing import Any

import jwt
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from apps.accounts.models import Person
from apps.catalog.models import Target
from apps.gate.models import Issuer, Trust
from apps.gate.rules import Action
from apps.gate.rules.trusting import Pins, Scope
from apps.gate.rules.workloads import IssuerKind
from apps.gate.trusting import add_issuer, propose_trust
from tests.accounts.provider import KEY

AUDIENCE = "https://change-control.example"
PINS = Pins(
    audience=AUDIENCE,
    project="456789",
    owner="123456",
    environment="production",
    refs=("refs/heads/main",),
    workflow=".github/workflows/deploy.yml",
)
GITLAB_PINS = Pins(audience=AUDIENCE, project="22", owner="7", environment="production", refs=("refs/heads/main",))
SUBJECT = "repo:octo-org/octo-repo:environment:production"
SUBJECT_WITH_IDS = "repo:octo-org@123456/octo-repo@456789:environment:production"


def times(**more: Any) -> dict[str, Any]:
    """A token made now, good for ten minutes."""
    now = int(time())
    return {"iat": now, "nbf": now, "exp": now + 600, "jti": "one", "aud": AUDIENCE, **more}


def github(**more: Any) -> dict[str, Any]:
    """What GitHub says of a job; None takes a claim out."""
    claims = {
        **times(),
        "sub": SUBJECT,
        "repository": "octo-org/octo-repo",
        "repository_id": "456789",
        "repository_owner": "octo-org",
        "repository_owner_id": "123456",
        "actor": "octocat",
        "actor_id": "12",
        "environment": "production",
        "event_name": "push",
        "ref": "refs/heads/main",
        "ref_type": "branch",
        "ref_protected": "true",
        "sha": "4a" * 20,
        "run_id": "1658821493",
        "run_number": "10",
        "run_attempt": "2",
        "workflow": "Deploy",
        "workflow_ref": "octo-org/octo-repo/.github/workflows/deploy.yml@refs/heads/main",
        "job_workflow_ref": "octo-org/octo-repo/.github/workflows/deploy.yml@refs/heads/main",
        "head_ref": "",
        "base_ref": "",
        "runner_environment": "github-hosted",
        **more,
    }
    return {name: value for name, value in claims.items() if value is not None}


def gitlab(**more: Any) -> dict[str, Any]:
    """What GitLab says of a job: ids and booleans are words."""
    claims = {
        **times(),
        "sub": "project_path:my-group/my-project:ref_type:branch:ref:main",
        "project_id": "22",
        "project_path": "my-group/my-project",
        "namespace_id": "7",
        "namespace_path": "my-group",
        "user_id": "42",
        "user_login": "myuser",
        "pipeline_id": "1212",
        "pipeline_source": "web",
        "job_id": "1213",
        "ref": "main",
        "ref_type": "branch",
        "ref_path": "refs/heads/main",
        "ref_protected": "true",
        "environment": "production",
        "environment_protected": "true",
        "deployment_tier": "production",
        "runner_id": 1,
        "ci_config_ref_uri": "gitlab.example.com/my-group/my-project//.gitlab-ci.yml@refs/heads/main",
        **more,
    }
    return {name: value for name, value in claims.items() if value is not None}


def signed(claims: dict[str, Any], *, key: Any = KEY, algorithm: str = "RS256", **header: Any) -> str:
    """A token as its issuer would make it."""
    return jwt.encode(claims, key, algorithm, headers={"kid": "one", **header})


def raw(header: Any, claims: Any, signature: bytes = b"signature") -> str:
    """A token put together by hand, which PyJWT would not make; text goes in as it is."""
    parts = [part if isinstance(part, str) else json.dumps(part) for part in (header, claims)]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in (*(one.encode() for one in parts), signature))


def by_public_key(claims: dict[str, Any]) -> str:
    """HS256 whose secret is the issuer's public key."""
    text = raw({"alg": "HS256", "kid": "one", "typ": "JWT"}, claims, b"").rpartition(".")[0]
    secret = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    mac = hmac.digest(secret, text.encode(), hashlib.sha256)
    return f"{text}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def changed(token: str, **more: Any) -> str:
    """The token with other claims under the signature it had."""
    head, body, signature = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))) | more
    return f"{head}.{base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b'=').decode()}.{signature}"


def make_issuer(url: str, *, by: Person, kind: IssuerKind = IssuerKind.GITHUB, project_claim: str = "") -> Issuer:
    """An issuer entered by an administrator."""
    return add_issuer(name=kind.value.title(), url=url, kind=kind, project_claim=project_claim, by=by.actor)


def make_trust(issuer: Issuer, *targets: Target, by: Person, pins: Pins = PINS, **more: Any) -> Trust:
    """A trust for some targets, or for everything; in force where nobody else is administrator."""
    scope = Scope(
        name=more.pop("name", "Deploy job"),
        actions=more.pop("actions", (Action.DEPLOY,)),
        days=more.pop("days", 30),
        service_ids=[one.service_id for one in targets] or None,
        environment_ids=[one.environment_id for one in targets] or None,
        **more,
    )
    return propose_trust(issuer_id=issuer.pk, pins=pins, scope=scope, by=by.actor)
