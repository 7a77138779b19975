"""For how long a yes of an environment is good while this installation is away: shown, lowered by one person, raised by two."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from apps.accounts.facts import are_two_administrators
from apps.catalog.access import get_environment
from apps.catalog.facts import environment_facts
from apps.catalog.models import Environment
from apps.catalog.rules import why_not_change_place
from apps.catalog.steps import asker
from apps.core.acting import show_errors
from apps.core.actors import Actor
from apps.core.pages import PageRequest, render_page
from apps.core.refusals import BadContent, Refused
from apps.gate.actions import propose_relaxation
from apps.gate.grace import set_offline_grace
from apps.gate.rules.relaxing import GRACE
from apps.gate.strictness import open_relaxations
from apps.home.strictness_form import Grace


@require_http_methods(["GET", "POST"])
def offline_grace(request: PageRequest, slug: str) -> HttpResponse:
    """Show it, and take what shall be different."""
    about, is_post = get_environment(slug), request.method == "POST"
    refusal = why_not_change_place(asker(request.user.actor), environment_facts(about))
    if is_post and refusal:
        raise Refused(refusal, about=about.reference)
    form = Grace(request.POST or None, initial={"minutes": about.offline_grace_minutes})
    if is_post and form.is_valid():
        try:
            said = set_or_propose(about, by=request.user.actor, **form.cleaned_data)
        except BadContent as error:
            show_errors(form, error.errors)
        else:
            messages.success(request, said)
            return redirect("home:environment_strictness", about.slug)
    waiting = open_relaxations(about).filter(rule=GRACE).first()
    context = {"environment": about, "form": form, "refusal": refusal, "waiting": waiting, "takes_two": are_two_administrators()}
    return render_page(request, "home/offline_grace.html", context, status=422 if is_post else 200)


def set_or_propose(environment: Environment, *, minutes: int, reason: str, by: Actor) -> str:
    """Do it where one may do it alone, else propose it; say which. Raises BadContent and Refused."""
    if minutes > environment.offline_grace_minutes and are_two_administrators():
        propose_relaxation(environment_id=environment.pk, rule=GRACE, after=str(minutes), reason=reason, by=by)
        return "It is proposed. Another administrator confirms it; until then nothing changes."
    set_offline_grace(environment_id=environment.pk, minutes=minutes, reason=reason, by=by)
    return "It holds from now on, for every ticket that is handed out."
