"""Real processes on this machine: started detached, known by number and start, stopped by their group."""

import json
import os
import signal
import subprocess  # argv lists only, never a shell
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from apps.deployments.drivers.base import CannotTell
from apps.deployments.drivers.release_dir import launch

LAUNCH_SECONDS = 5


class NotStarted(Exception):
    """The command could not be started at all; the text says why."""


@dataclass(frozen=True, slots=True)
class Process:
    """A process we started: which one, for which release and order, since when."""

    pid: int
    mark: str
    release: str
    order: str
    started_at: float

    @property
    def is_alive(self) -> bool:
        """Whether it still runs; a later process with the same number is not it."""
        return bool(self.mark) and launch.start_mark(self.pid) == self.mark

    @property
    def age_seconds(self) -> float:
        """How long ago it was started."""
        return datetime.now(UTC).timestamp() - self.started_at


def read_process(pidfile: Path) -> Process | None:
    """The process a file names; None when there is none."""
    try:
        note = json.loads(pidfile.read_text())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise CannotTell(f"{pidfile} cannot be read: {error}") from error
    match note:
        case {
            "pid": int(pid),
            "mark": str(mark),
            "release": str(release),
            "order": str(order),
            "started_at": float() | int() as started_at,
        }:
            return Process(pid, mark, release, order, started_at)
    raise CannotTell(f"{pidfile} does not name a process.")


def start_process(
    argv: list[str], *, cwd: Path, env: Mapping[str, str], log: Path, pidfile: Path, release: str, order: str, rc: Path | None = None
) -> None:
    """Start a command in its own session; when this returns, the pidfile names it. Raises NotStarted."""
    note = {"release": release, "order": order, "started_at": datetime.now(UTC).timestamp()}
    given = {"argv": argv, "cwd": str(cwd), "env": dict(env), "log": str(log), "pidfile": str(pidfile), "note": note, "rc": str(rc or "")}
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-S", launch.__file__],
            input=json.dumps(given),
            capture_output=True,
            text=True,
            timeout=LAUNCH_SECONDS,
            check=False,
            env={"PATH": os.defpath},
        )
    except subprocess.TimeoutExpired as error:
        raise CannotTell(f"Starting {argv[0]} took longer than {LAUNCH_SECONDS} s.") from error
    if done.returncode:
        raise NotStarted(done.stderr.strip() or f"{argv[0]} could not be started.")


def signal_group(process: Process, number: signal.Signals) -> None:
    """Send a signal to the whole group of a process that is still the one we started."""
    if not process.is_alive:
        return
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return  # it ended between the look and the signal, which is what was wanted
    except PermissionError as error:
        raise CannotTell(f"Process {process.pid} may not be signalled by this account.") from error
