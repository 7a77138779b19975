"""Who writes in the request form, on which change, and what they may choose from."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from django.urls import reverse
from django.utils.datastructures import MultiValueDict

from apps.changes.access import model_version
from apps.changes.content import (
    Content,
    Period,
)
from apps.changes.content.templates import read_template
from apps.changes.facts import content_of
from apps.changes.models import Change, ChangeModelVersion
from apps.core.pages import PageRequest
from apps.core.refusals import Refusal
from apps.core.texts import why_not_line
from apps.home.evidence_fields import EvidenceInput
from apps.home.facts.change_page import newest_of, why_not_write
from apps.home.facts.offering import Shelf, frozen_in, shelf_for
from apps.home.filling import local
from apps.home.sheet import Sheet, bound_sheet, filled_sheet
from apps.home.typed import Values, query_of, rows_of
from apps.home.views.evidence import EvidenceFields, kept_fields, sent_fields, ticked

EVIDENCE = "plan.evidence"


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
        frozen = frozen_in(self.change, self.content) if self.change and self.content else {}
        self.shelf = shelf_for(self.request.user, change=self.change, content=self.content, frozen=frozen)
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
        return why_not_write(self.change, self.request.user, grants=self.shelf.grants)

    def bound(self, values: Values) -> Sheet:
        """The form with what was sent."""
        version = version_named(values)
        days = read_template(bytes(version.body)).days if version else None
        return bound_sheet(values, self.shelf.for_values(values), days=days)

    def written(self, sheet: Sheet, *, now: datetime) -> Content:
        """What the form says, its evidence included. A moment that stands as it was shown is the one that was saved, seconds and all."""
        content = sheet.content(now=now, evidence=self.evidence.evidence, config_digest=self.evidence.config_digest)
        return replace(content, period=as_shown(content.period, self.content.period)) if self.content else content

    def put_errors(self, sheet: Sheet, errors: Mapping[str, list[str]]) -> None:
        """Say every sentence on its field; evidence that is asked for and not shown is said at the files."""
        form, lacking = self.evidence.form, errors.get(EVIDENCE, [])
        if lacking and form.is_bound and form.is_valid():
            form.add_error("evidence_file", lacking)
            errors = {path: said for path, said in errors.items() if path != EVIDENCE}
        sheet.put_errors(errors)

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


def version_named(values: Values) -> ChangeModelVersion | None:
    """The version of a model that the values began from."""
    return model_version("".join(values.get("model", [])[:1]))
