"""Reading one commit out of a git repository, byte for byte: no attributes, no filters, no hooks, no replaced objects."""

import hashlib
import os
import re
import subprocess  # argv lists only, never a shell
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

OBJECT_ID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
GIT_SECONDS = 6
# git sees nothing of the worker's environment, and no configuration but the repository's own.
ENVIRONMENT = {
    "PATH": os.defpath,
    "LC_ALL": "C",
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_OPTIONAL_LOCKS": "0",
}
FILE, PROGRAM, LINK, SUBMODULE = "100644", "100755", "120000", "160000"
UNSAFE = {b"", b".", b"..", b".git"}


class NoCommit(Exception):
    """The commit cannot be had from the repository; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Blob:
    """One file of a commit."""

    mode: str
    object_id: str
    path: bytes


def git_argv(repository: str, *words: str) -> list[str]:
    """A git command on one repository. Its owner may be another account, so it is named as safe for this call alone."""
    return ["git", "-c", f"safe.directory={repository}", "-C", repository, *words]


def why_not_repository(repository: str) -> str:
    """The sentence to show where this is no repository on this machine, or an empty one."""
    if not repository.startswith("/") or not Path(repository).is_dir():
        return f"The service's repository “{repository}” is no directory on this machine. Write the path of a clone or mirror that is here."
    return ""


def list_commit(repository: str, commit: str) -> list[Blob]:
    """Every file of a commit, links last; raises NoCommit."""
    if not OBJECT_ID.fullmatch(commit):
        raise NoCommit(f"“{commit}” is no full commit id.")
    if said := why_not_repository(repository):
        raise NoCommit(said)
    if _run(repository, "cat-file", "-t", commit).strip() != b"commit":
        raise NoCommit(f"The commit {commit} is not in {repository}. Push or fetch it there, then order again.")
    blobs = [_blob(line) for line in _run(repository, "ls-tree", "-r", "-z", "--full-tree", commit, "--").split(b"\x00") if line]
    for blob in blobs:
        if any(part.lower() in UNSAFE for part in blob.path.split(b"/")):
            raise NoCommit(f"The commit {commit} holds the path {os.fsdecode(blob.path)!r}, which would lie outside the release.")
    # A link written before a file below it would lead that file elsewhere.
    return sorted(blobs, key=lambda blob: (blob.mode == LINK, blob.path))


def _run(repository: str, *words: str) -> bytes:
    try:
        done = subprocess.run(git_argv(repository, *words), env=ENVIRONMENT, capture_output=True, timeout=GIT_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise NoCommit(f"git did not answer within {GIT_SECONDS} s in {repository}.") from error
    if done.returncode and words[0] == "cat-file":
        return b""
    if done.returncode:
        raise NoCommit(f"git {words[0]} ended with {done.returncode} in {repository}: {done.stderr.decode(errors='replace').strip()[:200]}")
    return done.stdout


def _blob(line: bytes) -> Blob:
    head, _, path = line.partition(b"\t")
    mode, _, object_id = head.decode("ascii").split(" ")
    return Blob(mode, object_id, path)


@contextmanager
def _reader(repository: str) -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    with subprocess.Popen(
        git_argv(repository, "cat-file", "--batch"),
        env=ENVIRONMENT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as running:
        assert running.stdin is not None  # noqa: S101 - both were asked for as pipes
        assert running.stdout is not None  # noqa: S101
        try:
            yield running.stdin, running.stdout
        finally:
            running.stdin.close()
            running.kill()


def export(repository: str, blobs: list[Blob], into: Path, *, until: float, tag: str, since: int = 0) -> int:
    """Write what is not there yet, from the file `since` on, until all is there or the time is over; return how far it came.

    What an earlier attempt wrote counts only if its bytes hash to the object's id: it may have died in the middle. At least one file is
    done, however late it is: a step that always came too late would be repeated for ever."""
    with ExitStack() as open_here:
        reader = None
        for at, blob in enumerate(blobs[since:], since):
            if at > since and time.monotonic() > until:
                return at
            if blob.mode == SUBMODULE or _is_there(into, blob):
                continue
            reader = reader or open_here.enter_context(_reader(repository))
            asks, answers = reader
            asks.write(blob.object_id.encode() + b"\n")
            asks.flush()
            _write(into, blob, _content(answers, blob), tag=tag)
    return len(blobs)


def is_whole(into: Path, blobs: list[Blob]) -> bool:
    """Whether every file is there; what a dead attempt left between them is taken away."""
    wanted = {os.fsdecode(blob.path) for blob in blobs if blob.mode != SUBMODULE}
    found = {str(path.relative_to(into)) for path in into.rglob("*") if path.is_symlink() or not path.is_dir()}
    for stray in found - wanted:
        (into / stray).unlink(missing_ok=True)
    return wanted <= found


def _content(answers: IO[bytes], blob: Blob) -> bytes:
    head = answers.readline().split()
    if len(head) != 3 or head[1] != b"blob":
        raise NoCommit(f"The object {blob.object_id} is missing. The repository is incomplete: fetch it again.")
    content = answers.read(int(head[2]))
    answers.read(1)
    if _object_id(content, blob) != blob.object_id:
        raise NoCommit(f"The object {blob.object_id} is damaged. Check the repository with git fsck.")
    return content


def _object_id(content: bytes, blob: Blob) -> str:
    # git's own name of the bytes: SHA-1 repositories have 40 digits, SHA-256 ones 64. This compares, it protects nothing.
    made = hashlib.sha256 if len(blob.object_id) == 64 else hashlib.sha1
    return made(b"blob %d\x00" % len(content) + content, usedforsecurity=False).hexdigest()


def _is_there(into: Path, blob: Blob) -> bool:
    path = into / os.fsdecode(blob.path)
    if blob.mode == LINK:
        return path.is_symlink() and _object_id(os.fsencode(path.readlink()), blob) == blob.object_id
    return path.is_file() and not path.is_symlink() and _object_id(path.read_bytes(), blob) == blob.object_id


def _write(into: Path, blob: Blob, content: bytes, *, tag: str) -> None:
    path = into / os.fsdecode(blob.path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if blob.mode == LINK:
        path.unlink(missing_ok=True)
        path.symlink_to(os.fsdecode(content))
        return
    # Written beside and renamed: a half-written file never carries the real name. Process numbers of two machines may be the same.
    beside = path.with_name(f".{path.name[:180]}.{tag}.part")
    beside.write_bytes(content)
    beside.chmod(0o755 if blob.mode == PROGRAM else 0o644)
    beside.replace(path)
