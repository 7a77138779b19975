"""The way from what runs to what is asked for: commits and touched files, as many as are worth reading, and who made them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any

from apps.accounts.identities import normal_email
from apps.catalog.repositories.git import NoCommit, ask_git

MOST_COMMITS, MOST_FILES, MOST_BEHIND, MOST_IMAGES = 200, 2000, 1000, 20
LONGEST_LINE, LONGEST_PATH, LONGEST_BLOB = 200, 300, 100_000
RECORD = "%H%x00%ct%x00%an%x00%ae%x00%cn%x00%ce%x00%<(200,trunc)%s%x00%(trailers:key=Co-authored-by,valueonly,separator=%x1f)"
FIELDS = 8
IMAGE_FILE = re.compile(r"(?:Dockerfile|Containerfile)(?:\..+)?|.+\.(?:Dockerfile|Containerfile)", re.IGNORECASE)
FROM = re.compile(rb"^[ \t]*FROM[ \t]+(?:--\S+[ \t]+)*(\S+)", re.IGNORECASE | re.MULTILINE)
MAILBOX = re.compile(r"(?P<name>[^<>]*)<(?P<email>[^<>]*)>\s*")
UNNAMED = "unnamed"  # as a base: something runs there, and no commit is known of it
LATEST = datetime(9999, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Hand:
    """Somebody as a commit names them; who that is here is asked elsewhere."""

    name: str
    email: str

    @property
    def mailbox(self) -> str:
        """The mailbox in its one spelling, by which persons are known."""
        return normal_email(self.email)

    def __str__(self) -> str:
        return f"{self.name} <{self.email}>"


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit; the first author is the one git names, others are co-authors of its message."""

    id: str
    at: datetime
    subject: str
    authors: tuple[Hand, ...]
    committer: Hand


@dataclass(frozen=True, slots=True)
class Touched:
    """One file that differs: A added, M changed, D removed, T another type. `new_image`: the image a build begins with differs."""

    path: str
    how: str
    new_image: bool = False


@dataclass(frozen=True, slots=True)
class Passage:
    """What lies between two commits. `base` empty: nothing ran. `is_known` false: what runs is not in the repository, or names no commit."""

    base: str
    commit: str
    commits: tuple[Commit, ...] = ()
    files: tuple[Touched, ...] = ()
    has_more_commits: bool = False
    has_more_files: bool = False
    behind: int = 0  # commits that run now and are not in what is asked for
    is_known: bool = True

    @property
    def is_whole(self) -> bool:
        """Whether every commit was read, so that everybody who made them is known."""
        return self.is_known and not self.has_more_commits


def read_passage(repository: str, *, base: str, commit: str) -> Passage:
    """Read what lies between; raises NoCommit where git does not answer. Both are full commit ids; the base may be empty or UNNAMED."""
    if base == UNNAMED:
        return Passage(base, commit, is_known=False)
    if base and ask_git(repository, "cat-file", "-t", base).said.strip() != b"commit":
        return Passage(base, commit, is_known=False)
    commits, more_commits = _commits(repository, base, commit)
    files, more_files = _files(repository, base or _empty_tree(repository), commit)
    behind = int(_said(repository, "rev-list", "--count", f"--max-count={MOST_BEHIND + 1}", f"{commit}..{base}") or 0) if base else 0
    return Passage(base, commit, commits, files, more_commits, more_files, behind)


def _said(repository: str, *words: str) -> bytes:
    answer = ask_git(repository, *words)
    if answer.code:
        raise NoCommit(f"git {words[0]} ended with {answer.code}: {answer.wrong[:200]}")
    return answer.said


def _empty_tree(repository: str) -> str:
    return _said(repository, "hash-object", "-t", "tree", "--stdin").decode("ascii").strip()


def _commits(repository: str, base: str, commit: str) -> tuple[tuple[Commit, ...], bool]:
    way = [commit, f"^{base}"] if base else [commit]
    words = ("rev-list", "--no-commit-header", f"--max-count={MOST_COMMITS + 1}", f"--format={RECORD}", *way, "--")
    answer = ask_git(repository, *words)
    if answer.code:
        raise NoCommit(f"git rev-list ended with {answer.code}: {answer.wrong[:200]}")
    lines = answer.said.decode(errors="replace").split("\n")
    read = [_commit(fields) for line in lines if len(fields := line.split("\x00")) == FIELDS]
    return tuple(read[:MOST_COMMITS]), answer.is_cut or len(read) > MOST_COMMITS


