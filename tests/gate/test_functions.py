"""The gate's functions in PostgreSQL: who may call them, how a release brings its own, and what happens without them."""

import pytest
from django.core.checks import run_checks
from django.core.management import call_command
from django.db import ProgrammingError, connection, connections

from apps.gate import ground
from apps.gate.called import FUNCTIONS, VERSION
from apps.gate.functions import KEPT, are_made, make_functions
from apps.home.views import health
from tests.factories.approvals import make_change, make_place
from tests.factories.changes import COMMIT
from tests.factories.gate import ask, body_for, make_gate_token

RELEASES = "select proname from pg_proc where proname ~ '^gate_(evidence|exceptions|model|moving|named|passkey|place)_[0-9a-f]{12}$' order by proname"


FUNCTION = {function.name: function for function in FUNCTIONS}


def made(own) -> list[str]:
    with own.connect() as app:
        return [name for (name,) in app.execute(RELEASES).fetchall()]


def another_release(own, version: str, *, at: str) -> None:
    """The functions of another release, as `migrate` left them at that moment."""
    with own.connect(own.owner_url) as owner:
        for function in FUNCTIONS:
            signature = function.signature.replace(VERSION, version)
            owner.execute(f"create function {signature} returns json language sql as 'select null::json'")
            owner.execute(f"comment on function {signature} is '{at}'")


@pytest.mark.django_db
@pytest.mark.parametrize("name", sorted(FUNCTION))
def test_app_role_calls_a_function_and_nobody_else_does(name):
    signature = FUNCTION[name].signature
    with connection.cursor() as cursor:
        cursor.execute("select provolatile, prosecdef, proconfig from pg_proc where oid = %s::regprocedure", [signature])
        assert cursor.fetchone() == ("s", False, ["search_path=public, pg_temp"])
        cursor.execute(
            "select bool_or(grantee = 0), array_agg(grantee::regrole::text order by grantee::regrole::text) filter (where grantee <> 0) "
            "from pg_proc, aclexplode(proacl) where oid = %s::regprocedure",
            [signature],
        )
        assert cursor.fetchone() == (False, ["changecontrol_app", "changecontrol_owner"])


def test_app_role_does_not_replace_a_function(own_database):
    with pytest.raises(ProgrammingError), connection.cursor() as cursor:
        cursor.execute(FUNCTIONS[0].created.replace("create function", "create or replace function"))


def test_migrate_keeps_the_release_before_and_drops_what_is_over(own_database):
    another_release(own_database, "a" * 12, at="2026-01-01 00:00:00.000000")
    another_release(own_database, "b" * 12, at="2026-02-01 00:00:00.000000")

    call_command("migrate", database="owner", verbosity=0, interactive=False)

    kept = sorted(f"{function.name}_{version}" for function in FUNCTIONS for version in ("b" * 12, VERSION))
    assert KEPT == 2
    assert made(own_database) == kept


def test_going_back_to_the_release_before_makes_its_functions_the_newest(own_database):
    another_release(own_database, "c" * 12, at="2999-01-01 00:00:00.000000")

    make_functions(using="owner")
    make_functions(using="owner")

    with own_database.connect() as app:
        (moments,) = app.execute(
            "select array_agg(obj_description(%s::text::regprocedure, 'pg_proc'))", [FUNCTIONS[0].signature]
        ).fetchone()
    assert moments[0] > "2026"
    assert f"gate_named_{'c' * 12}" in made(own_database)


def test_function_that_is_there_is_left_alone(own_database):
    def rows() -> list[tuple[int, str]]:
        with own_database.connect() as app:
            return app.execute("select oid, xmin::text from pg_proc where proname like 'gate\\_%%' order by oid").fetchall()

    before = rows()
    make_functions(using="owner")

    assert rows() == before


def test_two_migrations_at_once_make_them_once(own_database, racer):
    with own_database.connect(own_database.owner_url) as owner:
        for function in FUNCTIONS:
            owner.execute(f"drop function {function.signature}")

    def migrated() -> None:
        make_functions(using="owner")
        connections["owner"].close()

    for one in [racer(migrated) for _ in range(2)]:
        one.result()

    assert are_made()


@pytest.mark.parametrize("name", sorted(FUNCTION))
def test_without_its_function_the_gate_says_no_yes_and_watchers_are_told(own_gate, client, monkeypatch, name):
    monkeypatch.setattr(health, "REMEMBERED", set())
    target = make_place()
    make_change(targets=(target,))
    _, secret = make_gate_token()
    assert ask(secret, body_for(target, COMMIT)).json()["verdict"] == "ALLOW"  # from here on on kept ground
    with own_gate.connect(own_gate.owner_url) as owner:
        owner.execute(f"drop function {FUNCTION[name].signature}")
    if name == "gate_named":  # of which nothing is asked as long as the ground is kept
        ground._kept.clear()

    answer = ask(secret, body_for(target, COMMIT))

    assert (answer.status_code, answer.json()["code"]) == (503, "could_not_tell")
    assert client.get("/readyz").json()["migrated"] is False
    assert [found.id for found in run_checks(databases=["default"])].count("gate.W002") == 1
    call_command("migrate", database="owner", verbosity=0, interactive=False, skip_checks=False)
    assert ask(secret, body_for(target, COMMIT)).json()["verdict"] == "ALLOW"
    assert client.get("/readyz").json()["migrated"] is True
