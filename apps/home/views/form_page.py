"""The page of the request form: drawn from what was written, with what would come of it beside it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse
from django.utils import timezone

from apps.changes.access import change_models, changes_for, draft_inputs_of
from apps.changes.content.templates import read_template
from apps.changes.models import Change, ChangeModelVersion, DraftInput, Revision
from apps.core.pages import render_page
from apps.core.together import read_together
from apps.home.forms.model import evidence_word
from apps.home.sheet import Sheet, wrong_in
from apps.home.starting import Start
from apps.home.typed import Values, values_in
from apps.home.views.beside import beside
from apps.home.views.desk import Desk, version_named

MOST_UNSAVED = 5
MOST_EARLIER = 5


@dataclass(frozen=True, slots=True)
class Kept:
    """Whether what is typed was kept, else why not: it is too much, or this form was sent or discarded before."""

    at: datetime | None
    why_not: str = ""
    became: Change | None = None


@dataclass(frozen=True, slots=True)
class Newer:
    """The revision somebody saved meanwhile, what both changed, and whether anything of it was taken over."""

    revision: Revision
    clashes: list[tuple[str, str, str]]  # label, where it is, what the newer revision says
    is_taken_over: bool


def form_page(
    desk: Desk,
    sheet: Sheet,
    values: Values,
    *,
    start: Start | None = None,
    newer: Newer | None = None,
    kept: Kept | None = None,
    status: int = 200,
) -> HttpResponse:
    """The request form with whatever it holds, or why there is none; `newer` is what somebody saved meanwhile."""
    context = common(desk, sheet) | {
        "evidence": desk.evidence,
        "evidence_form": desk.evidence.form,
        "wrong": [*sheet.wrong, *wrong_in(desk.evidence.form)],
        "newer": newer,
        "kept": kept,
        "start": start,
        "refusal": desk.refusal,
        "asked_evidence": asked_evidence(desk.change.made_from if desk.change else version_named(values)),
    }
    if context["refusal"] is None or desk.change:
        context["beside"] = beside(desk, values, now=timezone.now())
    if desk.change is None and start is not None:
        models, unsaved, earlier = change_models(), unsaved_rows(desk, start), asked_for(desk)
        read_together(models, unsaved, earlier)
        context |= {"models": [*models], "unsaved": unsaved_in(unsaved), "earlier": [*earlier]}
    return render_page(desk.request, "home/change_form.html", context, status=status)


def asked_evidence(version: ChangeModelVersion | None) -> str:
    """The kinds of evidence that the model asks for, in words; empty for none."""
    return ", ".join(evidence_word(kind) for kind in sorted(read_template(bytes(version.body)).evidence)) if version else ""


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


def asked_for(desk: Desk) -> QuerySet[Change]:
    """The changes this person asked for last: one of them is often what the next one is like."""
    return changes_for(desk.request.user).filter(requester=desk.request.user).order_by("-pk")[:MOST_EARLIER]


def unsaved_rows(desk: Desk, start: Start) -> QuerySet[DraftInput]:
    """The other new changes this person has typed and not saved."""
    rows = draft_inputs_of(desk.request.user).filter(change__isnull=True)
    if start.restored:
        rows = rows.exclude(pk=start.restored.pk)
    return rows[:MOST_UNSAVED]


def unsaved_in(rows: Iterable[DraftInput]) -> list[dict[str, object]]:
    """Each of them with what it is called."""
    return [{"id": row.public_id, "at": row.saved_at, "title": title_in(values_in(row.body))} for row in rows]


def title_in(values: Values) -> str:
    """What an unsaved change is called."""
    said = [*values.get("title", []), *values.get("items-0-label", []), *values.get("reason", [])]
    return next((text.strip() for text in said if text.strip()), "Without a title")[:80]
