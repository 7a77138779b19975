"""What a target's deployment settings say: reading, checking and their canonical bytes. Pure: no Django.

What is executed comes only from here. The bytes are stored as made; their digest is in statement, ticket and order."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from apps.catalog.settings_fields import Fields
from apps.core.canonical import NotCanonical, UnknownSchema, canonical_bytes
from apps.core.refusals import BadContent

SCHEMA = 1
LONGEST = 65_536
DRIVER = re.compile(r"[a-z][a-z0-9_]{0,39}")
MOST_CHECKS = 20
DAY = 86_400
SILENCE_MINUTES = 60


class Start(StrEnum):
    """What sets a deployment going once the gate allows it. So far a person does; the value stands in the signed settings, so that
    another one is another wording."""

    BUTTON = "BUTTON"


class Source(StrEnum):
    """Where a check's measurements come from."""

    HTTP = "HTTP"


class OnNoData(StrEnum):
    """What a check does when nothing could be measured. Passing is not among the answers."""

    HOLD = "HOLD"
    FAIL = "FAIL"


@dataclass(frozen=True, slots=True)
class Check:
    """One health question; `{version}` in `expect_text` stands for the version's label or commit."""

    name: str
    source: Source
    url: str
    expect_status: int
    expect_text: str
    interval_seconds: int
    count: int
    warm_up_seconds: int
    failure_limit: int
    no_data_limit: int
    on_no_data: OnNoData
    critical: bool

    @property
    def seconds(self) -> int:
        """How long this check takes when every measurement is made."""
        return self.warm_up_seconds + self.interval_seconds * self.count


@dataclass(frozen=True, slots=True)
class SettingsBody:
    """One version of a target's settings, as read from its stored bytes."""

    driver: str
    options: Mapping[str, Any]
    start: Start
    bake_seconds: int
    deploy_seconds: int
    forbid_approver_start: bool
    checks: tuple[Check, ...]
    silence_minutes: int = SILENCE_MINUTES  # how long CI may say nothing of a deployment before nobody knows what is true


NO_SETTINGS = SettingsBody("", {}, Start.BUTTON, bake_seconds=0, deploy_seconds=600, forbid_approver_start=False, checks=())


def settings_bytes(given: Mapping[str, object]) -> bytes:
    """Check settings as a person or script wrote them and return their canonical bytes.

    Raises BadContent with one dotted path per field, such as `checks.0.url`."""
    fields = Fields(given)
    body: dict[str, object] = {
        "schema": fields.integer("schema", default=SCHEMA, least=SCHEMA, most=SCHEMA),
        "driver": fields.match("driver", DRIVER, said="A driver is named by small letters, digits and underscores, such as release_dir."),
        "options": _options(fields),
        "start": fields.choice("start", Start, default=Start.BUTTON),
        "bake_seconds": fields.integer("bake_seconds", default=0, least=0, most=DAY),
        "deploy_seconds": fields.integer("deploy_seconds", default=600, least=1, most=DAY),
        "forbid_approver_start": fields.flag("forbid_approver_start", default=False),
        "checks": _checks(fields),
    }
    silence = fields.integer("silence_minutes", default=SILENCE_MINUTES, least=1, most=DAY // 60)
    if silence != SILENCE_MINUTES:  # left out where it is the usual: settings that were written before say the same
        body["silence_minutes"] = silence
    fields.nothing_else()
    if fields.errors:
        raise BadContent(fields.errors)
    made = canonical_bytes(body)
    if len(made) > LONGEST:
        raise BadContent({"settings": [f"The settings take {len(made)} bytes. {LONGEST} fit."]})
    return made


def read_settings(body: bytes | memoryview) -> SettingsBody:
    """Read stored bytes. They were checked when written and are never made again. Raises UnknownSchema."""
    data = json.loads(bytes(body))
    if data["schema"] != SCHEMA:
        raise UnknownSchema(f"Schema {data['schema']!r} of deployment settings is not known here; {SCHEMA} is the newest.")
    checks = tuple(
        Check(**{**check, "source": Source(check["source"]), "on_no_data": OnNoData(check["on_no_data"])}) for check in data["checks"]
    )
    rest = {key: data[key] for key in ("driver", "options", "bake_seconds", "deploy_seconds", "forbid_approver_start")}
    silence = data.get("silence_minutes", SILENCE_MINUTES)
    return SettingsBody(start=Start(data["start"]), checks=checks, silence_minutes=silence, **rest)


def settings_from_text(text: str) -> Mapping[str, object]:
    """Read what a person typed as JSON; raises BadContent naming `settings` and the line."""
    try:
        given = json.loads(text)
    except ValueError as error:
        where = f" (line {error.lineno}, column {error.colno})" if isinstance(error, json.JSONDecodeError) else ""
        raise BadContent({"settings": [f"This is not JSON{where}."]}) from error
    except RecursionError as error:
        raise BadContent({"settings": ["The JSON is nested too deeply."]}) from error
    if not isinstance(given, dict):
        raise BadContent({"settings": ["The settings are one JSON object, in braces."]})
    return given


def settings_text(body: bytes | memoryview) -> str:
    """The settings as a person edits them."""
    return json.dumps(json.loads(bytes(body)), indent=2, ensure_ascii=False)


def _options(fields: Fields) -> object:
    options = fields.take("options", {})
    if not isinstance(options, Mapping):
        fields.wrong("options", "The options are one JSON object, in braces.")
        return {}
    try:
        canonical_bytes(options).decode()
    except (NotCanonical, ValueError, RecursionError):
        fields.wrong(
            "options", "An option holds a fraction, a NUL, half a character or a number beyond 2⁵³. Use whole numbers and plain text."
        )
        return {}
    return options


def _checks(fields: Fields) -> list[dict[str, object]]:
    given = fields.take("checks", [])
    if not isinstance(given, list):
        fields.wrong("checks", "The checks are a JSON list, in brackets.")
        return []
    if len(given) > MOST_CHECKS:
        fields.wrong("checks", f"There are {len(given)} checks. {MOST_CHECKS} fit.")
        return []
    checks = [_check(fields.inside(f"checks.{at}", item)) for at, item in enumerate(given)]
    names = [check["name"] for check in checks]
    for at, name in enumerate(names):
        if name in names[:at]:
            fields.wrong(f"checks.{at}.name", f"Two checks are called {name}. A failed check is told by its name: give each its own.")
    return checks


def _check(fields: Fields) -> dict[str, object]:
    count = fields.integer("count", default=3, least=1, most=1000)
    check: dict[str, object] = {
        "name": fields.line("name", longest=60),
        "source": fields.choice("source", Source, default=Source.HTTP),
        "url": fields.url("url"),
        "expect_status": fields.integer("expect_status", default=200, least=100, most=599),
        "expect_text": fields.line("expect_text", longest=500, default=""),
        "interval_seconds": fields.integer("interval_seconds", default=5, least=1, most=3600),
        "count": count,
        "warm_up_seconds": fields.integer("warm_up_seconds", default=0, least=0, most=3600),
        "failure_limit": fields.integer("failure_limit", default=0, least=0, most=999),
        "no_data_limit": fields.integer("no_data_limit", default=0, least=0, most=999),
        "on_no_data": fields.choice("on_no_data", OnNoData, default=OnNoData.HOLD),
        "critical": fields.flag("critical", default=True),
    }
    for limit in ("failure_limit", "no_data_limit"):
        if int(str(check[limit])) >= count:
            fields.wrong(
                limit, f"The limit is the number that is borne, so it is less than count ({count}). This check could never say no."
            )
    fields.nothing_else()
    return check
