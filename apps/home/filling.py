"""From content to the form's values, and from the content's mistakes to the form's fields."""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from apps.catalog.models import Environment, Service
from apps.changes.content import Content, ItemContent, Rollback, Step, Story
from apps.changes.content.templates import Template
from apps.home.forms import LOCAL, ChangeDraft
from apps.home.typed import Row, Values, with_rows

# The content names fields by dotted paths; the form has its own, shorter names.
FIELDS = {"scope.items": ("items", 0, "service"), "rollback.steps": ("rollback", 0, "what"), "plan.steps": ("plan", 0, "what")}
ITEM_FIELDS = {"identities": "commit", "repository": "service"}
ITEM = re.compile(r"scope\.items\.(?P<at>[0-9]+)\.(?P<field>service|label|identities|environments|repository)")
STEP = re.compile(r"(?P<part>plan|rollback)\.steps\.(?P<at>[0-9]+)\.(?P<field>what|by|expected_seconds|verify)")


def place_of(path: str) -> tuple[str, int, str]:
    """Where a dotted path stands in the form: a table with its row and field, or ("", 0, field); no field is the form as a whole."""
    if path in FIELDS:
        return FIELDS[path]
    if item := ITEM.fullmatch(path):
        return "items", int(item["at"]), ITEM_FIELDS.get(item["field"], item["field"])
    if step := STEP.fullmatch(path):
        return step["part"], int(step["at"]), step["field"]
    if path == "rollback.reason":
        return "", 0, "rollback_reason"
    if path.startswith("plan.evidence"):
        return "", 0, ""
    name = path.split(".")[1] if "." in path else path
    return "", 0, name if name in ChangeDraft.base_fields else ""


def values_of(content: Content, *, services: Iterable[Service], ladder: Iterable[Environment]) -> Values:
    """What the form holds when it shows this content."""
    zone = ZoneInfo(content.period.zone)
    slugs = {service.public_id: service.slug for service in services}
    rungs = {rung.public_id: rung.slug for rung in ladder}
    values = parts_values(content.rollback, content.story) | {
        "aspects": sorted(aspect.value for aspect in content.scope.aspects),
        "reason": [content.scope.reason],
        "impact": [content.scope.impact],
        "not_before": [local(content.period.not_before, zone)],
        "not_after": [local(content.period.not_after, zone)],
        "zone": [content.period.zone],
    }
    values = with_rows(values, "items", (item_row(item, slugs, rungs) for item in content.scope.items))
    values = with_rows(values, "plan", map(step_row, content.plan.steps))
    return with_rows(values, "rollback", map(step_row, content.rollback.steps))


def template_values(template: Template) -> Values:
    """What the form holds when a change begins from a model."""
    values = parts_values(template.rollback, template.story) | {
        "aspects": sorted(aspect.value for aspect in template.scope.aspects),
        "reason": [template.scope.reason],
        "impact": [template.scope.impact],
    }
    values = with_rows(values, "plan", map(step_row, template.plan.steps))
    return with_rows(values, "rollback", map(step_row, template.rollback.steps))


def parts_values(rollback: Rollback, story: Story) -> Values:
    """The fields of the way back and of the story."""
    return {
        "strategy": [rollback.strategy.value if rollback.strategy else ""],
        "trigger": [rollback.trigger],
        "seconds_to_restore": [number(rollback.seconds_to_restore)],
        "irreversible": ["\n".join(rollback.irreversible)],
        "point_of_no_return": [number(rollback.point_of_no_return)],
        "data_strategy": [rollback.data_strategy],
        "rollback_reason": [rollback.reason],
        "title": [story.title],
        "told": [", ".join(story.told)],
        "labels": [", ".join(story.labels)],
        "description": [story.description],
    }


def item_row(item: ItemContent, slugs: Mapping[UUID, str], rungs: Mapping[UUID, str]) -> Row:
    """The row that shows an item."""
    by_kind = [text.partition(":") for text in item.identities]
    return {
        "service": [slugs.get(item.service_id, "")],
        "label": [item.label],
        "commit": [next((value for name, _, value in by_kind if name == "git"), "")],
        "digests": ["\n".join(value for name, _, value in by_kind if name == "sha256")],
        "config_digest": [next((value for name, _, value in by_kind if name == "config"), "")],
        "environments": [rungs[ref.id] for ref in item.environments if ref.id in rungs],
    }


def step_row(step: Step) -> Row:
    """The row that shows a step."""
    return {"what": [step.what], "by": [step.by.value], "expected_seconds": [number(step.expected_seconds)], "verify": [step.verify]}


def number(value: int | None) -> str:
    """A number as a browser sends it."""
    return "" if value is None else str(value)


def local(moment: datetime | None, zone: ZoneInfo) -> str:
    """A moment as the browser's field for local times holds it."""
    return moment.astimezone(zone).strftime(LOCAL) if moment else ""
