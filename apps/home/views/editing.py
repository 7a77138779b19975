"""Asking for a change and editing it: one address each, whose buttons say what shall be done with what was written."""

import re
from datetime import datetime
from uuid import UUID, uuid4

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from apps.approvals.actions import ask_for_change, revise_change, submit_change
from apps.changes.access import finished_draft, get_change, model_version
from apps.changes.actions import drop_draft_input, keep_draft_input, place_change_after
from apps.changes.content import Content
from apps.changes.facts import content_of
from apps.changes.models import Change, Revision
from apps.core.pages import PageRequest, render_page
from apps.core.refusals import BadContent, Refused
from apps.home.facts.agreement import submitted_words
from apps.home.facts.change_page import newest_of
from apps.home.filling import values_of
from apps.home.forms.rows import MOST_ITEMS, MOST_STEPS
from apps.home.merging import merged
from apps.home.planning import plan_start, walls_ahead
from apps.home.sheet import Sheet
from apps.home.starting import Start, identified, start_of_edit, start_of_new
from apps.home.typed import OPERATION, Values, body_of, changed_rows, sent_values
from apps.home.views.beside import beside, named, reach
from apps.home.views.checking import looked, needed_numbers, with_rungs
from apps.home.views.desk import Desk
from apps.home.views.form_page import Kept, Newer, common, form_page

STALE, FROZEN = "stale_revision", "item_is_frozen"
TABLES = {"items": "Services", "plan": "The steps of the plan", "rollback": "The steps of the way back"}


@require_http_methods(["GET", "POST"])
def new_change(request: PageRequest) -> HttpResponse:
    """Ask for a change: a draft, or submitted at once."""
    desk = Desk(request, None)
    if request.method == "POST":
        return answered(desk)
    if over := finished_draft(request.user, request.GET.get("draft", "")):
        return redirect("home:change", ref=over.became.ref) if over.became else redirect(f"{desk.address}?blank=1")
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


def keep(desk: Desk, values: Values) -> Kept:
    """Keep what is typed, under the id that this page was drawn with."""
    draft, replaces = (id_in(values, name) for name in ("draft", "replaces"))
    values["draft"] = [str(draft or uuid4())]
    try:
        row = keep_draft_input(
            draft_id=UUID(values["draft"][0]),
            body=body_of(values),
            by=desk.request.user.actor,
            change_id=desk.change.pk if desk.change else None,
            replaces=replaces,
        )
    except BadContent as error:
        return Kept(None, " ".join(said for sentences in error.errors.values() for said in sentences))
    return Kept(None if row.finished_at else timezone.now(), became=row.became)


def id_in(values: Values, name: str) -> UUID | None:
    """An id that the page was drawn with; None for anything else."""
    try:
        return UUID("".join(values.get(name, [])[:1]))
    except ValueError:
        return None


def kept(desk: Desk, values: Values) -> HttpResponse:
    """Say when it was kept, and what would come of it."""
    word = keep(desk, values)
    if not desk.request.htmx:
        return form_page(desk, desk.filled(values), values, kept=word, status=422 if word.why_not else 200)
    context = {"beside": beside(desk, values, now=timezone.now()), "change": desk.change, "refusal": None, "is_part": True}
    response = render_page(desk.request, "home/_kept.html", context | {"kept": word})
    if word.at:
        response["HX-Trigger"] = "draft-kept"  # else this tab is the only one that has it
    return response


def rows_changed(desk: Desk, values: Values, operation: re.Match[str]) -> HttpResponse:
    """Add, drop or move a row, and keep what is typed."""
    table = operation[2]
    values = changed_rows(values, operation, most=MOST_ITEMS if table == "items" else MOST_STEPS)
    if table == "items":
        values = with_rungs(desk, values)
    word = keep(desk, values)
    sheet = desk.filled(values)
    if not desk.request.htmx:
        return form_page(desk, sheet, values, kept=word, status=422 if word.why_not else 200)
    context = common(desk, sheet) | {"table": table, "kept": word}
    return render_page(
        desk.request, "home/_item_rows.html" if table == "items" else "home/_step_rows.html", context | {"steps": getattr(sheet, table)}
    )


def discarded(desk: Desk, values: Values) -> HttpResponse:
    """Forget what was typed and begin from what is saved; of another form in the list, only its row says so."""
    forget(desk, values)
    if desk.request.htmx:
        return render_page(desk.request, "home/_discarded.html", {})
    messages.success(desk.request, "What you had typed is gone.")
    return redirect("home:change", ref=desk.change.ref) if desk.change else redirect(f"{desk.address}?blank=1")


def forget(desk: Desk, values: Values, *, became: Change | None = None) -> None:
    """Drop what was kept under the ids of this page; BECAME is the change that it was sent as."""
    draft, replaces = (id_in(values, name) for name in ("draft", "replaces"))
    if draft is not None:
        drop_draft_input(draft_id=draft, replaces=replaces, by=desk.request.user.actor, became=became.pk if became else None)


