"""The table that one durable row is written to: made by the measuring process, written by the served one."""

import psycopg

from changecontrol.embedded.cluster import OWNER
from changecontrol.embedded.postgres import PrivatePostgres

TABLE = "create table if not exists bench_row (id bigint generated always as identity primary key, at timestamptz not null, body bytea not null)"


def make_table(server: PrivatePostgres, *, database_name: str) -> None:
    """Make it as the owner, where it is not there."""
    with psycopg.connect(server.url(role=OWNER, database=database_name), autocommit=True) as owner:
        owner.execute(TABLE)
