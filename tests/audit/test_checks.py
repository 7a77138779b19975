"""`check --deploy` refuses every role that could rewrite the stream."""

import psycopg
import pytest
from django.core.checks.registry import registry
from django.db import connection

from apps.audit.checks import stream_is_guarded
from tests.conftest import point_default_at


def ids() -> list[str]:
    return [found.id for found in stream_is_guarded(None)]


def test_application_role_passes(own_database):
    assert ids() == []


def test_check_belongs_to_deploy():
    assert stream_is_guarded in registry.deployment_checks
    assert stream_is_guarded not in registry.registered_checks


def test_owner_is_refused(own_database):
    point_default_at(own_database.owner_url)

    assert ids() == ["audit.E001", "audit.E002", "audit.E006"]


def test_superuser_is_refused(own_database):
    point_default_at(own_database.superuser_url)

    assert ids() == ["audit.E003"]


def as_superuser(own, statement: str) -> None:
    with psycopg.connect(own.superuser_url, autocommit=True) as connection:
        connection.execute(statement)


def test_role_that_may_update_a_table_is_refused(own_database):
    as_superuser(own_database, "grant update, truncate on audit_entry to changecontrol_app")

    (found,) = stream_is_guarded(None)

    assert found.id == "audit.E002"
    assert "audit_entry (TRUNCATE, UPDATE)" in found.msg


def test_role_with_a_power_over_the_whole_server_is_refused(own_database):
    as_superuser(own_database, "alter role changecontrol_app createrole")
    try:
        assert ids() == ["audit.E004"]
    finally:
        as_superuser(own_database, "alter role changecontrol_app nocreaterole")


def test_role_that_seals_what_it_writes_is_refused(own_database):
    as_superuser(own_database, "grant insert on audit_seal to changecontrol_app")

    assert ids() == ["audit.E006"]


@pytest.mark.parametrize(
    "statement",
    [
        "alter table audit_seal disable trigger audit_seal_rows",
        "drop trigger audit_seal_truncate on audit_seal",
        "alter table audit_seal enable trigger audit_seal_rows",
    ],
)
def test_missing_or_sleeping_trigger_is_found(own_database, statement):
    as_superuser(own_database, statement)

    (found,) = stream_is_guarded(None)

    assert found.id == "audit.E005"
    assert "audit_seal" in found.msg


def test_database_that_is_away_is_said_to_be_away(own_database):
    point_default_at("postgresql://changecontrol_app@/nowhere?host=/nonexistent")

    assert ids() == ["audit.E000"]


def test_stream_that_was_never_migrated_lacks_its_guard(own_database):
    connection.close()
    as_superuser(own_database, "drop table audit_place cascade")

    assert ids() == ["audit.E005"]
