"""Bytes that were shown are never edited, and go only where nothing holds them: a file without an upload, an upload without a change."""

from django.db import migrations

# One table at a time: a field of OLD is looked up only where the branch with its table is reached.
FUNCTION = """
CREATE FUNCTION changes_keep_evidence() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_TABLE_NAME = 'changes_evidenceupload' THEN
        IF TG_OP = 'DELETE' AND OLD.change_id IS NULL THEN
            RETURN OLD;
        END IF;
        IF TG_OP = 'UPDATE' AND OLD.change_id IS NULL AND (NEW.file_id, NEW.person_id, NEW.public_id, NEW.name, NEW.at)
            IS NOT DISTINCT FROM (OLD.file_id, OLD.person_id, OLD.public_id, OLD.name, OLD.at) THEN
            RETURN NEW;
        END IF;
    ELSIF TG_TABLE_NAME = 'changes_evidencefile' THEN
        IF TG_OP = 'DELETE' AND NOT EXISTS (SELECT FROM public.changes_evidenceupload WHERE file_id = OLD.id) THEN
            RETURN OLD;
        END IF;
    ELSIF TG_OP = 'DELETE' AND NOT EXISTS (SELECT FROM public.changes_evidenceupload WHERE file_id = OLD.file_id) THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'Evidence is kept: % of % is refused.', TG_OP, TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END
$$
"""
GUARD = """
CREATE TRIGGER {table}_rows BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION {function}();
CREATE TRIGGER {table}_truncate BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION changes_refuse()
"""
UNGUARD = "DROP TRIGGER {table}_rows ON {table}; DROP TRIGGER {table}_truncate ON {table}"
GUARDED = {
    "changes_evidencefile": "changes_keep_evidence",
    "changes_evidencechunk": "changes_keep_evidence",
    "changes_evidenceupload": "changes_keep_evidence",
    "changes_versionreading": "changes_refuse",
}


class Migration(migrations.Migration):
    dependencies = [("changes", "0003_evidence_and_readings")]

    operations = [
        migrations.RunSQL(FUNCTION, "DROP FUNCTION changes_keep_evidence()"),
        *(
            migrations.RunSQL(GUARD.format(table=table, function=function), UNGUARD.format(table=table))
            for table, function in GUARDED.items()
        ),
    ]
