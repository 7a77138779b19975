"""`manage.py up` with everything real: first start, second `up`, kill -9 of all, start again, Ctrl-C."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.client import HTTPConnection
from pathlib import Path

import pytest

from changecontrol.embedded import processes
from changecontrol.embedded.keeper import MARK
from changecontrol.embedded.supervisor import BROKER_NAME, DATABASE_NAMES
from tests.embedded.conftest import PROJECT, rows, running, until

pytestmark = [pytest.mark.faults, pytest.mark.slow]


class Up:
    """One `manage.py up` on a folder."""

    def __init__(self, var: Path, port: int) -> None:
        self.log = var.parent / f"up-{len(list(var.parent.glob('up-*')))}.log"
        others = {name: value for name, value in os.environ.items() if name not in (*DATABASE_NAMES, BROKER_NAME, "PUBLIC_URL")}
        command = [sys.executable, "manage.py", "up", "--bind", f"127.0.0.1:{port}", "--var", str(var)]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, cwd=PROJECT, env={**others, "VAR_DIR": str(var)}, stdout=log, stderr=log)

    @property
    def said(self) -> str:
        return self.log.read_text()

    def until_ready(self) -> None:
        until(lambda: "ready at" in self.said or self.process.poll() is not None, what=lambda: f"the site ready in\n{self.said}")
        assert "ready at" in self.said, self.said

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return self.process.wait(timeout=60)


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


Begin = Callable[[], Up]


@pytest.fixture
def var(short: Path) -> Path:
    return short / "var"


@pytest.fixture
def up(var: Path, port: int) -> Iterator[Begin]:
    """Run `up` any number of times; whatever is left at the end is killed."""
    begun: list[Up] = []

    def begin() -> Up:
        begun.append(Up(var, port))
        return begun[-1]

    yield begin
    kill_all(var)
    for one in begun:
        one.process.wait(timeout=60)


def kill_all(var: Path) -> None:
    """Kill everything of a run at once: what names its folder, and the process groups it wrote down."""
    recorded = [record for path in (var / "run").glob("*.pid") if (record := processes.recall(path))]
    groups = [member.pid for record in recorded for member in processes.group_members(record, mark=f"{MARK}={var}".encode())]
    for pid in {*groups, *(int(line.split()[1]) for line in running(str(var)))}:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def answer(port: int, path: str) -> int:
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path)
    status = connection.getresponse().status
    connection.close()
    return status


def has_sealed(var: Path) -> bool:
    """Whether a worker has done what beat asks for each second; the seal and what follows it are the worker's alone."""
    return bool(rows((var / "run" / "DATABASE_URL").read_text().strip(), "select 1 from audit_cursor"))


def test_up_starts_refuses_a_second_recovers_from_kill_and_stops_in_order(up: Begin, var: Path, port: int) -> None:
    first = up()
    first.until_ready()
    assert answer(port, "/livez") == 200
    assert re.search(r"^set-up code \| [0-9A-Z]{4,}(-[0-9A-Z]{4,})+$", first.said, re.MULTILINE), first.said

    second = up()
    assert second.process.wait(timeout=60) == 1
    assert f"{var} is in use: process {first.process.pid} runs the system there" in second.said

    children = [record for path in (var / "run").glob("*.pid") if (record := processes.recall(path))]
    assert len(children) == 3
    kill_all(var)
    assert first.process.wait(timeout=60) == -signal.SIGKILL

    third = up()
    third.until_ready()
    assert answer(port, "/livez") == 200
    assert not any(child.is_alive for child in children)
    until(lambda: has_sealed(var), what=lambda: f"the worker at work in\n{third.said}")

    assert third.end(signal.SIGINT) == 0
    stops = [line.split()[-1] for line in third.said.splitlines() if "| stopping " in line]
    assert stops == ["beat", "worker", "web", "valkey", "postgres"]
    assert running(str(var)) == []
    assert "superuser" not in third.said, "Celery warns at every start of what docs/running.md says once"
