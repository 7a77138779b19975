"""Canonical bytes: what is signed and hashed, written once and stored, never made again to verify.

RFC 8785 JSON; strings NFC with LF and no trailing blanks; sets sorted; moments in whole UTC seconds; integers only;
a key whose value is None is left out, so absent and empty stay different things."""

import hashlib
import json
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from enum import Enum
from typing import Any
from uuid import UUID

import rfc8785

_write = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode
LARGEST = 2**53 - 1  # RFC 8785 numbers are IEEE doubles; beyond this an integer is not exact


class NotCanonical(Exception):
    """A value has no canonical form; the text names it."""


class UnknownSchema(Exception):
    """Stored bytes were written by a newer Change Control than this one: what they mean is not guessed."""


def canonical_bytes(value: object) -> bytes:
    """Return the canonical bytes of plain data; raises NotCanonical for floats, NUL or unknown types."""
    return _written(_plain(value))


def read_canonical(data: bytes) -> Any:  # noqa: ANN401 - JSON has no narrower type
    """Read stored canonical bytes back; raises NotCanonical where they are no such JSON, ValueError where they are none at all.

    The form alone is checked. Texts are not normalised again: a later Unicode would find signed bytes to be other ones."""
    value = json.loads(data, parse_float=_no_fraction)
    if _written(value) != data:
        raise NotCanonical("The bytes are JSON in another form.")
    return value


def digest(data: bytes) -> str:
    """SHA-256 of stored bytes, in hex."""
    return hashlib.sha256(data).hexdigest()


def canonical_text(text: str) -> str:
    """NFC, LF, no blanks at line ends, no blank lines around."""
    if text.isascii() and text.isprintable():  # one plain line: nothing to normalise but its end
        return text.rstrip()
    if "\x00" in text:
        raise NotCanonical("The text holds a NUL character.")
    lines = unicodedata.normalize("NFC", text).replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "\n".join(line.rstrip() for line in lines).strip("\n")


def utc_seconds(moment: datetime) -> str:
    """A moment as `2026-11-20T14:20:06Z`; raises NotCanonical for a naive one."""
    if moment.tzinfo is None:
        raise NotCanonical("A moment without a zone has no canonical form.")
    return f"{moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='seconds')}Z"


def _plain(value: object) -> Any:  # noqa: ANN401 - JSON has no narrower type
    form = FORMS.get(type(value))
    return form(value) if form else _kindred(value)


def _written(plain: Any) -> bytes:  # noqa: ANN401
    # What is all ASCII is sorted and escaped alike by json, which is ten times as fast; the rest needs the library.
    text = _write(plain)
    return text.encode() if text.isascii() else rfc8785.dumps(plain)


def _no_fraction(text: str) -> float:
    raise NotCanonical(f"The number {text} is not a whole one.")


def _whole(value: int) -> int:
    if abs(value) > LARGEST:
        raise NotCanonical(f"The number {value} is larger than JSON holds exactly.")
    return value


def _mapping(value: Mapping[Any, object]) -> dict[str, Any]:
    return {str(key): _plain(item) for key, item in value.items() if item is not None}


def _sequence(value: Iterable[object]) -> list[Any]:
    return [_plain(item) for item in value]


def _set(value: Iterable[object]) -> list[Any]:
    return sorted((_plain(item) for item in value), key=rfc8785.dumps)


def _same(value: object) -> object:
    return value


# By the very type, which is asked for most; what only descends from one of these is told apart below.
FORMS: dict[type, Callable[[Any], Any]] = {
    str: canonical_text,
    int: _whole,
    bool: _same,
    type(None): _same,
    UUID: str,
    datetime: utc_seconds,
    dict: _mapping,
    list: _sequence,
    tuple: _sequence,
    set: _set,
    frozenset: _set,
}


def _kindred(value: object) -> Any:  # noqa: ANN401
    if isinstance(value, Enum):
        return _plain(value.value)
    kinds = (str, int, UUID, datetime, set, frozenset, list, tuple)
    if kind := next((kind for kind in kinds if isinstance(value, kind)), None):
        return FORMS[kind](value)
    if isinstance(value, Mapping):
        return _mapping(value)
    raise NotCanonical(f"{type(value).__name__} has no canonical form.")
