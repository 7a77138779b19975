"""What a hostile sender puts into a field, and what a polite one would."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from uuid import UUID

from tests.doors.pages import Control
from tests.factories.accounts import PASSWORD
from tests.factories.changes import OTHER_COMMIT

MEGABYTE = 1_048_576
UNKNOWN = str(UUID(int=0xDEADBEEF))
NUMBERS, MOMENTS = ("number",), ("datetime-local", "date")
WORDS = ("text", "textarea", "email", "password", "search", "hidden", "url")

# What people would write into a field that the page shows empty, by its name.
POLITE = {
    "understood": "on",
    "name": "Ferries",
    "slug": "ferries",
    "email": "ferry@example.org",
    "login": "author@example.org",
    "password": PASSWORD,
    "oldpassword": PASSWORD,
    "password1": "another correct horse staple",
    "password2": "another correct horse staple",
    "title": "Offer the return ferry first",
    "reason": "Visitors give up when the ferry is full.",
    "text": "Looked at the log.",
    "review": "A deadlock of two workers.",
    "prevention": "A test that has both of them.",
    "label": "3.18.2",
    "items-0-label": "3.18.2",
    "items-0-commit": OTHER_COMMIT.removeprefix("git:"),
    "commit": OTHER_COMMIT.removeprefix("git:"),
    "identities": OTHER_COMMIT,
    "starts_at": "2031-03-01T10:00",
    "ends_at": "2031-03-01T12:00",
    "value": "ferry@ferries.example",
    "rank": "77",
    "days": "30",
    "after": "ENFORCED",
    "seconds_to_restore": "140",
    "plan-0-what": "Roll out to all hosts",
    "trigger": "Turnstiles stay shut",
    "rollback_reason": "It is the first deployment.",
    "rollback-0-what": "Deploy a corrected version",
    "expect": "",
    "services": "*",
    "url": "https://ferries.example.org",
    "project": "4711",
    "refs": "refs/heads/main",
    "token": "eyJhbGciOiJub25lIn0.e30.c2ln",
    "evidence_link": "https://ci.example.org/runs/7",
}


@dataclass(frozen=True)
class Hostile:
    """One kind of value: for which controls, and whether taking it is a mistake."""

    name: str
    value: Callable[[Control], str | bytes | None]
    fits: Callable[[Control], bool]
    is_never_taken: Callable[[Control], bool] = lambda control: True


def _is_words(control: Control) -> bool:
    return control.kind in WORDS


def _everything(control: Control) -> bool:
    return True


def _may(control: Control) -> bool:
    return False


def _is_checkbox(control: Control) -> bool:
    return control.kind == "checkbox" and not control.is_choice


def _is_field(control: Control) -> bool:
    return not _is_checkbox(control)


def _picks(control: Control) -> bool:
    return not (_is_words(control) or _is_checkbox(control))


def _is_exact(control: Control) -> bool:
    return control.is_choice or control.kind in (*NUMBERS, *MOMENTS)


def _of_no_kind(control: Control) -> str:
    return UNKNOWN if control.is_choice else "ten" if control.kind in NUMBERS else "2026-02-31T25:61"


def _at_the_end(control: Control) -> str:
    return "9" * 40 if control.kind in NUMBERS else "9999-12-31T23:59"


# Half a surrogate pair and a byte that is none of UTF-8, beside marks that turn the writing.
TURNED = "a\u202egpj.exe\u2066".encode() + b"\xed\xa0\x80b\xff"
MEGABYTES = Hostile("too long", lambda control: "x" * (MEGABYTE if _is_words(control) else 20_000), _everything, _is_field)
KINDS = (
    Hostile("left out", lambda control: None, _everything, lambda control: control.is_required and control.kind != "checkbox"),
    Hostile("empty", lambda control: "", _everything, lambda control: control.is_required and _is_field(control)),
    MEGABYTES,
    Hostile("one too many", lambda control: "x" * ((control.longest or 0) + 1), lambda control: bool(control.longest)),
    Hostile("NUL", lambda control: "a\x00b", _everything, _is_field),
    Hostile("control characters", lambda control: "a\x1b[31mb\x07", _everything, _is_field),
    Hostile("turned writing", lambda control: TURNED, _everything, _picks),
    Hostile("unknown", _of_no_kind, _is_exact),
    Hostile(
        "the end of numbers and of days",
        _at_the_end,
        lambda control: control.kind in (*NUMBERS, *MOMENTS),
        lambda control: control.kind in NUMBERS,
    ),
    Hostile("the first of days", lambda control: "0001-01-01T00:00", lambda control: control.kind in MOMENTS, _may),
)


def polite(control: Control) -> str:
    """The value the page shows, or one that people would write or choose."""
    usual = POLITE.get(control.name, "")
    if control.is_choice and usual in control.options and usual:
        return usual
    if control.value or (control.name not in POLITE and not control.is_choice):
        return control.value
    offered = [option for option in control.options if option]
    return offered[0] if control.is_choice and offered else usual


def worth_trying(controls: dict[str, Control]) -> Iterator[Control]:
    """Every control but the token of the form and the later rows of a table, which are read as the first."""
    for control in controls.values():
        if control.name != "csrfmiddlewaretoken" and not any(f"-{row}-" in control.name for row in range(1, 10)):
            yield control
