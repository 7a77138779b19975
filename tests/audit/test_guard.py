"""Who may do what to the stream's tables: every table × every way to change it × every role, tried on a real server."""

import contextlib
from collections.abc import Iterator
from uuid import uuid4

import psycopg
import pytest
from psycopg import errors

from changecontrol.embedded.cluster import APP, OWNER, SEALER
from changecontrol.embedded.postgres import SUPERUSER, PrivatePostgres
from tests.audit.conftest import GUARDED
from tests.conftest import TEMPLATE

KEYS = dict(zip(GUARDED, ("id", "entry_id, field", "number", "entry_id", "key_id, signature", "id"), strict=True))
FIRST = {table: key.split(",")[0] for table, key in KEYS.items()}
ENTRY = "insert into audit_entry (id, event, at, subject, refs, body) values (gen_random_uuid(), 'a.b', now(), 'x:1', '{x:1}', 'x')"
HASH = "sha256('x')"
ROWS = {
    "audit_entry": ENTRY,
    "audit_detail": f"insert into audit_detail (entry_id, field, salt, text) select id, 'reason', {HASH}, 'x' from audit_entry limit 1",
    "audit_seal": "insert into audit_seal"
    " (number, first_position, count, entry_ids, leaves, body, previous_head, head, sealed_at, system, floor)"
    f" values (1, 1, 1, array[gen_random_uuid()], {HASH}, 'x', {HASH}, {HASH}, now(), '1', '1')",
    "audit_place": "insert into audit_place (entry_id, position) values (gen_random_uuid(), 1)",
    "audit_publickey": (
        "insert into audit_publickey (key_id, alg, public, endorsement, signature, listed_at) "
        f"values ('k', 'Ed25519', {HASH}, 'x', {HASH} || {HASH}, now())"
    ),
    "audit_installation": "insert into audit_installation (id, public_id, made_at) values (1, gen_random_uuid(), now())",
}
CHANGES = {
    "update": "update {table} set {first} = {first}",
    "update nothing": "update {table} set {first} = {first} where false",
    "delete": "delete from {table}",
    "truncate": "truncate {table} cascade",
}
POWERS = {
    "alter": "alter table {table} add column more text",
    "drop": "drop table {table} cascade",
    "disable triggers": "alter table {table} disable trigger all",
    "drop a trigger": "drop trigger {table}_rows on {table}",
    "add a trigger": "create trigger sly before insert on {table} for each row execute function suppress_redundant_updates_trigger()",
    "add a rule": "create rule sly as on insert to {table} do instead nothing",
    "index": "create index on {table} ({first})",
    "own": "alter table {table} owner to current_user",
    "lock others out": "lock table {table} in access exclusive mode",
    "read past row security": "alter table {table} disable row level security",
}
GLOBAL = {
    "become the owner": "set role changecontrol_owner",
    "become the superuser": "set role postgres",
    "switch triggers off": "set session_replication_role = replica",
    "replace the guard": "create or replace function audit_refuse() returns trigger language plpgsql as 'begin return new; end'",
    "drop the guard": "drop function audit_refuse() cascade",
    "make a table": "create table sly (id int)",
    "write a file": "copy audit_entry to '/dev/null'",
}


@pytest.fixture(scope="module")
def guarded(server: PrivatePostgres, django_db_setup) -> Iterator[str]:
    """A database with one row in each table; nothing in these tests is ever committed."""
    name = f"cc_{uuid4().hex[:12]}"
    server.clone(name, template=TEMPLATE)
    with psycopg.connect(server.url(SUPERUSER, name)) as connection:
        for table, insert in ROWS.items():
            if table != "audit_installation":
                connection.execute(insert)
    yield name
    server.drop(name)


