"""What a version is: a label and immutable identities, written as text the same way everywhere.

`git:<40 or 64 hex>` (the repository's own id beside it in the scope part), `sha256:<64 hex>` (several allowed),
`config:<64 hex>`. Never a branch, a tag or a short SHA. Pure: no Django."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from apps.core.refusals import BadContent

PATTERNS = {"git": re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}"), "sha256": re.compile(r"[0-9a-f]{64}"), "config": re.compile(r"[0-9a-f]{64}")}
SHORT_SHA = re.compile(r"[0-9a-f]{4,39}")
SHORT_DIGEST = re.compile(r"[0-9a-f]{4,63}")
MOVING = frozenset({"branch", "tag", "ref"})
SINGLE = ("git", "config")


@dataclass(frozen=True, slots=True)
class Version:
    """A label for people and the identities machines compare, sorted."""

    label: str
    identities: tuple[str, ...]

    @property
    def git(self) -> str | None:
        """The full object id of the commit, if this version has one."""
        return next((text.removeprefix("git:") for text in self.identities if text.startswith("git:")), None)

    def same_as(self, other: Iterable[str]) -> bool:
        """Whether the other set carries every identity of this one."""
        return bool(self.identities) and set(self.identities) <= set(other)


def why_not_identity(kind: str, value: str) -> str | None:
    """The sentence to show beside an identity that cannot be accepted, or None."""
    if kind in MOVING:
        return "A branch or tag moves. Give the full commit id as git, or an artifact's digest as sha256."
    if kind not in PATTERNS:
        return "An identity is git, sha256 or config, followed by its digits."
    if PATTERNS[kind].fullmatch(value):
        return None
    if kind == "git":
        said = "A short commit id may mean another commit tomorrow." if SHORT_SHA.fullmatch(value) else "A branch or tag moves."
        return f"{said} Give the full commit id: 40 or 64 hexadecimal digits."
    return f"{_why_no_digest(kind, value)} Give the full SHA-256 digest: 64 hexadecimal digits."


def _why_no_digest(kind: str, value: str) -> str:
    thing = "artifact" if kind == "sha256" else "document"
    if SHORT_DIGEST.fullmatch(value):
        return f"A short digest may mean another {thing} tomorrow."
    return f"A name or tag moves, and only its digest says which {thing} it is."


def read_identities(pairs: Iterable[tuple[str, str]], field: str = "identities") -> tuple[str, ...]:
    """Read (kind, value) pairs as sorted identity texts; raises BadContent naming `field`."""
    found: set[str] = set()
    for kind, raw in pairs:
        value = raw.strip().lower().removeprefix(f"{kind}:")
        if said := why_not_identity(kind, value):
            raise BadContent({field: [said]})
        found.add(f"{kind}:{value}")
    for kind in SINGLE if len(found) > 1 else ():
        if sum(text.startswith(f"{kind}:") for text in found) > 1:
            raise BadContent({field: [f"A version has one {kind} identity. Ask for the other one in another change."]})
    if not found:
        raise BadContent({field: ["Give at least one identity: a full commit id, an artifact's sha256 digest or a config digest."]})
    return tuple(sorted(found))


def read_identity_map(given: Mapping[str, str | list[str]], field: str = "identities") -> tuple[str, ...]:
    """Read `{"git": "…", "sha256": ["…", "…"]}` as sorted identity texts; raises BadContent naming `field`."""
    pairs = [(kind, value) for kind, values in given.items() for value in ([values] if isinstance(values, str) else values)]
    return read_identities(pairs, field)


def read_identity_lines(text: str, field: str = "identities") -> tuple[str, ...]:
    """Read one identity per line, `git:…` or the full commit alone; raises BadContent naming `field`."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    pairs = [(line.partition(":")[0].lower(), line.partition(":")[2]) if ":" in line else ("git", line) for line in lines]
    return read_identities(pairs, field)
