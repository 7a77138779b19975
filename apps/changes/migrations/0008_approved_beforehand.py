"""Models that approve changes beforehand: who agreed to a version, and wordings that wait for a second person."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import apps.core.ids

ONLY_END = """
CREATE FUNCTION changes_only_end() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF to_jsonb(OLD) ->> TG_ARGV[0] IS NULL AND to_jsonb(NEW) - TG_ARGV = to_jsonb(OLD) - TG_ARGV THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'Rows of % are written once and ended once: % is refused.', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'restrict_violation';
END
$$
"""
TABLE = "changes_changemodelproposal"
GUARD = f"""
CREATE TRIGGER {TABLE}_update BEFORE UPDATE ON {TABLE}
  FOR EACH ROW EXECUTE FUNCTION changes_only_end('decided_at', 'decided_by_id', 'outcome');
CREATE TRIGGER {TABLE}_delete BEFORE DELETE ON {TABLE} FOR EACH ROW EXECUTE FUNCTION changes_refuse();
CREATE TRIGGER {TABLE}_truncate BEFORE TRUNCATE ON {TABLE} FOR EACH STATEMENT EXECUTE FUNCTION changes_refuse()
"""
UNGUARD = "; ".join(f"DROP TRIGGER {TABLE}_{verb} ON {TABLE}" for verb in ("update", "delete", "truncate"))


class Migration(migrations.Migration):
    dependencies = [
        ("changes", "0007_finished_forms"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="ChangeModelProposal",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=apps.core.ids.new_id, editable=False, unique=True)),
                ("slug", models.SlugField(max_length=60)),
                ("name", models.CharField(max_length=120)),
                ("body", models.BinaryField()),
                ("proposed_at", models.DateTimeField()),
                ("decided_at", models.DateTimeField(null=True)),
                (
                    "outcome",
                    models.CharField(
                        blank=True,
                        choices=[("AGREED", "Agreed"), ("REFUSED", "Refused"), ("TAKEN_BACK", "Taken Back")],
                        default="",
                        max_length=10,
                    ),
                ),
            ],
        ),
        migrations.AddField(
            model_name="changemodelversion",
            name="agreed_by",
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name="changemodelversion",
            name="alg",
            field=models.CharField(blank=True, default="", max_length=20),
        ),
        migrations.AddField(
            model_name="changemodelversion",
            name="key_id",
            field=models.CharField(blank=True, default="", max_length=40),
        ),
        migrations.AddField(
            model_name="changemodelversion",
            name="signature",
            field=models.BinaryField(default=b""),
        ),
        migrations.AddField(
            model_name="changemodelversion",
            name="statement",
            field=models.BinaryField(default=b""),
        ),
        migrations.AddConstraint(
            model_name="change",
            constraint=models.CheckConstraint(
                condition=models.Q(models.Q(("kind", "STANDARD"), _negated=True), ("made_from__isnull", False), _connector="OR"),
                name="standard_change_has_a_model",
            ),
        ),
        migrations.AddConstraint(
            model_name="changemodelversion",
            constraint=models.CheckConstraint(
                condition=models.Q(("agreed_by", models.F("author")), _negated=True), name="nobody_agrees_to_their_own_model"
            ),
        ),
        migrations.AddField(
            model_name="changemodelproposal",
            name="decided_by",
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name="changemodelproposal",
            name="model",
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="changes.changemodel"),
        ),
        migrations.AddField(
            model_name="changemodelproposal",
            name="proposed_by",
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name="changemodelproposal",
            name="replaces",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="changes.changemodelversion"
            ),
        ),
        migrations.AddConstraint(
            model_name="changemodelproposal",
            constraint=models.UniqueConstraint(
                condition=models.Q(("decided_at__isnull", True)), fields=("slug",), name="one_open_proposal_per_model"
            ),
        ),
        migrations.AddConstraint(
            model_name="changemodelproposal",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("decided_at__isnull", True), ("decided_by__isnull", True), ("outcome", "")),
                    models.Q(("decided_at__isnull", False), ("decided_by__isnull", False), models.Q(("outcome", ""), _negated=True)),
                    _connector="OR",
                ),
                name="model_proposal_decided_at_and_by",
            ),
        ),
        migrations.AddConstraint(
            model_name="changemodelproposal",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("outcome", "AGREED"), _negated=True),
                    models.Q(("decided_by", models.F("proposed_by")), _negated=True),
                    _connector="OR",
                ),
                name="nobody_agrees_to_their_own_proposal",
            ),
        ),
        migrations.RunSQL(ONLY_END, "DROP FUNCTION changes_only_end()"),
        migrations.RunSQL(GUARD, UNGUARD),
    ]
