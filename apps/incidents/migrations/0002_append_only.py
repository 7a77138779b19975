"""The timeline is written once: the database refuses to change or remove an entry, whoever asks."""

from django.db import migrations

REFUSE = """
CREATE FUNCTION incidents_refuse() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'Rows of % are written once: % is refused.', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END
$$
"""
GUARD = """
CREATE TRIGGER timeline_rows BEFORE UPDATE OR DELETE ON incidents_timelineentry FOR EACH ROW EXECUTE FUNCTION incidents_refuse();
CREATE TRIGGER timeline_truncate BEFORE TRUNCATE ON incidents_timelineentry FOR EACH STATEMENT EXECUTE FUNCTION incidents_refuse()
"""
UNGUARD = "DROP TRIGGER timeline_rows ON incidents_timelineentry; DROP TRIGGER timeline_truncate ON incidents_timelineentry"


class Migration(migrations.Migration):
    dependencies = [("incidents", "0001_initial")]

    operations = [migrations.RunSQL(REFUSE, "DROP FUNCTION incidents_refuse()"), migrations.RunSQL(GUARD, UNGUARD)]
