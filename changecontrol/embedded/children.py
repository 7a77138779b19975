"""One child of the supervisor: started, read, started again with back-off when it dies, stopped in order."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from changecontrol.embedded import processes
from changecontrol.embedded.account import EmbeddedError
from changecontrol.embedded.engine import Engine
from changecontrol.embedded.output import Output

FIRST_DELAY, LAST_DELAY = 0.5, 30.0
# A child that ran this long was well: its next death starts again with the shortest delay.
WELL_AFTER = 10.0
LAST_LINES_SECONDS = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """One line of the process table. An engine brings its own command, account and environment."""

    name: str
    argv: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    directory: Path = Path("/")
    engine: Engine | None = None
    stop_signals: processes.Signals = ((signal.SIGTERM, 15.0), (signal.SIGKILL, 5.0))

    def spawn(self) -> subprocess.Popen[bytes]:
        """Start the program in a session of its own: Ctrl-C at the terminal is for the supervisor alone."""
        if self.engine is not None:
            argv, options = self.engine.prepare(), self.engine.popen_options()
            return subprocess.Popen(
                argv, **options, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
            )
        return subprocess.Popen(
            self.argv, env=dict(self.environment), cwd=self.directory,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip


class Child:
    """A program that is kept running until `stop`."""

    def __init__(self, program: Program, *, record: Path, output: Output, clock: Callable[[], float] = time.monotonic) -> None:
        self.program = program
        self.starts = 0
        self._record = record
        self._output = output
        self._clock = clock
        self._stopping = threading.Event()
        self._turn = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._keep, name=f"keeper of {program.name}", daemon=True)

    @property
    def pid(self) -> int | None:
        """The process id of the running child."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start the child; what prevents the first start is raised here."""
        self._spawn()
        self._thread.start()

    def stop(self) -> None:
        """Send the stop signals in turn until the child is gone, and keep it so."""
        with self._turn:  # the keeper is not between two starts
            self._stopping.set()
            process = self._process
        if process is not None:
            self._end(process)
        self._record.unlink(missing_ok=True)
        if self.program.engine is not None:
            self.program.engine.release()

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        for number, seconds in self.program.stop_signals:
            _send(process, number)
            self._thread.join(timeout=seconds)
            if not self._thread.is_alive():
                return

    def _keep(self) -> None:
        delay = FIRST_DELAY
        while True:
            began = self._clock()
            code = self._outlive()
            if self._stopping.is_set():
                return
            delay = FIRST_DELAY if self._clock() - began >= WELL_AFTER else delay
            self._output.say("up", f"{self.program.name} {how_it_ended(code)}; it starts again in {delay:g} s")
            while not self._stopping.wait(delay) and not self._try_spawn():
                delay = min(delay * 2, LAST_DELAY)
            if self._stopping.is_set():
                return
            delay = min(delay * 2, LAST_DELAY)

    def _try_spawn(self) -> bool:
        try:
            self._spawn()
        except (EmbeddedError, OSError) as error:
            self._output.say("up", f"{self.program.name} does not start: {error}")
            return False
        return True

    def _spawn(self) -> None:
        with self._turn:
            if self._stopping.is_set():
                return
            process = self.program.spawn()
            self._process = process
            self.starts += 1
            if self.program.engine is None:  # engines know their own process by their own pid file
                processes.remember(self._record, process.pid)

    def _outlive(self) -> int:
        """Read the child until it ends and return its exit code."""
        process = self._process
        if process is None or process.stdout is None:
            return 0
        reader = self._output.follow(self.program.name, process.stdout)
        code = _reap(process)
        reader.join(timeout=LAST_LINES_SECONDS)
        return code


def run_once(program: Program, *, output: Output, stopping: threading.Event) -> int:
    """Run a program to its end, copying what it says; end it early when the supervisor is stopped."""
    process = program.spawn()
    if process.stdout is None:
        return process.wait()
    reader = output.follow(program.name, process.stdout)
    while not _has_ended(process):
        if stopping.wait(processes.POLL_SECONDS):
            _ask_to_end(process, program.stop_signals)
    code = _reap(process)
    reader.join(timeout=LAST_LINES_SECONDS)
    return code


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    if not hasattr(os, "waitid"):
        return process.poll() is not None
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None


def _send(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Signal a child that is not reaped. `Popen.send_signal` would reap it, and with it the proof that its group is its own."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.kill(process.pid, number)


def _ask_to_end(process: subprocess.Popen[bytes], signals: processes.Signals) -> None:
    for number, seconds in signals:
        _send(process, number)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if _has_ended(process):
                return
            time.sleep(processes.POLL_SECONDS)


def _reap(process: subprocess.Popen[bytes]) -> int:
    """Wait until a child ends, end what is left of its process group, and return its exit code."""
    if hasattr(os, "waitid"):
        # Not reaped yet, its id cannot belong to anyone else: the group that is signalled is surely its own.
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        with suppress(ProcessLookupError, PermissionError):  # PermissionError: only the dead leader is left (macOS)
            os.killpg(process.pid, signal.SIGKILL)
    return process.wait()


def how_it_ended(code: int) -> str:
    """Return the words for an exit code."""
    if code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return f"ended with code {code}"
