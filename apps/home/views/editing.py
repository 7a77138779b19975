"""Asking for a change and editing it: one address each, whose buttons say what shall be done with what was written."""

import re
from dataclasses import replace
from datetime import datetime
from uuid import UUID, uuid4

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from apps.approvals.actions import ask_for_change, revise_change, submit_change
from apps.changes.access import changes_for, get_change, model_version
from apps.changes.actions import drop_draft_input, keep_draft_input, place_change_after
from apps.changes.content import Content, why_not_content
from apps.changes.models import Change
from apps.changes.steps import why_content_not_ready
from apps.changes.steps.models import why_not_as_modelled
from apps.core.pages import PageRequest, render_page
from apps.core.references import parse_number
from apps.core.refusals import BadContent, Refused
from apps.home.facts.change_page import newest_of
from apps.home.facts.version import derived_aspects
from apps.home.forms.rows import MOST_ITEMS, MOST_STEPS
from apps.home.planning import plan_start
from apps.home.sheet import Sheet
from apps.home.starting import Start, identified, start_of_edit, start_of_new
from apps.home.typed import OPERATION, Values, body_of, changed_rows, rows_of, sent_values, with_rows
from apps.home.views.form_page import Desk, beside, common, fits, form_page, reach

STALE = "stale_revision"


@require_http_methods(["GET", "POST"])
def new_change(request: PageRequest) -> HttpResponse:
    """Ask for a change: a draft, or submitted at once."""
    desk = Desk(request, None)
    if request.method == "POST":
        return answered(desk)
    return begun(desk, start_of_new(request.user, shelf=desk.shelf, asked=request.GET.dict()))


@require_http_methods(["GET", "POST"])
def edit_change(request: PageRequest, ref: str) -> HttpResponse:
    """Write a new revision; what it leaves alone keeps its sign-offs."""
    desk = Desk(request, get_change(request.user, ref))
    assert desk.change and desk.content  # noqa: S101, PT018 - a desk with a change has read its content
    if request.method == "POST":
        return answered(desk)
    start = start_of_edit(desk.change, desk.content, person=request.user, shelf=desk.shelf, wants_saved="blank" in request.GET)
    return begun(desk, start)


def begun(desk: Desk, start: Start) -> HttpResponse:
    """The form as it is opened."""
    desk.show_evidence(start.values, restored=start.restored is not None)
    return form_page(desk, desk.filled(start.values), start.values, start=start)


def answered(desk: Desk) -> HttpResponse:
    """Do what the pressed button says; looking at it is what Enter in a field does."""
    if refusal := desk.refusal:
        raise Refused(refusal, about=desk.change.reference if desk.change else None)
    values, do = sent_values(desk.request.POST), desk.request.POST.get("do", "")
    if do != "discard":
        desk.take_evidence(values)
    if operation := OPERATION.fullmatch(do):
        return rows_changed(desk, values, operation)
    match do:
        case "keep":
            return kept(desk, values)
        case "discard":
            return discarded(desk, values)
        case "save" | "submit":
            return saved(desk, values, wants_submission=do == "submit")
    return looked_at(desk, values)


def keep(desk: Desk, values: Values) -> bool:
    """Keep what is typed, under the id that this page was drawn with; False where this form was sent or discarded before."""
    draft, replaces = (id_in(values, name) for name in ("draft", "replaces"))
    values["draft"] = [str(draft or uuid4())]
    row = keep_draft_input(
        draft_id=UUID(values["draft"][0]),
        body=body_of(values),
        by=desk.request.user.actor,
        change_id=desk.change.pk if desk.change else None,
        replaces=replaces,
    )
    return row.finished_at is None


def id_in(values: Values, name: str) -> UUID | None:
    """An id that the page was drawn with; None for anything else."""
    try:
        return UUID("".join(values.get(name, [])[:1]))
    except ValueError:
        return None


