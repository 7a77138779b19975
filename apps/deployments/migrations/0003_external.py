"""Deployments that CI carries out: what began them, what was reported of them, and what runs that nobody declared."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models

import apps.core.ids

GUARD = """
CREATE TRIGGER deployments_report_rows BEFORE UPDATE OR DELETE ON deployments_report FOR EACH ROW EXECUTE FUNCTION deployments_refuse();
CREATE TRIGGER deployments_report_truncate BEFORE TRUNCATE ON deployments_report FOR EACH STATEMENT EXECUTE FUNCTION deployments_refuse()
"""
UNGUARD = "DROP TRIGGER deployments_report_rows ON deployments_report; DROP TRIGGER deployments_report_truncate ON deployments_report"


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0004_offline_grace"),
        ("changes", "0010_words_of_every_text"),
        ("deployments", "0002_append_only"),
    ]

    operations = [
        migrations.CreateModel(
            name="Pipeline",
            fields=[
                (
                    "deployment",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="pipeline",
                        serialize=False,
                        to="deployments.deployment",
                    ),
                ),
                ("ticket_id", models.UUIDField(unique=True)),
                ("goes_back", models.BooleanField()),
                ("caller", models.CharField(max_length=80)),
                ("key", models.CharField(blank=True, default="", max_length=200)),
                ("asked", models.CharField(max_length=64)),
                ("answer", models.TextField()),
                ("run_system", models.CharField(blank=True, default="", max_length=40)),
                ("run_id", models.CharField(blank=True, default="", max_length=200)),
                ("run_attempt", models.PositiveIntegerField(default=1)),
                ("run_url", models.CharField(blank=True, default="", max_length=500)),
                ("sequence", models.PositiveBigIntegerField(default=0)),
                ("used_at", models.DateTimeField(null=True)),
                ("codes", django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=60), default=list, size=None)),
            ],
        ),
        migrations.CreateModel(
            name="Report",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("sequence", models.PositiveBigIntegerField()),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("STARTED", "started"),
                            ("PROGRESS", "progress"),
                            ("SUCCEEDED", "succeeded"),
                            ("FAILED", "failed"),
                            ("ROLLED_BACK", "rolled back"),
                        ],
                        max_length=11,
                    ),
                ),
                (
                    "effect",
                    models.CharField(
                        choices=[
                            ("HEARD", "HEARD"),
                            ("SUCCEEDED", "SUCCEEDED"),
                            ("FAILED", "FAILED"),
                            ("WENT_BACK", "WENT_BACK"),
                            ("NEEDS_HUMAN", "NEEDS_HUMAN"),
                            ("NONE", "NONE"),
                        ],
                        max_length=12,
                    ),
                ),
                ("asked", models.CharField(max_length=64)),
                ("by", models.CharField(max_length=80)),
                ("at", models.DateTimeField()),
                ("occurred_at", models.DateTimeField(null=True)),
                ("message", models.CharField(blank=True, default="", max_length=400)),
            ],
        ),
        migrations.CreateModel(
            name="Undeclared",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=apps.core.ids.new_id, editable=False, unique=True)),
                ("label", models.CharField(max_length=120)),
                ("identities", django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=200), size=None)),
                ("expected_label", models.CharField(blank=True, default="", max_length=120)),
                ("source", models.CharField(blank=True, default="", max_length=120)),
                ("seen_at", models.DateTimeField()),
                ("seen_by", models.CharField(max_length=80)),
                ("last_seen_at", models.DateTimeField()),
                ("seen_count", models.PositiveIntegerField(default=1)),
                ("settled_at", models.DateTimeField(null=True)),
                ("settled_by", models.CharField(blank=True, default="", max_length=80)),
                (
                    "outcome",
                    models.CharField(
                        blank=True, choices=[("ADOPTED", "Adopted"), ("EXPLAINED", "Explained"), ("GONE", "Gone")], default="", max_length=9
                    ),
                ),
                ("reason", models.CharField(blank=True, default="", max_length=400)),
            ],
        ),
        migrations.AlterField(
            model_name="deployment",
            name="settings",
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="catalog.targetsettings"),
        ),
        migrations.AddConstraint(
            model_name="deployment",
            constraint=models.CheckConstraint(
                condition=models.Q(("executor", "EXTERNAL"), ("settings__isnull", False), _connector="OR"), name="a_worker_has_settings"
            ),
        ),
        migrations.AddConstraint(
            model_name="pipeline",
            constraint=models.UniqueConstraint(
                condition=models.Q(("key", ""), _negated=True), fields=("caller", "key"), name="one_beginning_per_key"
            ),
        ),
        migrations.AddField(
            model_name="report",
            name="deployment",
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="reports", to="deployments.deployment"),
        ),
        migrations.AddField(
            model_name="undeclared",
            name="target",
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to="catalog.target"),
        ),
        migrations.AddConstraint(
            model_name="report",
            constraint=models.UniqueConstraint(fields=("deployment", "sequence"), name="reports_are_numbered"),
        ),
        migrations.AddIndex(
            model_name="undeclared",
            index=models.Index(fields=["-seen_at"], name="undeclared_by_age"),
        ),
        migrations.AddConstraint(
            model_name="undeclared",
            constraint=models.UniqueConstraint(
                condition=models.Q(("settled_at__isnull", True)), fields=("target", "identities"), name="one_open_per_version"
            ),
        ),
        migrations.AddConstraint(
            model_name="undeclared",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("outcome", ""), ("settled_at__isnull", True), ("settled_by", "")),
                    models.Q(
                        ("settled_at__isnull", False), models.Q(("settled_by", ""), _negated=True), models.Q(("outcome", ""), _negated=True)
                    ),
                    _connector="OR",
                ),
                name="undeclared_settled_at_and_by",
            ),
        ),
        migrations.RunSQL(GUARD, UNGUARD),
    ]
