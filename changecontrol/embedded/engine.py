"""What the two engines share: one owner per directory, start as a child, ready when it answers, an orderly stop."""

import os
import shutil
import subprocess
import time
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self, TypedDict

from changecontrol.embedded import places, processes
from changecontrol.embedded.account import EmbeddedError


class PopenOptions(TypedDict):
    """The arguments every program of an engine is started with."""

    user: int | None
    group: int | None
    extra_groups: list[int] | None
    cwd: str
    env: dict[str, str]


class Engine(ABC):
    """A server in a directory. `prepare()` and `command` serve a supervisor; `start()` and `stop()` serve everyone else."""

    name: ClassVar[str]
    socket_name: ClassVar[str]
    stop_signals: ClassVar[processes.Signals]

    def __init__(self, directory: Path, *, durable: bool = True, wheels: Path | None = None) -> None:
        self.home = directory.resolve()
        self.durable = durable
        self.wheels = wheels
        self.place: places.Place
        self._lock: places.Lock | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    @property
    def pid(self) -> int | None:
        """The process id of the server that `start` started."""
        return self._process.pid if self._process else None

    @property
    def log(self) -> Path:
        """Where the server writes when no supervisor reads its output."""
        return self.home / f"{self.name}.log"

    @abstractmethod
    def is_ready(self) -> bool:
        """Say whether the server answers."""

    @abstractmethod
    def make_ready(self) -> list[str]:
        """Make everything the server needs on disk and return the command that runs it."""

    @abstractmethod
    def clear_remains(self) -> None:
        """End a server that outlived its owner and remove what a killed one left. We hold the lock of the directory."""

    def prepare(self) -> list[str]:
        """Become the one owner of the directory, clear what a crash left, and return the command to run."""
        places.open_folder(self.home)
        holder = self.take_over()
        if holder is not None:
            raise EmbeddedError(f"{self.home} is in use by process {holder or 'unknown'}. Stop that one first.")
        return self.make_ready()

    def take_over(self) -> int | None:
        """Take the lock of the directory and clear it, or return the process id of who has it."""
        if self._lock is None:
            lock = places.Lock(self.home / "lock")
            holder = lock.take()
            if holder is not None:
                return holder
            self._lock = lock
        self.place = places.find_place(self.home, socket_name=self.socket_name, durable=self.durable)
        self.clear_remains()
        return None

    def popen_options(self) -> PopenOptions:
        """Return how every program of this engine is started: its account, and nothing of our environment."""
        account = self.place.account
        environment = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
        return {"user": account.uid, "group": account.gid, "extra_groups": account.groups, "cwd": "/", "env": environment}

    def start(self, *, seconds: float = 60.0) -> None:
        """Start the server and return when it answers."""
        try:
            command = self.prepare()
            with self.log.open("ab") as log:
                self._process = subprocess.Popen(
                    command, **self.popen_options(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
                )
            self._wait_ready(self._process, seconds=seconds)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the server in order and give the directory free. May be called at any time."""
        process, self._process = self._process, None
        if process is not None:
            for number, seconds in self.stop_signals:
                process.send_signal(number)
                try:
                    process.wait(timeout=seconds)
                    break
                except subprocess.TimeoutExpired:
                    continue
        self.release()

    def release(self) -> None:
        """Give the directory free."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def remove(self) -> None:
        """Remove the directory and everything the engine kept elsewhere."""
        if hasattr(self, "place"):
            places.remove_place(self.place)
        shutil.rmtree(self.home, ignore_errors=True)

    def _wait_ready(self, process: subprocess.Popen[bytes], *, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not self.is_ready():
            if process.poll() is not None:
                raise EmbeddedError(f"{self.name} ended with code {process.returncode} before it was ready. {self._last_words()}")
            if time.monotonic() > deadline:
                raise EmbeddedError(f"{self.name} is not ready after {seconds:.0f} s. {self._last_words()}")
            time.sleep(processes.POLL_SECONDS)

    def _last_words(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()[-8:] if self.log.exists() else []
        return "\n".join([f"The end of {self.log}:", *lines])
