"""Keeps a list of programs running in one directory: one keeper per directory, started in order, stopped in reverse."""

import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import FrameType, TracebackType
from typing import Self, TextIO

from changecontrol.embedded import places, processes
from changecontrol.embedded.account import EmbeddedError
from changecontrol.embedded.children import Child, Program, run_once
from changecontrol.embedded.output import Output

MARK = "CHANGECONTROL_VAR"
READY_SECONDS = 60.0
LEFT_OVER_SIGNALS: processes.Signals = ((signal.SIGTERM, 15.0), (signal.SIGKILL, 5.0))
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(Exception):
    """Someone asked for the end while the start was still under way."""


class Keeper:
    """Use it as a context manager: inside the block everything runs, after it nothing does."""

    def __init__(self, var: Path, *, programs: Sequence[Program] = (), stream: TextIO | None = None) -> None:
        self.var = var.resolve()
        self.programs = list(programs)
        self.output = Output(stream or sys.stdout)
        self.children: list[Child] = []
        self._lock = places.Lock(self.var / "up.lock")
        self._stopping = threading.Event()
        self._in_block = False
        self._handlers: dict[int, signal._HANDLER] = {}

    @property
    def run(self) -> Path:
        """The folder with what is true only while we run: process records and addresses."""
        return self.var / "run"

    def __enter__(self) -> Self:
        self._listen()
        try:
            self.take()
            self.start()
        except BaseException:
            self.stop()
            self._unlisten()
            raise
        self._in_block = True
        if self._stopping.is_set():
            self.__exit__(None, None, None)
            raise Interrupted
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._in_block = False
        self.stop()
        self._unlisten()

    def take(self) -> None:
        """Become the one keeper of the directory and end what a killed one left running."""
        places.open_folder(self.var)
        holder = self._lock.take()
        if holder is not None:
            raise EmbeddedError(
                f"{self.var} is in use: process {holder or 'unknown'} runs the system there. "
                "Stop it first, or name another directory with --var."
            )
        self.run.mkdir(mode=0o700, exist_ok=True)
        self._end_left_overs()

    def start(self) -> None:
        """Start every program of the list."""
        for program in self.programs:
            self.keep(program)

    def keep(self, program: Program) -> None:
        """Start one program and keep it running; an engine is waited for until it answers."""
        if self._stopping.is_set():
            raise Interrupted
        # The mark tells our children from strangers once their keeper is gone.
        program = replace(program, environment={**program.environment, MARK: str(self.var)})
        child = Child(program, record=self.run / f"{program.name}.pid", output=self.output)
        self.children.append(child)
        child.start()
        if program.engine is not None:
            self._wait_for_engine(child)

    def run_to_end(self, program: Program) -> int:
        """Run a program once and return its exit code."""
        code = run_once(program, output=self.output, stopping=self._stopping)
        if self._stopping.is_set():
            raise Interrupted
        return code

    def wait(self) -> None:
        """Wait until someone asks for the end (Ctrl-C, SIGTERM or SIGHUP, or `request_stop`)."""
        try:
            self._stopping.wait()
        except KeyboardInterrupt:
            return

    def request_stop(self) -> None:
        """Ask for the end, from any thread."""
        self._stopping.set()

    def stop(self) -> None:
        """Stop every child, the last started first, and let go of the directory."""
        self._stopping.set()
        while self.children:
            child = self.children.pop()
            self.output.say("up", f"stopping {child.program.name}")
            child.stop()
        self._lock.release()

    def wait_until(self, condition: Callable[[], bool], *, seconds: float, otherwise: Callable[[], str]) -> None:
        """Wait for something to become true; `otherwise` is what is said when it does not in time."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise EmbeddedError(otherwise())
            if self._stopping.wait(processes.POLL_SECONDS):
                raise Interrupted

    def _wait_for_engine(self, child: Child) -> None:
        name, engine = child.program.name, child.program.engine

        def answers() -> bool:
            if child.starts > 1:
                raise EmbeddedError(f"{name} ended before it was ready; its own words stand above.")
            return engine is None or engine.is_ready()

        self.wait_until(
            answers, seconds=READY_SECONDS, otherwise=lambda: f"{name} is not ready after {READY_SECONDS:.0f} s; its own words stand above."
        )

    def _end_left_overs(self) -> None:
        """End the children of a keeper that was killed, before the engines they use are touched."""
        mark = f"{MARK}={self.var}".encode()
        for record in sorted(self.run.glob("*.pid")):
            leader = processes.recall(record)
            members = processes.group_members(leader, mark=mark) if leader else []
            if members:
                self.output.say("up", f"{record.stem} is left from a run that was killed; ending it")
                processes.end(members, *LEFT_OVER_SIGNALS)
            record.unlink()

    def _listen(self) -> None:
        if threading.current_thread() is threading.main_thread():
            self._handlers = {number: signal.signal(number, self._heard) or signal.SIG_DFL for number in STOP_SIGNALS}

    def _unlisten(self) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers = {}

    def _heard(self, _number: int, _frame: FrameType | None) -> None:
        """While starting and stopping only note the wish: an exception there could lose a child between fork and record."""
        first = not self._stopping.is_set()
        self._stopping.set()
        if self._in_block and first:
            raise KeyboardInterrupt