@contextlib.contextmanager
def acting_as(server: PrivatePostgres, role: str, name: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(server.url(role, name)) as connection:
        yield connection
        connection.rollback()


@pytest.mark.parametrize("role", [APP, SEALER])
@pytest.mark.parametrize("table", GUARDED)
def test_neither_application_nor_sealer_may_change_anything(server, guarded, role, table):
    could = []
    for name, statement in (CHANGES | POWERS).items():
        with acting_as(server, role, guarded) as connection:
            try:
                connection.execute(statement.format(table=table, first=FIRST[table]))
            except errors.InsufficientPrivilege:
                continue
            could.append(name)

    assert could == []


@pytest.mark.parametrize("role", [APP, SEALER])
def test_granting_to_others_only_warns_and_grants_nothing(server, guarded, role):
    acl = "select array_agg(relacl::text order by relname) from pg_class where relname = any(%s)"
    with acting_as(server, role, guarded) as connection:
        before = connection.execute(acl, [list(GUARDED)]).fetchone()
        for table in GUARDED:
            connection.execute(f"grant all on {table} to public")

        assert connection.execute(acl, [list(GUARDED)]).fetchone() == before


@pytest.mark.parametrize("role", [APP, SEALER])
@pytest.mark.parametrize("power", GLOBAL)
def test_neither_application_nor_sealer_has_a_way_round(server, guarded, role, power):
    with acting_as(server, role, guarded) as connection, pytest.raises(errors.InsufficientPrivilege):
        connection.execute(GLOBAL[power])


@pytest.mark.parametrize("role", [APP, SEALER, OWNER])
@pytest.mark.parametrize("table", GUARDED)
def test_nobody_updates_by_inserting(server, guarded, role, table):
    statement = f"{ROWS[table]} on conflict ({KEYS[table]}) do update set {FIRST[table]} = excluded.{FIRST[table]}"
    if table in {"audit_entry", "audit_place"}:  # their key is new each time: take that of the row which is there
        statement = statement.replace("gen_random_uuid()", f"(select {FIRST[table]} from {table} limit 1)", 1)

    with acting_as(server, role, guarded) as connection, pytest.raises((errors.InsufficientPrivilege, errors.RestrictViolation)):
        connection.execute(statement)


@pytest.mark.parametrize("role", [OWNER, SUPERUSER])
@pytest.mark.parametrize("table", GUARDED)
@pytest.mark.parametrize("change", ["update", "delete", "truncate"])
def test_triggers_refuse_even_owner_and_superuser(server, guarded, role, table, change):
    with acting_as(server, role, guarded) as connection:
        if role == SUPERUSER:
            connection.execute("set session_replication_role = replica")  # foreign keys sleep, the guard does not
        with pytest.raises(errors.RestrictViolation, match="append-only"):
            connection.execute(CHANGES[change].format(table=table, first=FIRST[table]))


INSERTERS = {
    "audit_entry": {APP, OWNER},
    "audit_detail": {APP, OWNER},
    "audit_publickey": {APP, OWNER},
    "audit_seal": {SEALER, OWNER},
    "audit_place": {SEALER, OWNER},
    "audit_installation": {OWNER},
}


@pytest.mark.parametrize("role", [APP, SEALER, OWNER])
@pytest.mark.parametrize("table", GUARDED)
def test_only_some_may_insert(server, guarded, role, table):
    with acting_as(server, role, guarded) as connection:
        try:
            connection.execute(ROWS[table])
        except errors.InsufficientPrivilege:
            assert role not in INSERTERS[table]
        except (errors.UniqueViolation, errors.IntegrityError):
            assert role in INSERTERS[table]
        else:
            assert role in INSERTERS[table]


def test_application_may_not_choose_the_transaction_id(server, guarded):
    with acting_as(server, APP, guarded) as connection, pytest.raises(errors.InsufficientPrivilege):
        connection.execute(ENTRY.replace("body)", "body, xid)").replace("'x')", "'x', '1')"))


@pytest.mark.parametrize("table", [*GUARDED, "audit_cursor"])
def test_application_reads_all_and_the_sealer_what_is_sealed(server, guarded, table):
    with acting_as(server, APP, guarded) as connection:
        connection.execute(f"select * from {table}")
    with acting_as(server, SEALER, guarded) as connection:
        expected = pytest.raises(errors.InsufficientPrivilege) if table == "audit_cursor" else contextlib.nullcontext()
        with expected:
            connection.execute(f"select * from {table}")


def test_cursor_moves_and_is_never_deleted_by_the_application(server, guarded):
    with acting_as(server, APP, guarded) as connection:
        connection.execute("insert into audit_cursor (name, position) values ('x', 0)")
        connection.execute("update audit_cursor set position = 5")
        with pytest.raises(errors.InsufficientPrivilege):
            connection.execute("delete from audit_cursor")


ERASING = "select set_config('changecontrol.erasing', entry_id::text || ':' || field, true) from audit_detail"


@pytest.mark.parametrize("role", [APP, SEALER])
def test_naming_a_detail_lets_nobody_but_the_owner_erase_it(server, guarded, role):
    with acting_as(server, role, guarded) as connection:
        connection.execute(ERASING)
        with pytest.raises(errors.InsufficientPrivilege):
            connection.execute("delete from audit_detail")


def test_owner_erases_the_named_detail_alone(server, guarded):
    with acting_as(server, OWNER, guarded) as connection:
        connection.execute(
            f"insert into audit_detail (entry_id, field, salt, text) select id, 'name', {HASH}, 'x' from audit_entry limit 1"
        )
        connection.execute(f"{ERASING} where field = 'reason'")
        assert connection.execute("delete from audit_detail where field = 'reason'").rowcount == 1
        with pytest.raises(errors.RestrictViolation):
            connection.execute("delete from audit_detail")


BROKEN = {
    "event_is_noun_past": ENTRY.replace("'a.b'", "'Something happened'"),
    "refs_name_the_subject": ENTRY.replace("'{x:1}'", "'{y:1}'"),
    "salt_is_long_enough": ROWS["audit_detail"].replace("'reason'", "'other'").replace(HASH, "'salt'"),
    "seal_is_not_empty": ROWS["audit_seal"].replace("(1, 1, 1,", "(2, 0, 1,"),
    "seal_lists_its_entries": ROWS["audit_seal"].replace("(1, 1, 1,", "(2, 2, 2,").replace(f"], {HASH}", f"], {HASH} || {HASH}"),
    "seal_lists_its_leaves": ROWS["audit_seal"].replace("(1, 1, 1,", "(2, 2, 1,").replace(f"], {HASH}", f"], {HASH} || {HASH}"),
    "head_is_a_hash": ROWS["audit_seal"].replace("(1, 1, 1,", "(2, 2, 1,").replace(f"{HASH}, now()", "'x', now()"),
    "one_seal_after_another": ROWS["audit_seal"].replace("(1, 1, 1,", "(2, 2, 1,"),
    "one_seal_per_position": ROWS["audit_seal"].replace("(1, 1, 1,", "(2, 1, 1,").replace(f"'x', {HASH}", "'x', sha256('y')"),
    "audit_place_position_key": ROWS["audit_place"],
    "one_installation": ROWS["audit_installation"].replace("(1,", "(2,"),
    "cursor_is_a_position": "insert into audit_cursor (name, position) values ('x', -1)",
    "key_is_whole": ROWS["audit_publickey"].replace("'k'", "''"),
    "endorsement_is_signed": ROWS["audit_publickey"].replace(f"{HASH} || {HASH}", HASH),
}


@pytest.mark.parametrize("rule", BROKEN)
def test_constraints_repeat_the_rules(server, guarded, rule):
    with acting_as(server, OWNER, guarded) as connection, pytest.raises(errors.IntegrityError) as caught:
        connection.execute(BROKEN[rule])

    assert rule in str(caught.value)
