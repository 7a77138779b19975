"""`make bench`: measures every figure in interleaved rounds on a private PostgreSQL and prints one row each.

Takes the number of rounds and the names of parts: `make bench ARGS="pages 5"`."""

import os
import sys
import tempfile
from pathlib import Path

import django
import psycopg
from django.core.management import call_command
from django.db import connections

from benchmarks.figures import HEADER, ROUNDS
from changecontrol.addresses import database
from changecontrol.embedded.cluster import APP, OWNER, SEALER
from changecontrol.embedded.postgres import SUPERUSER, PrivatePostgres, throwaway_postgres

NAME = "changecontrol"
SEGMENTS = 15  # of 16 MB: what fits into max_wal_size beside the one that is written


def main() -> int:
    """Measure; the exit code is 0 whatever the figures say: they are read by people, never a gate for a change."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "changecontrol.settings")
    rounds = next((int(word) for word in sys.argv[1:] if word.isdecimal()), ROUNDS)
    parts = [word for word in sys.argv[1:] if not word.isdecimal()]
    with tempfile.TemporaryDirectory(prefix="cc-bench-", dir="/tmp") as folder, throwaway_postgres(durable=True) as server:
        os.environ["VAR_DIR"] = folder
        server.provision(database=NAME)
        os.environ["DATABASE_URL"] = server.url(role=APP, database=NAME)
        os.environ["GATE_RATE"] = os.environ["GATE_UNKNOWN_RATE"] = "0"  # what is measured is the gate, by one token
        os.environ["DATABASE_SEALER_URL"] = server.url(role=SEALER, database=NAME)
        django.setup()
        migrate(server)
        fill_log(server)
        # The figures import models, which are there only after django.setup().
        from benchmarks import suite  # noqa: PLC0415

        print(f"{rounds} interleaved rounds, PostgreSQL with fsync on, everything on this one machine\n\n{HEADER}", flush=True)
        for row in suite.rows(server, database_name=NAME, folder=Path(folder), rounds=rounds, parts=parts or suite.PARTS):
            print(row, flush=True)
    return 0


def migrate(server: PrivatePostgres) -> None:
    """Bring the schema up as the owner, then go on as the app role."""
    default = connections["default"]
    default.settings_dict.update(database(server.url(role=OWNER, database=NAME)))
    call_command("migrate", verbosity=0, interactive=False)
    default.close()
    default.settings_dict.update(database(server.url(role=APP, database=NAME)))


def fill_log(server: PrivatePostgres) -> None:
    """Go once through all the segments of the log, as a server that has run for a while: the first time each is filled with zeros,
    for which everybody who writes waits 50 to 70 ms."""
    with psycopg.connect(server.url(role=SUPERUSER, database=NAME), autocommit=True) as connection:
        for _ in range(SEGMENTS):
            connection.execute("SELECT pg_logical_emit_message(false, '', ''), pg_switch_wal()")
        connection.execute("CHECKPOINT")


if __name__ == "__main__":
    sys.exit(main())
