"""The stamp of what seldom moves: every write to one of those tables gives the database a new one, in the same transaction."""

from django.db import migrations

# What the gate keeps in its processes, and of which columns it reads only some: the others move without a new stamp.
TABLES = {
    "accounts_membership": "",
    "accounts_person": "public_id, name, is_active, inactive_until, merged_into_id",
    "accounts_rolegrant": "",
    "accounts_team": "public_id",
    "approvals_policy": "",
    "approvals_policyversion": "",
    "audit_installation": "",
    "audit_publickey": "",
    "catalog_environment": "",
    "catalog_environmentalias": "",
    "catalog_ownership": "",
    "catalog_service": "",
    "catalog_servicealias": "",
    "catalog_servicerole": "",
    "catalog_target": "public_id, service_id, environment_id, retired_at",
    "catalog_targetsettings": "",
    "gate_rulemode": "",
    "schedule_calendarrule": "",
    "schedule_hold": "",
}

# Rows that are never changed need no new stamp when one is added, but when somebody with the rights of the owner changes one.
NEVER_CHANGED = ("changes_revision",)

# Several rows, so that writers who are under way at the same time do not wait for each other: each takes one that nobody holds,
# once in its transaction, for nobody keeps what a transaction reads. A stamp is random: what was rolled back never comes again.
# The stamp of the database is all of them together; a write that can give none is refused.
STAMPS = """
CREATE TABLE gate_ground (slot smallint PRIMARY KEY, stamp bigint NOT NULL);
INSERT INTO gate_ground SELECT n, hashtextextended(gen_random_uuid()::text, 0) FROM generate_series(1, 8) n;
REVOKE ALL ON gate_ground FROM PUBLIC, changecontrol_app, changecontrol_sealer;
GRANT SELECT ON gate_ground TO changecontrol_app;
CREATE FUNCTION gate_ground_moves() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF current_setting('changecontrol.ground_moved', true) = pg_current_xact_id()::text THEN
        RETURN NULL;
    END IF;
    UPDATE gate_ground SET stamp = hashtextextended(gen_random_uuid()::text, 0)
        WHERE slot = (SELECT g.slot FROM gate_ground g ORDER BY g.slot FOR UPDATE SKIP LOCKED LIMIT 1);
    IF NOT FOUND THEN  -- as many writers as there are rows: this one waits
        UPDATE gate_ground SET stamp = hashtextextended(gen_random_uuid()::text, 0) WHERE slot = 1 + pg_backend_pid() % 8;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'The table gate_ground has lost its rows, so the gate would not see this write.';
        END IF;
    END IF;
    PERFORM set_config('changecontrol.ground_moved', pg_current_xact_id()::text, true);
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION gate_ground_moves() FROM PUBLIC
"""

# ALWAYS: as those of the stream, a setting of the session does not switch them off.
WATCH = """
CREATE TRIGGER gate_ground AFTER {events} OR DELETE OR TRUNCATE ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION gate_ground_moves();
ALTER TABLE {table} ENABLE ALWAYS TRIGGER gate_ground
"""


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0005_coming_back"),
        ("approvals", "0012_exceptions_end_by_themselves"),
        ("audit", "0003_cursor_failures"),
        ("catalog", "0005_service_roles"),
        ("changes", "0011_asked_as"),
        ("gate", "0007_rotations"),
        ("schedule", "0003_the_last_window"),
    ]

    operations = [
        migrations.RunSQL(STAMPS, "DROP FUNCTION gate_ground_moves(); DROP TABLE gate_ground"),
        *(
            migrations.RunSQL(WATCH.format(table=table, events=events), f"DROP TRIGGER gate_ground ON {table}")
            for table, events in (
                *((table, f"INSERT OR UPDATE OF {columns}" if columns else "INSERT OR UPDATE") for table, columns in TABLES.items()),
                *((table, "UPDATE") for table in NEVER_CHANGED),
            )
        ),
    ]
