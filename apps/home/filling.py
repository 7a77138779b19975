"""From content to form and from the content's mistakes to the form's fields."""

import re
from collections.abc import Mapping, Sequence
from zoneinfo import ZoneInfo

from apps.catalog.models import Environment, Service
from apps.changes.content import Content, Step
from apps.home.forms import LOCAL, ChangeDraft, StepRow

# The content names fields by dotted paths; the form has its own, shorter names.
FIELDS = {
    "scope.items.0.service": "service",
    "scope.items.0.label": "label",
    "scope.items.0.identities": "commit",
    "scope.items.0.environments": "environments",
    "rollback.reason": "rollback_reason",
}
STEP = re.compile(r"(?P<part>plan|rollback)\.steps\.(?P<at>[0-9]+)\.(?P<field>what|by|expected_seconds|verify)")


def form_field(path: str) -> str | None:
    """The form's field for a dotted path; None for the form as a whole."""
    if path in FIELDS:
        return FIELDS[path]
    name = path.split(".")[1] if "." in path else path
    return name if name in ChangeDraft.base_fields else None


def put_errors(form: ChangeDraft, errors: dict[str, list[str]], *, rows: Mapping[str, Sequence[StepRow]]) -> None:
    """Show every sentence on its field, on the row of its step, or above the form with its place named."""
    for path, sentences in errors.items():
        if step := STEP.fullmatch(path):
            rows[step["part"]][int(step["at"])].add_error(step["field"], sentences)
            continue
        field = form_field(path)
        place = "" if field else f"{path.split('.')[0].capitalize()}: "
        form.add_error(field, [f"{place}{sentence}" for sentence in sentences])


def filled_from(content: Content, *, services: list[Service], ladder: list[Environment]) -> dict[str, object]:
    """The form's values for existing content (its first item)."""
    item, rollback, period, story = content.scope.items[0] if content.scope.items else None, content.rollback, content.period, content.story
    by_kind = [text.partition(":") for text in (item.identities if item else ())]
    zone = ZoneInfo(period.zone)
    return {
        "service": next((service.slug for service in services if item and service.public_id == item.service_id), ""),
        "label": item.label if item else "",
        "commit": next((value for name, _, value in by_kind if name == "git"), ""),
        "digests": "\n".join(value for name, _, value in by_kind if name == "sha256"),
        "config_digest": next((value for name, _, value in by_kind if name == "config"), ""),
        "environments": [rung.slug for rung in ladder if item and rung.public_id in {ref.id for ref in item.environments}],
        "aspects": [aspect.value for aspect in content.scope.aspects],
        "reason": content.scope.reason,
        "impact": content.scope.impact,
        "strategy": rollback.strategy.value if rollback.strategy else "",
        "trigger": rollback.trigger,
        "seconds_to_restore": rollback.seconds_to_restore,
        "irreversible": "\n".join(rollback.irreversible),
        "data_strategy": rollback.data_strategy,
        "rollback_reason": rollback.reason,
        "not_before": period.not_before.astimezone(zone).strftime(LOCAL) if period.not_before else "",
        "not_after": period.not_after.astimezone(zone).strftime(LOCAL),
        "zone": period.zone,
        "title": story.title,
        "told": ", ".join(story.told),
        "labels": ", ".join(story.labels),
        "description": story.description,
    }


def rows_from(steps: tuple[Step, ...]) -> list[dict[str, object]]:
    """The formset's values for existing steps."""
    return [{"what": step.what, "by": step.by.value, "expected_seconds": step.expected_seconds, "verify": step.verify} for step in steps]
