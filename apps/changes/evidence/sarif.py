"""Counting a SARIF 2.1.0 log by its results and their level. Pure; a shape that does not fit is no SARIF, never an exception."""

from collections.abc import Mapping
from typing import Any

LEVELS = ("error", "warning", "note", "none")
VERSION = "2.1.0"
MOST_TOOLS, LONGEST_NAME = 10, 80


def is_sarif(document: object) -> bool:
    """Whether a JSON document is a SARIF log."""
    return isinstance(document, dict) and document.get("version") == VERSION and isinstance(document.get("runs"), list)


def count_sarif(document: Mapping[str, Any]) -> dict[str, Any]:
    """Results by level; those that are suppressed or gone are told apart, and never counted as findings."""
    found: dict[str, Any] = {**dict.fromkeys(LEVELS, 0), "suppressed": 0, "tools": []}
    for run in _rows(document.get("runs")):
        driver = _row(_row(run.get("tool")).get("driver"))
        name = driver.get("name")
        if isinstance(name, str) and len(found["tools"]) < MOST_TOOLS:
            found["tools"].append(_kept(name))
        rules = [*_rows(driver.get("rules"))]
        by_id = {rule["id"]: rule for rule in rules if isinstance(rule.get("id"), str)}
        for result in _rows(run.get("results")):
            if result.get("baselineState") == "absent":
                continue
            found["suppressed" if _is_suppressed(result) else _level(result, rules, by_id)] += 1
    return found


def _kept(name: str) -> str:
    """A name as the database can hold it: no NUL, no half of a character."""
    return name[:LONGEST_NAME].replace("\x00", "").encode(errors="replace").decode()


def _is_suppressed(result: Mapping[str, Any]) -> bool:
    return any(row.get("status", "accepted") == "accepted" for row in _rows(result.get("suppressions")))


def _level(result: Mapping[str, Any], rules: list[dict[str, Any]], by_id: Mapping[str, dict[str, Any]]) -> str:
    """The level a result has: its own, else its rule's, else warning, as the standard says; what passed has none."""
    level = result.get("level")
    if isinstance(level, str) and level in LEVELS:
        return level
    if result.get("kind", "fail") != "fail":
        return "none"
    at = result.get("ruleIndex", _row(result.get("rule")).get("index"))
    known = rules[at] if isinstance(at, int) and not isinstance(at, bool) and 0 <= at < len(rules) else _named(result, by_id)
    level = _row(known.get("defaultConfiguration")).get("level")
    return level if isinstance(level, str) and level in LEVELS else "warning"


def _named(result: Mapping[str, Any], by_id: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    rule_id = result.get("ruleId", _row(result.get("rule")).get("id"))
    return by_id.get(rule_id, {}) if isinstance(rule_id, str) else {}


def _row(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _rows(value: object) -> list[dict[str, Any]]:
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []
