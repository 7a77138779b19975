"""The first page, the first run, and what runs where."""

from django.conf import settings
from django.contrib.auth import login
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from apps.accounts.facts import has_administrator
from apps.core.pages import PageRequest, render_page
from apps.core.refusals import BadContent
from apps.home.actions import FirstPerson, set_up_installation
from apps.home.facts.inbox import counted_for_signature
from apps.home.facts.lamps import gates_now, walls_now
from apps.home.facts.matrix import matrix_for
from apps.home.facts.overview import in_flight, recent_incidents, unfinished_of
from apps.home.first_run_form import FirstRun


@require_safe
@login_not_required
def home(request: PageRequest) -> HttpResponse:
    """What waits for me, what moves, what stands in the way; before the set-up, the first run."""
    if not request.user.is_authenticated:
        return redirect("account_login" if has_administrator() else "home:first_run")
    gates = gates_now()
    shut = [gate for gate in gates if gate.is_shut]
    waiting = counted_for_signature(request.user, now=timezone.now())
    context = {"gates": gates, "shut": shut, "waiting": waiting, "unfinished": unfinished_of(request.user)}
    context |= {"flights": in_flight(request.user), "walls": walls_now(request.user), "incidents": recent_incidents(request.user)}
    return render_page(request, "home/home.html", context)


@login_not_required
@require_http_methods(["GET", "POST"])
def first_run(request: HttpRequest) -> HttpResponse:
    """Ask for the set-up code and make the administrator."""
    if has_administrator():
        return redirect("home:home")
    form = FirstRun(request.POST or None)
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        first = FirstPerson(given["email"], given["name"], given["password"], given["time_zone"])
        try:
            person = set_up_installation(given["code"], first=first)
        except BadContent as error:
            form.put_errors(error.errors)
        else:
            login(request, person, backend=settings.AUTHENTICATION_BACKENDS[0])
            return redirect("home:home")
    return render_page(request, "home/first_run.html", {"form": form}, status=200 if request.method == "GET" else 422)


@require_safe
def matrix(request: PageRequest) -> HttpResponse:
    """Services by environments."""
    text = request.GET.get("q", "")[:120].replace("\x00", "").strip()
    return render_page(request, "home/matrix.html", {"matrix": matrix_for(request.user, text=text), "text": text})
