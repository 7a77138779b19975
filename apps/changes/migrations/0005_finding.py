import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import django.contrib.postgres.search
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import apps.core.ids

OPEN = models.Q(("state__in", ["APPROVED", "IN_PROGRESS", "IN_REVIEW"]))

# What changes say already, in the spelling that `core.words` gives them.
FILL = r"""
update changes_change as c
set labels = array(select jsonb_array_elements_text(coalesce(r.story -> 'labels', '[]'::jsonb)) order by 1),
    aspects = array(select jsonb_array_elements_text(coalesce(r.scope -> 'aspects', '[]'::jsonb)) order by 1),
    words = trim(lower(regexp_replace(regexp_replace(regexp_replace(
        concat_ws(' ', c.title, i.said, array_to_string(array(select jsonb_array_elements_text(coalesce(r.story -> 'labels', '[]'::jsonb))), ' ')),
        '[^[:alnum:]]+', ' ', 'g'), '([[:alpha:]])([0-9])', '\1 \2', 'g'), '([0-9])([[:alpha:]])', '\1 \2', 'g')))
from (select id, change_id, convert_from(story, 'UTF8')::jsonb as story, convert_from(scope, 'UTF8')::jsonb as scope from changes_revision) as r,
     lateral (select string_agg(s.name || ' ' || item.label, ' ' order by item.position) as said
              from changes_item as item join catalog_service as s on s.id = item.service_id
              where item.change_id = r.change_id and item.is_current) as i
where r.id = c.revision_id
"""


class Migration(migrations.Migration):
    dependencies = [("changes", "0004_evidence_is_kept"), migrations.swappable_dependency(settings.AUTH_USER_MODEL)]

    operations = [
        migrations.AddField("change", "words", models.TextField(blank=True, default="")),
        migrations.AddField(
            "change",
            "searched",
            models.GeneratedField(
                db_persist=True,
                expression=django.contrib.postgres.search.SearchVector("words", config="simple"),
                output_field=django.contrib.postgres.search.SearchVectorField(),
            ),
        ),
        migrations.AddField(
            "change",
            "labels",
            django.contrib.postgres.fields.ArrayField(models.CharField(max_length=200), blank=True, default=list, size=None),
        ),
        migrations.AddField(
            "change",
            "aspects",
            django.contrib.postgres.fields.ArrayField(models.CharField(max_length=20), blank=True, default=list, size=None),
        ),
        migrations.CreateModel(
            name="SavedSearch",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=apps.core.ids.new_id, editable=False, unique=True)),
                ("name", models.CharField(max_length=40)),
                ("text", models.CharField(max_length=500)),
                ("saved_at", models.DateTimeField()),
                (
                    "person",
                    models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL),
                ),
            ],
            options={"constraints": [models.UniqueConstraint(fields=("person", "name"), name="one_saved_search_per_name")]},
        ),
        migrations.CreateModel(
            name="Watch",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("since_at", models.DateTimeField()),
                (
                    "change",
                    models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="watches", to="changes.change"),
                ),
                (
                    "person",
                    models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL),
                ),
            ],
            options={"constraints": [models.UniqueConstraint(fields=("person", "change"), name="one_watch_per_person_and_change")]},
        ),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
        # Deferred checks of the update above would stand in the way of the indexes.
        migrations.RunSQL("set constraints all immediate", migrations.RunSQL.noop),
        migrations.AddIndex("change", models.Index(fields=["-id"], condition=OPEN, name="open_change_by_number")),
        migrations.AddIndex("change", models.Index(fields=["created_at", "id"], name="change_by_creation")),
        migrations.AddIndex("change", models.Index(fields=["not_after", "id"], name="change_by_end")),
        migrations.AddIndex("change", models.Index(fields=["title", "id"], name="change_by_title")),
        migrations.AddIndex("change", models.Index(fields=["requester", "-id"], name="change_by_requester")),
        migrations.AddIndex("change", models.Index(fields=["kind", "-id"], name="change_by_kind")),
        migrations.AddIndex(
            "change", django.contrib.postgres.indexes.GinIndex(fields=["labels"], name="change_by_label", fastupdate=False)
        ),
        migrations.AddIndex(
            "change",
            django.contrib.postgres.indexes.GinIndex(fields=["searched"], name="change_by_words", fastupdate=False),
        ),
        migrations.AddIndex(
            "leg", models.Index(fields=["environment", "service"], condition=models.Q(("is_open", True)), name="open_leg_by_place")
        ),
        migrations.AddIndex("item", models.Index(fields=["label", "change"], name="item_by_label")),
        migrations.AddIndex(
            "legidentity",
            models.Index(fields=["identity"], name="leg_identity_by_prefix", opclasses=["varchar_pattern_ops"]),
        ),
    ]
