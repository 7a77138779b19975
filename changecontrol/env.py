"""Strict readers for the environment; a value may also come from the file that NAME_FILE names.

Settings only: nothing here knows Django."""

import ipaddress
import os
import re
import secrets
import tempfile
from contextlib import suppress
from pathlib import Path


class BadSetting(Exception):
    """A setting has a value that cannot be read; the text says what to write instead."""


def env_str(name: str, default: str = "") -> str:
    """Return the setting, from NAME or from the file named by NAME_FILE."""
    direct, file_name = os.environ.get(name), os.environ.get(f"{name}_FILE")
    if direct is not None and file_name is not None:
        raise BadSetting(f"{name} and {name}_FILE are both set. Keep one.")
    if file_name is not None:
        try:
            return Path(file_name).read_text().strip()
        except OSError as error:
            raise BadSetting(f"{name}_FILE names {file_name}, which cannot be read: {error}") from error
    return default if direct is None else direct


def env_bool(name: str, *, default: bool) -> bool:
    """Return True or False; only the words "true" and "false" are read."""
    value = env_str(name, "true" if default else "false").lower()
    if value not in {"true", "false"}:
        raise BadSetting(f"{name} is {value!r}. Write true or false.")
    return value == "true"


def env_int(name: str, default: int) -> int:
    """Return a whole number."""
    value = env_str(name, str(default))
    try:
        return int(value)
    except ValueError as error:
        raise BadSetting(f"{name} is {value!r}. Write a whole number.") from error


def env_list(name: str, default: str = "") -> list[str]:
    """Return the comma-separated words, without blanks."""
    return [word.strip() for word in env_str(name, default).split(",") if word.strip()]


def env_key_ids(name: str) -> frozenset[str]:
    """Return the ids of signing keys; one that is mistyped would silently accept nothing."""
    ids = frozenset(env_list(name))
    for wrong in sorted(key_id for key_id in ids if not re.fullmatch(r"ed25519-[0-9a-f]{32}", key_id)):
        raise BadSetting(f"{name} names {wrong!r}. Write ids as the audit stream lists them: ed25519- and 32 hex digits.")
    return ids


def env_networks(name: str) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    """Return networks, such as 10.20.0.0/16."""
    try:
        return [ipaddress.ip_network(one) for one in env_list(name)]
    except ValueError as error:
        raise BadSetting(f"{name} is {env_str(name)!r}. Write networks such as 10.20.0.0/16, with commas between them.") from error


def kept_secret(name: str, path: Path) -> str:
    """Return the secret NAME, else the one kept in `path`, made at the first call (0600)."""
    if value := env_str(name):
        return value
    if not path.exists():
        _keep(path, secrets.token_urlsafe(50))
    return path.read_text().strip()


def _keep(path: Path, text: str) -> None:
    """Write beside, then link: a crash leaves no empty file, and of two processes that start together one wins."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, draft = tempfile.mkstemp(prefix=f"{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):  # the other one's is read
            os.link(draft, path)
    finally:
        Path(draft).unlink()