def looked_at(desk: Desk, values: Values) -> HttpResponse:
    """The same form with what would come of it; what cannot be taken is said, what is missing stands beside it."""
    look = looked(desk, values, complete=False)
    digest = desk.request.POST.get("revision_digest", "")
    if desk.change and digest and digest != newest_of(desk.change).digest:
        return overtaken(desk, look.values, desk.change)
    return form_page(desk, look.sheet, look.values, status=422 if look.is_wrong else 200)


def overtaken(desk: Desk, values: Values, change: Change) -> HttpResponse:
    """The form over what somebody saved meanwhile: what this person left alone is theirs now, what both wrote is shown."""
    desk.change, newest = change, newest_of(change)
    seen = desk.request.POST.get("revision_digest", "")
    base = change.revisions.filter(digest=seen).first() if seen.isalnum() else None
    if base is None:
        return form_page(desk, desk.bound(values), values, newer=Newer(newest, [], is_taken_over=False), status=409)
    was, theirs = (shown_in(desk, revision) for revision in (base, newest))
    both = merged(values, base=was, theirs=theirs)
    sheet = desk.bound(both.values)
    clashes = [clash(sheet, name, theirs) for name in both.clashes]
    return form_page(desk, sheet, both.values, newer=Newer(newest, clashes, is_taken_over=bool(both.taken)), status=409)


def shown_in(desk: Desk, revision: Revision) -> Values:
    """What the form would show of a revision."""
    offer = desk.shelf.offer
    return values_of(content_of(revision), services=offer.services.values(), ladder=offer.ladder.values())


def saved(desk: Desk, values: Values, *, wants_submission: bool) -> HttpResponse:
    """Create or revise, and submit where that was asked for."""
    look = looked(desk, values, complete=wants_submission or bool(desk.change and desk.change.is_open))
    sheet, content = look.sheet, look.content
    if look.is_wrong:
        return form_page(desk, sheet, look.values, status=422)
    try:
        change = stored(desk, sheet, content, is_submitted=wants_submission)
    except BadContent as error:
        desk.put_errors(sheet, error.errors)
        return form_page(desk, sheet, values, status=422)
    except Refused as error:
        if error.refusal.code == FROZEN:
            desk.put_errors(sheet, {"": [str(error.refusal)]})
            return form_page(desk, sheet, look.values, status=409)
        if error.refusal.code != STALE or desk.change is None:
            raise
        return overtaken(desk, values, get_change(desk.request.user, desk.change.ref))
    unplanned = planned_as_written(desk, sheet, content, change)
    forget(desk, values, became=change)
    if unplanned:
        messages.warning(desk.request, f"The planned start is not kept. {unplanned}")
    for said in walls_ahead(change, zone=timezone.get_current_timezone()):
        messages.warning(desk.request, said)
    messages.success(desk.request, submitted_words(change) if wants_submission else saved_words(desk, change))
    return redirect("home:change", ref=change.ref)


def saved_words(desk: Desk, change: Change) -> str:
    """What to say after it was saved: an edit that differs in nothing makes no revision."""
    newest = change.revisions.order_by("-number").first()
    if desk.change and newest and newest.digest == desk.request.POST.get("revision_digest"):
        return f"{change.ref} is saved. Nothing differs from revision {newest.number}, so there is no new one and no sign-off lapses."
    return f"{change.ref} is saved."


def planned_as_written(desk: Desk, sheet: Sheet, content: Content, change: Change) -> str:
    """Keep the planned start; the sentence that says why not."""
    start: datetime | None = sheet.form.cleaned_data.get("slot_start")
    return plan_start(change, start, reach=reach(sheet, content), zone=content.period.zone, by=desk.request.user.actor)


def clash(sheet: Sheet, name: str, theirs: Values) -> tuple[str, str, str]:
    """A field that both wrote: what people call it, where it is, what the other one wrote."""
    if name in TABLES:
        return TABLES[name], f"rows-{name}", ""
    said = ", ".join(theirs.get(name, []))
    return (*named(sheet.form[name]), said or "nothing")


def stored(desk: Desk, sheet: Sheet, content: Content, *, is_submitted: bool) -> Change:
    """The change with what was written. A new one is begun and submitted in one go, so that nothing half done is left behind."""
    by, needs, asked_as = desk.request.user.actor, needed_numbers(sheet), sheet.asked_as()
    if desk.change is None:
        version = model_version(sheet.form.said("model"))
        is_emergency, made_from = sheet.form.said("emergency") == "True", version.pk if version else None
        return ask_for_change(
            content=content,
            by=by,
            is_submitted=is_submitted,
            needs=needs,
            made_from=made_from,
            is_emergency=is_emergency,
            asked_as=asked_as,
        )
    seen = desk.request.POST.get("revision_digest", "")
    revise_change(change_id=desk.change.pk, content=content, by=by, revision_digest=seen, asked_as=asked_as)
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
    desk.put_errors(sheet, error.errors)
    return form_page(desk, sheet, values, status=422)


def in_review(request: HttpRequest, change: Change) -> HttpResponse:
    """Say that others see it now."""
    messages.success(request, submitted_words(change))
    return redirect("home:change", ref=change.ref)
