"""Makes the stream append-only for everybody, and says which role may add what. Not reversible: a stream without guard is none."""

from django.db import migrations

ROLES_EXIST = """
DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['changecontrol_owner', 'changecontrol_app', 'changecontrol_sealer'] LOOP
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = wanted) THEN
            RAISE EXCEPTION 'Role % is missing. Run docs/roles.sql on this database, then migrate again.', wanted;
        END IF;
    END LOOP;
END
$$
"""

# One function for all refusals. The one way through is the erasure of the very detail that the transaction has named before,
# by a role that owns the table: the application and the sealer do not.
REFUSE = """
CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP = 'DELETE' AND TG_TABLE_NAME = 'audit_detail' THEN
        IF current_setting('changecontrol.erasing', true) = OLD.entry_id::text || ':' || OLD.field
           AND pg_has_role(current_user, (SELECT relowner FROM pg_class WHERE oid = TG_RELID), 'USAGE') THEN
            RETURN OLD;
        END IF;
    END IF;
    RAISE EXCEPTION 'The audit stream is append-only: % on % is refused.', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END
$$
"""

# ALWAYS: session_replication_role, which the owner of a database may be granted, does not switch these off.
GUARD = """
CREATE TRIGGER {table}_rows BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER {table}_truncate BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();
ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_rows;
ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_truncate
"""
GUARDED = ("audit_entry", "audit_detail", "audit_seal", "audit_place", "audit_publickey", "audit_installation")

# `xid` is not among the columns the application may name: whoever chooses it chooses when, or whether, an entry is sealed.
PRIVILEGES = f"""
REVOKE ALL ON {", ".join(GUARDED)}, audit_cursor FROM PUBLIC, changecontrol_app, changecontrol_sealer;
GRANT SELECT ON {", ".join(GUARDED)} TO changecontrol_app, changecontrol_sealer;
GRANT INSERT (id, event, at, subject, refs, body) ON audit_entry TO changecontrol_app;
GRANT INSERT ON audit_detail, audit_publickey TO changecontrol_app;
GRANT SELECT, INSERT, UPDATE ON audit_cursor TO changecontrol_app;
GRANT INSERT ON audit_seal, audit_place TO changecontrol_sealer;
"""

# Hashes do not compress, and compressing the ids would cost the sealer more than the space is worth.
UNCOMPRESSED = "ALTER TABLE audit_seal ALTER COLUMN leaves SET STORAGE EXTERNAL, ALTER COLUMN entry_ids SET STORAGE EXTERNAL"

NAME_INSTALLATION = "INSERT INTO audit_installation (id, public_id, made_at) VALUES (1, gen_random_uuid(), now())"


class Migration(migrations.Migration):
    dependencies = [("audit", "0001_initial")]

    operations = [
        migrations.RunSQL(ROLES_EXIST),
        migrations.RunSQL(UNCOMPRESSED),
        migrations.RunSQL(NAME_INSTALLATION),
        migrations.RunSQL(REFUSE),
        *(migrations.RunSQL(GUARD.format(table=table)) for table in GUARDED),
        migrations.RunSQL(PRIVILEGES),
    ]
