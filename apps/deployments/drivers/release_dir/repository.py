"""Reading one commit out of a git repository, byte for byte: no attributes, no filters, no hooks, no replaced objects."""

import hashlib
import os
import subprocess  # argv lists only, never a shell
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from apps.catalog.repositories.git import ENVIRONMENT, OBJECT_ID, NoCommit, git_argv, git_output, why_not_repository

FILE, PROGRAM, LINK, SUBMODULE = "100644", "100755", "120000", "160000"
UNSAFE = {b"", b".", b"..", b".git"}


@dataclass(frozen=True, slots=True)
class Blob:
    """One file of a commit."""

    mode: str
    object_id: str
    path: bytes


def list_commit(repository: str, commit: str) -> list[Blob]:
    """Every file of a commit, links last; raises NoCommit."""
    if not OBJECT_ID.fullmatch(commit):
        raise NoCommit(f"“{commit}” is no full commit id.")
    if said := why_not_repository(repository):
        raise NoCommit(said)
    if git_output(repository, "cat-file", "-t", commit).strip() != b"commit":
        raise NoCommit(f"The commit {commit} is not in {repository}. Push or fetch it there, then order again.")
    blobs = [_blob(line) for line in git_output(repository, "ls-tree", "-r", "-z", "--full-tree", commit, "--").split(b"\x00") if line]
    for blob in blobs:
        if any(part.lower() in UNSAFE for part in blob.path.split(b"/")):
            raise NoCommit(f"The commit {commit} holds the path {os.fsdecode(blob.path)!r}, which would lie outside the release.")
    # A link written before a file below it would lead that file elsewhere.
    return sorted(blobs, key=lambda blob: (blob.mode == LINK, blob.path))


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
