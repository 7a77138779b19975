"""Secrets that the database keeps for sign-in, closed with a key that lies outside it: made from SECRET_KEY."""

from base64 import urlsafe_b64encode

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

from apps.core.refusals import Refused, not_now

PURPOSE = b"changecontrol.accounts.factors"
UNREADABLE = not_now(
    "factor_unreadable",
    "This factor was enrolled under another SECRET_KEY, so nobody can check it.",
    "Whoever runs the installation sets that key in SECRET_KEY_FALLBACKS, or an administrator resets the factors.",
)


def close(text: str) -> str:
    """Encrypt a text under the newest key."""
    return _box().encrypt(text.encode()).decode()


def open_again(closed: str) -> str:
    """The text; raises Refused where no key of ours closed it: a secret that cannot be read is never taken for an empty one."""
    try:
        return _box().decrypt(closed.encode()).decode()
    except InvalidToken as error:
        raise Refused(UNREADABLE) from error


def _box() -> MultiFernet:
    return MultiFernet([Fernet(_key(secret)) for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)])


def _key(secret: str) -> bytes:
    return urlsafe_b64encode(HKDF(SHA256(), 32, salt=None, info=PURPOSE).derive(secret.encode()))
