"""The pages of notifications: what I was told, what I want to be told, and what could not be sent."""

from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.accounts.access import has_role
from apps.accounts.facts import hours_of
from apps.accounts.roles import Role
from apps.core.acting import show_errors
from apps.core.pages import PageRequest, render_page
from apps.core.refusals import BadContent
from apps.notifications.access import deliveries_for, failed_deliveries, get_failed_delivery
from apps.notifications.actions import choose_notifications, retry_delivery
from apps.notifications.facts.shown import shown_to
from apps.notifications.facts.wishes import wishes_of_one
from apps.notifications.forms import Choices
from apps.notifications.models import Delivery

PAGE = 50


@require_GET
def notifications(request: PageRequest) -> HttpResponse:
    """What the person was told, the newest first, with what became of each mail."""
    context = listed(request, deliveries_for(request.user))
    context["is_administrator"] = has_role(request.user, Role.ADMINISTRATOR)
    return render_page(request, "notifications/notifications.html", context)


@require_http_methods(["GET", "POST"])
def choices(request: PageRequest) -> HttpResponse:
    """Choose what to be told when."""
    wishes = wishes_of_one(request.user)
    form = Choices(request.POST if request.method == "POST" else None, wishes=wishes)
    if request.method == "POST" and form.is_valid() and chosen(request, form):
        messages.success(request, "Saved.")
        return redirect("notifications:settings")
    status = 422 if form.is_bound else 200
    return render_page(request, "notifications/settings.html", {"form": form, "hours": hours_of(request.user)}, status=status)


def chosen(request: PageRequest, form: Choices) -> bool:
    """Carry it out; False when the form holds errors now."""
    hour, only = form.cleaned_data["digest_hour"], form.cleaned_data["only_in_hours"]
    try:
        choose_notifications(chosen=form.chosen, digest_hour=hour, only_in_hours=only, by=request.user.actor)
    except BadContent as error:
        show_errors(form, error.errors)
        return False
    return True


@require_GET
def failures(request: PageRequest) -> HttpResponse:
    """Mail that was given up, for administrators, with the way mail leaves now."""
    context = listed(request, failed_deliveries(request.user))
    context["way"] = way_words()
    return render_page(request, "notifications/failures.html", context)


@require_POST
def another_try(request: PageRequest, public_id: UUID) -> HttpResponse:
    """Try again what was given up."""
    retry_delivery(get_failed_delivery(request.user, public_id).pk, by=request.user.actor)
    messages.success(request, "It is tried again at once; what is no longer true is left out.")
    return redirect("notifications:failures")


def listed(request: PageRequest, found: QuerySet[Delivery]) -> dict[str, object]:
    """One keyset page of deliveries."""
    before = request.GET.get("before", "")
    if before.isascii() and before.isdigit() and len(before) < 19:
        found = found.filter(pk__lt=int(before))
    rows = [*found[: PAGE + 1]]
    return {
        "rows": shown_to(request.user, rows[:PAGE]),
        "older_url": f"?before={rows[PAGE - 1].pk}" if len(rows) > PAGE else "",
        "newest_url": request.path if before else "",
    }


def way_words() -> str:
    """How mail leaves, without what must stay secret."""
    name = settings.EMAIL_BACKEND.rpartition(".")[0].rpartition(".")[2]
    if name == "smtp":
        return f"Mail leaves by {settings.EMAIL_HOST}, port {settings.EMAIL_PORT}, from {settings.DEFAULT_FROM_EMAIL}."
    return "No mail server is set: mail lies in files on the host." if name == "filebased" else f"Mail leaves by {settings.EMAIL_BACKEND}."
