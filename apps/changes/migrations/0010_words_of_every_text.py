"""What changes say and what was said about them, in the spelling that `core.words` gives it, a batch at a time."""

import json
from collections import defaultdict

from django.db import migrations

from apps.core.words import words_in

BATCH, MOST = 500, 100_000


def fill(apps, schema_editor):
    """Each batch commits by itself; whatever was filled already comes out the same."""
    del schema_editor
    changes, comments = apps.get_model("changes", "Change").objects, apps.get_model("changes", "Comment").objects
    last = 0
    while batch := list(changes.filter(pk__gt=last, revision__isnull=False).select_related("revision").order_by("pk")[:BATCH]):
        last = batch[-1].pk
        talk = defaultdict(list)
        for change_id, text in comments.filter(change__in=batch).order_by("pk").values_list("change", "text"):
            talk[change_id].append(text)
        for change in batch:
            words = " ".join(word for text in [*said_in(change.revision), *talk[change.pk]] for word in words_in(text))
            change.words = words if len(words) <= MOST else words[:MOST].rpartition(" ")[0]
        changes.bulk_update(batch, ["words"])


def said_in(revision):
    """Every text of a revision that people write for people; a part holds what its own time wrote."""
    scope, plan, rollback, story = (json.loads(bytes(part)) for part in (revision.scope, revision.plan, revision.rollback, revision.story))
    items = scope.get("items", [])
    yield story.get("title", "")
    yield from (item["service"]["name"] for item in items)
    yield from (item["version"]["label"] for item in items)
    yield from (*story.get("labels", []), scope.get("reason", ""), scope.get("impact", ""), story.get("description", ""))
    yield from _steps(plan)
    yield from (rollback.get(name) or "" for name in ("trigger", "data_strategy", "reason"))
    yield from rollback.get("irreversible", [])
    yield from _steps(rollback)


def _steps(part):
    for step in part.get("steps", []):
        yield step["what"]
        yield step.get("verify", "")


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("changes", "0009_forms_and_failed_readings")]

    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
