"""Bare mirrors of repositories that are elsewhere: fetched in the background, one at a time, never longer than a limit."""

import fcntl
import hashlib
import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from apps.catalog.repositories.git import ENVIRONMENT, NoCommit, run_git

FRESH_SECONDS = 30  # a name that moved is seen after that
FETCH_SECONDS = 300
FAILED_SECONDS = 15  # before an address that did not answer is asked again
REFS = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
# What a hostile server, or a file in the mirror, must not make git do.
CAUTION = {
    "core.hooksPath": os.devnull,
    "http.followRedirects": "false",
    "http.lowSpeedLimit": "1000",
    "http.lowSpeedTime": "20",
    "fetch.writeCommitGraph": "false",
    "fetch.recurseSubmodules": "false",
    "gc.autoDetach": "false",
    "transfer.bundleURI": "false",
}


class NotYet(NoCommit):
    """The mirror is being fetched; asking again in a few seconds helps."""


@dataclass(frozen=True, slots=True)
class Fetching:
    """Where mirrors lie and how they may be fetched; `config` is a git configuration of the operator, or empty."""

    root: Path
    protocols: tuple[str, ...]
    config: str = ""

    @property
    def environment(self) -> dict[str, str]:
        """What git sees: nothing of ours but the protocols and the operator's configuration."""
        return ENVIRONMENT | {"GIT_ALLOW_PROTOCOL": ":".join(self.protocols), "GIT_CONFIG_GLOBAL": self.config or os.devnull}


_running: dict[Path, threading.Thread] = {}
_failed: dict[Path, tuple[float, str]] = {}
_guard = threading.Lock()


def mirror_of(address: str, *, how: Fetching, wait: float) -> Path:
    """The mirror of an address, at most FRESH_SECONDS old; raises NotYet after WAIT seconds, NoCommit where it cannot be fetched."""
    mirror = how.root / f"{hashlib.sha256(address.encode()).hexdigest()[:32]}.git"
    if is_fresh(mirror):
        return mirror
    if said := _failure(mirror):
        raise NoCommit(said)
    _start(address, mirror, how).join(wait)
    if is_fresh(mirror):
        return mirror
    if said := _failure(mirror):
        raise NoCommit(said)
    raise NotYet("The repository is being fetched. This takes longest the first time.")


def is_fresh(mirror: Path) -> bool:
    """Whether it was fetched a moment ago, by whichever process."""
    try:
        return time.time() - _stamp(mirror).stat().st_mtime < FRESH_SECONDS
    except FileNotFoundError:
        return False


def _stamp(mirror: Path) -> Path:
    return mirror.with_suffix(".fetched")


def _failure(mirror: Path) -> str:
    at, said = _failed.get(mirror, (0.0, ""))
    return said if said and time.monotonic() - at < FAILED_SECONDS else ""


def _start(address: str, mirror: Path, how: Fetching) -> threading.Thread:
    """The thread that fetches this mirror in this process; other processes are kept out by a lock on a file."""
    with _guard:
        thread = _running.get(mirror)
        if thread is None:
            thread = threading.Thread(target=_fetch, args=(address, mirror, how), daemon=True)
            thread.start()
            _running[mirror] = thread  # it forgets itself at its end, behind the same guard
        return thread


def _fetch(address: str, mirror: Path, how: Fetching) -> None:
    try:
        how.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        with mirror.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not is_fresh(mirror):
                _run(["git", "init", "--quiet", "--bare", "--template=", "--", str(mirror)], how)
                caution = [word for key, value in CAUTION.items() for word in ("-c", f"{key}={value}")]
                _run(["git", *caution, "-C", str(mirror), "fetch", "--quiet", "--prune", "--force", "--", address, *REFS], how)
                _stamp(mirror).touch()
        _failed.pop(mirror, None)
    except (NoCommit, OSError) as error:
        _failed[mirror] = (time.monotonic(), f"The repository cannot be fetched: {error}")
    finally:
        with _guard:
            _running.pop(mirror, None)


def _run(argv: list[str], how: Fetching) -> None:
    answer = run_git(argv, environment=how.environment, seconds=FETCH_SECONDS)
    if answer.code:
        raise NoCommit(answer.wrong or f"git ended with {answer.code}.")
