"""What two people agreed on is written once, and each of its later facts once: the database refuses the rest."""

from django.db import migrations

ONLY_FILL = """
CREATE FUNCTION approvals_only_fill() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    was jsonb := to_jsonb(OLD);
    goes jsonb := to_jsonb(NEW);
    field text;
BEGIN
    IF goes - TG_ARGV IS DISTINCT FROM was - TG_ARGV THEN
        RAISE EXCEPTION 'Rows of % are written once: % is refused.', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
    END IF;
    FOREACH field IN ARRAY TG_ARGV LOOP
        IF goes ->> field IS DISTINCT FROM was ->> field AND coalesce(was ->> field, '') <> '' THEN
            RAISE EXCEPTION '% of % is written once: % is refused.', field, TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
        END IF;
    END LOOP;
    RETURN NEW;
END
$$
"""
FILLED = (
    "agreed_at", "agreed_by_id", "ends_at", "review_due_at", "refused_at", "refused_by_id", "withdrawn_at", "withdrawn_by_id",
    "end_reason", "overdue_told_at", "reviewed_at", "reviewed_by_id", "review", "prevention",
)  # fmt: skip
TABLES = ("legexception", "exceptionsignature")
GUARD = ";\n".join(
    [
        (
            "CREATE TRIGGER approvals_legexception_update BEFORE UPDATE ON approvals_legexception FOR EACH ROW EXECUTE FUNCTION "
            f"approvals_only_fill({', '.join(repr(name) for name in FILLED)})"
        ),
        (
            "CREATE TRIGGER approvals_exceptionsignature_update BEFORE UPDATE ON approvals_exceptionsignature "
            "FOR EACH ROW EXECUTE FUNCTION approvals_refuse()"
        ),
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
    dependencies = [("approvals", "0007_exceptions")]

    operations = [
        migrations.RunSQL(ONLY_FILL, "DROP FUNCTION approvals_only_fill()"),
        migrations.RunSQL(GUARD, UNGUARD),
    ]
