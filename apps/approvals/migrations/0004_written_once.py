"""A proposal is decided once, a delegation ended once, an absence cancelled once, a nudge never changed: the database refuses the rest."""

from django.db import migrations

ONLY_END = """
CREATE FUNCTION approvals_only_end() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF to_jsonb(OLD) ->> TG_ARGV[0] IS NULL AND to_jsonb(NEW) - TG_ARGV = to_jsonb(OLD) - TG_ARGV THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'Rows of % are written once and ended once: % is refused.', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'restrict_violation';
END
$$
"""
ENDS = {
    "policyproposal": ("decided_at", "decided_by_id", "outcome"),
    "delegation": ("ended_at", "ended_by"),
    "absence": ("cancelled_at", "cancelled_by"),
}
TABLES = (*ENDS, "nudge")


def _columns(names: tuple[str, ...]) -> str:
    return ", ".join(f"'{name}'" for name in names)


GUARD = ";\n".join(
    [
        *(
            f"CREATE TRIGGER approvals_{table}_update BEFORE UPDATE ON approvals_{table} "
            f"FOR EACH ROW EXECUTE FUNCTION approvals_only_end({_columns(columns)})"
            for table, columns in ENDS.items()
        ),
        "CREATE TRIGGER approvals_nudge_update BEFORE UPDATE ON approvals_nudge FOR EACH ROW EXECUTE FUNCTION approvals_refuse()",
        *(
            f"CREATE TRIGGER approvals_{table}_delete BEFORE DELETE ON approvals_{table} FOR EACH ROW EXECUTE FUNCTION approvals_refuse()"
            for table in TABLES
        ),
        *(
            f"CREATE TRIGGER approvals_{table}_truncate BEFORE TRUNCATE ON approvals_{table} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION approvals_refuse()"
            for table in TABLES
        ),
    ]
)
UNGUARD = ";\n".join(
    f"DROP TRIGGER approvals_{table}_{verb} ON approvals_{table}" for table in TABLES for verb in ("update", "delete", "truncate")
)


class Migration(migrations.Migration):
    dependencies = [("approvals", "0003_proposals_and_stand_ins")]

    operations = [
        migrations.RunSQL(ONLY_END, "DROP FUNCTION approvals_only_end()"),
        migrations.RunSQL(GUARD, UNGUARD),
    ]