def _commit(fields: list[str]) -> Commit:
    object_id, at, author, author_mail, committer, committer_mail, subject, trailers = fields
    others = (_mailbox(text) for text in trailers.split("\x1f"))
    authors = dict.fromkeys([Hand(_line(author), _line(author_mail)), *(hand for hand in others if hand)])
    hand = Hand(_line(committer), _line(committer_mail))
    return Commit(object_id, _moment(at), _line(subject), tuple(authors), hand)


def _mailbox(text: str) -> Hand | None:
    match = MAILBOX.fullmatch(text.strip())
    return Hand(_line(match["name"]), _line(match["email"])) if match else None


def _line(text: str) -> str:
    """Text of a stranger in a length that can be shown."""
    text = text.strip()
    return text if len(text) <= LONGEST_LINE else f"{text[: LONGEST_LINE - 1]}…"


def _moment(seconds: str) -> datetime:
    """A commit may claim any second, also one before time began here."""
    try:
        return datetime.fromtimestamp(int(seconds), UTC)
    except (ValueError, OverflowError, OSError):
        return LATEST


def _files(repository: str, base: str, commit: str) -> tuple[tuple[Touched, ...], bool]:
    words = ("diff-tree", "-r", "-z", "--raw", "--no-abbrev", "--no-renames", "--no-ext-diff", "--no-textconv", base, commit, "--")
    answer = ask_git(repository, *words)
    if answer.code:
        raise NoCommit(f"git diff-tree ended with {answer.code}: {answer.wrong[:200]}")
    raw = [*_raw(answer.said)]
    images = {name for _, _, _, name in raw[:MOST_FILES] if IMAGE_FILE.fullmatch(PurePosixPath(name).name)}
    asked = 0
    files = []
    for old, new, how, name in raw[:MOST_FILES]:
        new_image = name in images and (asked >= MOST_IMAGES or _images(repository, old) != _images(repository, new))
        asked += name in images
        files.append(Touched(_short(name), how, new_image))
    return tuple(files), answer.is_cut or len(raw) > MOST_FILES


def _raw(said: bytes) -> Iterator[tuple[str, str, str, str]]:
    """`:<mode> <mode> <id> <id> <how>` and the path, in turn; a last one that was cut off is left out."""
    words = said.split(b"\x00")
    for head, path in zip(words[0:-1:2], words[1:-1:2], strict=False):
        _, _, old, new, how = head.decode("ascii", errors="replace").split(" ")
        yield old, new, how[:1], path.decode(errors="replace")


def _short(path: str) -> str:
    return path if len(path) <= LONGEST_PATH else f"…{path[-LONGEST_PATH + 1 :]}"


def _images(repository: str, blob: str) -> list[bytes]:
    """The images that a build file begins with; none of a file that is not there."""
    if not blob.strip("0"):
        return []
    return FROM.findall(ask_git(repository, "cat-file", "blob", blob, most=LONGEST_BLOB).said)


def as_body(passage: Passage) -> dict[str, Any]:
    """A passage as JSON, for keeping."""
    return {
        "commits": [
            {
                "id": one.id,
                "at": one.at.isoformat(),
                "subject": one.subject,
                "authors": [[hand.name, hand.email] for hand in one.authors],
                "committer": [one.committer.name, one.committer.email],
            }
            for one in passage.commits
        ],
        "files": [[one.path, one.how, one.new_image] for one in passage.files],
        "has_more_commits": passage.has_more_commits,
        "has_more_files": passage.has_more_files,
        "behind": passage.behind,
        "is_known": passage.is_known,
    }


def from_body(body: dict[str, Any], *, base: str, commit: str) -> Passage:
    """A kept passage read back."""
    commits = tuple(
        Commit(
            one["id"],
            datetime.fromisoformat(one["at"]),
            one["subject"],
            tuple(Hand(*hand) for hand in one["authors"]),
            Hand(*one["committer"]),
        )
        for one in body["commits"]
    )
    files = tuple(Touched(*one) for one in body["files"])
    return Passage(
        base, commit, commits, files, body["has_more_commits"], body["has_more_files"], body["behind"], is_known=body["is_known"]
    )
