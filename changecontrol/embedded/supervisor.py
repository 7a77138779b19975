"""The process table of Change Control: engines, migrations, web, worker and beat, with the addresses each may know."""

import ipaddress
import os
import signal
import socket
import sys
from collections.abc import Mapping
from dataclasses import replace
from http import client
from pathlib import Path
from typing import TextIO
from urllib.parse import urlsplit

import psycopg

from changecontrol.embedded.account import EmbeddedError
from changecontrol.embedded.children import Program
from changecontrol.embedded.cluster import Addresses
from changecontrol.embedded.keeper import Keeper
from changecontrol.embedded.postgres import PrivatePostgres
from changecontrol.embedded.valkey import PrivateValkey
from changecontrol.env import env_str

PROJECT = Path(__file__).resolve().parents[2]
DEFAULT_BIND = "127.0.0.1:8000"
DATABASE_NAMES = ("DATABASE_URL", "DATABASE_OWNER_URL", "DATABASE_SEALER_URL")
BROKER_NAME = "REDIS_URL"
# A worker finishes the step it is in; the order itself survives whatever happens to it.
WORKER_SIGNALS = ((signal.SIGTERM, 30.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0))
# Whoever runs `up` as root runs the worker so, and docs/running.md says it; Celery would say it again at every start.
ROOT_IS_KNOWN = ("-W", "ignore:You're running the worker with superuser privileges")


