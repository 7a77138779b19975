"""Asking for a change and editing it."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from apps.approvals.actions import revise_change, submit_change
from apps.catalog.access import environments_in_order, services_for
from apps.changes.access import get_change
from apps.changes.actions import create_change
from apps.changes.content import Content, Step, warnings_about, why_not_complete, why_not_content
from apps.changes.facts import content_of
from apps.changes.models import Change, Revision
from apps.core.pages import PageRequest, render_page
from apps.core.refusals import BadContent, Refused
from apps.home.facts.change_page import newest_of, why_not_write
from apps.home.filling import filled_from, put_errors, rows_from
from apps.home.forms import ChangeDraft, StepRow, Steps

OLD_ITEMS = "A change with several services is edited through the API; this form would drop all but the first."
STALE = "stale_revision"
EMPTY_ROWS = 3  # offered to a new change; one more with each save after that


@dataclass
class Sheet:
    """The three forms of the page as one."""

    form: ChangeDraft
    plan: Any
    rollback: Any

    def is_valid(self) -> bool:
        """Whether every field can be read; all three are always looked at."""
        return all([self.form.is_valid(), self.plan.is_valid(), self.rollback.is_valid()])

    def content(self, *, now: datetime, kept: Content | None) -> Content:
        """What was written; evidence, which this form does not show, stays as it was."""
        evidence = kept.plan.evidence if kept else ()
        content = self.form.content(plan=steps_of(self.plan), rollback=steps_of(self.rollback), evidence=evidence, now=now)
        if kept:
            return replace(content, rollback=replace(content.rollback, point_of_no_return=kept.rollback.point_of_no_return))
        return content

    def put_errors(self, errors: dict[str, list[str]]) -> None:
        """Show every sentence where it belongs."""
        put_errors(self.form, errors, rows={"plan": said_rows(self.plan), "rollback": said_rows(self.rollback)})


def said_rows(rows: Any) -> list[StepRow]:  # noqa: ANN401 - a formset class made at import
    """The rows that say something, in the order in which the content counts its steps."""
    return [row for row in rows if isinstance(row, StepRow) and row.step()]


def steps_of(rows: Any) -> tuple[Step, ...]:  # noqa: ANN401 - a formset class made at import
    """The steps of the rows that say something."""
    return tuple(step for row in said_rows(rows) if (step := row.step()))


def sheet(request: PageRequest, *, sent: QueryDict | None, content: Content | None = None) -> Sheet:
    """The forms, bound to what was sent or filled from content."""
    services, ladder = list(services_for(request.user).filter(retired_at__isnull=True)), list(environments_in_order())
    start: dict[str, object] = {"zone": request.user.time_zone, "service": request.GET.get("service", "")}
    if content:
        start = filled_from(content, services=services, ladder=ladder)
    plan, rollback = (rows_from(content.plan.steps), rows_from(content.rollback.steps)) if content else ([], [])
    return Sheet(
        ChangeDraft(sent, initial=start, services=services, ladder=ladder),
        step_rows(sent, "plan", plan),
        step_rows(sent, "rollback", rollback),
    )


def step_rows(sent: QueryDict | None, prefix: str, start: list[dict[str, object]]) -> Any:  # noqa: ANN401 - a formset class made at import
    """The rows of one plan, with empty ones to write in."""
    rows = Steps(sent, prefix=prefix, initial=start)
    rows.extra = 1 if start else EMPTY_ROWS
    return rows


def form_page(
    request: PageRequest,
    forms: Sheet,
    *,
    change: Change | None,
    content: Content | None = None,
    newer: Revision | None = None,
    status: int = 200,
) -> HttpResponse:
    """The request form with whatever it holds, or why there is none; `newer` is the revision somebody saved meanwhile."""
    action = reverse("home:edit_change", args=[change.ref]) if change else reverse("home:new_change")
    context = {"form": forms.form, "plan": forms.plan, "rollback": forms.rollback, "change": change, "action": action, "newer": newer}
    context["refusal"] = why_not_write(change, request.user)
    context["asked"] = "needed" if change and change.is_open else "needed to submit"
    return render_page(request, "home/change_form.html", context | {"warnings": warnings_about(content) if content else {}}, status=status)


@require_http_methods(["GET", "POST"])
def new_change(request: PageRequest) -> HttpResponse:
    """Ask for a change: a draft, or submitted at once."""
    if request.method == "GET":
        return form_page(request, sheet(request, sent=None), change=None)
    forms = sheet(request, sent=request.POST)
    content = written(forms, kept=None, complete=wants_submission(request))
    if content is None:
        return form_page(request, forms, change=None, status=422)
    try:
        change = create_change(content=content, by=request.user.actor)
    except BadContent as error:
        forms.put_errors(error.errors)
        return form_page(request, forms, change=None, status=422)
    return submitted(request, forms, change=change)


@require_http_methods(["GET", "POST"])
def edit_change(request: PageRequest, ref: str) -> HttpResponse:
    """Write a new revision; what it leaves alone keeps its sign-offs."""
    change = get_change(request.user, ref)
    kept = content_of(newest_of(change))
    if request.method == "GET":
        return form_page(request, sheet(request, sent=None, content=kept), change=change, content=kept)
    forms = sheet(request, sent=request.POST, content=kept)
    content = written(forms, kept=kept, complete=change.is_open or wants_submission(request))
    if content is None:
        return form_page(request, forms, change=change, status=422)
    try:
        revise_change(change_id=change.pk, content=content, by=request.user.actor, revision_digest=request.POST.get("revision_digest", ""))
    except BadContent as error:
        forms.put_errors(error.errors)
        return form_page(request, forms, change=change, status=422)
    except Refused as error:
        return overtaken(request, forms, ref=ref, error=error)
    return submitted(request, forms, change=change)


def overtaken(request: PageRequest, forms: Sheet, *, ref: str, error: Refused) -> HttpResponse:
    """Somebody saved another revision meanwhile: what was written stands, beside where the difference is; any other no is a page."""
    if error.refusal.code != STALE:
        raise error
    change = get_change(request.user, ref)
    return form_page(request, forms, change=change, newer=newest_of(change), status=409)


def wants_submission(request: HttpRequest) -> bool:
    """Whether the primary button was pressed."""
    return request.POST.get("do") == "submit"


def written(forms: Sheet, *, kept: Content | None, complete: bool) -> Content | None:
    """The content that was sent; None where something in it cannot be taken, which is then said on its field."""
    if not forms.is_valid():
        return None
    now = timezone.now()
    content = forms.content(now=now, kept=kept)
    errors = several_items(kept) or why_not_content(content) or (why_not_complete(content, now=now) if complete else {})
    forms.put_errors(errors)
    return None if errors else content


def several_items(kept: Content | None) -> dict[str, list[str]]:
    """Refuse to flatten what the form cannot show."""
    return {"service": [OLD_ITEMS]} if kept and len(kept.scope.items) > 1 else {}


def submitted(request: PageRequest, forms: Sheet, *, change: Change) -> HttpResponse:
    """Submit a kept draft when that was asked for; what the catalogue knows better is shown on the fields."""
    if change.is_open or not wants_submission(request):
        messages.success(request, f"{change.ref} is saved.")
        return redirect("home:change", ref=change.ref)
    try:
        submit_change(change_id=change.pk, by=request.user.actor)
    except BadContent as error:
        forms.put_errors(error.errors)
        change.refresh_from_db()
        return form_page(request, forms, change=change, status=422)
    return in_review(request, change)


@require_POST
def create_submission(request: PageRequest, ref: str) -> HttpResponse:
    """Send a draft to review; where something is missing, the form says what."""
    change = get_change(request.user, ref)
    try:
        submit_change(change_id=change.pk, by=request.user.actor)
    except BadContent as error:
        content = content_of(newest_of(change))
        filled = sheet(request, sent=None, content=content)
        forms = sheet(request, sent=as_sent(filled), content=content)
        forms.is_valid()
        forms.put_errors(error.errors)
        return form_page(request, forms, change=change, content=content, status=422)
    return in_review(request, change)


def as_sent(filled: Sheet) -> QueryDict:
    """What the browser would send if the filled form were submitted as it is: only a bound form shows what is missing."""
    sent = QueryDict(mutable=True)
    for form in (filled.form, filled.plan.management_form, *filled.plan, filled.rollback.management_form, *filled.rollback):
        for field in form:
            value = field.value()
            sent.setlist(field.html_name, [str(one) for one in value] if isinstance(value, list) else [] if value is None else [str(value)])
    return sent


def in_review(request: HttpRequest, change: Change) -> HttpResponse:
    """Say that others see it now."""
    messages.success(request, f"{change.ref} is in review. Whoever must agree sees it now.")
    return redirect("home:change", ref=change.ref)
