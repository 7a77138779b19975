"""Running git: argv lists, an environment of our own, a time limit, and answers no longer than asked for."""

import os
import re
import signal
import subprocess  # argv lists only, never a shell
import tempfile
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

OBJECT_ID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
GIT_SECONDS = 6
MOST_BYTES = 4_000_000
COMPLAINT = 300
# git sees nothing of the process's environment, and no configuration but the repository's own.
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
# While reading nothing is fetched: a partial clone must not call home. A repository's own configuration names programs, and even
# plumbing runs one: diff-tree reads the index, which asks the file system monitor. These stand above what it says.
STANDING = {"core.fsmonitor": "false", "core.hooksPath": os.devnull}
READING = {
    **ENVIRONMENT,
    "GIT_ALLOW_PROTOCOL": "",
    "GIT_CONFIG_COUNT": str(len(STANDING)),
    **{f"GIT_CONFIG_KEY_{at}": key for at, key in enumerate(STANDING)},
    **{f"GIT_CONFIG_VALUE_{at}": value for at, value in enumerate(STANDING.values())},
}


class NoCommit(Exception):
    """The commit cannot be had from the repository; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What git wrote, how it ended, and whether it had more to say."""

    said: bytes
    code: int
    is_cut: bool = False
    wrong: str = ""


def git_argv(repository: str, *words: str) -> list[str]:
    """A git command on one repository. Its owner may be another account, so it is named as safe for this call alone."""
    return ["git", "-c", f"safe.directory={repository}", "-C", repository, *words]


def why_not_repository(repository: str) -> str:
    """The sentence to show where this is no repository on this machine, or an empty one."""
    if not repository.startswith("/") or not Path(repository).is_dir():
        return f"The service's repository “{repository}” is no directory on this machine. Write the path of a clone or mirror that is here."
    return ""


def git_output(repository: str, *words: str) -> bytes:
    """All that a git command writes; raises NoCommit. An object that is not there is an empty answer of `cat-file`."""
    try:
        done = subprocess.run(git_argv(repository, *words), env=ENVIRONMENT, capture_output=True, timeout=GIT_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise NoCommit(f"git did not answer within {GIT_SECONDS} s in {repository}.") from error
    if done.returncode and words[0] == "cat-file":
        return b""
    if done.returncode:
        raise NoCommit(f"git {words[0]} ended with {done.returncode} in {repository}: {done.stderr.decode(errors='replace').strip()[:200]}")
    return done.stdout


def ask_git(repository: str, *words: str, given: bytes = b"", most: int = MOST_BYTES, seconds: float = GIT_SECONDS) -> Answer:
    """What a reading command writes, up to MOST bytes; raises NoCommit where it takes longer than SECONDS."""
    return run_git(git_argv(repository, *words), environment=READING, given=given, most=most, seconds=seconds)


def run_git(argv: list[str], *, environment: Mapping[str, str], given: bytes = b"", most: int = MOST_BYTES, seconds: float) -> Answer:
    """Run git and whatever it starts in a group of its own, which ends with the time limit; raises NoCommit."""
    with tempfile.TemporaryFile() as asked, tempfile.TemporaryFile() as wrong:  # files: nobody waits for a full pipe
        asked.write(given)
        asked.seek(0)
        with subprocess.Popen(argv, env=environment, stdin=asked, stdout=subprocess.PIPE, stderr=wrong, start_new_session=True) as running:
            try:
                said, is_cut, is_late = _read(running, most=most, seconds=seconds)
            finally:
                _end(running)
        wrong.seek(0)
        complaint = wrong.read(COMPLAINT).decode(errors="replace").strip()
    if is_late:
        raise NoCommit(f"git did not answer within {seconds:g} s. Try again in a minute; if it stays so, look at the repository.")
    return Answer(said, 0 if is_cut else running.returncode, is_cut, complaint)


def _read(running: subprocess.Popen[bytes], *, most: int, seconds: float) -> tuple[bytes, bool, bool]:
    """Up to MOST bytes, whether there was more, and whether the time was over first."""
    assert running.stdout is not None  # noqa: S101 - asked for as a pipe
    until, late = time.monotonic() + seconds, threading.Event()

    def stop() -> None:
        late.set()
        _end(running)

    clock = threading.Timer(seconds, stop)
    clock.start()
    said = running.stdout.read(most + 1)
    clock.cancel()
    clock.join()  # nobody ends the group any more once its leader may be reaped and its number given away
    if len(said) <= most and not late.is_set():
        try:
            running.wait(max(0.0, until - time.monotonic()) + 1)
        except subprocess.TimeoutExpired:  # it closed its output and stays
            late.set()
    return said[:most], len(said) > most, late.is_set()


def _end(running: subprocess.Popen[bytes]) -> None:
    """End the whole group; one that was reaped is over, and its number may be somebody else's."""
    if running.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)