class Supervisor(Keeper):
    """Everything one installation runs on this machine."""

    def __init__(
        self, var: Path, *, bind: str = DEFAULT_BIND, stream: TextIO | None = None, extra: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(var, stream=stream)
        self.host, self.port = read_bind(bind)
        self.extra = dict(extra or {})
        self.addresses = given_addresses()
        self.public_url = self.extra.get("PUBLIC_URL") or env_str("PUBLIC_URL") or f"http://{_named(self.host)}:{self.port}"
        if not _is_loopback(self.host) and not (self.extra.get("PUBLIC_URL") or env_str("PUBLIC_URL")):
            raise EmbeddedError(
                f"--bind {bind} opens the site to other machines. Set PUBLIC_URL to the address people will type, then start again."
            )

    def start(self) -> None:
        """Start the engines, bring the database up to date, then start web, worker and beat."""
        self._refuse_taken_port()
        self._start_engines()
        self._write_addresses()
        if (
            self.run_to_end(self._manage("migrate", "migrate", "--database", "owner", "--noinput", DATABASE_OWNER_URL=self.addresses.owner))
            != 0
        ):
            raise EmbeddedError("The database could not be brought up to date; the lines of migrate above say why.")
        for program in self.table():
            self.keep(program)

    def table(self) -> list[Program]:
        """Return the processes of the project, in the order in which they start. Only the worker may seal."""
        celery = ("-m", "celery", "--quiet", "-A", "changecontrol.celery")
        beat = self.var / "beat"
        beat.mkdir(mode=0o700, exist_ok=True)
        web = (
            sys.executable, "-m", "granian", "--interface", "wsgi", "--host", self.host, "--port", str(self.port), "--no-ws",
            "--workers", "2", "--blocking-threads", "2", "--respawn-failed-workers", "--workers-kill-timeout", "10",
            "--log-level", "warning", "changecontrol.wsgi:application",
        )  # fmt: skip
        worker = (
            sys.executable, *(ROOT_IS_KNOWN if os.geteuid() == 0 else ()), *celery, "worker",
            "--pool", "threads", "--concurrency", "4", "--without-gossip", "--without-mingle", "--loglevel", "WARNING",
        )  # fmt: skip
        sealing = self._program("worker", worker, DATABASE_SEALER_URL=self.addresses.sealer)
        return [
            self._program("web", web),
            replace(sealing, stop_signals=WORKER_SIGNALS),
            self._program("beat", (sys.executable, *celery, "beat", "--loglevel", "WARNING", "--schedule", str(beat / "schedule"))),
        ]

    def environment(self, **more: str) -> dict[str, str]:
        """Return the environment of a child: ours, without the addresses it has no business with."""
        ours = {name: value for name, value in os.environ.items() if name.removesuffix("_FILE") not in (*DATABASE_NAMES, BROKER_NAME)}
        kept = {
            "DATABASE_URL": self.addresses.app,
            BROKER_NAME: self.addresses.broker,
            "VAR_DIR": str(self.var),
            "PYTHONUNBUFFERED": "1",
        }
        public = {} if "PUBLIC_URL_FILE" in ours else {"PUBLIC_URL": self.public_url}
        return {**ours, **public, **self.extra, **kept, **more}

    def wait_ready(self, *, seconds: float = 60.0) -> None:
        """Wait until the site itself says that it is ready."""
        said = "nothing"

        def is_ready() -> bool:
            nonlocal said
            said = self._ask("/readyz")
            return said.startswith("200 ")

        self.wait_until(
            is_ready, seconds=seconds, otherwise=lambda: f"The site is not ready after {seconds:.0f} s. /readyz last said: {said}"
        )

    def announce(self, *, seconds: float = 60.0) -> None:
        """Say where the site is once it answers, and the one-time set-up code above it while there is no administrator.

        A site that is slow is said to be slow, and goes on starting."""
        if (code := self.run_to_end(self._manage("set-up code", "setup_code"))) != 0:
            self.output.say("up", f"manage.py setup_code ended with code {code}; the lines above say why")
        try:
            self.wait_ready(seconds=seconds)
        except EmbeddedError as error:
            self.output.say("up", f"{error}. It goes on starting; Ctrl-C stops everything.")
        else:
            self.output.say("up", f"ready at {self.public_url} (Ctrl-C stops everything)")

    def _start_engines(self) -> None:
        given = self.addresses
        if not given.app:
            postgres = PrivatePostgres(self.var / "postgres")
            self.keep(Program(name="postgres", engine=postgres, stop_signals=postgres.stop_signals))
            try:
                postgres.provision()
            except psycopg.Error as error:
                raise EmbeddedError(f"docs/roles.sql did not run: {error}") from error
            self.output.say("up", f"PostgreSQL runs; its data lies in {postgres.place.data}")
            given = postgres.addresses()
        broker = given.broker or self.addresses.broker
        if not broker:
            valkey = PrivateValkey(self.var / "valkey")
            self.keep(Program(name="valkey", engine=valkey, stop_signals=valkey.stop_signals))
            broker = valkey.url()
        self.addresses = Addresses(app=given.app, owner=given.owner, sealer=given.sealer, broker=broker)

    def _write_addresses(self) -> None:
        """Let commands that are run by hand find the app role's database and the broker; the other roles stay unwritten."""
        for name, address, is_ours in (
            ("DATABASE_URL", self.addresses.app, not given_addresses().app),
            (BROKER_NAME, self.addresses.broker, not given_addresses().broker),
        ):
            path = self.run / name
            path.unlink(missing_ok=True)
            if is_ours:
                path.touch(mode=0o600)
                path.write_text(f"{address}\n")

    def _program(self, name: str, argv: tuple[str, ...], **more: str) -> Program:
        return Program(name=name, argv=argv, environment=self.environment(**more), directory=PROJECT)

    def _manage(self, name: str, *words: str, **more: str) -> Program:
        return self._program(name, (sys.executable, "manage.py", *words), **more)

    def _ask(self, path: str) -> str:
        connection = client.HTTPConnection(_reachable(self.host).strip("[]"), self.port, timeout=5)
        try:
            connection.request("GET", path, headers={"Host": urlsplit(self.public_url).netloc})
            answer = connection.getresponse()
            return f"{answer.status} {answer.read(500).decode(errors='replace')}"
        except (OSError, client.HTTPException) as error:
            return f"no answer ({error})"
        finally:
            connection.close()

    def _refuse_taken_port(self) -> None:
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((self.host, self.port))
            except OSError as error:
                raise EmbeddedError(
                    f"{self.host} port {self.port} cannot be used: {error.strerror}. Name another with --bind HOST:PORT."
                ) from error


def read_bind(bind: str) -> tuple[str, int]:
    """Return host and port of HOST:PORT; an IPv6 host stands in brackets."""
    host, colon, port = bind.rpartition(":")
    bare = host.removeprefix("[").removesuffix("]")
    if not colon or not bare or (":" in bare) != host.startswith("[") or not port.isdecimal() or not 0 < int(port) < 65536:
        raise EmbeddedError(f"--bind {bind} cannot be read. Write HOST:PORT, such as {DEFAULT_BIND} or [::1]:8000.")
    return bare, int(port)


def given_addresses() -> Addresses:
    """Return the addresses from the environment; those of the database come all three or not at all."""
    app, owner, sealer = (env_str(name) for name in DATABASE_NAMES)
    missing = [name for name in DATABASE_NAMES if not env_str(name)]
    if missing and len(missing) < len(DATABASE_NAMES):
        raise EmbeddedError(
            f"{' and '.join(missing)} not set. The three roles of the database have an address each: "
            "set all of DATABASE_URL, DATABASE_OWNER_URL and DATABASE_SEALER_URL, or none for the embedded PostgreSQL."
        )
    return Addresses(app=app, owner=owner, sealer=sealer, broker=env_str(BROKER_NAME))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _named(host: str) -> str:
    """Return the host as people type it: browsers keep passkeys for names, never for a number."""
    return "localhost" if _is_loopback(host) else _reachable(host)


def _reachable(host: str) -> str:
    """Return the host to ask on this machine for one that is bound, ready for a URL."""
    known = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    return f"[{known}]" if ":" in known else known
