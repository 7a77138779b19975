"""The last window of a scope is read for good: what it shuts stays shut after it. Of those that are over already none does."""

from datetime import UTC, datetime

from django.db import migrations, models

LAST = """
UPDATE schedule_calendarrule SET live_until = '9000-01-01 00:00:00+00' WHERE id IN (
    SELECT DISTINCT ON (scope) id FROM schedule_calendarrule
    WHERE kind = 'WINDOW' AND lifted_at IS NULL AND live_until > clock_timestamp() ORDER BY scope, live_until DESC, id DESC
)
"""
FIRST = "UPDATE schedule_calendarrule SET live_until = upper(covers) WHERE live_until = '9000-01-01 00:00:00+00'"


class Migration(migrations.Migration):
    dependencies = [("schedule", "0002_covers")]

    operations = [
        migrations.RunSQL(LAST, FIRST),
        migrations.AddConstraint(
            model_name="calendarrule",
            constraint=models.UniqueConstraint(
                condition=models.Q(("kind", "WINDOW"), ("lifted_at__isnull", True), ("live_until", datetime(9000, 1, 1, tzinfo=UTC))),
                fields=("scope",),
                name="one_last_window_per_scope",
            ),
        ),
    ]