def kept(desk: Desk, values: Values) -> HttpResponse:
    """Say when it was kept, and what would come of it."""
    is_kept = keep(desk, values)
    if not desk.request.htmx:
        return form_page(desk, desk.filled(values), values)
    now = timezone.now()
    context = {"beside": beside(desk, values, now=now), "change": desk.change, "refusal": None, "is_part": True}
    response = render_page(desk.request, "home/_kept.html", context | {"kept_at": now if is_kept else None})
    if is_kept:
        response["HX-Trigger"] = "draft-kept"  # else this tab is the only one that has it
    return response


def rows_changed(desk: Desk, values: Values, operation: re.Match[str]) -> HttpResponse:
    """Add, drop or move a row, and keep what is typed."""
    table = operation[2]
    values = changed_rows(values, operation, most=MOST_ITEMS if table == "items" else MOST_STEPS)
    if table == "items":
        values = with_rungs(desk, values)
    keep(desk, values)
    sheet = desk.filled(values)
    if not desk.request.htmx:
        return form_page(desk, sheet, values)
    context = common(desk, sheet) | {"new_row": operation[1] == "add", "table": table}
    return render_page(
        desk.request, "home/_item_rows.html" if table == "items" else "home/_step_rows.html", context | {"steps": getattr(sheet, table)}
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


def discarded(desk: Desk, values: Values) -> HttpResponse:
    """Forget what was typed and begin from what is saved."""
    forget(desk, values)
    messages.success(desk.request, "What you had typed is gone.")
    return redirect("home:change", ref=desk.change.ref) if desk.change else redirect(f"{desk.address}?blank=1")


def forget(desk: Desk, values: Values) -> None:
    """Drop what was kept under the ids of this page."""
    draft, replaces = (id_in(values, name) for name in ("draft", "replaces"))
    if draft is not None:
        drop_draft_input(draft_id=draft, replaces=replaces, by=desk.request.user.actor)


def looked_at(desk: Desk, values: Values) -> HttpResponse:
    """The same form with what would come of it; what cannot be taken is said, what is missing stands beside it."""
    sheet = desk.bound(values)
    ok = sheet.is_valid() and not desk.evidence.errors
    if ok:
        errors = why_not_content(desk.written(sheet, now=timezone.now())) | why_not_named(desk, sheet)
        if not sheet.form.said("title").strip():
            errors.pop("story.title", None)  # it gets one from its services; as long as there is none, nothing is wrong
        sheet.put_errors(errors)
        ok = not errors
    digest = desk.request.POST.get("revision_digest", "")
    if desk.change and digest and digest != newest_of(desk.change).digest:
        return form_page(desk, sheet, values, newer=newest_of(desk.change), status=409)
    return form_page(desk, sheet, values, status=200 if ok else 422)


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


def saved(desk: Desk, values: Values, *, wants_submission: bool) -> HttpResponse:
    """Create or revise, and submit where that was asked for."""
    sheet = desk.bound(values)
    content = written(desk, sheet, complete=wants_submission or bool(desk.change and desk.change.is_open))
    if content is None:
        return form_page(desk, sheet, values, status=422)
    try:
        change = stored(desk, sheet, content, is_submitted=wants_submission)
    except BadContent as error:
        sheet.put_errors(error.errors)
        return form_page(desk, sheet, values, status=422)
    except Refused as error:
        if error.refusal.code != STALE or desk.change is None:
            raise
        return form_page(desk, sheet, values, newer=newest_of(get_change(desk.request.user, desk.change.ref)), status=409)
    unplanned = planned_as_written(desk, sheet, content, change)
    forget(desk, values)
    if unplanned:
        messages.warning(desk.request, f"The planned start is not kept. {unplanned}")
    said = f"{change.ref} is in review. Whoever must agree sees it now." if wants_submission else f"{change.ref} is saved."
    messages.success(desk.request, said)
    return redirect("home:change", ref=change.ref)


def written(desk: Desk, sheet: Sheet, *, complete: bool) -> Content | None:
    """The content that was sent; None where something in it cannot be taken, which is then said on its field."""
    if not sheet.is_valid() or desk.evidence.errors:
        return None
    now = timezone.now()
    content = with_aspects(sheet, desk.written(sheet, now=now))
    errors = why_not_content(content) or (why_not_ready(desk, sheet, content, now=now) if complete else {})
    errors |= why_not_named(desk, sheet)
    if said := fits(sheet, content):
        errors["period.slot_start"] = said
    sheet.put_errors(errors)
    return None if errors else content


def planned_as_written(desk: Desk, sheet: Sheet, content: Content, change: Change) -> str:
    """Keep the planned start; the sentence that says why not."""
    start: datetime | None = sheet.form.cleaned_data.get("slot_start")
    return plan_start(change, start, reach=reach(sheet, content), zone=content.period.zone, by=desk.request.user.actor)


def why_not_ready(desk: Desk, sheet: Sheet, content: Content, *, now: datetime) -> dict[str, list[str]]:
    """What is missing before submission, the evidence of its model included; field to sentences."""
    version = desk.change.made_from if desk.change else model_version(sheet.form.said("model"))
    return why_content_not_ready(content, now=now) | why_not_as_modelled(version, content)


def with_aspects(sheet: Sheet, content: Content) -> Content:
    """Where nobody ticked what is touched, the files say it, as far as a repository tells."""
    if content.scope.aspects:
        return content
    found = {
        aspect
        for row in sheet.said_items()
        if (service := row.offer.services.get(row.chosen)) and service.repository
        for text in row.cleaned_data.get("identities", ())
        if text.startswith("git:")
        for aspect in derived_aspects(service, text.removeprefix("git:"), row.cleaned_data.get("environments", ()))
    }
    return replace(content, scope=replace(content.scope, aspects=frozenset(found)))


def stored(desk: Desk, sheet: Sheet, content: Content, *, is_submitted: bool) -> Change:
    """The change with what was written. A new one is begun and submitted in one go, so that nothing half done is left behind."""
    by, needs = desk.request.user.actor, needed_numbers(sheet)
    if desk.change is None:
        version = model_version(sheet.form.said("model"))
        return ask_for_change(content=content, by=by, is_submitted=is_submitted, needs=needs, made_from=version.pk if version else None)
    revise_change(change_id=desk.change.pk, content=content, by=by, revision_digest=desk.request.POST.get("revision_digest", ""))
    place_change_after(change_id=desk.change.pk, needs=needs, by=by)
    if is_submitted and not desk.change.is_open:
        submit_change(change_id=desk.change.pk, by=by)
    return desk.change


@require_POST
def create_submission(request: PageRequest, ref: str) -> HttpResponse:
    """Send a draft to review; where something is missing, the form says what."""
    change = get_change(request.user, ref)
    try:
        submit_change(change_id=change.pk, by=request.user.actor)
    except BadContent as error:
        return not_ready(request, change, error)
    return in_review(request, change)


def not_ready(request: PageRequest, change: Change, error: BadContent) -> HttpResponse:
    """The form with what it lacks."""
    desk = Desk(request, change)
    assert desk.content  # noqa: S101 - a desk with a change has read its content
    start = start_of_edit(change, desk.content, person=request.user, shelf=desk.shelf, wants_saved=True)
    values = identified(start.values)
    desk.show_evidence(values, restored=False)
    sheet = desk.bound(values)
    sheet.is_valid()
    sheet.put_errors(error.errors)
    return form_page(desk, sheet, values, status=422)


def in_review(request: HttpRequest, change: Change) -> HttpResponse:
    """Say that others see it now."""
    messages.success(request, f"{change.ref} is in review. Whoever must agree sees it now.")
    return redirect("home:change", ref=change.ref)
