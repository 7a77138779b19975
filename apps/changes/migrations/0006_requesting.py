"""What stands beside a request: unsaved input, change models, dependencies and answers given under a key."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import apps.core.ids

# The wording of a model is written once, as a revision is.
GUARD = """
CREATE TRIGGER changes_changemodelversion_rows BEFORE UPDATE OR DELETE ON changes_changemodelversion
  FOR EACH ROW EXECUTE FUNCTION changes_refuse();
CREATE TRIGGER changes_changemodelversion_truncate BEFORE TRUNCATE ON changes_changemodelversion
  FOR EACH STATEMENT EXECUTE FUNCTION changes_refuse()
"""
UNGUARD = """
DROP TRIGGER changes_changemodelversion_rows ON changes_changemodelversion;
DROP TRIGGER changes_changemodelversion_truncate ON changes_changemodelversion
"""


class Migration(migrations.Migration):
    dependencies = [
        ("changes", "0005_finding"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="ChangeModel",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=apps.core.ids.new_id, editable=False, unique=True)),
                ("slug", models.SlugField(max_length=60, unique=True)),
                ("name", models.CharField(max_length=120)),
                ("retired_at", models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name="ChangeModelVersion",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.PositiveIntegerField()),
                ("body", models.BinaryField()),
                ("digest", models.CharField(max_length=64)),
                ("made_at", models.DateTimeField()),
                ("author", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL)),
                (
                    "model",
                    models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="versions", to="changes.changemodel"),
                ),
            ],
        ),
        migrations.AddField(
            model_name="changemodel",
            name="version",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="changes.changemodelversion"
            ),
        ),
        migrations.AddField(
            model_name="change",
            name="made_from",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="changes.changemodelversion"
            ),
        ),
        migrations.CreateModel(
            name="Dependency",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("since_at", models.DateTimeField()),
                ("since_by", models.CharField(max_length=80)),
                ("ended_at", models.DateTimeField(null=True)),
                ("ended_by", models.CharField(blank=True, default="", max_length=80)),
                (
                    "change",
                    models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="dependencies", to="changes.change"),
                ),
                ("needs", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="dependants", to="changes.change")),
            ],
        ),
        migrations.CreateModel(
            name="DraftInput",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(editable=False)),
                ("body", models.TextField()),
                ("saved_at", models.DateTimeField()),
                (
                    "change",
                    models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="changes.change"),
                ),
                ("person", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL)),
            ],
        ),
        migrations.CreateModel(
            name="GivenAnswer",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("credential", models.CharField(max_length=80)),
                ("key", models.CharField(max_length=200)),
                ("asked", models.CharField(max_length=64)),
                ("status", models.PositiveSmallIntegerField()),
                ("body", models.TextField()),
                ("location", models.CharField(blank=True, default="", max_length=200)),
                ("given_at", models.DateTimeField()),
                ("person", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL)),
            ],
        ),
        migrations.AddConstraint(
            model_name="changemodelversion",
            constraint=models.UniqueConstraint(fields=("model", "number"), name="model_versions_are_numbered"),
        ),
        migrations.AddConstraint(
            model_name="dependency",
            constraint=models.UniqueConstraint(
                condition=models.Q(("ended_at__isnull", True)), fields=("change", "needs"), name="one_standing_dependency"
            ),
        ),
        migrations.AddConstraint(
            model_name="dependency",
            constraint=models.CheckConstraint(
                condition=models.Q(("change", models.F("needs")), _negated=True), name="no_change_needs_itself"
            ),
        ),
        migrations.AddConstraint(
            model_name="dependency",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("ended_at__isnull", True), ("ended_by", "")),
                    models.Q(("ended_at__isnull", False), models.Q(("ended_by", ""), _negated=True)),
                    _connector="OR",
                ),
                name="dependency_ended_at_and_by",
            ),
        ),
        migrations.AddIndex(
            model_name="draftinput",
            index=models.Index(fields=["person", "-saved_at"], name="draft_input_by_person"),
        ),
        migrations.AddConstraint(
            model_name="draftinput",
            constraint=models.UniqueConstraint(fields=("person", "public_id"), name="one_row_per_open_form"),
        ),
        migrations.AddIndex(
            model_name="givenanswer",
            index=models.Index(fields=["given_at"], name="given_answer_by_age"),
        ),
        migrations.AddConstraint(
            model_name="givenanswer",
            constraint=models.UniqueConstraint(fields=("person", "credential", "key"), name="one_answer_per_key"),
        ),
        migrations.RunSQL(GUARD, UNGUARD),
    ]
