"""Directories for engines, waiting on what can be seen, and programs run as another process. No Django."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from changecontrol.embedded import places
from changecontrol.embedded.account import Account
from changecontrol.embedded.postgres import PrivatePostgres, throwaway_postgres
from changecontrol.embedded.programs import wheel_folder

PROJECT = Path(__file__).resolve().parents[2]
SITE_PACKAGES = str(wheel_folder("psycopg"))
DEADLINE = 60.0

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: the engine runs under another account")
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")


def until(condition: Callable[[], object], *, what: str | Callable[[], str]) -> None:
    """Wait until something can be seen; fail with its name at the deadline."""
    deadline = time.monotonic() + DEADLINE
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"not seen within {DEADLINE:.0f} s: {what() if callable(what) else what}")
        time.sleep(0.01)


def running(text: str) -> list[str]:
    """Return the command lines of living processes that hold a text."""
    told = subprocess.run(["ps", "-ww", "-eo", "stat=,pid=,args="], capture_output=True, text=True, check=True).stdout
    return [line for line in told.splitlines() if text in line and not line.startswith("Z")]


def kill_hard(server: PrivatePostgres) -> None:
    """Kill a server as a power cut would, and drop our handle on it as a killed owner would."""
    assert server._process is not None
    server._process.send_signal(signal.SIGKILL)
    server._process.wait()
    server._process = None
    server.release()


def rows(url: str, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(query).fetchall()


@pytest.fixture
def short() -> Iterator[Path]:
    """A short directory that the account of an engine can walk to, unlike the one of `tmp_path` as root."""
    directory = Path(tempfile.mkdtemp(prefix="cc-t-", dir="/tmp"))
    places.let_pass(directory)
    yield directory
    shutil.rmtree(directory)


@pytest.fixture(scope="session")
def cluster_server() -> Iterator[PrivatePostgres]:
    with throwaway_postgres() as server:
        server.provision()
        yield server


def python_for(uid: int | None) -> str:
    """Return a Python that an account can run: ours, or the system's one of the same version when ours lies under a closed folder."""
    account = Account(uid=uid, gid=uid)
    system = f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}"
    for python in (sys.executable, system):
        if account.can_run(Path(python)):
            return python
    pytest.skip(f"no Python that user id {uid} can run")


class Script:
    """A program of ours in another process, with its output in a file that can be waited on."""

    def __init__(self, directory: Path, code: str, *words: str, uid: int | None = None) -> None:
        self.log = directory / f"output-{time.monotonic_ns()}.log"
        with self.log.open("wb") as log:
            environment = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1", "PYTHONPATH": SITE_PACKAGES}
            self.process = subprocess.Popen(
                [python_for(uid), "-c", code, *words],
                cwd=PROJECT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                user=uid,
                group=uid,
                extra_groups=None if uid is None else [],
                env={**os.environ, **environment},
                start_new_session=True,
            )

    @property
    def said(self) -> str:
        return self.log.read_text()

    def until_said(self, text: str, *, times: int = 1) -> None:
        until(lambda: self.said.count(text) >= times or self.process.poll() is not None, what=lambda: f"{text!r} in\n{self.said}")
        assert self.said.count(text) >= times, self.said

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self) -> int:
        return self.process.wait(timeout=DEADLINE)


@pytest.fixture
def script(tmp_path: Path) -> Iterator[Callable[..., Script]]:
    """Start programs in other processes; whatever still runs at the end is asked to end, so that a keeper takes its children along."""
    begun: list[Script] = []

    def begin(code: str, *words: str, uid: int | None = None) -> Script:
        begun.append(Script(tmp_path, code, *words, uid=uid))
        return begun[-1]

    yield begin
    for one in begun:
        if one.process.poll() is None:
            one.process.terminate()
            one.process.wait(timeout=DEADLINE)
