"""What people decide about a change: send it back, withdraw it, close it, plan it, speak about it. Signing is a module of its own."""

from collections.abc import Callable
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_POST

from apps.approvals.actions import send_back_change, withdraw_sign_off
from apps.approvals.facts import review_facts, standing_sign_offs
from apps.changes.access import get_change, get_leg
from apps.changes.actions import close_change, comment_on_change, finish_change, withdraw_change
from apps.changes.mentions import mentions_of_nobody
from apps.changes.models import Change
from apps.core.pages import PageRequest
from apps.core.refusals import BadContent, Refused
from apps.home.deciding_forms import Comment, NeededReason, Reason, Review, Shown, SlotTimes
from apps.home.facts.change_page import own_agreement, why_not_offered
from apps.home.facts.planning import walls_said
from apps.home.views.reading import change_answer
from apps.schedule.actions import book_slot, release_slot


def taken(request: PageRequest, change: Change, form: Shown, *, key: str, work: Callable[[], object], done: str) -> HttpResponse:
    """Read a form, act, go back to the change; what was not taken is shown where it was written."""
    if form.is_valid():
        try:
            work()
        except BadContent as error:
            form.put_errors(error.errors)
        else:
            messages.success(request, done)
            return redirect("home:change", ref=change.ref)
    if refusal := why_not_offered(change, request.user, key=key):
        raise Refused(refusal, about=change.reference)
    return change_answer(request, change, status=422, **{key: form})


@require_POST
def sign_off_withdrawal(request: PageRequest, ref: str) -> HttpResponse:
    """Take one's own sign-off back."""
    change = get_change(request.user, ref)
    own = own_agreement(request.user, review_facts(change), standing_sign_offs(change))
    if own is None:
        raise Http404
    form = Reason(request.POST, auto_id="unsign_%s")

    def work() -> None:
        withdraw_sign_off(sign_off_id=own.sign_off.pk, by=request.user.actor, reason=form.cleaned_data["reason"])

    return taken(request, change, form, key="unsign", work=work, done="Your sign-off is withdrawn.")


@require_POST
def change_return(request: PageRequest, ref: str) -> HttpResponse:
    """Ask the requester for more."""
    change, form = get_change(request.user, ref), NeededReason(request.POST, auto_id="return_%s")

    def work() -> None:
        send_back_change(change_id=change.pk, by=request.user.actor, reason=form.cleaned_data["reason"])

    return taken(request, change, form, key="return", work=work, done=f"{change.ref} is a draft again; its requester sees your reason.")


@require_POST
def change_withdrawal(request: PageRequest, ref: str) -> HttpResponse:
    """Take a change back."""
    change, form = get_change(request.user, ref), Reason(request.POST, auto_id="withdraw_%s")

    def work() -> None:
        withdraw_change(change_id=change.pk, by=request.user.actor, reason=form.cleaned_data["reason"])

    return taken(request, change, form, key="withdraw", work=work, done=f"{change.ref} is withdrawn.")


@require_POST
def change_completion(request: PageRequest, ref: str) -> HttpResponse:
    """End a started change where it stands."""
    change, form = get_change(request.user, ref), NeededReason(request.POST, auto_id="finish_%s")

    def work() -> None:
        finish_change(change_id=change.pk, by=request.user.actor, reason=form.cleaned_data["reason"])

    return taken(request, change, form, key="finish", work=work, done=f"{change.ref} ends here; its review is open.")


@require_POST
def change_closure(request: PageRequest, ref: str) -> HttpResponse:
    """Close a change with its review."""
    change, form = get_change(request.user, ref), Review(request.POST, auto_id="close_%s")

    def work() -> None:
        close_change(change_id=change.pk, by=request.user.actor, review=form.cleaned_data["review"])

    return taken(request, change, form, key="close", work=work, done=f"{change.ref} is closed.")


@require_POST
def change_comment(request: PageRequest, ref: str) -> HttpResponse:
    """Say something about a change."""
    change, form = get_change(request.user, ref), Comment(request.POST, auto_id="comment_%s")

    def work() -> None:
        comment_on_change(change_id=change.pk, text=form.cleaned_data["text"], by=request.user.actor)

    answer = taken(request, change, form, key="comment", work=work, done="Your comment is kept.")
    if answer.status_code == 302 and (unknown := mentions_of_nobody(form.cleaned_data["text"], change=change)):
        names = ", ".join(f"@{name}" for name in unknown)
        messages.warning(request, f"{names} told nobody: no one person who sees {change.ref} is called so. Write their whole address.")
    return answer


@require_POST
def leg_slot(request: PageRequest, ref: str, leg: UUID) -> HttpResponse:
    """Plan a leg, move its plan or take it back; no sign-off lapses."""
    change, found = get_change(request.user, ref), get_leg(request.user, str(leg))
    if found.change_id != change.pk:
        raise Http404
    if request.POST.get("do") == "release":
        release_slot(leg_id=found.pk, by=request.user.actor)
        messages.success(request, "The slot is given up. The leg may start at any allowed time of its period.")
        return redirect("home:change", ref=change.ref)
    key = f"slot_{found.public_id.hex}"
    form = SlotTimes(request.POST, auto_id=f"{key}_%s")

    def work() -> None:
        given = form.cleaned_data
        times = {"starts_at": given["starts_at"], "ends_at": given["ends_at"]}
        slot = book_slot(leg_id=found.pk, **times, time_zone=request.user.time_zone, by=request.user.actor)
        zone = timezone.get_current_timezone()
        for said in walls_said(found.target, starts_at=slot.starts_at, ends_at=slot.ends_at, zone=zone):
            messages.warning(request, said)

    return taken(request, change, form, key=key, work=work, done="The slot is planned. No sign-off lapsed by it.")
