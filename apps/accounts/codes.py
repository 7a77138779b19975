"""One-time codes of an authenticator app (RFC 6238): six digits, thirty seconds, one step of tolerance either way. Pure."""

import hashlib
import hmac
import secrets
import struct
from base64 import b32decode, b32encode
from datetime import datetime
from urllib.parse import quote, urlencode

STEP_SECONDS = 30
DIGITS = 6
TOLERANCE = 1


def new_secret() -> str:
    """A secret of 160 bits, as apps read it."""
    return b32encode(secrets.token_bytes(20)).decode()


def code_at(secret: str, step: int) -> str:
    """The code of one step."""
    mac = hmac.digest(b32decode(secret), struct.pack(">Q", step), hashlib.sha1)
    start = mac[-1] & 0x0F
    (number,) = struct.unpack(">I", mac[start : start + 4])
    return f"{(number & 0x7FFFFFFF) % 10**DIGITS:0{DIGITS}}"


def step_at(at: datetime) -> int:
    """The number of the step a moment lies in."""
    return int(at.timestamp()) // STEP_SECONDS


def step_of(secret: str, code: str, *, at: datetime) -> int | None:
    """The step whose code this is, the latest first; None when it is a code of none near enough."""
    given = "".join(code.split()).replace("-", "").encode(errors="replace")
    now = step_at(at)
    for step in range(now + TOLERANCE, now - TOLERANCE - 1, -1):
        if hmac.compare_digest(code_at(secret, step).encode(), given):
            return step
    return None


def app_address(secret: str, *, account: str, issuer: str) -> str:
    """What an authenticator app reads from the square."""
    return f"otpauth://totp/{quote(f'{issuer}:{account}')}?{urlencode({'secret': secret, 'issuer': issuer}, quote_via=quote)}"
