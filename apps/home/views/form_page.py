"""The page of the request form: drawn from what was written, with what would come of it beside it."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.forms import BoundField
from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.datastructures import MultiValueDict

from apps.catalog.settings_body import read_settings
from apps.changes.access import change_models, draft_inputs_of, model_version
from apps.changes.content import Content, Period, warnings_about, why_not_content
from apps.changes.content.templates import read_template
from apps.changes.facts import content_of
from apps.changes.models import Change, ChangeModelVersion, Revision
from apps.changes.steps import why_content_not_ready
from apps.changes.steps.models import why_not_as_modelled
from apps.core.pages import PageRequest, render_page
from apps.core.refusals import Refusal
from apps.core.texts import why_not_line
from apps.home.evidence_fields import EvidenceInput
from apps.home.facts.change_page import newest_of, why_not_write
from apps.home.facts.offering import Shelf, shelf_for
from apps.home.facts.outlook import Asked, Outlook, outlook
from apps.home.filling import local, place_of
from apps.home.sheet import Sheet, bound_sheet, filled_sheet
from apps.home.starting import Start
from apps.home.typed import Values, query_of, rows_of, values_in
from apps.home.views.evidence import EvidenceFields, kept_fields, sent_fields, ticked

UNKNOWN_REACH = timedelta(minutes=30)  # where no deployment settings say how long it takes
MOST_UNSAVED = 5


@dataclass
class Desk:
    """Who writes, on which change; what they may choose from."""

    request: PageRequest
    change: Change | None
    content: Content | None = None
    shelf: Shelf = field(init=False)
    evidence: EvidenceFields = field(init=False)

    def __post_init__(self) -> None:
        if self.change:
            self.content = content_of(newest_of(self.change))
        self.shelf = shelf_for(self.request.user, content=self.content)
        self.evidence = EvidenceFields(EvidenceInput())

    def show_evidence(self, values: Values, *, restored: bool) -> None:
        """The evidence that a page shows which was not sent: of the newest revision, or what was ticked when it was kept."""
        self.evidence = kept_fields(self.change)
        form = EvidenceInput(query_of({"evidence": values.get("evidence", [])}), MultiValueDict())
        if restored and form.is_valid():
            self.evidence.pieces = ticked(self.request, form, self.change)

    def take_evidence(self, values: Values) -> None:
        """The evidence that was sent with the form; files are kept at once, so that none is lost when the form comes back."""
        row = next(iter(rows_of(values, "items")), {})
        service = self.shelf.offer.services.get("".join(row.get("service", [])[:1]))
        label = "".join(row.get("label", [])[:1])
        self.evidence = sent_fields(
            self.request, change=self.change, service=service, label="" if why_not_line(label, longest=120) else label
        )

    @property
    def address(self) -> str:
        """Where the form is sent."""
        return reverse("home:edit_change", args=[self.change.ref]) if self.change else reverse("home:new_change")

    @property
    def refusal(self) -> Refusal | None:
        """Why nothing can be written here by this person now."""
        return why_not_write(self.change, self.request.user)

    def bound(self, values: Values) -> Sheet:
        """The form with what was sent."""
        version = version_named(values)
        days = read_template(bytes(version.body)).days if version else None
        return bound_sheet(values, self.shelf.for_values(values), days=days)

    def written(self, sheet: Sheet, *, now: datetime) -> Content:
        """What the form says, its evidence included. A moment that stands as it was shown is the one that was saved, seconds and all."""
        content = sheet.content(now=now, evidence=self.evidence.evidence, config_digest=self.evidence.config_digest)
        return replace(content, period=as_shown(content.period, self.content.period)) if self.content else content

    def filled(self, values: Values) -> Sheet:
        """The form with what is there already."""
        return filled_sheet(values, self.shelf.for_values(values))


def as_shown(period: Period, saved: Period) -> Period:
    """The period with what was saved in place of what the form shows of it, which has no seconds."""
    if period.zone != saved.zone:
        return period
    zone = ZoneInfo(period.zone)
    if local(period.not_before, zone) == local(saved.not_before, zone):
        period = replace(period, not_before=saved.not_before)
    return replace(period, not_after=saved.not_after) if local(period.not_after, zone) == local(saved.not_after, zone) else period


@dataclass(frozen=True, slots=True)
class Beside:
    """What stands beside the form."""

    outlook: Outlook
    missing: list[tuple[str, str]]  # label, anchor
    warnings: list[str]
    unread_count: int = 0


def version_named(values: Values) -> ChangeModelVersion | None:
    """The version of a model that the values began from."""
    return model_version("".join(values.get("model", [])[:1]))


def beside(desk: Desk, values: Values, *, now: datetime) -> Beside:
    """Look at what is written, as far as it can be read."""
    sheet = desk.bound(values)
    sheet.is_valid()
    content = desk.written(sheet, now=now)
    unread = why_not_content(content) if content.scope.items else {}
    if unread or sheet.errors_count:
        count = sheet.errors_count + len(unread)
        if unread:
            return Beside(Outlook(now), [], [], count)
    missing = why_content_not_ready(content, now=now) | why_not_as_modelled(version_named(values), content)
    targets = [target for target in sheet.targets() if target.service.slug in sheet.offer.services]
    asked = Asked(content, targets, desk.request.user, desk.change, planned(sheet, content))
    found = outlook(asked, now=now)
    said = [sentence for sentences in warnings_about(content).values() for sentence in sentences]
    return Beside(found, [labelled(sheet, path) for path in missing], [*said, *fits(sheet, content)], sheet.errors_count)


def planned(sheet: Sheet, content: Content) -> tuple[datetime, datetime] | None:
    """The planned time with everything it needs, its way back included."""
    start = sheet.form.cleaned_data.get("slot_start")
    return (start, start + reach(sheet, content)) if start else None


def reach(sheet: Sheet, content: Content) -> timedelta:
    """How long it takes with its checks and its way back; the longest place counts."""
    read = [read_settings(bytes(target.settings.body)) for target in sheet.targets() if target.settings]
    run = max((timedelta(seconds=one.deploy_seconds + one.bake_seconds) for one in read), default=UNKNOWN_REACH)
    return run + timedelta(seconds=content.rollback.way_back_seconds)


def fits(sheet: Sheet, content: Content) -> list[str]:
    """Whether the planned time lies in the period with its way back."""
    slot, period = planned(sheet, content), content.period
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


def form_page(
    desk: Desk, sheet: Sheet, values: Values, *, start: Start | None = None, newer: Revision | None = None, status: int = 200
) -> HttpResponse:
    """The request form with whatever it holds, or why there is none; `newer` is the revision somebody saved meanwhile."""
    context = common(desk, sheet) | {
        "evidence": desk.evidence,
        "evidence_form": desk.evidence.form,
        "newer": newer,
        "start": start,
        "refusal": desk.refusal,
    }
    if context["refusal"] is None or desk.change:
        context["beside"] = beside(desk, values, now=timezone.now())
    if desk.change is None and start is not None:
        context |= {"models": [*change_models()], "unsaved": unsaved_of(desk, start)}
    return render_page(desk.request, "home/change_form.html", context, status=status)


def common(desk: Desk, sheet: Sheet) -> dict[str, Any]:
    """What the page and its parts are drawn with."""
    change = desk.change
    return {
        "form": sheet.form,
        "items": sheet.items,
        "plan": sheet.plan,
        "rollback": sheet.rollback,
        "change": change,
        "action": desk.address,
        "asked": "needed",
    }


def unsaved_of(desk: Desk, start: Start) -> list[dict[str, object]]:
    """The other new changes this person has typed and not saved."""
    rows = draft_inputs_of(desk.request.user).filter(change__isnull=True)
    if start.restored:
        rows = rows.exclude(pk=start.restored.pk)
    return [{"id": row.public_id, "at": row.saved_at, "title": title_in(values_in(row.body))} for row in rows[:MOST_UNSAVED]]


def title_in(values: Values) -> str:
    """What an unsaved change is called."""
    said = [*values.get("title", []), *values.get("items-0-label", []), *values.get("reason", [])]
    return next((text.strip() for text in said if text.strip()), "Without a title")[:80]
