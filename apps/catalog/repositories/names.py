"""From what a person writes (a branch, a tag, a short or a full commit id) to the full id of one commit, or why not."""

import re
from dataclasses import dataclass
from enum import StrEnum

from apps.catalog.repositories.git import OBJECT_ID, NoCommit, ask_git

LONGEST = 200
SHORTEST_ID = 4
FEW = 3
SHORT = re.compile(rf"[0-9a-f]{{{SHORTEST_ID},63}}")
# What git itself forbids in the name of a ref: nothing here can be read as an option, a range or a search.
FORBIDDEN = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|^[-/.]|/\.|[/.]$|\.lock$|^@$")
PLACES = ("refs/heads/", "refs/tags/", "refs/remotes/origin/")


class NameKind(StrEnum):
    """What a name turned out to be."""

    FULL = "FULL"
    BRANCH = "BRANCH"
    TAG = "TAG"
    SHORT = "SHORT"


KINDS = {"refs/heads/": NameKind.BRANCH, "refs/remotes/origin/": NameKind.BRANCH, "refs/tags/": NameKind.TAG}


@dataclass(frozen=True, slots=True)
class Resolved:
    """One commit and the name it was found by."""

    name: str
    kind: NameKind
    commit: str


def resolve(repository: str, name: str) -> Resolved:
    """The commit that NAME means in the repository now; raises NoCommit, ambiguity included."""
    name = name.strip()
    if len(name) > LONGEST or not name or FORBIDDEN.search(name):
        raise NoCommit("This is no name of a commit. Write a branch, a tag, or a commit id.")
    if OBJECT_ID.fullmatch(name.lower()):
        return Resolved(name, NameKind.FULL, _commit(repository, name.lower()))
    return _by_ref(repository, name) or _by_short_id(repository, name.lower())


def _commit(repository: str, object_id: str) -> str:
    kind = ask_git(repository, "cat-file", "-t", object_id).said.strip()
    if kind == b"commit":
        return object_id
    if kind:
        raise NoCommit(f"{object_id} is a {kind.decode(errors='replace')}, no commit. Write the commit it belongs to.")
    raise NoCommit(f"The commit {object_id} is not in the repository. Push it, then try again.")


def _by_ref(repository: str, name: str) -> Resolved | None:
    wanted = [name] if name.startswith("refs/") else [f"{place}{name}" for place in PLACES]
    listed = ask_git(repository, "for-each-ref", "--format=%(refname)", *wanted)
    if listed.code:
        raise NoCommit(f"git cannot read the repository: {listed.wrong[:200]}")
    there = set(listed.said.decode(errors="replace").splitlines())
    found = {ref: _peeled(repository, ref) for ref in wanted if ref in there}
    if PLACES[0] + name in found:
        found.pop(PLACES[2] + name, None)  # a branch of the clone itself stands before what it saw elsewhere
    if not found:
        return None
    if len(set(found.values())) > 1:
        raise NoCommit(f"A branch and a tag are both called {name}. Write {' or '.join(sorted(found))}.")
    ref = next(iter(found))
    return Resolved(name, next((kind for place, kind in KINDS.items() if ref.startswith(place)), NameKind.TAG), found[ref])


def _peeled(repository: str, ref: str) -> str:
    answer = ask_git(repository, "rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}")
    commit = answer.said.decode("ascii", errors="replace").strip()
    if answer.code or not OBJECT_ID.fullmatch(commit):
        raise NoCommit(f"{ref} leads to no commit. Choose another name.")
    return commit


def _by_short_id(repository: str, name: str) -> Resolved:
    unknown = NoCommit(f"The repository knows no branch, tag or commit called {name}. Push it, or write another name.")
    if not SHORT.fullmatch(name):
        raise unknown
    listed = ask_git(repository, "rev-parse", f"--disambiguate={name}").said
    asked = ask_git(repository, "cat-file", "--batch-check=%(objecttype) %(objectname)", given=listed)
    commits = [line.partition(" ")[2] for line in asked.said.decode("ascii", errors="replace").splitlines() if line.startswith("commit ")]
    if not commits:
        raise unknown
    if len(commits) > 1:
        few = ", ".join(commits[:FEW])
        raise NoCommit(f"{len(commits)} commits begin with {name}: {few}. Write more digits.")
    return Resolved(name, NameKind.SHORT, commits[0])
