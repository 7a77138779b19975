"""Pages of the calendar: which walls stand, and moving them."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.accounts.access import names_of
from apps.audit.names import read_actor
from apps.core.acting import carried_out
from apps.core.pages import PageRequest, render_page
from apps.core.references import reference
from apps.schedule import actions
from apps.schedule.access import Wall, calendar_view, get_hold, get_rule
from apps.schedule.facts import Roles, wall_facts
from apps.schedule.forms import HoldSheet, LiftReason, WallSheet
from apps.schedule.rules import WallFacts, why_not_declare, why_not_lift, why_not_place_hold

SOURCES = {"INCIDENT": "an incident", "CHECK": "a failed check", "ROLLBACK": "a rollback"}
LIFTING = {"FREEZE": "schedule:freeze_lifting", "WINDOW": "schedule:window_lifting", "HOLD": "schedule:hold_lifting"}


@require_GET
def walls(request: PageRequest) -> HttpResponse:
    """Everything that stands in the way now or will, and what did."""
    now, roles = timezone.now(), Roles(request.user)
    view = calendar_view(request.user, now=now)
    names = printed_names([*view.standing, *view.coming, *view.past])
    anywhere = roles.anywhere()
    context = {
        "now": now,
        "standing": rows(view.standing, names, roles, now=now),
        "coming": rows(view.coming, names, roles, now=now),
        "past": rows(view.past, names, None, now=now),
        "freeze_refusal": why_not_declare("freeze", by=anywhere),
        "hold_refusal": why_not_place_hold(by=anywhere),
    }
    return render_page(request, "schedule/walls.html", context)


@require_http_methods(["GET", "POST"])
def new_freeze(request: PageRequest) -> HttpResponse:
    """Declare a freeze."""
    return new_wall(request, "freeze", actions.declare_freeze)


@require_http_methods(["GET", "POST"])
def new_window(request: PageRequest) -> HttpResponse:
    """Declare a window."""
    return new_wall(request, "window", actions.declare_window)


@require_POST
def freeze_lifting(request: PageRequest, public_id: UUID) -> HttpResponse:
    """Lift a freeze before its time."""
    rule = actions.lift_freeze(rule_id=get_rule(request.user, public_id, kind="FREEZE").pk, by=request.user.actor)
    messages.success(request, f"{rule.title} is lifted.")
    return redirect("schedule:walls")


@require_POST
def window_lifting(request: PageRequest, public_id: UUID) -> HttpResponse:
    """Take a window back."""
    rule = actions.lift_window(rule_id=get_rule(request.user, public_id, kind="WINDOW").pk, by=request.user.actor)
    messages.success(request, f"{rule.title} is taken back.")
    return redirect("schedule:walls")


@require_http_methods(["GET", "POST"])
def new_hold(request: PageRequest) -> HttpResponse:
    """Stop something now."""
    form = HoldSheet(request.POST or None, person=request.user)
    if request.method == "POST" and carried_out(form, scoped(actions.place_hold), by=request.user.actor):
        messages.success(request, "The hold stands. What runs goes on; nothing new begins.")
        return redirect("schedule:walls")
    context = {"form": form, "hold": None, "refusal": why_not_place_hold(by=Roles(request.user).anywhere())}
    return render_page(request, "schedule/hold_form.html", context, status=422 if request.method == "POST" else 200)


@require_http_methods(["GET", "POST"])
def hold_lifting(request: PageRequest, public_id: UUID) -> HttpResponse:
    """Lift a hold, saying why it is safe."""
    hold, form = get_hold(request.user, public_id), LiftReason(request.POST or None)
    if request.method == "POST" and carried_out(form, actions.lift_hold, hold_id=hold.pk, by=request.user.actor):
        messages.success(request, "The hold is lifted.")
        return redirect("schedule:walls")
    refusal = why_not_lift(wall_facts(hold), by=Roles(request.user).anywhere(), now=timezone.now())
    context = {"form": form, "hold": hold, "refusal": refusal}
    return render_page(request, "schedule/hold_form.html", context, status=422 if request.method == "POST" else 200)


def new_wall(request: PageRequest, word: str, act: Callable[..., object]) -> HttpResponse:
    """A form for a freeze or a window."""
    form = WallSheet(request.POST or None, person=request.user)
    if request.method == "POST" and carried_out(form, scoped(act), by=request.user.actor):
        messages.success(request, f"The {word} is declared. What runs goes on.")
        return redirect("schedule:walls")
    context = {"form": form, "word": word, "refusal": why_not_declare(word, by=Roles(request.user).anywhere())}
    return render_page(request, "schedule/wall_form.html", context, status=422 if request.method == "POST" else 200)


def scoped(act: Callable[..., object]) -> Callable[..., object]:
    """The verb with its scope as one field of a form gives it."""

    def run(*, scope: tuple[str, str], **given: Any) -> object:  # noqa: ANN401 - the form's fields
        return act(scope_kind=scope[0], scope_id=scope[1], **given)

    return run


def printed_names(shown: Iterable[Wall]) -> dict[str, str]:
    """Who placed and lifted, by the text of their actor."""
    texts = {text for wall in shown for text in (wall.placed_by, wall.lifted_by) if text}
    people = {text: reference("person", actor.person_id) for text in texts if (actor := read_actor(text)).person_id}
    names = names_of(people.values())
    return {text: names[people[text]] if people.get(text) in names else "Change Control" for text in texts}


def rows(shown: Iterable[Wall], names: dict[str, str], roles: Roles | None, *, now: datetime) -> list[dict[str, Any]]:
    """What the page shows of each wall; without roles nothing is offered to be lifted."""
    return [
        {
            "wall": wall,
            "by": SOURCES.get(wall.source) or names[wall.placed_by],
            "lifted_by": names.get(wall.lifted_by, ""),
            "lifting": LIFTING[wall.kind] if roles else "",
            "refusal": why_not_lift(facts_of(wall), by=roles.mover(wall.scope.within), now=now) if roles else None,
        }
        for wall in shown
    ]


def facts_of(wall: Wall) -> WallFacts:
    """What the rule about lifting asks."""
    ends_at = wall.stretch.ends_at if wall.stretch and not wall.shuts else None
    return WallFacts(wall.kind.lower(), wall.title, ends_at, is_lifted=wall.lifted_at is not None)
