"""Processes by identity: a process id together with the moment it started, so that a recycled id is never signalled."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

POLL_SECONDS = 0.02
PROC = Path("/proc")
# Fields of /proc/<pid>/stat counted after the command name, which may itself hold blanks and brackets.
STATE, GROUP, STARTED = 0, 2, 19

Signals = tuple[tuple[signal.Signals, float], ...]


@dataclass(frozen=True, slots=True)
class Identity:
    """One process of one boot."""

    pid: int
    started: str

    @property
    def is_alive(self) -> bool:
        """Say whether exactly this process still runs."""
        return started(self.pid) == self.started


def started(pid: int) -> str | None:
    """Return when a running process started, as text to compare; None when there is no such process."""
    if sys.platform != "linux":
        told = subprocess.run(["/bin/ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
        return told.stdout.strip() or None
    fields = _stat(pid)
    if fields is None or fields[STATE] in {"Z", "X"}:
        return None
    boot = (PROC / "sys/kernel/random/boot_id").read_text().strip()
    return f"{boot} {fields[STARTED]}"


def remember(path: Path, pid: int) -> None:
    """Write down a running child, for the run after a crash."""
    if moment := started(pid):
        fresh = path.with_suffix(".new")
        fresh.write_text(f"{pid}\n{moment}\n")
        fresh.replace(path)


def recall(path: Path) -> Identity | None:
    """Return what `remember` wrote; a torn or empty file is nobody."""
    lines = path.read_text().splitlines() if path.exists() else []
    return Identity(pid=int(lines[0]), started=lines[1]) if len(lines) == 2 and lines[0].isdigit() else None


def group_members(leader: Identity, *, mark: bytes) -> list[Identity]:
    """Return what still runs in the process group of a child, its leader dead or alive.

    With the leader gone the id alone proves nothing, so members must carry `mark` in their environment."""
    members = [
        Identity(pid, moment) for pid in _pids() if (fields := _stat(pid)) and fields[GROUP] == str(leader.pid) and (moment := started(pid))
    ]
    if leader.is_alive:
        return members or [leader]
    return [member for member in members if mark in _environment(member.pid)]


def end(processes: list[Identity], *signals: tuple[signal.Signals, float]) -> None:
    """Send each signal in turn and give it its seconds, until none of the processes is left."""
    for number, seconds in signals:
        for process in processes:
            if process.is_alive:
                _send(process.pid, number)
        if wait_gone(processes, seconds=seconds):
            return


def end_recorded(pid_file: Path, *, sign: str, signals: Signals) -> None:
    """End the server named by its own pid file, if that process still shows `sign` on its command line; remove the file."""
    lines = pid_file.read_text().splitlines() if pid_file.exists() else []
    if lines and lines[0].strip().isdigit():
        pid = int(lines[0])
        moment = started(pid)
        if moment and sign in command_line(pid):
            end([Identity(pid, moment)], *signals)
    pid_file.unlink(missing_ok=True)


def wait_gone(processes: list[Identity], *, seconds: float) -> bool:
    """Wait until none of the processes is left; False when the time is over first."""
    deadline = time.monotonic() + seconds
    while any(process.is_alive for process in processes):
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def command_line(pid: int) -> str:
    """Return the command line of a process, empty when it is gone or not ours to see."""
    if sys.platform != "linux":
        return subprocess.run(["/bin/ps", "-ww", "-o", "args=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout.strip()
    return _read(pid, "cmdline").replace(b"\0", b" ").decode(errors="replace").strip()


def _send(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return  # it ended between the look and the signal, which is what was wanted


def _pids() -> list[int]:
    return [int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit()] if PROC.is_dir() else []


def _stat(pid: int) -> list[str] | None:
    text = _read(pid, "stat").decode(errors="replace")
    return text.rpartition(")")[2].split() if text else None


def _environment(pid: int) -> list[bytes]:
    return _read(pid, "environ").split(b"\0")


def _read(pid: int, name: str) -> bytes:
    try:
        return (PROC / str(pid) / name).read_bytes()
    except OSError:
        return b""  # the process ended while we looked, or belongs to someone else
