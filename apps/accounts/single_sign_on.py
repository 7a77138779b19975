"""OpenID Connect as the relying party: code flow with PKCE, state and nonce. What the provider says counts only when signed.

Who the subject is to us is decided in `actions.sign_on`; nothing here knows persons."""

import json
import logging
import secrets
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from hmac import compare_digest
from time import monotonic
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx2
import jwt
from django.conf import settings
from django.urls import reverse

logging.getLogger("httpx2").setLevel(logging.WARNING)  # addresses carry codes

ALGORITHMS = ["RS256", "ES256", "EdDSA"]  # never what a token says of itself
NEEDED = ["exp", "iat", "aud", "iss", "sub", "nonce"]
TIMEOUT, LEEWAY, KEPT_SECONDS = 5.0, 60, 300
LARGEST = 1_000_000
SCOPE = "openid email profile"


class NotSignedOn(Exception):
    """The provider did not prove who it is; `code` is for the record, the text for a person."""

    def __init__(self, code: str, said: str) -> None:
        super().__init__(said)
        self.code = code


@dataclass(frozen=True, slots=True)
class Provider:
    """What the provider says about itself."""

    issuer: str
    authorize: str
    token: str
    keys: str
    userinfo: str
    takes_basic: bool


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom the provider vouches for; the address is empty unless it says that it is verified."""

    issuer: str
    id: str
    email: str


def begin(memory: dict[str, str]) -> str:
    """The address at the provider to send the browser to; what the answer must fit goes into `memory`."""
    verifier = secrets.token_urlsafe(48)
    memory |= {"state": secrets.token_urlsafe(32), "nonce": secrets.token_urlsafe(32), "verifier": verifier}
    asked = {
        "response_type": "code",
        "client_id": settings.OIDC_CLIENT_ID,
        "redirect_uri": callback_address(),
        "scope": SCOPE,
        "state": memory["state"],
        "nonce": memory["nonce"],
        "code_challenge": urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
    }
    address = provider().authorize
    return f"{address}{'&' if urlsplit(address).query else '?'}{urlencode(asked)}"


def finish(memory: dict[str, str], *, state: str, code: str) -> Subject:
    """Who came back from the provider; raises NotSignedOn."""
    if not memory.get("state") or not compare_digest(memory["state"].encode(), state.encode(errors="replace")):
        raise NotSignedOn("state", "This answer belongs to another sign-in, or to one that took too long.")
    there = provider()
    told = _exchange(there, code, memory["verifier"])
    claims = _claims(there, str(told.get("id_token") or ""), nonce=memory["nonce"])
    if "email" not in claims and there.userinfo:
        claims |= _userinfo(there, str(told.get("access_token") or ""), subject=claims["sub"])
    verified = claims.get("email_verified") is True and isinstance(claims.get("email"), str)
    return Subject(there.issuer, claims["sub"], claims["email"] if verified else "")


def callback_address() -> str:
    """Where the provider sends the browser back to; it must know this address."""
    return f"{settings.PUBLIC_URL}{reverse('single_sign_on_callback')}"


def provider() -> Provider:
    """The provider of the settings; what it says about itself is kept for some minutes."""
    return _discovered(settings.OIDC_ISSUER, int(monotonic()) // KEPT_SECONDS)


@lru_cache(maxsize=2)
def _discovered(issuer: str, stretch: int) -> Provider:
    del stretch  # another one asks again
    _safe(issuer)
    said = _ask("GET", f"{issuer}/.well-known/openid-configuration")
    if str(said.get("issuer", "")).rstrip("/") != issuer:
        raise NotSignedOn("issuer", "The provider calls itself by another name than OIDC_ISSUER.")
    methods = said.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
    try:
        return Provider(
            issuer=said["issuer"],
            authorize=_safe(said["authorization_endpoint"]),
            token=_safe(said["token_endpoint"]),
            keys=_safe(said["jwks_uri"]),
            userinfo=_safe(said["userinfo_endpoint"]) if said.get("userinfo_endpoint") else "",
            takes_basic="client_secret_basic" in methods,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise NotSignedOn("discovery", "What the provider says about itself is not complete.") from error


@lru_cache(maxsize=2)
def _keys(address: str) -> jwt.PyJWKClient:
    return jwt.PyJWKClient(address, timeout=int(TIMEOUT), lifespan=KEPT_SECONDS)


def _exchange(there: Provider, code: str, verifier: str) -> dict[str, Any]:
    given = {"grant_type": "authorization_code", "code": code, "redirect_uri": callback_address(), "code_verifier": verifier}
    proof = (settings.OIDC_CLIENT_ID, settings.OIDC_CLIENT_SECRET)
    if there.takes_basic:
        return _ask("POST", there.token, data=given, auth=proof)
    return _ask("POST", there.token, data=given | {"client_id": proof[0], "client_secret": proof[1]})


def _claims(there: Provider, token: str, *, nonce: str) -> dict[str, Any]:
    try:
        key = _keys(there.keys).get_signing_key_from_jwt(token)
        claims: dict[str, Any] = jwt.decode(
            token,
            key.key,
            algorithms=ALGORITHMS,
            audience=settings.OIDC_CLIENT_ID,
            issuer=there.issuer,
            leeway=LEEWAY,
            options={"require": NEEDED},
        )
    except (jwt.PyJWTError, ValueError, TypeError) as error:
        raise NotSignedOn("id_token", "The provider’s proof does not hold.") from error
    if not isinstance(claims["nonce"], str) or not compare_digest(claims["nonce"].encode(), nonce.encode()):
        raise NotSignedOn("nonce", "The provider’s proof is of another sign-in.")
    if isinstance(claims["aud"], list) and len(claims["aud"]) > 1 and claims.get("azp") != settings.OIDC_CLIENT_ID:
        raise NotSignedOn("azp", "The provider’s proof was made for somebody else.")
    return claims


def _userinfo(there: Provider, token: str, *, subject: str) -> dict[str, Any]:
    told = _ask("GET", there.userinfo, headers={"Authorization": f"Bearer {token}"})
    if told.get("sub") != subject:
        raise NotSignedOn("userinfo", "The provider tells about somebody else than it signed for.")
    return {name: told[name] for name in ("email", "email_verified") if name in told}


def _ask(method: str, address: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - handed on to the client
    """One request: short, without redirects, and only so much of the answer is read."""
    try:
        with (
            httpx2.Client(timeout=TIMEOUT, follow_redirects=False, trust_env=False) as client,
            client.stream(method, address, **more) as answer,
        ):
            body = b""
            for piece in answer.iter_bytes(8192):
                body += piece
                if len(body) > LARGEST:
                    raise NotSignedOn("answer", "The provider answers with more than it should.")
            if answer.status_code != httpx2.codes.OK:
                raise NotSignedOn("answer", f"The provider answered with {answer.status_code}.")
            told = json.loads(body)
    except (httpx2.HTTPError, httpx2.InvalidURL, ValueError, RecursionError) as error:
        raise NotSignedOn("silence", "The provider does not answer as it should.") from error
    if not isinstance(told, dict):
        raise NotSignedOn("answer", "The provider’s answer cannot be read.")
    return told


def _safe(address: object) -> str:
    """An address secrets may go to: TLS, or this machine."""
    parts = urlsplit(str(address))
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in {"127.0.0.1", "localhost", "::1"}):
        return str(address)
    raise NotSignedOn("address", "The provider names an address without TLS.")
