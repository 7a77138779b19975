"""What stands beside the request form: what is missing, what is wrong, and what would come of what can be read."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.forms import BoundField

from apps.catalog.models import Target
from apps.catalog.settings_body import read_settings
from apps.changes.content import (
    Content,
    Plan,
    Rollback,
    Scope,
    Story,
    default_period,
    warnings_about,
    why_not_content,
)
from apps.changes.steps import why_content_not_ready
from apps.changes.steps.models import why_not_as_modelled
from apps.home.facts.outlook import Asked, Outlook, outlook
from apps.home.filling import place_of
from apps.home.sheet import Sheet, Wrong
from apps.home.typed import Values
from apps.home.views.desk import Desk, version_named

UNKNOWN_REACH = timedelta(minutes=30)  # where no deployment settings say how long it takes


@dataclass(frozen=True, slots=True)
class Beside:
    """What stands beside the form."""

    outlook: Outlook
    missing: list[tuple[str, str]]  # label, anchor
    warnings: list[str]
    wrong: list[Wrong]
    planned_label: str = "Planned start"


def beside(desk: Desk, values: Values, *, now: datetime) -> Beside:
    """Look at what is written, as far as it can be read."""
    sheet = desk.bound(values)
    sheet.is_valid()
    content = desk.written(sheet, now=now)
    targets = [target for target in sheet.targets() if target.service.slug in sheet.offer.services]
    slot, label = planned(sheet, content), sheet.planned_label
    unread = why_not_content(content) if content.scope.items else {}
    sheet.put_errors({path: said for path, said in unread.items() if not sheet.is_wrong(path)})
    content = readable(content, unread, now=now)
    if why_not_content(content):
        return Beside(Outlook(now), [], [], sheet.wrong, label)
    model = desk.change.made_from if desk.change else version_named(values)
    missing = gaps(why_content_not_ready(content, now=now) | why_not_as_modelled(model, content), unread=unread)
    asked = Asked(
        content,
        known_targets(targets, content),
        desk.request.user,
        desk.change,
        slot,
        model,
        is_emergency=sheet.form.said("emergency") == "True",
    )
    found = outlook(asked, now=now)
    said = [sentence for sentences in warnings_about(content).values() for sentence in sentences]
    lacking = {path: why for path, why in missing.items() if not sheet.is_wrong(path)}
    empty, unfit = ([path for path in lacking if is_filled(sheet, path) is filled] for filled in (False, True))
    wrong = [*sheet.wrong, *(Wrong(*labelled(sheet, path), " ".join(lacking[path])) for path in unfit)]
    return Beside(found, [labelled(sheet, path) for path in empty], [*said, *fits(slot, content)], wrong, label)


def is_filled(sheet: Sheet, path: str) -> bool:
    """Whether something stands in a field of the form: then it is not missing, and the sentence says what else is needed."""
    table, _, name = place_of(path)
    return bool(name and not table and sheet.form[name].value())


def gaps(missing: Mapping[str, list[str]], *, unread: Collection[str]) -> dict[str, list[str]]:
    """What is missing, without what is there and cannot be read."""
    parts = {path.split(".")[0] for path in unread} - {"scope"}
    places = tuple({"scope.items" for path in unread if path.startswith("scope.items")})
    return {path: said for path, said in missing.items() if path.split(".")[0] not in parts and not path.startswith(places or ("\n",))}


def readable(content: Content, unread: Collection[str], *, now: datetime) -> Content:
    """The content without what cannot be kept of it: the rest still has a risk, people who agree, a gate's answer."""
    wrong = {path.split(".")[0] for path in unread}
    lost = {int(path.split(".")[2]) for path in unread if path.startswith("scope.items.")}
    scope = content.scope
    if "scope" in wrong:
        items = tuple(item for at, item in enumerate(scope.items) if at not in lost)
        reason, impact = ("" if f"scope.{name}" in unread else getattr(scope, name) for name in ("reason", "impact"))
        scope = Scope(items, scope.aspects, reason, impact)
    empty = Content(scope, Plan(), Rollback(strategy=content.rollback.strategy), default_period(now=now), Story(title=""))
    parts = {name: getattr(empty, name) for name in wrong - {"scope"}}
    return replace(content, scope=scope, **parts)


def known_targets(targets: Iterable[Target], content: Content) -> list[Target]:
    """The targets of the services that are left in the content."""
    services = {item.service_id for item in content.scope.items}
    return [*{target.pk: target for target in targets if target.service.public_id in services}.values()]


def planned(sheet: Sheet, content: Content) -> tuple[datetime, datetime] | None:
    """The planned time with everything it needs, its way back included."""
    start = sheet.form.cleaned_data.get("slot_start")
    return (start, start + reach(sheet, content)) if start else None


def reach(sheet: Sheet, content: Content) -> timedelta:
    """How long it takes with its checks and its way back; the longest place counts."""
    read = [read_settings(bytes(target.settings.body)) for target in sheet.targets() if target.settings]
    run = max((timedelta(seconds=one.deploy_seconds + one.bake_seconds) for one in read), default=UNKNOWN_REACH)
    return run + timedelta(seconds=content.rollback.way_back_seconds)


def fits(slot: tuple[datetime, datetime] | None, content: Content) -> list[str]:
    """Whether the planned time lies in the period with its way back."""
    period = content.period
    if slot is None:
        return []
    if period.not_before and slot[0] < period.not_before:
        return ["The planned start lies before the period. Start later, or let the period begin earlier."]
    if slot[1] > period.not_after:
        return ["The planned time with its way back ends after the period. Start earlier, or ask for a longer period."]
    return []


def labelled(sheet: Sheet, path: str) -> tuple[str, str]:
    """What people call the place of a dotted path, and where it is on the page."""
    table, at, name = place_of(path)
    if table:
        rows = [*getattr(sheet, table)]
        said = sheet.rows()[table] or rows
        row = said[at] if at < len(said) else next(iter(rows), None)
        if row is not None:
            return named(row[name])
        name = ""
    return named(sheet.form[name]) if name else (path.rpartition(".")[2].capitalize(), "request")


def named(field: BoundField) -> tuple[str, str]:
    """A field's label, and where it is on the page."""
    return str(field.label), field.id_for_label or str(field.auto_id)
