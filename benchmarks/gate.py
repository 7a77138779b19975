"""The gate over HTTP against a bare Django view and against a view that writes one durable row, in the same rounds."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from apps.accounts.roles import Role
from apps.catalog.models import Target
from benchmarks.durable_row import make_table
from benchmarks.figures import Goal, interleave, ratio
from benchmarks.load import Measured, joined, load
from changecontrol.embedded.postgres import PrivatePostgres
from tests.factories.accounts import give_team_role, make_person
from tests.factories.approvals import a_rule, make_change, make_place, make_policy
from tests.factories.catalog import ArrivalFactory, EnvironmentFactory, make_target
from tests.factories.changes import make_content, make_item
from tests.factories.gate import PATH, body_for, make_gate_token

CONNECTIONS, WORKERS = 16, 2
TURNS, SECONDS = 8, 0.5  # of one round: the pace of a machine changes within seconds, so the three take turns within one
SERVICES, CHANGES = 5, 20
YES_OF_SEVEN = 2  # the others are a no for want of a change, as most answers are


def rows(server: PrivatePostgres, *, database_name: str, rounds: int) -> Iterator[str]:
    """One line per figure."""
    make_table(server, database_name=database_name)
    requests = {"bare": [get("/bare")], "durable": [get("/durable")], "gate": questions()}
    for threads in (1, 4):
        with serving(threads) as (port, web):
            watched = [web, int((server.place.data / "postmaster.pid").read_text().split()[0])]

            def measured(name: str, port: int = port, watched: list[int] = watched) -> Measured:
                return load(port, requests[name], connections=CONNECTIONS, seconds=SECONDS, watched=watched)

            for name in [*requests] * TURNS:
                measured(name)  # plans, caches, connections
            found = interleave({name: lambda name=name: measured(name) for name in requests}, rounds=rounds * TURNS)  # type: ignore[misc]
        yield from figures({name: in_rounds(turns) for name, turns in found.items()}, threads)


def in_rounds(turns: Sequence[Measured]) -> list[Measured]:
    """The turns of each round as one."""
    return [joined(turns[first : first + TURNS]) for first in range(0, len(turns), TURNS)]


def figures(found: dict[str, list[Measured]], threads: int) -> Iterator[str]:
    """The ratios of one set of rounds."""
    rates = {name: [one.rate for one in many] for name, many in found.items()}
    costs = {name: [one.cpu for one in many] for name, many in found.items()}
    said = f"{threads} thread{'s' if threads > 1 else ''}"
    yield Goal(f"gate / one durable row, requests per second, {said}", 0.45, 0.60).row(ratio(rates["gate"], rates["durable"]))
    yield Goal(f"gate / bare view, requests per second, {said}", 0.12, 0.17).row(ratio(rates["gate"], rates["bare"]))
    yield Goal(f"gate / bare view, processor time, {said}", 9, 6.5, more_is_better=False).row(ratio(costs["gate"], costs["bare"]))


def questions() -> list[bytes]:
    """Seven questions about each of twenty changes of five services, under a policy of two rules in two stages and with an
    environment below; two of seven are a yes."""
    below = EnvironmentFactory(rank=1, change_required="NO")
    environment = make_place(policy=False, environment=EnvironmentFactory(rank=2)).environment
    make_policy(environment, a_rule(), a_rule("release", group={"kind": "ROLE", "role": Role.RELEASE_MANAGER}, stage=2))
    targets = [make_place(environment=environment) for _ in range(SERVICES)]
    found = []
    for number in range(CHANGES):
        target, version = targets[number % SERVICES], f"git:{number:040x}"
        if number < SERVICES:
            give_team_role(make_person(), Role.RELEASE_MANAGER, target.service.team)
            make_target(target.service, below)
        ArrivalFactory(target=Target.objects.get(service=target.service, environment=below), identities=[version])
        item = make_item(target.service, (environment,), identities=(version,))
        scope = replace(make_content(targets=(target,)).scope, items=(item,))
        make_change(targets=(target,), scope=scope)
        _, secret = make_gate_token(target.service)
        found += [
            post(secret, body_for(target, version if asked < YES_OF_SEVEN else f"git:{asked:020x}{number:020x}")) for asked in range(7)
        ]
    return found


def get(path: str) -> bytes:
    """A request as it goes over the wire."""
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


def post(secret: str, body: object) -> bytes:
    """A question as it goes over the wire."""
    data = json.dumps(body)
    head = f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {secret}\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(data)}\r\n\r\n{data}".encode()


@contextmanager
def serving(threads: int, **environment: str) -> Iterator[tuple[int, int]]:
    """The server on a free port of this machine: the port, and the process everything of it descends from."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port), "--workers", str(WORKERS),
        "--blocking-threads", str(threads), "--log-level", "error", "--no-ws", "benchmarks.served:application",
    ]  # fmt: skip
    with subprocess.Popen(command, env={**os.environ, **environment}) as web:
        try:
            wait_for(port)
            yield port, web.pid
        finally:
            web.send_signal(signal.SIGTERM)


def wait_for(port: int) -> None:
    """Return once the server answers."""
    for _ in range(300):
        try:
            with socket.create_connection(("127.0.0.1", port)) as line:
                line.sendall(get("/bare"))
                if line.recv(100):
                    return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("the server did not start in half a minute")
