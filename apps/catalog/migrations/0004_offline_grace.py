"""For how long a yes of an environment permits a start while the installation is away."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0003_required_since"),
    ]

    operations = [
        migrations.AddField(
            model_name="environment",
            name="offline_grace_minutes",
            field=models.PositiveSmallIntegerField(default=0),
        ),
        migrations.AddConstraint(
            model_name="environment",
            constraint=models.CheckConstraint(condition=models.Q(("offline_grace_minutes__lte", 60)), name="offline_grace_is_short"),
        ),
    ]
