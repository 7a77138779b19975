"""Evidence with its bytes, what was read from repositories, and the points of a change."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import apps.core.ids


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0002_append_only"),
        ("changes", "0002_immutable"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(model_name="change", name="risk", field=models.PositiveSmallIntegerField(null=True)),
        migrations.AddIndex(model_name="change", index=models.Index(fields=["risk", "-id"], name="change_by_risk")),
        migrations.CreateModel(
            name="EvidenceFile",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("sha256", models.CharField(max_length=64, unique=True)),
                ("size", models.PositiveBigIntegerField()),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("JUNIT", "Junit"),
                            ("SARIF", "Sarif"),
                            ("LINK", "Link"),
                            ("TEXT", "Text"),
                            ("JSON", "Json"),
                            ("XML", "Xml"),
                            ("HTML", "Html"),
                            ("IMAGE", "Image"),
                            ("PDF", "Pdf"),
                            ("ARCHIVE", "Archive"),
                            ("FILE", "File"),
                        ],
                        max_length=10,
                    ),
                ),
                ("counted", models.JSONField(default=dict)),
                ("link", models.CharField(blank=True, default="", max_length=2000)),
                ("is_outside", models.BooleanField(default=False)),
                ("kept_at", models.DateTimeField()),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("kind", "LINK"), ("link", ""), _connector="XOR"), name="a_link_has_an_address"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="EvidenceChunk",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("position", models.PositiveIntegerField()),
                ("body", models.BinaryField()),
                ("file", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="chunks", to="changes.evidencefile")),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("file", "position"), name="chunks_are_numbered")],
            },
        ),
        migrations.CreateModel(
            name="EvidenceUpload",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=apps.core.ids.new_id, editable=False, unique=True)),
                ("name", models.CharField(max_length=120)),
                ("at", models.DateTimeField()),
                ("label", models.CharField(blank=True, default="", max_length=120)),
                (
                    "identities",
                    django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=200), default=list, size=None),
                ),
                ("attached_at", models.DateTimeField(null=True)),
                (
                    "change",
                    models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name="uploads", to="changes.change"),
                ),
                ("file", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="uploads", to="changes.evidencefile")),
                (
                    "leg",
                    models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name="uploads", to="changes.leg"),
                ),
                ("person", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL)),
                (
                    "service",
                    models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="catalog.service"),
                ),
            ],
            options={
                "indexes": [
                    models.Index(condition=models.Q(("change__isnull", True)), fields=["person", "at"], name="evidence_not_attached")
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("attached_at__isnull", True), ("change__isnull", True), ("leg__isnull", True)),
                            models.Q(("attached_at__isnull", False), ("change__isnull", False)),
                            _connector="OR",
                        ),
                        name="evidence_attached_at",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("leg__isnull", False)), fields=("leg", "file"), name="a_leg_shows_a_file_once"
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("change__isnull", False), ("leg__isnull", True)),
                        fields=("change", "file"),
                        name="a_plan_shows_a_file_once",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="VersionReading",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("repository_id", models.CharField(blank=True, default="", max_length=120)),
                ("base", models.CharField(blank=True, default="", max_length=64)),
                ("commit", models.CharField(max_length=64)),
                ("body", models.JSONField()),
                ("read_at", models.DateTimeField()),
                ("service", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to="catalog.service")),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("service", "repository_id", "base", "commit"), name="a_way_is_read_once")],
            },
        ),
    ]
