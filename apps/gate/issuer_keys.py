"""The keys of CI issuers, kept in this process: read over TLS, asked for again when a key is unknown, but not often.

Each process reads for itself. An issuer that is silent keeps its keys for a day; nothing a token says leads anywhere."""

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

import jwt

from apps.core.deadlines import Deadline
from apps.gate.fetching import WHOLE_SECONDS, NotFetched, read_document
from apps.gate.rules.workloads import NotTaken

ALGORITHMS = frozenset({"RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA"})
FRESH_SECONDS = 600.0
STALE_SECONDS = 24 * 3600.0  # how long keys serve whose issuer does not answer
WAIT_SECONDS = 1.0  # for the answer that another request asked for
AGAIN_SECONDS = 30.0  # between two askings, whatever is asked for
MOST_KEYS = 50
SHORTEST_RSA = 2048


class KeysUnavailable(Exception):
    """The issuer's keys cannot be read: the token is neither good nor bad. `again` says in how many seconds to ask again."""

    def __init__(self, said: str, *, again: float = AGAIN_SECONDS) -> None:
        super().__init__(said)
        self.again = again


@dataclass(slots=True)
class _Kept:
    lock: threading.Lock = field(default_factory=threading.Lock)
    keys: dict[str, jwt.PyJWK] = field(default_factory=dict)
    read_at: float = float("-inf")
    tried_at: float = float("-inf")
    failure: str = ""


_kept: dict[str, _Kept] = {}  # by issuers that an administrator entered: nobody else makes it grow


def key_of(issuer: str, kid: str) -> jwt.PyJWK:
    """The issuer's key by its id. Raises NotTaken where it has none such, KeysUnavailable where it does not say."""
    kept = _kept.setdefault(issuer, _Kept())
    if kid not in kept.keys or monotonic() - kept.read_at > FRESH_SECONDS:
        _ask_again(kept, issuer, kid)
    if monotonic() - kept.read_at > STALE_SECONDS:
        raise KeysUnavailable(kept.failure)
    found = kept.keys.get(kid)
    if found is not None:
        return found
    if kept.failure:  # it may be a new one
        raise KeysUnavailable(kept.failure)
    raise NotTaken("key_unknown", "The issuer has no key with the id the token names.", "A new key is known half a minute later.")


def forget_keys() -> None:
    """Know nothing again; the next token asks."""
    _kept.clear()


def _ask_again(kept: _Kept, issuer: str, kid: str) -> None:
    """One asks; the others go on with the key they have, or come again: whoever makes up ids must not hold every thread.

    Only while the issuer was never heard they wait a moment: after a start many jobs need the same keys at once."""
    is_new = not kept.keys and not kept.failure
    if not kept.lock.acquire(timeout=WAIT_SECONDS if is_new else 0):
        if kid not in kept.keys:
            raise KeysUnavailable("The issuer is being asked.", again=WHOLE_SECONDS)
        return
    try:
        is_there = kid in kept.keys and monotonic() - kept.read_at <= FRESH_SECONDS
        if is_there or monotonic() - kept.tried_at < AGAIN_SECONDS:
            return
        kept.tried_at = monotonic()
        try:
            kept.keys, kept.failure, kept.read_at = fetch_keys(issuer), "", monotonic()
        except NotFetched as error:
            kept.failure = str(error)
    finally:
        kept.lock.release()


def fetch_keys(issuer: str) -> dict[str, jwt.PyJWK]:
    """Ask an issuer that an administrator entered for its keys, all of it within one deadline. Raises NotFetched."""
    deadline = Deadline(WHOLE_SECONDS)
    said = read_document(f"{issuer.rstrip('/')}/.well-known/openid-configuration", deadline)
    if said.get("issuer") != issuer:
        raise NotFetched("The issuer calls itself by another name.")
    address = said.get("jwks_uri")
    if not isinstance(address, str):
        raise NotFetched("The issuer does not say where its keys are.")
    keys = read_document(address, deadline).get("keys")
    if not isinstance(keys, list) or len(keys) > MOST_KEYS:
        raise NotFetched(f"The issuer's keys are no list of at most {MOST_KEYS}.")
    found = _usable(keys)
    if not found:
        raise NotFetched("The issuer has no key that signs by an algorithm known here.")
    return found


def _usable(keys: Iterable[object]) -> dict[str, jwt.PyJWK]:
    """The keys that sign, by id; an id that stands twice names none."""
    found: dict[str, jwt.PyJWK] = {}
    twice: set[str] = set()
    for one in keys:
        key = _key(one) if isinstance(one, dict) else None
        if key is None or not isinstance(key.key_id, str):
            continue
        if key.key_id in found:
            twice.add(key.key_id)
        found[key.key_id] = key
    return {kid: key for kid, key in found.items() if kid not in twice}


def _key(data: dict[str, Any]) -> jwt.PyJWK | None:
    operations = data.get("key_ops", ["verify"])
    if data.get("use", "sig") != "sig" or data.get("kty") not in {"RSA", "EC", "OKP"} or "verify" not in operations:
        return None
    try:
        key = jwt.PyJWK(data)
    except (jwt.PyJWTError, ValueError, TypeError, KeyError):
        return None  # of a kind that is not known here; the others count
    if key.algorithm_name not in ALGORITHMS or (getattr(key.key, "key_size", SHORTEST_RSA) < SHORTEST_RSA and key.key_type == "RSA"):
        return None
    return key
