"""Reading what people write about services and environments: one reader per field, errors collected by field."""

import re
from collections.abc import Callable, Mapping
from typing import Any, TypedDict

from apps.catalog.models import ChangeRequired
from apps.core.refusals import BadContent
from apps.core.texts import read_line, read_slug, read_text, read_zone

LONGEST_NAME = 120
LONGEST_REPOSITORY = 400
LONGEST_DESCRIPTION = 4000
LONGEST_REASON = 300
HIGHEST_RANK = 32_767  # a smallint
RESERVED = frozenset({"new"})
REPOSITORY = re.compile(r"/\S.*|(?:https?|ssh|git|file)://\S+|[A-Za-z0-9._-]+@[A-Za-z0-9.-]+:\S+")
SECRET_IN_URL = re.compile(r"[a-z]+://[^/@]*:[^/@]*@.*", re.IGNORECASE)


class ServiceFields(TypedDict, total=False):
    """What can be written about a service."""

    slug: str
    name: str
    description: str
    tier: int
    time_zone: str
    repository: str
    repository_id: str
    is_restricted: bool
    team_id: int


class EnvironmentFields(TypedDict, total=False):
    """What can be written about an environment."""

    slug: str
    name: str
    rank: int
    change_required: str
    time_zone: str


def read_repository(text: str) -> str:
    """Where commits come from: an absolute path or an address that git understands; raises BadContent."""
    value = read_line(text, field="repository", longest=LONGEST_REPOSITORY, empty=True)
    if value and not REPOSITORY.fullmatch(value):
        raise BadContent(
            {"repository": ["Git cannot fetch from this. Write an absolute path or an address like https://git.example.org/shop.git."]}
        )
    if SECRET_IN_URL.fullmatch(value):
        raise BadContent({"repository": ["The address holds a password, and everybody who sees the service reads it. Remove it."]})
    return value


def read_whole(value: object, *, field: str, least: int, most: int) -> int:
    """A whole number; raises BadContent naming `field`."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise BadContent({field: [f"This is a whole number from {least} to {most}."]})
    return value


def read_change_required(value: str) -> ChangeRequired:
    """How strict an environment is; raises BadContent."""
    if value not in ChangeRequired.values:
        raise BadContent({"change_required": [f"This is one of {', '.join(ChangeRequired.values)}."]})
    return ChangeRequired(value)


def read_place_slug(text: str) -> str:
    """A short name that is no address of its own; raises BadContent."""
    if text.strip() in RESERVED:
        raise BadContent({"slug": [f"The address {text.strip()} is a page of its own. Choose another short name."]})
    return read_slug(text)


def _line(field: str, longest: int = LONGEST_NAME, *, empty: bool = False) -> Callable[[str], str]:
    return lambda text: read_line(text, field=field, longest=longest, empty=empty)


SERVICE_READERS: dict[str, Callable[[Any], object]] = {
    "slug": read_place_slug,
    "name": _line("name"),
    "description": lambda text: read_text(text, field="description", longest=LONGEST_DESCRIPTION),
    "tier": lambda value: read_whole(value, field="tier", least=1, most=4),
    "time_zone": read_zone,
    "repository": read_repository,
    "repository_id": _line("repository_id", empty=True),
    "is_restricted": bool,
    "team_id": int,
}
ENVIRONMENT_READERS: dict[str, Callable[[Any], object]] = {
    "slug": read_place_slug,
    "name": _line("name"),
    "rank": lambda value: read_whole(value, field="rank", least=0, most=HIGHEST_RANK),
    "change_required": read_change_required,
    "time_zone": read_zone,
}


def read_fields(given: Mapping[str, object], readers: Mapping[str, Callable[[Any], object]]) -> dict[str, Any]:
    """Every given field in its canonical form; raises one BadContent with everything that is wrong."""
    found: dict[str, Any] = {}
    errors: dict[str, list[str]] = {}
    for field, value in given.items():
        try:
            found[field] = readers[field](value)
        except BadContent as error:
            errors |= error.errors
    if errors:
        raise BadContent(errors)
    return found
