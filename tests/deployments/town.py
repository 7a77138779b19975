"""A real git repository with good and bad commits of a real small web application, and a directory to deploy it to."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from apps.catalog.versions import Version
from apps.deployments.drivers.base import Fence, Order, Phase, Progress
from apps.deployments.drivers.release_dir import processes
from apps.deployments.drivers.release_dir.driver import ReleaseDir

DRIVER = ReleaseDir()

APP = """
import http.server, pathlib, signal, sys
HERE = pathlib.Path(__file__).parent
COMMIT = (HERE / "REVISION").read_text().strip()
MODE = (HERE / "mode").read_text().strip()
if MODE == "dies":
    sys.exit("no configuration for the turnstiles")
if MODE == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        bad = MODE == "bad" and self.path != "/version"
        body = (COMMIT if self.path == "/version" else "fine").encode()
        self.send_response(500 if bad else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args):
        pass
http.server.ThreadingHTTPServer.allow_reuse_address = True
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Page).serve_forever()
"""


def git(repository: Path, *words: str) -> str:
    plain = {"PATH": os.environ["PATH"], "HOME": str(repository), "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}
    ada = {f"GIT_{who}_{what}": said for who in ("AUTHOR", "COMMITTER") for what, said in (("NAME", "Ada"), ("EMAIL", "ada@example.org"))}
    environment = plain | ada
    done = subprocess.run(["git", "-C", str(repository), *words], env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@dataclass
class Town:
    """Where the application lives: its repository, its root, its port."""

    repository: Path
    root: Path
    port: int

    def commit(self, mode: str, **files: str) -> str:
        """A new commit of the application; returns its full id."""
        for name, text in {"app.py": APP, "mode": mode, **files}.items():
            (self.repository / name).write_text(text)
        git(self.repository, "add", "-A")
        git(self.repository, "commit", "--allow-empty", "-qm", mode)
        return git(self.repository, "rev-parse", "HEAD")

    @property
    def version_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/version"

    @property
    def health_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/healthz"

    def options(self, **more: object) -> dict[str, object]:
        start = {"start_command": [sys.executable, "-I", "{release}/app.py", "{port}"]} if "restart_command" not in more else {}
        return (
            {"root": str(self.root), "version_url": self.version_url, "port": self.port, "ready_seconds": 5, "stop_seconds": 1}
            | start
            | more
        )

    def settings(self, *, checks: list[dict[str, object]] | None = None, **more: object) -> dict[str, object]:
        healthy = {"name": "healthy", "url": self.health_url, "interval_seconds": 1, "count": 2}
        return {
            "driver": "release_dir",
            "options": self.options(),
            "deploy_seconds": 60,
            "checks": [healthy] if checks is None else checks,
        } | more

    def process(self) -> int | None:
        note = self.root / ".deploy" / "process.json"
        return json.loads(note.read_text())["pid"] if note.is_file() else None

    def stop(self) -> None:
        """Kill what was started here, and only that."""
        pid = self.process()
        if pid is not None:
            try:
                os.killpg(pid, signal.SIGKILL)
            except ProcessLookupError:
                return


def make_town(tmp_path: Path) -> Town:
    town = Town(tmp_path / "repository", tmp_path / "place", free_port())
    town.repository.mkdir()
    git(town.repository, "init", "-q", "-b", "main")
    return town


def order_of(town: Town, commit: str, *, turn: int = 1, attempt: int = 1, previous: str = "", back: bool = False, **options) -> Order:
    return Order(
        id=f"order-{turn}",
        ref=f"DEP-{turn}",
        version=Version(f"v{turn}", (f"git:{commit}",)),
        previous=Version("before", (f"git:{previous}",)) if previous else None,
        fence=Fence(turn, attempt),
        options=town.options(**options),
        repository=str(town.repository),
        begun_at=datetime(2026, 11, 20, 14, 0, turn, tzinfo=UTC),
        is_way_back=back,
    )


def carry_out(order: Order, *, seconds: float = 20) -> Progress:
    """Poll as the runner does until it is over; the waits are the driver's own."""
    until, offset, text = time.monotonic() + seconds, 0, ""
    while time.monotonic() < until:
        progress = DRIVER.poll(order, offset)
        offset, text = progress.offset, text + progress.text
        if progress.phase is not Phase.WORKING:
            return Progress(progress.phase, text, offset, progress.has_switched, progress.failure)
        time.sleep(min(progress.wait_seconds, 0.1))
    raise AssertionError(f"not over in time: {text}")


def lives_on(running: processes.Process) -> bool:
    until = time.monotonic() + 5
    while running.is_alive and time.monotonic() < until:
        time.sleep(0.01)
    return running.is_alive
