"""A target with its own ledger: every effect is one line, written under the target's lock after a look at its fence.

Nothing here is idempotent: an order carried out twice is two lines, and that is what the test looks for."""

import fcntl
import json
import os
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from apps.catalog.versions import Version
from apps.deployments.drivers.base import Fence, Fenced, Observation, Order, Phase, Progress
from apps.deployments.rules.stepping import Safety

PAUSE = 0.25


class LedgerDriver:
    """Brings a version by writing a line; a version whose label begins with `bad` takes effect and then answers nobody."""

    safety = Safety.QUERYABLE

    def why_not(self, options: Any, repository: str, version: Version) -> str:
        return ""

    def start(self, order: Order) -> Progress:
        return self._take_effect(order)

    def roll_back_to(self, order: Order) -> Progress:
        return self._take_effect(order)

    def poll(self, order: Order, offset: int) -> Progress:
        return Progress(Phase.DONE, offset=offset, has_switched=True)

    def cancel(self, order: Order, offset: int) -> Progress:
        return Progress(Phase.DONE, offset=offset, has_switched=effects(root_of(order))[-1:] == [order.id])

    def observe(self, order: Order) -> Observation:
        with fenced(root_of(order), order.fence):
            lines = read(root_of(order))
        runs = lines[-1]["identity"] if lines else order.options["first"]
        return Observation(is_known=True, runs=runs, points_to=runs)

    def _take_effect(self, order: Order) -> Progress:
        time.sleep(random.uniform(0, PAUSE))
        with fenced(root_of(order), order.fence):
            version = {"label": order.version.label, "identity": order.version.identities[0]}
            line = {"order": order.id, "fence": [order.fence.turn, order.fence.attempt], **version}
            handle = os.open(root_of(order) / "ledger", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.write(handle, f"{json.dumps(line)}\n".encode())
            os.close(handle)
        time.sleep(random.uniform(0, PAUSE))
        if order.version.label.startswith("bad"):
            return Progress(Phase.FAILED, has_switched=True, failure="It does not answer.")
        later = random.random() < 0.5
        return Progress(Phase.WORKING if later else Phase.DONE, has_switched=True)


def root_of(order: Order) -> Path:
    return Path(order.options["root"])


@contextmanager
def fenced(root: Path, fence: Fence) -> Iterator[None]:
    root.mkdir(parents=True, exist_ok=True)
    with (root / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        kept = root / "fence"
        seen = Fence(*json.loads(kept.read_text())) if kept.is_file() else Fence(0, 0)
        if fence < seen:
            raise Fenced("A later attempt was here.")
        beside = root / f"fence.{os.getpid()}"
        beside.write_text(json.dumps([fence.turn, fence.attempt]))
        beside.replace(kept)
        yield


def read(root: Path) -> list[dict[str, Any]]:
    ledger = root / "ledger"
    return [json.loads(line) for line in ledger.read_text().splitlines()] if ledger.is_file() else []


def effects(root: Path) -> list[str]:
    return [line["order"] for line in read(root)]


class Sites(ThreadingHTTPServer):
    """What users see of every target below a folder: the label of what took effect last, or an error where that is bad."""

    request_queue_size = 64

    def __init__(self, place: Path) -> None:
        self.place = place
        super().__init__(("127.0.0.1", 0), Page)


class Page(BaseHTTPRequestHandler):
    """The page of one target, by the name of its folder."""

    server: Sites

    def do_GET(self) -> None:
        lines = read(self.server.place / self.path.strip("/"))
        label = lines[-1]["label"] if lines else "first"
        self.send_response(500 if label.startswith("bad") else 200)
        self.end_headers()
        self.wfile.write(label.encode())

    def log_message(self, *args: object) -> None:
        """Say nothing: the test does."""


@contextmanager
def shown(place: Path) -> Iterator[str]:
    """Serve the pages of the targets; the address they begin with."""
    with Sites(place) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
