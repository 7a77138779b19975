"""`check --deploy`: the application's role may add to the stream and can change nothing in it."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.core.checks import CheckMessage, Error
from django.db import Error as DatabaseError
from django.db import connection

TABLES = ("audit_entry", "audit_detail", "audit_seal", "audit_place", "audit_publickey", "audit_installation")

ROLE = "select current_user, rolsuper, rolbypassrls or rolreplication or rolcreaterole from pg_roles where rolname = current_user"
# pg_has_role: whoever may become the owner is the owner.
OWNED = """
select relname from pg_class
where oid in (select to_regclass(name) from unnest(%s::text[]) as name) and pg_has_role(current_user, relowner, 'MEMBER')
order by 1
"""
CHANGEABLE = """
select guarded.name || ' (' || string_agg(wanted.privilege, ', ' order by wanted.privilege) || ')'
from unnest(%s::text[]) as guarded(name), unnest(array['UPDATE', 'DELETE', 'TRUNCATE', 'TRIGGER', 'REFERENCES']) as wanted(privilege)
where to_regclass(guarded.name) is not null and has_table_privilege(current_user, guarded.name, wanted.privilege)
group by guarded.name order by guarded.name
"""
SEALS = "select to_regclass('audit_seal') is not null and has_table_privilege(current_user, 'audit_seal', 'INSERT')"
UNGUARDED = """
select guarded.name from unnest(%s::text[]) as guarded(name)
where (
    select count(*) from pg_trigger
    where tgrelid = to_regclass(guarded.name) and tgenabled = 'A' and tgfoid = to_regproc('audit_refuse')
) < 2
order by 1
"""
CURE = "Run docs/roles.sql, migrate as changecontrol_owner, and let DATABASE_URL name changecontrol_app."


def stream_is_guarded(app_configs: Sequence[AppConfig] | None, **_: object) -> list[CheckMessage]:
    """Refuse a production in which the web process could rewrite history."""
    del app_configs
    try:
        with connection.cursor() as cursor:
            return list(_findings(cursor))
    except DatabaseError as error:
        return [Error(f"The database does not tell who we are: {error}", hint="Start it, then check again.", id="audit.E000")]


def _findings(cursor: Any) -> list[CheckMessage]:  # noqa: ANN401 - Django's cursor has no type
    cursor.execute(ROLE)
    role, is_superuser, is_mighty = cursor.fetchone()
    if is_superuser:
        return [Error(f"The application connects as the superuser {role}, who may change everything.", hint=CURE, id="audit.E003")]
    found: list[CheckMessage] = []
    if is_mighty:
        found.append(Error(f"The role {role} may replicate, make roles or bypass row security.", hint=CURE, id="audit.E004"))
    for query, words, code in (
        (OWNED, f"The role {role} owns, or may act as the owner of, tables of the audit stream", "audit.E001"),
        (CHANGEABLE, f"The role {role} may change tables of the audit stream", "audit.E002"),
        (UNGUARDED, "Tables of the audit stream lack their guarding triggers", "audit.E005"),
    ):
        cursor.execute(query, [list(TABLES)])
        if names := [name for (name,) in cursor.fetchall()]:
            found.append(Error(f"{words}: {', '.join(names)}.", hint=CURE, id=code))
    cursor.execute(SEALS)
    if cursor.fetchone()[0]:
        found.append(Error(f"The role {role} may write entries and seal them too.", hint=CURE, id="audit.E006"))
    return found
