"""Exceptions: asked for on one page, agreed to on another, listed and reviewed. Nothing is decided by looking."""

from collections.abc import Callable, Mapping
from datetime import date
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from apps.approvals.access import get_exception
from apps.approvals.actions import (
    agree_exception,
    ask_exception,
    draft_exception,
    draft_exception_agreement,
    refuse_exception,
    review_exception,
    withdraw_exception,
)
from apps.approvals.exception_statement import ExceptionStatement, read_exception
from apps.approvals.models import LegException
from apps.approvals.steps import Signed, signer
from apps.changes.access import get_change, get_leg
from apps.changes.models import Leg
from apps.core.pages import PageRequest, render_page
from apps.core.refusals import BadContent, Refusal, Refused
from apps.home.deciding_forms import NeededReason, Reason, Shown, SignOffProof
from apps.home.exception_forms import ExceptionReview, PleaFields
from apps.home.facts.exception_list import STATES, Chosen, counted_by_team, listed_exceptions, teams_with_exceptions
from apps.home.facts.exception_ways import stays_after
from apps.home.facts.exceptions import Asking, asking_page, exception_page, panel_of_exception
from apps.home.facts.signing_panel import statement_changes
from apps.home.sealed import seal, unseal
from apps.home.views.reading import number_in
from apps.home.views.signing import signed_by

FORMS: dict[str, type[Shown]] = {"refuse": NeededReason, "withdraw": Reason, "review": ExceptionReview}


@require_http_methods(["GET", "POST"])
def leg_exception(request: PageRequest, ref: str, leg: UUID) -> HttpResponse:
    """Ask for an exception for one leg; signed with the statement that was put before you."""
    page = page_of(request, ref, leg)
    if request.method == "GET":
        return asking_answer(request, page, PleaFields(initial=likely(page)))
    proof, data, refusal = sent(request)
    if data is None:
        return asking_answer(request, page, PleaFields(initial=likely(page)), refusal=refusal)
    form = PleaFields(plea_in(read_exception(data)))
    form.full_clean()
    try:
        one = ask_exception(leg_id=page.leg.pk, signed=signed(request, proof, data), by=signer(request.user))
    except BadContent as error:
        proof.put_errors(error.errors)
        return asking_answer(request, page, form, put=put(request, data, proof=proof), status=422)
    except Refused as error:
        return asking_anew(request, page, form, data=data, refusal=error.refusal)
    messages.success(request, f"{one.ref} is asked for. It passes nothing before a second person agrees.")
    return redirect("home:exception", number=one.pk)


@require_POST
def leg_exception_statement(request: PageRequest, ref: str, leg: UUID) -> HttpResponse:
    """Put the statement before the person who asks; nothing is signed by it."""
    page = page_of(request, ref, leg)
    form = PleaFields(request.POST).offer(page.ways)
    if page.refusal is None and not form.is_valid():
        return asking_answer(request, page, form, status=422)
    try:
        data = draft_exception(leg_id=page.leg.pk, plea=form.plea, by=signer(request.user)) if form.is_valid() else None
    except BadContent as error:
        form.put_errors(error.errors)
        return asking_answer(request, page, form, status=422)
    except Refused as error:
        return asking_answer(request, page, form, refusal=error.refusal)
    if data is None:
        return asking_answer(request, page, form, refusal=page.refusal)
    return asking_answer(request, page, form, put=put(request, data))


@require_safe
def exceptions(request: PageRequest) -> HttpResponse:
    """Every exception: in force, waiting, over; what is owed, and how many each team was given."""
    now, asked = timezone.now(), request.GET
    state = asked.get("state", "")
    team, state = asked.get("team", "").replace("\x00", ""), state if state in STATES else ""
    chosen = Chosen(team, state, number_in(asked.get("before", "")), month_in(asked.get("month", "")))
    rows, older = listed_exceptions(request.user, chosen, now=now)
    context = {"rows": rows, "older": older, "chosen": chosen, "states": STATES.items(), "teams": teams_with_exceptions(request.user)}
    return render_page(request, "home/exceptions.html", context | {"counts": counted_by_team(request.user, now=now), "now": now})


@require_safe
def exception(request: PageRequest, number: int) -> HttpResponse:
    """One exception: what is asked, what the gate says now, who signed what."""
    return exception_answer(request, get_exception(request.user, number))


@require_POST
def exception_statement(request: PageRequest, number: int) -> HttpResponse:
    """Put the second statement before the person who agrees; nothing is signed by it."""
    one = get_exception(request.user, number)
    try:
        data = draft_exception_agreement(exception_id=one.pk, by=signer(request.user))
    except Refused as error:
        return exception_answer(request, one, refusal=error.refusal)
    return exception_answer(request, one, put=put(request, data))


@require_POST
def exception_agreement(request: PageRequest, number: int) -> HttpResponse:
    """Agree as the second person, by the very statement that was read."""
    one = get_exception(request.user, number)
    proof, data, refusal = sent(request)
    if data is None:
        return exception_answer(request, one, refusal=refusal)
    try:
        agree_exception(exception_id=one.pk, signed=signed(request, proof, data), by=signer(request.user))
    except BadContent as error:
        proof.put_errors(error.errors)
        return exception_answer(request, one, put=put(request, data, proof=proof), status=422)
    except Refused as error:
        return exception_answer(request, get_exception(request.user, number), refusal=error.refusal)
    messages.success(request, f"{one.ref} is in force for {one.minutes} minutes from now on. Its review is owed within 72 hours.")
    return redirect("home:exception", number=one.pk)


