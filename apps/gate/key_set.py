"""The public keys that tickets are signed with, as others read them: a JSON Web Key Set (RFC 7517, RFC 8037). Pure."""

from base64 import urlsafe_b64encode
from collections.abc import Sequence
from datetime import datetime, timedelta

CHANGING_OVER = timedelta(hours=1)  # while a new key is put in place, some processes still sign with the one before

Keys = Sequence[tuple[str, bytes, datetime | None]]


def key_set(keys: Keys) -> dict[str, list[dict[str, object]]]:
    """Id, public bytes and first listing of each key in order of age: one signs from its listing until the next one took over."""
    ends = [*(listed for _, _, listed in keys[1:]), None]
    return {"keys": [_key(*key, ends_at=end) for key, end in zip(keys, ends, strict=True)]}


def _key(key_id: str, public: bytes, listed_at: datetime | None, *, ends_at: datetime | None) -> dict[str, object]:
    said: dict[str, object] = {
        "kty": "OKP",
        "crv": "Ed25519",
        "alg": "EdDSA",
        "use": "sig",
        "kid": key_id,
        "x": urlsafe_b64encode(public).decode().rstrip("="),
    }
    if listed_at is not None:
        said["nbf"] = int(listed_at.timestamp())
    if ends_at is not None:
        said["exp"] = int((ends_at + CHANGING_OVER).timestamp())
    return said
