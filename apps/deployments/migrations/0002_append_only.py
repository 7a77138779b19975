"""Moves, measurements and log chunks are written once, and an attempt ends once: the database refuses the rest, whoever asks."""

from django.db import migrations

REFUSE = """
CREATE FUNCTION deployments_refuse() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'Rows of % are written once: % is refused.', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END
$$
"""
# An attempt is written when it is claimed, and once more when it ends: who worked when is not rewritten.
END_ONCE = """
CREATE FUNCTION deployments_end_once() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF OLD.ended_at IS NULL AND NEW.ended_at IS NOT NULL AND NEW.ended_as <> ''
        AND (NEW.id, NEW.deployment_id, NEW.number, NEW.holder, NEW.claimed_at)
            IS NOT DISTINCT FROM (OLD.id, OLD.deployment_id, OLD.number, OLD.holder, OLD.claimed_at)
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'Rows of % end once: % is refused.', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END
$$
"""
GUARD_ATTEMPTS = """
CREATE TRIGGER deployments_attempt_end BEFORE UPDATE ON deployments_attempt FOR EACH ROW EXECUTE FUNCTION deployments_end_once();
CREATE TRIGGER deployments_attempt_rows BEFORE DELETE ON deployments_attempt FOR EACH ROW EXECUTE FUNCTION deployments_refuse();
CREATE TRIGGER deployments_attempt_truncate BEFORE TRUNCATE ON deployments_attempt FOR EACH STATEMENT EXECUTE FUNCTION deployments_refuse()
"""
UNGUARD_ATTEMPTS = """
DROP TRIGGER deployments_attempt_end ON deployments_attempt; DROP TRIGGER deployments_attempt_rows ON deployments_attempt;
DROP TRIGGER deployments_attempt_truncate ON deployments_attempt
"""
GUARD = """
CREATE TRIGGER {table}_rows BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION deployments_refuse();
CREATE TRIGGER {table}_truncate BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION deployments_refuse()
"""
UNGUARD = "DROP TRIGGER {table}_rows ON {table}; DROP TRIGGER {table}_truncate ON {table}"
GUARDED = ("deployments_move", "deployments_measurement", "deployments_logchunk")


class Migration(migrations.Migration):
    dependencies = [("deployments", "0001_initial")]

    operations = [
        migrations.RunSQL(REFUSE, "DROP FUNCTION deployments_refuse()"),
        migrations.RunSQL(END_ONCE, "DROP FUNCTION deployments_end_once()"),
        migrations.RunSQL(GUARD_ATTEMPTS, UNGUARD_ATTEMPTS),
        *(migrations.RunSQL(GUARD.format(table=table), UNGUARD.format(table=table)) for table in GUARDED),
    ]
