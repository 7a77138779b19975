"""A statement on its way through a browser: put before one person in one session, and taken back from nobody else."""

from base64 import b64decode, b64encode
from binascii import Error as NotBase64

from django.core.signing import BadSignature, Signer

from apps.core.pages import PageRequest
from apps.core.refusals import Refused, not_now

LARGEST = 64_000  # a statement is about 2 kB, with its reason 10
NOT_OURS = not_now(
    "statement_not_ours", "This statement was not put before you in this session, or it was changed on the way.", "Read it again."
)


def seal(data: bytes, request: PageRequest) -> str:
    """The bytes as a hidden field carries them, with a code that only this person's session gets."""
    return _signer(request).sign(b64encode(data).decode())


def unseal(text: str, request: PageRequest) -> bytes:
    """The bytes that were put before this person in this session; raises Refused for everything else."""
    try:
        return b64decode(_signer(request).unsign(text[:LARGEST]), validate=True)
    except (BadSignature, NotBase64, ValueError) as error:
        raise Refused(NOT_OURS) from error


def _signer(request: PageRequest) -> Signer:
    return Signer(salt=f"home.sign-off:{request.user.public_id}:{request.session.session_key}")
