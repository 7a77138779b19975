"""Roles, database and addresses on a running PostgreSQL; knows `docs/roles.sql` and nothing of processes."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

ROLES_SQL = Path(__file__).resolve().parents[2] / "docs" / "roles.sql"
DATABASE = "changecontrol"
OWNER, APP, SEALER = "changecontrol_owner", "changecontrol_app", "changecontrol_sealer"


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the parts of the system find database and broker. Empty means: not given."""

    app: str = ""
    owner: str = ""
    sealer: str = ""
    broker: str = ""


def socket_url(directory: Path, *, port: int, role: str, database: str) -> str:
    """Return the libpq URI of a role on a unix socket. The port is named, or PGPORT of the caller would decide."""
    return f"postgresql://{quote(role, safe='')}@/{quote(database, safe='')}?host={quote(str(directory), safe='')}&port={port}"


def provision(admin_url: str, *, database_url: str, database: str = DATABASE) -> None:
    """Make the database when it is missing and bring roles and grants into shape. May run any number of times."""
    with psycopg.connect(admin_url, autocommit=True) as connection:
        create_database(connection, name=database)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(ROLES_SQL.read_bytes())


def create_database(connection: psycopg.Connection, *, name: str, template: str | None = None, owner: str | None = None) -> None:
    """Create a database, by default an empty one, unless it is there."""
    if connection.execute("SELECT FROM pg_database WHERE datname = %s", [name]).fetchone() is not None:
        return
    statement = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
    if template:
        statement += sql.SQL(" TEMPLATE {}").format(sql.Identifier(template))
    if owner:
        statement += sql.SQL(" OWNER {}").format(sql.Identifier(owner))
    connection.execute(statement)


def drop_database(connection: psycopg.Connection, *, name: str) -> None:
    """Drop a database together with the sessions in it."""
    connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
