"""What a set of touched files says about a change: the first rule that fits a path names its aspect. Pure; a person may decide otherwise."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from apps.changes.content import Aspect

MOST_BECAUSE = 3


@dataclass(frozen=True, slots=True)
class Derived:
    """An aspect and the first files that led to it."""

    aspect: Aspect
    because: tuple[str, ...]
    count: int


MIGRATIONS = {"migrations", "migrate", "alembic", "flyway", "liquibase"}
RUNTIME_FILES = {
    ".python-version",
    ".node-version",
    ".nvmrc",
    ".ruby-version",
    ".java-version",
    ".go-version",
    ".tool-versions",
    "runtime.txt",
}
INFRASTRUCTURE_FOLDERS = {"terraform", "ansible", "playbooks", "pulumi", "k8s", "kubernetes", "helm", "charts"}
INFRASTRUCTURE_SUFFIXES = {".tf", ".tfvars", ".bicep", ".nomad"}
INFRASTRUCTURE_FILES = re.compile(r"(?:.*playbook.*|site|(?:docker-)?compose(?:\..+)?)\.ya?ml|.+\.tf\.json|chart\.yaml")
# Written in a configuration's format, read by builders: what runs is code that depends on something else.
BUILD_FILES = {
    "pyproject.toml",
    "setup.cfg",
    "tox.ini",
    "pytest.ini",
    "cargo.toml",
    "pnpm-lock.yaml",
    "mypy.ini",
    "pubspec.yaml",
    "mkdocs.yml",
}
CONFIGURATION_SUFFIXES = {".ini", ".cfg", ".conf", ".properties", ".env", ".toml", ".yaml", ".yml"}
CONFIGURATION_FOLDERS = {"config", "conf", "configs", "configuration", "settings", "etc"}
CONFIGURATION_DATA = {".json", ".xml", ".hcl"}
NO_SETTINGS = {".github", ".gitlab", "tests", "test", "docs"}


def aspects_of(files: Iterable[tuple[str, bool]]) -> tuple[Derived, ...]:
    """The aspects of touched files, in the order of the enum; each file comes with whether its base image differs."""
    found: dict[Aspect, list[str]] = {}
    for path, new_image in files:
        found.setdefault(aspect_of(path, new_image=new_image), []).append(path)
    return tuple(Derived(aspect, tuple(found[aspect][:MOST_BECAUSE]), len(found[aspect])) for aspect in Aspect if aspect in found)


def aspect_of(path: str, *, new_image: bool = False) -> Aspect:
    """What one file is about."""
    whole = PurePosixPath(path.lower())
    name, folders = whole.name, set(whole.parts[:-1])
    if _is_migration(name, folders, whole.suffix):
        return Aspect.DATA
    if new_image or name in RUNTIME_FILES:
        return Aspect.RUNTIME
    if folders & INFRASTRUCTURE_FOLDERS or whole.suffix in INFRASTRUCTURE_SUFFIXES or INFRASTRUCTURE_FILES.fullmatch(name):
        return Aspect.INFRASTRUCTURE
    if _is_configuration(name, folders, whole.suffix):
        return Aspect.CONFIGURATION
    return Aspect.CODE


def _is_migration(name: str, folders: set[str], suffix: str) -> bool:
    if name == "__init__.py" or "tests" in folders:
        return False
    return bool(folders & MIGRATIONS) or suffix == ".sql"


def _is_configuration(name: str, folders: set[str], suffix: str) -> bool:
    if name in BUILD_FILES or folders & NO_SETTINGS:
        return False
    if name == ".env" or name.startswith(".env.") or suffix in CONFIGURATION_SUFFIXES:
        return True
    return bool(folders & CONFIGURATION_FOLDERS) and suffix in CONFIGURATION_DATA
