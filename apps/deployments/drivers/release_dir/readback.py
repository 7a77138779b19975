"""What the running program says of itself: the commit at its version address."""

import re
from collections.abc import Collection
from dataclasses import dataclass

from apps.deployments.probes import fetch

COMMIT = re.compile(r"(?<![0-9a-zA-Z])(?:[0-9a-f]{64}|[0-9a-f]{40})(?![0-9a-zA-Z])")


@dataclass(frozen=True, slots=True)
class Report:
    """The commit that answers, or None and the words for why not."""

    commit: str | None
    said: str


def read_back(url: str, *, known: Collection[str] = ()) -> Report:
    """Ask a program which commit it is; one of the `known` ones is preferred where it names several."""
    answer = fetch(url)
    if answer.silence:
        return Report(None, f"{url} does not answer ({answer.silence})")
    if not 200 <= answer.status < 300:
        return Report(None, f"{url} answers {answer.status}")
    found = COMMIT.findall(answer.body)
    named = next((commit for commit in found if commit in known), found[0] if found else None)
    return Report(named, f"{url} reports {named}" if named else f"{url} names no full commit id")
