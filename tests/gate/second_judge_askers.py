"""Who asks, before the second judge: gate tokens by their hash, CI jobs by their issuer's key and the rows of trusts."""

import json
from base64 import urlsafe_b64decode
from datetime import UTC, datetime
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from tests.gate.second_judge_rows import Asked, Dump, NotJudged, Row

OF_ITS_OWN = {"push", "create", "release", "deployment", "schedule", "workflow_dispatch", "repository_dispatch"}
NEEDED = ("repository_id", "repository_owner_id", "repository", "ref", "event_name", "aud", "iss", "exp", "iat", "sub")
Claims = dict[str, Any]


def why_not_asked(rows: Dump, asked: Asked, service: Row | None, environment: Row | None, *, now: datetime, keys: dict[str, bytes]) -> str:
    if asked.token is None and not asked.job:
        return ""
    if asked.job:
        taken = granted_to(rows, asked.job, keys)
        if taken is None:
            return "job_not_taken"
        grant, trust, claims = taken
        return why_not_by(grant, asked, service, environment, now=now) or why_not_job(trust, claims, asked, environment)
    found = [one for one in rows.tables["gate_gatetoken"] if bytes(one["hash"]) == asked.token]
    return why_not_by(found[0], asked, service, environment, now=now) if found else "unknown_token"


def why_not_by(token: Row, asked: Asked, service: Row | None, environment: Row | None, *, now: datetime) -> str:
    """What a token, or the grant of a trust, does not let its bearer ask."""
    if token["revoked_at"] is not None or now >= token["expires_at"]:
        return "token_over"
    if asked.action not in token["actions"]:
        return "action_out_of_scope"
    scopes = ((token["service_ids"], service), (token["environment_ids"], environment))
    return "" if all(ids is None or (row is not None and row["id"] in ids) for ids, row in scopes) else "out_of_scope"


def why_not_job(trust: Row, claims: Claims, asked: Asked, environment: Row | None) -> str:
    """Code that nobody of the project has taken in speaks nowhere where people agree; and some jobs ask about their own commit alone."""
    if environment is not None and environment["change_required"] == "APPROVED" and is_foreign(claims):
        return "merge_request"
    is_other = trust["own_commit"] and asked.action == "DEPLOY" and f"git:{claims.get('sha')}" not in asked.identities
    return "other_commit" if is_other else ""


def granted_to(rows: Dump, token: str, keys: dict[str, bytes]) -> tuple[Row, Row, Claims] | None:
    """The trust that takes this job behind its grant, of several the one that lasts longest; None where nobody takes it."""
    claims = _proved(token, keys)
    if claims is None:
        return None
    issuers = {one["id"]: one for one in rows.all("gate_issuer", url=claims["iss"], ended_at=None)}
    if any(one["kind"] != "GITHUB" for one in issuers.values()):
        raise NotJudged("an issuer of another kind than GitHub")
    trusts = [one for one in rows.tables["gate_trust"] if one["issuer_id"] in issuers and one["in_force_at"] is not None]
    grants = [(rows.get("gate_gatetoken", one["grant_id"]), one, claims) for one in trusts if _is_of(claims, one)]
    return max((one for one in grants if one[0]["revoked_at"] is None), key=lambda one: one[0]["expires_at"], default=None)


def _proved(token: str, keys: dict[str, bytes]) -> Claims | None:
    """What the job's issuer says, where it signed it and it holds by the clock on the wall, which is that of the token."""
    head, body, signature = token.split(".")
    header, claims = (json.loads(_bytes(part)) for part in (head, body))
    if header["alg"] != "RS256" or any(claims.get(name) in (None, "") for name in NEEDED) or claims["iss"] not in keys:
        return None
    public = load_der_public_key(keys[claims["iss"]])
    assert isinstance(public, RSAPublicKey)
    try:
        public.verify(_bytes(signature), f"{head}.{body}".encode(), PKCS1v15(), SHA256())
    except InvalidSignature:
        return None
    now = datetime.now(UTC).timestamp()
    return claims if claims["iat"] <= now + 30 and now - 30 < claims["exp"] else None


def _is_of(claims: Claims, trust: Row) -> bool:
    """Whether every pin of the trust is this job's."""
    path, _, at = claims.get("workflow_ref", "").partition("@")
    return (
        claims["repository_id"] == trust["project"]
        and claims["aud"] == trust["audience"]
        and trust["owner"] in {"", claims["repository_owner_id"]}
        and trust["environment"].lower() in {"", claims.get("environment", "").lower()}
        and (not trust["refs"] or claims["ref"] in trust["refs"])
        and (not trust["workflow"] or (path, at) == (f"{claims['repository']}/{trust['workflow']}", claims["ref"]))
        and (trust["takes_merge_requests"] or not is_foreign(claims))
        and (not trust["own_commit"] or bool(claims.get("sha")))
    )


def is_foreign(claims: Claims) -> bool:
    """Whether the job may run what nobody of the project has taken in yet."""
    is_own_ref = claims["ref"].startswith(("refs/heads/", "refs/tags/"))
    return claims["event_name"] not in OF_ITS_OWN or bool(claims.get("head_ref")) or not is_own_ref


def _bytes(part: str) -> bytes:
    return urlsafe_b64decode(part + "=" * (-len(part) % 4))
