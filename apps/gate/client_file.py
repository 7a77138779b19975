"""The client for CI as this version of the product serves it, and the digest by which pipelines pin it."""

import hashlib
from functools import cache
from pathlib import Path

CLIENT = Path(__file__).parent / "client" / "ccgate.py"


@cache
def client_bytes() -> bytes:
    """The file."""
    return CLIENT.read_bytes()


def client_digest() -> str:
    """SHA-256 of the file, in hexadecimal digits."""
    return hashlib.sha256(client_bytes()).hexdigest()
