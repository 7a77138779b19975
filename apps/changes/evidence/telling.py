"""What was counted in evidence, in words, with the tone it is shown in. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from apps.changes.evidence.kinds import WORDS, Kind

ICONS = {
    Kind.JUNIT: "test-pipe",
    Kind.SARIF: "shield-check",
    Kind.LINK: "external-link",
    Kind.TEXT: "file-text",
    Kind.JSON: "code",
    Kind.XML: "code",
    Kind.HTML: "code",
}
OTHER_ICON = "paperclip"


@dataclass(frozen=True, slots=True)
class Summary:
    """One line about a piece of evidence; `claims` is what a report says about itself and is not so."""

    word: str
    icon: str
    text: str
    tone: str = "mute"
    claims: str = ""


def summary_of(kind: Kind, counted: Mapping[str, Any]) -> Summary:
    """What a person reads first."""
    word, icon = WORDS[kind], ICONS.get(kind, OTHER_ICON)
    match kind:
        case Kind.JUNIT:
            return Summary(word, icon, *_junit(counted), claims=_claims(counted.get("claims", {})))
        case Kind.SARIF:
            return Summary(word, icon, *_sarif(counted))
        case _:
            return Summary(word, icon, "")


def _junit(counted: Mapping[str, Any]) -> tuple[str, str]:
    tests, bad = counted["tests"], counted["failures"] + counted["errors"]
    if not tests:
        return "no test case in it", "wait"
    passed = tests - bad - counted["skipped"]
    parts = [(passed, "passed"), (counted["failures"], "failed"), (counted["errors"], "broke off"), (counted["skipped"], "skipped")]
    said = ", ".join(f"{count} {word}" for count, word in parts if count)
    return f"{_many(tests, 'test')}: {said}", "stop" if bad else "go" if passed else "wait"


def _claims(claims: Mapping[str, int]) -> str:
    said = ", ".join(f"{value} {key}" for key, value in sorted(claims.items()))
    return f"The report itself claims {said}. The counts here are of the test cases in it." if said else ""


def _sarif(counted: Mapping[str, Any]) -> tuple[str, str]:
    shown = [_many(counted[level], level) for level in ("error", "warning", "note") if counted[level]]
    hidden = f"{counted['suppressed']} suppressed" if counted["suppressed"] else ""
    tone = "stop" if counted["error"] else "wait" if counted["warning"] else "go"
    return ", ".join(filter(None, [*(shown or ["nothing found"]), hidden])), tone


def _many(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"
