"""PostgreSQL's functions of the gate: `migrate` makes those of this release and keeps those of the one before."""

from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.backends.utils import CursorWrapper

from apps.gate.called import FUNCTIONS, VERSION, Function

KEPT = 2  # the release that comes, and the one whose processes still answer while it comes
THERE = "select to_regprocedure(%s) is not null"
# A function's comment is the moment it was last made or found to be of the release that was migrated to.
OLDER = """select p.oid::regprocedure::text from pg_proc p
where p.pronamespace = 'public'::regnamespace and p.proname ~ %s order by obj_description(p.oid, 'pg_proc') desc offset %s"""


def make_functions(*, using: str = DEFAULT_DB_ALIAS) -> None:
    """Make the functions of this release where they are missing, and drop those of releases that are over."""
    with transaction.atomic(using=using), connections[using].cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(hashtext('gate_make_functions'))")
        cursor.execute("select to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')")
        (now,) = cursor.fetchone()
        for function in FUNCTIONS:
            _make(cursor, function, now=now)
            cursor.execute(OLDER, [f"^{function.name}_[0-9a-f]{{{len(VERSION)}}}$", KEPT])
            for (older,) in cursor.fetchall():
                cursor.execute(f"drop function {older}")


def are_made(*, using: str = DEFAULT_DB_ALIAS) -> bool:
    """Whether every function of this release is there."""
    with connections[using].cursor() as cursor:
        return all(_is_there(cursor, function) for function in FUNCTIONS)


def _make(cursor: CursorWrapper, function: Function, *, now: str) -> None:
    # Only where it is missing: replacing it would make every session plan anew.
    if not _is_there(cursor, function):
        cursor.execute(function.created)
        cursor.execute(f"revoke all on function {function.signature} from public")
        cursor.execute(f"grant execute on function {function.signature} to changecontrol_app")
    cursor.execute(f"comment on function {function.signature} is %s", [now])


def _is_there(cursor: CursorWrapper, function: Function) -> bool:
    cursor.execute(THERE, [f"public.{function.signature}"])
    return bool(cursor.fetchone() == (True,))
