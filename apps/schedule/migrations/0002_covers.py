"""A calendar rule covers something, and is alive until the end of it: what the gate no longer reads can no longer matter."""

from django.db import migrations

CHECK = """
ALTER TABLE schedule_calendarrule ADD CONSTRAINT rule_lives_as_long_as_it_covers
CHECK (NOT isempty(covers) AND NOT upper_inf(covers) AND NOT lower_inf(covers) AND live_until >= upper(covers))
"""


class Migration(migrations.Migration):
    dependencies = [("schedule", "0001_initial")]

    operations = [migrations.RunSQL(CHECK, "ALTER TABLE schedule_calendarrule DROP CONSTRAINT rule_lives_as_long_as_it_covers")]
