"""Tells the story line by line, and stops it where the running system does not bear it out."""

import os
import sys
import textwrap
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

COLOURED = sys.stdout.isatty() and "NO_COLOR" not in os.environ


class NotSo(Exception):
    """The system did not do what the story says."""


def paint(text: str, code: str) -> str:
    """Colour for a terminal that wants it."""
    return f"\x1b[{code}m{text}\x1b[0m" if COLOURED else text


def act(number: int, title: str) -> None:
    """Begin one step of the story."""
    print(f"\n{paint(f'{number}. {title}', '1;34')}", flush=True)


def say(text: str) -> None:
    """Tell what happens."""
    print(textwrap.fill(text, width=100, initial_indent="   ", subsequent_indent="   "), flush=True)


def quote(text: str) -> None:
    """What the system itself says."""
    for line in [part for said in text.splitlines() for part in textwrap.wrap(said, width=94)]:
        print(paint(f"     │ {line}", "2"), flush=True)


def must(holds: object, text: str) -> None:
    """Tell a fact that was just looked up; the story ends when it is not one."""
    if not holds:
        raise NotSo(text)
    print(paint("   ✓ ", "32") + text, flush=True)


def wait_for(look: Callable[[], T | None], *, what: str, seconds: float = 60.0, per_second: int = 20) -> T:
    """Ask the system again and again until it answers; raises NotSo when it does not in time."""
    deadline = time.monotonic() + seconds
    while (found := look()) is None:
        if time.monotonic() > deadline:
            raise NotSo(f"{what} did not happen within {seconds:.0f} s")
        time.sleep(1 / per_second)
    return found
