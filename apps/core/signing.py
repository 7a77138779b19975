"""The installation's Ed25519 key: made once, kept in a file (0600), used for statements and tickets.

Public keys are listed by `audit.keys`; this module only knows the private one and how to verify."""

import hashlib
import os
import tempfile
from base64 import b64encode
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from django.conf import settings

ALG = "Ed25519"


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature with the id of the key and the algorithm it was made with."""

    key_id: str
    alg: str
    value: bytes


class SigningKey:
    """The private key of this installation."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.id = key_id(self.public)

    def sign(self, message: bytes) -> Signature:
        """Sign bytes."""
        return Signature(self.id, ALG, self._private.sign(message))


def key_id(public: bytes) -> str:
    """The id of a public key: half of its SHA-256, so that nobody finds a second key with the same id."""
    return "ed25519-" + hashlib.sha256(public).hexdigest()[:32]


def verifies(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether the signature over the message was made by the owner of the public key."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def signing_key() -> SigningKey:
    """The key of this installation, made at the first call; raises OSError when the file cannot be read."""
    return _load(str(settings.SIGNING_KEY_FILE))


@cache
def _load(name: str) -> SigningKey:
    path = Path(name)
    try:
        pem = path.read_bytes()
    except FileNotFoundError:
        pem = _make(path)
    private = load_pem_private_key(pem, password=None)
    if not isinstance(private, Ed25519PrivateKey):
        raise OSError(f"{path} holds a key of another kind. Ed25519 is needed.")
    return SigningKey(private)


def _make(path: Path) -> bytes:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    descriptor, draft = tempfile.mkstemp(prefix=f"{path.name}.", dir=path.parent)  # 0600, and never in the way of the next start
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):  # of two processes that start together exactly one key wins
            os.link(draft, path)
    finally:
        Path(draft).unlink()
    return path.read_bytes()


def base64_text(data: bytes) -> str:
    """Standard base64, as DSSE and the pages show keys and signatures."""
    return b64encode(data).decode()
