"""Reading one object of the settings field by field: every wrong one is collected with its dotted path. Pure."""

from collections.abc import Mapping
from enum import StrEnum
from re import Pattern
from typing import TypeVar
from urllib.parse import urlsplit

from apps.core.canonical import canonical_text
from apps.core.texts import why_not_line

E = TypeVar("E", bound=StrEnum)


class Fields:
    """The fields of one object: typed reading, unknown keys refused, errors shared with the objects inside it."""

    def __init__(self, given: object, prefix: str = "", errors: dict[str, list[str]] | None = None) -> None:
        self.errors: dict[str, list[str]] = {} if errors is None else errors
        self._prefix = prefix
        self._given: dict[str, object] = {}
        self._taken: set[str] = set()
        if isinstance(given, Mapping):
            self._given = {str(key): value for key, value in given.items()}
        else:
            self.errors.setdefault(prefix, []).append("This is one JSON object, in braces.")

    def inside(self, path: str, given: object) -> "Fields":
        """The fields of an object within this one."""
        return Fields(given, self._path(path), self.errors)

    def wrong(self, key: str, said: str) -> None:
        """Collect one sentence for a field."""
        self.errors.setdefault(self._path(key), []).append(said)

    def take(self, key: str, default: object = None) -> object:
        """The raw value, marked as read; null counts as absent."""
        self._taken.add(key)
        value = self._given.get(key)
        return default if value is None else value

    def nothing_else(self) -> None:
        """Refuse keys nobody read: a misspelt key must not be silently without effect."""
        for key in sorted(set(self._given) - self._taken):
            shown = key if why_not_line(key, longest=60) is None else "this"
            self.wrong("settings" if shown == "this" else key, f"No setting is called {shown}. Remove it or correct its name.")

    def integer(self, key: str, *, default: int, least: int, most: int) -> int:
        """A whole number between `least` and `most`."""
        value = self.take(key, default)
        if isinstance(value, bool) or not isinstance(value, int):
            self.wrong(key, "This is a whole number.")
            return default
        if not least <= value <= most:
            self.wrong(key, f"This is a whole number from {least} to {most}.")
            return default
        return value

    def flag(self, key: str, *, default: bool) -> bool:
        """True or false."""
        value = self.take(key, default)
        if not isinstance(value, bool):
            self.wrong(key, "This is true or false.")
            return default
        return value

    def choice(self, key: str, choices: type[E], *, default: E) -> E:
        """One of the named choices."""
        value = self.take(key, default)
        if not isinstance(value, str) or value not in list(choices):
            self.wrong(key, f"This is one of {', '.join(choices)}.")
            return default
        return choices(value)

    def line(self, key: str, *, longest: int, default: str | None = None) -> str:
        """One line of text; without a default it must be there."""
        value = self.take(key, default)
        if not isinstance(value, str):
            self.wrong(key, "This is text." if value is not None else "This is missing. Write it.")
            return ""
        if said := why_not_line(value, longest=longest, empty=default is not None):
            self.wrong(key, said)
            return ""
        return canonical_text(value).strip()

    def match(self, key: str, pattern: Pattern[str], *, said: str) -> str:
        """Text that matches the whole pattern."""
        value = self.take(key)
        if not isinstance(value, str) or not pattern.fullmatch(value):
            self.wrong(key, said)
            return ""
        return value

    def url(self, key: str) -> str:
        """An http or https address without a user name: settings are read by everybody who sees the service."""
        value = self.line(key, longest=500)
        if value and (said := why_not_url(value)):
            self.wrong(key, said)
        return value

    def _path(self, key: str) -> str:
        return f"{self._prefix}.{key}" if self._prefix else key


def why_not_url(text: str) -> str | None:
    """The sentence to show beside an address that a check cannot ask, or None."""
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        return "This is no address. Write one like https://shop.example.org/healthz."
    if parts.scheme not in {"http", "https"} or not host or port == 0 or any(char.isspace() for char in text):
        return "This is no address a check can ask. Write one like https://shop.example.org/healthz."
    if parts.username is not None or parts.password is not None:
        return "The address holds a user name or password, and settings are read by many. Remove it."
    return None
