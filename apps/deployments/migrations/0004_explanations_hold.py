"""An explanation of what runs undeclared holds while it runs there: what sees it now, and since when it holds no more."""

import django.contrib.postgres.fields
from django.db import migrations, models

# Of one version the newest word counts: it was asked about again after the others. One statement: a second one on the same
# rows would leave checks of their foreign keys to the end of the transaction, and no index is made before that.
FILL = """
UPDATE deployments_undeclared older SET sources = ARRAY[source], lapsed_at = CASE WHEN older.outcome = 'EXPLAINED' AND EXISTS (
    SELECT FROM deployments_undeclared newer
    WHERE newer.target_id = older.target_id AND newer.identities = older.identities AND newer.id > older.id
) THEN older.settled_at END
"""


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0005_service_roles"),
        ("deployments", "0003_external"),
    ]

    operations = [
        migrations.AddField(
            model_name="undeclared",
            name="lapsed_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="undeclared",
            name="sources",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(blank=True, max_length=120), blank=True, default=list, size=None
            ),
        ),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
        migrations.AddConstraint(
            model_name="undeclared",
            constraint=models.UniqueConstraint(
                condition=models.Q(("lapsed_at__isnull", True), ("outcome", "EXPLAINED")),
                fields=("target", "identities"),
                name="one_explanation_per_version",
            ),
        ),
        migrations.AddConstraint(
            model_name="undeclared",
            constraint=models.CheckConstraint(
                condition=models.Q(("lapsed_at__isnull", True), ("outcome", "EXPLAINED"), _connector="OR"), name="only_explanations_lapse"
            ),
        ),
    ]
