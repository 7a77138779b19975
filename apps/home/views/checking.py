"""What was sent by the request form, looked at as a whole: what it says, what of it cannot be taken, what is missing. Nothing is saved here."""

from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from apps.changes.access import changes_for, model_version
from apps.changes.content import Content, why_not_content
from apps.changes.steps import why_content_not_ready
from apps.changes.steps.models import why_not_as_modelled
from apps.core.references import parse_number
from apps.home.facts.version import with_aspects
from apps.home.sheet import Sheet
from apps.home.typed import Values, rows_of, with_rows
from apps.home.views.beside import fits, gaps, planned, readable
from apps.home.views.desk import Desk

TICKED = "Nobody chose where it goes. Every place is ticked now: untick what is not meant, then send it again."


@dataclass(frozen=True, slots=True)
class Look:
    """The forms with every mistake on its field, what was sent with what follows from it, and the content it says."""

    sheet: Sheet
    values: Values
    content: Content
    is_wrong: bool


def looked(desk: Desk, values: Values, *, complete: bool) -> Look:
    """Look at everything at once, so that nobody is told of one mistake after the other; COMPLETE asks for what submission asks for."""
    full = placed(desk, values)
    unplaced = [at for at, (was, now) in enumerate(zip(rows_of(values, "items"), rows_of(full, "items"), strict=True)) if was != now]
    sheet = desk.bound(full)
    ok = sheet.is_valid() and not desk.evidence.errors
    content = with_aspects(desk.written(sheet, now=timezone.now()), services={one.public_id: one for one in sheet.offer.services.values()})
    if content.scope.aspects and not sheet.form.aspects_said and "aspects" not in sheet.form.errors:
        full = full | {"aspects": sorted(content.scope.aspects)}
        sheet = desk.bound(full)
        ok = sheet.is_valid() and not desk.evidence.errors
    errors = mistakes(desk, sheet, content, complete=complete)
    if complete:
        errors |= {f"scope.items.{at}.environments": [TICKED] for at in unplaced}
    errors = {path: said for path, said in errors.items() if not sheet.is_wrong(path)}
    desk.put_errors(sheet, errors)
    return Look(sheet, full, content, is_wrong=not ok or bool(errors))


def placed(desk: Desk, values: Values) -> Values:
    """Each service for which no place was chosen goes everywhere it can: shown, and taken only when it is sent again."""
    full, rows = with_rungs(desk, values), rows_of(values, "items")
    return with_rows(
        full, "items", [row if row.get("environments") else now for row, now in zip(rows, rows_of(full, "items"), strict=True)]
    )


def with_rungs(desk: Desk, values: Values) -> Values:
    """Each service goes everywhere it can where nothing that fits was chosen for it."""
    offer, rows = desk.shelf.for_values(values), rows_of(values, "items")
    for row in rows:
        service = "".join(row.get("service", [])[:1])
        rungs = [slug for slug, _, _ in offer.rungs(service)] if service in offer.services else []
        if rungs:
            row["environments"] = [slug for slug in row.get("environments", []) if slug in rungs] or rungs
    return with_rows(values, "items", rows)


def mistakes(desk: Desk, sheet: Sheet, content: Content, *, complete: bool) -> dict[str, list[str]]:
    """What of the content cannot be taken, and, where it shall be complete, what is missing; field to sentences."""
    now, unread = timezone.now(), why_not_content(content)
    errors = dict(unread)
    if complete:
        errors |= gaps(why_not_ready(desk, sheet, readable(content, unread, now=now), now=now), unread=unread)
        if said := fits(planned(sheet, content), content):
            errors["period.slot_start"] = said
    if not sheet.form.said("title").strip() and (not complete or "scope.items" in errors):
        errors.pop("story.title", None)  # it gets one from its services; as long as there is none, nothing is wrong
    return errors | why_not_named(desk, sheet)


def why_not_ready(desk: Desk, sheet: Sheet, content: Content, *, now: datetime) -> dict[str, list[str]]:
    """What is missing before submission, the evidence of its model included; field to sentences."""
    version = desk.change.made_from if desk.change else model_version(sheet.form.said("model"))
    return why_content_not_ready(content, now=now) | why_not_as_modelled(version, content)


def why_not_named(desk: Desk, sheet: Sheet) -> dict[str, list[str]]:
    """Names of changes and models that lead nowhere; field to sentences."""
    found: dict[str, list[str]] = {}
    model = sheet.form.said("model")
    if model and model_version(model) is None:
        found["story.model"] = ["There is no such change model. Begin again from one of the list."]
    numbers = needed_numbers(sheet)
    seen = set(changes_for(desk.request.user).filter(pk__in=numbers).values_list("pk", flat=True))
    if missing := [number for number in numbers if number not in seen]:
        found["story.needs"] = [f"There is no {', '.join(f'CHG-{number}' for number in missing)} that you may see."]
    return found


def needed_numbers(sheet: Sheet) -> list[int]:
    """The changes that go first."""
    return [number for text in sheet.form.cleaned_data.get("needs", ()) if (number := parse_number(text, prefix="CHG"))]