@require_POST
def exception_refusal(request: PageRequest, number: int) -> HttpResponse:
    """Say no as the second person."""
    return decided(request, number, key="refuse", act=refuse_exception, done="It is refused. Who asked reads why.")


@require_POST
def exception_withdrawal(request: PageRequest, number: int) -> HttpResponse:
    """Take it back before it ends."""
    return decided(request, number, key="withdraw", act=withdraw_exception, done="It is withdrawn. Nothing begins by it from now on.")


@require_POST
def exception_review(request: PageRequest, number: int) -> HttpResponse:
    """Write the review that is owed."""
    return decided(request, number, key="review", act=review_exception, done="The review is written.")


def decided(request: PageRequest, number: int, *, key: str, act: Callable[..., LegException], done: str) -> HttpResponse:
    """Carry out one verb of the page; what it does not take is shown on its form."""
    one, form = get_exception(request.user, number), FORMS[key](request.POST, auto_id=f"{key}_%s")
    if form.is_valid():
        try:
            act(exception_id=one.pk, by=signer(request.user), **form.cleaned_data)
        except BadContent as error:
            form.put_errors(error.errors)
        except Refused as error:
            return exception_answer(request, one, refusal=error.refusal, bound={key: form})
        else:
            messages.success(request, done)
            return redirect("home:exception", number=one.pk)
    return exception_answer(request, one, status=422, bound={key: form})


def leg_of(request: PageRequest, ref: str, leg: UUID) -> Leg:
    """The leg of this change; 404 for another's."""
    change, found = get_change(request.user, ref), get_leg(request.user, str(leg))
    if found.change_id != change.pk:
        raise Http404
    return found


def page_of(request: PageRequest, ref: str, leg: UUID) -> Asking:
    """The page on which an exception for this leg is asked for."""
    return asking_page(leg_of(request, ref, leg), request.user, now=timezone.now())


def likely(page: Asking) -> dict[str, object]:
    """What is probably wanted: the first kind that passes something that is in the way; the rules that are in the way."""
    kind = next((way.kind.value for way in page.ways if way.is_offered), "")
    return {"kind": kind, "lifts": page.in_the_way}


def month_in(text: str) -> date | None:
    """A month as the list names it, 2026-11; anything else is none."""
    try:
        return date.fromisoformat(f"{text}-01") if len(text) == len("2026-11") else None
    except ValueError:
        return None


def plea_in(said: ExceptionStatement) -> dict[str, object]:
    """The form as it was filled in before the statement was made of it."""
    return {"kind": said.kind, "lifts": [*said.lifts], "minutes": said.minutes, "reason": said.reason}


def sent(request: PageRequest) -> tuple[SignOffProof, bytes | None, Refusal | None]:
    """The proof that was sent, and the statement that was put before this person; why not, where it is none."""
    form = SignOffProof(request.POST)
    form.full_clean()
    try:
        return form, unseal(form.cleaned_data["statement"], request), None
    except Refused as error:
        return form, None, error.refusal


def signed(request: PageRequest, proof: SignOffProof, data: bytes) -> Signed:
    """The statement with what proves that this person signs it."""
    return signed_by(request, proof, data=data, way=read_exception(data).by.get("credential", ""))


def put(request: PageRequest, data: bytes, *, proof: SignOffProof | None = None, older: bytes | None = None) -> dict[str, object]:
    """What the panel shows of a statement."""
    return {
        "panel": panel_of_exception(request.user, data),
        "proof": proof or SignOffProof(),
        "sealed": seal(data, request),
        "differs": statement_changes(older, data) if older else [],
    }


def asking_anew(request: PageRequest, page: Asking, form: PleaFields, *, data: bytes, refusal: Refusal) -> HttpResponse:
    """After a refusal: the same plea in a new statement with what differs, or where none can be made, the page."""
    try:
        anew = draft_exception(leg_id=page.leg.pk, plea=form.plea, by=signer(request.user))
    except (BadContent, Refused):
        return asking_answer(request, page, form, refusal=refusal)
    return asking_answer(request, page, form, refusal=refusal, put=put(request, anew, older=data))


def asking_answer(
    request: PageRequest,
    page: Asking,
    form: PleaFields,
    *,
    refusal: Refusal | None = None,
    put: dict[str, object] | None = None,
    status: int = 200,
) -> HttpResponse:
    """The page with the form, or with the statement and what it would leave in the way."""
    context = {"page": page, "change": page.leg.change, "leg": page.leg, "form": form.offer(page.ways), "refusal": refusal}
    if put:
        said = put["panel"].said  # type: ignore[attr-defined]  # what `put` makes
        context["stays"] = stays_after(page.verdict, kind=said.kind, lifts=said.lifts)
    code = refusal.status if refusal else status
    return render_page(request, "home/exception_asking.html", {**context, "now": timezone.now(), **(put or {})}, status=code)


def exception_answer(
    request: PageRequest,
    one: LegException,
    *,
    refusal: Refusal | None = None,
    put: dict[str, object] | None = None,
    status: int = 200,
    bound: Mapping[str, Shown] | None = None,
) -> HttpResponse:
    """The page of one exception, with a form as it was sent where something in it was not taken."""
    now = timezone.now()
    forms = {key: (bound or {}).get(key) or made(auto_id=f"{key}_%s") for key, made in FORMS.items()}
    context = {"page": exception_page(one, request.user, now=now), "one": one, "forms": forms, "refusal": refusal, "now": now}
    return render_page(request, "home/exception.html", {**context, **(put or {})}, status=refusal.status if refusal else status)
