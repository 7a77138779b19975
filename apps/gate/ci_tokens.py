"""A CI job's OpenID token: its form, its issuer, its signature and its times. What its claims mean is in `rules.workloads`.

Nothing a token says of itself decides how it is checked: not the algorithm, not where its key lies."""

import re
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jwt

from apps.core.strict_json import read_json
from apps.gate.issuer_keys import ALGORITHMS, key_of
from apps.gate.rules.workloads import Claims, IssuerFacts, NotTaken

LONGEST_TOKEN = 8_192
LONGEST_KEY_ID = 200
LONGEST_LIFE = 24 * 3600  # GitLab's tokens live as long as a job may take
LEEWAY = 30
FORM = re.compile(r"[A-Za-z0-9_-]{10,}(?:\.[A-Za-z0-9_-]+){2}", re.ASCII)
SEALED = re.compile(r"[A-Za-z0-9_-]{10,}(?:\.[A-Za-z0-9_-]*){4}", re.ASCII)
OWN_KEYS = frozenset({"jku", "jwk", "x5u", "x5c", "x5t", "x5t#S256"})
KINDS = frozenset({"JWT", "AT+JWT"})
NEEDED = ["exp", "iat", "iss", "aud", "sub"]
# Of PyJWT's exceptions the first that fits; a subclass stands before its base.
REASONS: tuple[tuple[type[jwt.PyJWTError], str, str], ...] = (
    (jwt.InvalidSignatureError, "signature", "The token is not signed with a key of its issuer."),
    (jwt.InvalidAlgorithmError, "algorithm", "The token is signed by an algorithm that is not the key's."),
    (jwt.ExpiredSignatureError, "expired", "The token has expired."),
    (jwt.ImmatureSignatureError, "not_yet", "The token is not valid yet, or the clocks differ by more than half a minute."),
    (jwt.MissingRequiredClaimError, "claim_missing", "The token lacks exp, iat, iss, aud or sub."),
    (jwt.PyJWTError, "not_a_token", "This is no signed token that can be read."),
)


@dataclass(frozen=True, slots=True)
class Unproved:
    """What a token says before anything of it is proved: good for finding its issuer, for nothing else."""

    text: str
    header: Mapping[str, Any]
    claims: Claims

    @property
    def issuer(self) -> str:
        """Who it says has made it; looked up among those that an administrator entered, letter by letter."""
        said = self.claims.get("iss")
        if not isinstance(said, str):
            raise NotTaken("issuer", "The token names no issuer.")
        return said


def looks_like_one(token: str) -> bool:
    """Whether this has the form of a token of an issuer, and none of ours."""
    return token.count(".") in {2, 4} and token.startswith("ey")


def open_token(token: str) -> Unproved:
    """Read header and claims. Raises NotTaken for whatever could be taken in two ways."""
    if len(token) > LONGEST_TOKEN:
        raise NotTaken("too_long", f"The token takes more than {LONGEST_TOKEN} characters.")
    if SEALED.fullmatch(token):
        raise NotTaken("encrypted", "The token is encrypted.", "Send a signed token.")
    if not FORM.fullmatch(token):
        raise NotTaken("not_a_token", "This is no signed token that can be read.")
    head, body, _ = token.split(".")
    header = _object(head)
    _look_at(header)
    return Unproved(token, header, _object(body))


def proved_claims(unproved: Unproved, *, issuer: IssuerFacts) -> Claims:
    """The claims, when the issuer's key signed them and they hold now. Raises NotTaken, and KeysUnavailable."""
    key = key_of(issuer.url, unproved.header["kid"])
    if unproved.header["alg"] != key.algorithm_name:
        raise NotTaken("algorithm", "The token is signed by an algorithm that is not the key's.")
    try:
        claims: dict[str, Any] = jwt.decode(
            unproved.text,
            key,
            algorithms=[key.algorithm_name],
            issuer=issuer.url,
            leeway=LEEWAY,
            options={"require": NEEDED, "verify_aud": False},  # for whom it was made is a pin of each trust
        )
    except jwt.PyJWTError as error:
        raise next(NotTaken(code, said) for kind, code, said in REASONS if isinstance(error, kind)) from error
    times = [claims[name] for name in ("exp", "iat", "nbf") if name in claims]
    if not all(isinstance(one, int | float) and not isinstance(one, bool) for one in times):
        raise NotTaken("claim_not_readable", "A moment in the token is no number.")
    if claims["exp"] - claims["iat"] > LONGEST_LIFE:
        raise NotTaken("lives_too_long", "The token was made for more than a day.", "Ask for a token that lives as long as the job.")
    return claims


def _object(part: str) -> dict[str, Any]:
    try:
        found = read_json(urlsafe_b64decode(part + "=" * (-len(part) % 4)).decode())
    except (ValueError, RecursionError) as error:
        raise NotTaken("not_a_token", "A part of the token cannot be read, or names something twice.") from error
    if not isinstance(found, dict):
        raise NotTaken("not_a_token", "A part of the token is no object.")
    return found


def _look_at(header: Mapping[str, Any]) -> None:
    """Refuse what changes how a token is to be checked."""
    if "crit" in header:
        raise NotTaken("critical_header", "The token asks for something that is not known here.")
    if OWN_KEYS & header.keys():
        raise NotTaken("key_in_token", "The token brings or names its own key.", "Keys are read from the issuer alone.")
    if "cty" in header or "zip" in header or str(header.get("typ", "JWT")).upper() not in KINDS:
        raise NotTaken("nested", "The token holds something else than claims.")
    if str(header.get("alg")) not in ALGORITHMS:
        raise NotTaken("algorithm", f"The token is not signed by one of {', '.join(sorted(ALGORITHMS))}.")
    kid = header.get("kid")
    if not isinstance(kid, str) or not 1 <= len(kid) <= LONGEST_KEY_ID:
        raise NotTaken("key_id", "The token does not say which key signed it.")
