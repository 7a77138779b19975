"""The options of `release_dir`, read from a target's settings and nothing else."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from apps.catalog.settings_fields import why_not_url
from apps.deployments.drivers.base import BadOptions

NAME = re.compile(r"[A-Za-z0-9._-]{1,60}")
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
KNOWN = frozenset(
    {"root", "version_url", "start_command", "restart_command", "port", "shared", "keep", "hooks", "environment", "secret_names"}
    | {"stop_seconds", "ready_seconds"}
)
# What a command may see of the worker's own environment; everything else stays with the worker.
PASSED_ON = ("PATH", "LANG", "LC_ALL", "TZ", "TMPDIR")
SHORTEST_SECRET = 4  # masking shorter values would only garble the log


@dataclass(frozen=True, slots=True)
class Hook:
    """A command that runs in the new release before the switch."""

    name: str
    argv: tuple[str, ...]
    seconds: int


@dataclass(frozen=True, slots=True)
class Options:
    """What the settings say, checked."""

    root: Path
    version_url: str
    start_command: tuple[str, ...]
    restart_command: tuple[str, ...]
    port: int
    shared: tuple[str, ...]
    keep: int
    hooks: tuple[Hook, ...]
    variables: Mapping[str, str]
    secret_names: tuple[str, ...]
    stop_seconds: int
    ready_seconds: int

    def environment(self) -> dict[str, str]:
        """What a command sees: a few plain variables, what the settings say, and the secrets they name."""
        plain = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        return {"PATH": os.defpath, **plain, **self.variables, **self._secrets()}

    def mask(self, text: str) -> str:
        """The text without the values of the secrets; longest first, so that no rest of one stays."""
        for value in sorted(self._secrets().values(), key=len, reverse=True):
            if len(value) >= SHORTEST_SECRET:
                text = text.replace(value, "••••••••")
        return text

    def filled(self, argv: tuple[str, ...], *, release: Path, commit: str) -> list[str]:
        """A command with its places filled in: only paths, the port and the commit, never text a person wrote in a change."""
        places = {
            "{release}": str(release),
            "{current}": str(self.root / "current"),
            "{shared}": str(self.root / "shared"),
            "{root}": str(self.root),
            "{port}": str(self.port),
            "{commit}": commit,
        }
        return [_filled(word, places) for word in argv]

    def _secrets(self) -> dict[str, str]:
        return {name: value for name, value in os.environ.items() if any(fnmatchcase(name, wanted) for wanted in self.secret_names)}


def _filled(word: str, places: Mapping[str, str]) -> str:
    return re.sub(r"\{[a-z]+\}", lambda found: places.get(found[0], found[0]), word)


def read_options(given: Mapping[str, Any]) -> Options:
    """Read and check; raises BadOptions with the sentence to show."""
    if unknown := sorted(set(given) - KNOWN):
        raise BadOptions(f"release_dir has no option {unknown[0]}. It knows {', '.join(sorted(KNOWN))}.")
    start, restart = _argv(given, "start_command"), _argv(given, "restart_command")
    if bool(start) == bool(restart):
        raise BadOptions("release_dir needs either start_command or restart_command, as a list of words.")
    return Options(
        root=_root(given),
        version_url=_version_url(given),
        start_command=start,
        restart_command=restart,
        port=_number(given, "port", default=0, least=0, most=65_535),
        shared=_names(given, "shared", NAME),
        keep=_number(given, "keep", default=5, least=2, most=100),
        hooks=_hooks(given),
        variables=_variables(given),
        secret_names=_names(given, "secret_names", re.compile(r"[A-Za-z0-9_*?]{1,100}")),
        stop_seconds=_number(given, "stop_seconds", default=10, least=1, most=600),
        ready_seconds=_number(given, "ready_seconds", default=30, least=1, most=600),
    )


def _root(given: Mapping[str, Any]) -> Path:
    text = given.get("root")
    if not isinstance(text, str) or not text.startswith("/") or ".." in Path(text).parts or text.strip("/") == "":
        raise BadOptions("The option root is the absolute path of the directory that holds the releases.")
    return Path(text)


def _version_url(given: Mapping[str, Any]) -> str:
    url = given.get("version_url")
    if not isinstance(url, str) or why_not_url(url):
        raise BadOptions(
            "The option version_url is the address that answers with the running commit, such as http://127.0.0.1:8100/version."
        )
    return url


def _number(given: Mapping[str, Any], key: str, *, default: int, least: int, most: int) -> int:
    value = given.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise BadOptions(f"The option {key} is a whole number from {least} to {most}.")
    return value


def _argv(given: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = given.get(key, [])
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value) or (value and not value[0]):
        raise BadOptions(f"The option {key} is a list of words, the program first. There is no shell that could split a line.")
    return tuple(value)


def _names(given: Mapping[str, Any], key: str, pattern: re.Pattern[str]) -> tuple[str, ...]:
    value = given.get(key, [])
    if not isinstance(value, list) or not all(
        isinstance(name, str) and pattern.fullmatch(name) and name not in {".", ".."} for name in value
    ):
        raise BadOptions(f"The option {key} is a list of plain names, without slashes.")
    return tuple(value)


def _variables(given: Mapping[str, Any]) -> dict[str, str]:
    value = given.get("environment", {})
    if not isinstance(value, Mapping) or not all(VARIABLE.fullmatch(name) and isinstance(text, str) for name, text in value.items()):
        raise BadOptions("The option environment is one object of variable names and texts.")
    return dict(value)


def _hooks(given: Mapping[str, Any]) -> tuple[Hook, ...]:
    value = given.get("hooks", [])
    if not isinstance(value, list) or not all(isinstance(hook, Mapping) for hook in value):
        raise BadOptions("The option hooks is a list of objects with name, argv and seconds.")
    hooks = tuple(_hook(hook) for hook in value)
    if len({hook.name for hook in hooks}) < len(hooks):
        raise BadOptions("Two hooks have the same name. Give each its own.")
    return hooks


def _hook(given: Mapping[str, Any]) -> Hook:
    if unknown := sorted(set(given) - {"name", "argv", "seconds"}):
        raise BadOptions(f"A hook has no option {unknown[0]}. It knows name, argv and seconds.")
    (name,) = _names({"name": [given.get("name")]}, "name", NAME)
    argv = _argv(given, "argv")
    if not argv:
        raise BadOptions(f"The hook {name} has no argv.")
    return Hook(name, argv, _number(given, "seconds", default=300, least=1, most=3600))
