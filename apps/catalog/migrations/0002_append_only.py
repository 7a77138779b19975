"""Arrivals and versions of target settings are written once: promotion, suspects and signed digests lean on them."""

from django.db import migrations

REFUSE = """
CREATE FUNCTION catalog_refuse() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'What is written there is not changed: % on % is refused.', TG_OP, TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END
$$
"""
GUARD = """
CREATE TRIGGER {table}_rows BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION catalog_refuse();
CREATE TRIGGER {table}_truncate BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION catalog_refuse()
"""
OPEN = "DROP TRIGGER {table}_rows ON {table}; DROP TRIGGER {table}_truncate ON {table}"
TABLES = ("catalog_arrival", "catalog_targetsettings")


class Migration(migrations.Migration):
    dependencies = [("catalog", "0001_initial")]
    operations = [
        migrations.RunSQL(REFUSE, "DROP FUNCTION catalog_refuse()"),
        *(migrations.RunSQL(GUARD.format(table=table), OPEN.format(table=table)) for table in TABLES),
    ]
