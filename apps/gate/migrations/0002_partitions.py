"""Evaluations and verdicts: partitioned by month, insert-only for the application, partitions made by a function of the owner."""

import django.contrib.postgres.fields
from django.db import migrations, models

# No default partition (it would forbid to detach one concurrently) and no foreign keys: months leave as a whole.
TABLES = """
CREATE TABLE gate_evaluation (
    id uuid NOT NULL,
    at timestamptz NOT NULL,
    token_id bigint NOT NULL,
    key varchar(200) NOT NULL,
    question bytea NOT NULL,
    target_id bigint,
    PRIMARY KEY (id, at)
) PARTITION BY RANGE (at);
CREATE INDEX evaluation_by_target ON gate_evaluation (target_id, at DESC);

CREATE TABLE gate_verdict (
    evaluation_id uuid NOT NULL,
    at timestamptz NOT NULL,
    verdict varchar(7) NOT NULL CHECK (verdict IN ('ALLOW', 'PENDING', 'DENY')),
    is_final boolean NOT NULL,
    codes varchar(40)[] NOT NULL,
    record bytea NOT NULL,
    judge smallint NOT NULL,
    PRIMARY KEY (evaluation_id, at)
) PARTITION BY RANGE (at);
"""

# The application may not change tables, so the function runs as its owner. Attaching needs a weaker lock than PARTITION OF,
# which would queue every question behind it. Two callers at once: the second finds the work done.
MAKE = """
CREATE FUNCTION gate_make_partitions(ahead integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    parent text;
    month timestamptz;
    child text;
    made integer := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('gate_make_partitions'));
    FOREACH parent IN ARRAY ARRAY['gate_evaluation', 'gate_verdict'] LOOP
        FOR step IN 0 .. least(greatest(ahead, 0), 24) LOOP
            month := date_trunc('month', now()) + make_interval(months => step);
            child := format('%s_%s', parent, to_char(month, 'YYYY_MM'));
            CONTINUE WHEN to_regclass(child) IS NOT NULL;
            EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', child, parent);
            EXECUTE format('REVOKE ALL ON %I FROM changecontrol_app, changecontrol_sealer', child);
            EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                           parent, child, month, month + interval '1 month');
            made := made + 1;
        END LOOP;
    END LOOP;
    RETURN made;
END
$$;
REVOKE ALL ON FUNCTION gate_make_partitions(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate_make_partitions(integer) TO changecontrol_app;
SELECT gate_make_partitions(3);
"""

PRIVILEGES = """
REVOKE ALL ON gate_evaluation, gate_verdict, gate_ticket, gate_spentticket FROM PUBLIC, changecontrol_app, changecontrol_sealer;
GRANT SELECT, INSERT ON gate_evaluation, gate_verdict, gate_ticket, gate_spentticket TO changecontrol_app;
"""

UNDO = "DROP FUNCTION gate_make_partitions(integer); DROP TABLE gate_verdict, gate_evaluation"

STATE = [
    migrations.CreateModel(
        name="VerdictRow",
        fields=[
            ("pk", models.CompositePrimaryKey("evaluation_id", "at", blank=True, editable=False, primary_key=True, serialize=False)),
            ("evaluation_id", models.UUIDField()),
            ("at", models.DateTimeField()),
            ("verdict", models.CharField(choices=[("ALLOW", "ALLOW"), ("PENDING", "PENDING"), ("DENY", "DENY")], max_length=7)),
            ("is_final", models.BooleanField()),
            ("codes", django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=40), size=None)),
            ("record", models.BinaryField()),
            ("judge", models.SmallIntegerField()),
        ],
        options={
            "db_table": "gate_verdict",
        },
    ),
    migrations.CreateModel(
        name="Evaluation",
        fields=[
            ("pk", models.CompositePrimaryKey("id", "at", blank=True, editable=False, primary_key=True, serialize=False)),
            ("id", models.UUIDField()),
            ("at", models.DateTimeField()),
            ("token_id", models.BigIntegerField()),
            ("key", models.CharField(max_length=200)),
            ("question", models.BinaryField()),
            ("target_id", models.BigIntegerField(null=True)),
        ],
        options={
            "indexes": [models.Index(fields=["target_id", "-at"], name="evaluation_by_target")],
        },
    ),
]


class Migration(migrations.Migration):
    dependencies = [("gate", "0001_initial"), ("audit", "0002_guard")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(TABLES + MAKE + PRIVILEGES, UNDO)],
            state_operations=STATE,
        ),
    ]
