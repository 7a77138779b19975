"""How strict an environment is: what a change needs there, how each rule of the gate is applied, and what is proposed about it."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST

from apps.accounts.facts import are_two_administrators
from apps.accounts.freshness import anew
from apps.catalog.access import get_environment
from apps.catalog.actions import change_environment
from apps.catalog.facts import environment_facts
from apps.catalog.models import Environment
from apps.catalog.rules import PersonFacts, why_not_change_place
from apps.catalog.steps import asker
from apps.core.acting import show_errors
from apps.core.actors import Actor
from apps.core.pages import PageRequest, render_page
from apps.core.refusals import BadContent, Refusal, Refused
from apps.gate.actions import confirm_relaxation, end_relaxation, propose_relaxation, set_rule_mode
from apps.gate.models import Relaxation
from apps.gate.rules import Mode
from apps.gate.rules.relaxing import REQUIRED, errors_of, weakens, why_not_confirm_relaxation, why_not_end_relaxation
from apps.gate.strictness import TITLES, as_it_is, get_relaxation, open_relaxations, relaxation_facts, rules_applied
from apps.home.facts.trying import Wish, tried_on_past
from apps.home.strictness_form import Strictness, Trial


@require_http_methods(["GET", "POST"])
def strictness(request: PageRequest, slug: str) -> HttpResponse:
    """Show it, and take what shall be different."""
    about = get_environment(slug)
    asking = asker(request.user.actor)
    refusal = why_not_change_place(asking, environment_facts(about))
    if request.method == "POST" and refusal:
        raise Refused(refusal, about=about.reference)
    form = Strictness(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            said = set_or_propose(about, by=request.user.actor, **form.cleaned_data)
        except BadContent as error:
            show_errors(form, error.errors)
        else:
            messages.success(request, said)
            return redirect("home:environment_strictness", about.slug)
    proposed, trial, wish = [*open_relaxations(about)], *tried_in(request)
    past = tried_on_past(request.user, about, [(one.rule, one.after) for one in proposed] + ([wish] if wish else []))
    rows = [(one, TITLES[one.rule], *refusals_of(one, asking), past[one.rule, one.after]) for one in proposed]
    context = {"environment": about, "form": form, "rules": rules_applied(about), "rows": rows, "takes_two": are_two_administrators()}
    context |= {"refusal": refusal, "trial": trial, "tried": past[wish] if wish else None}
    return render_page(request, "home/strictness.html", context, status=422 if request.method == "POST" else 200)


def tried_in(request: PageRequest) -> tuple[Trial, Wish | None]:
    """What somebody wants to see tried before it is set; None where nothing is asked for or the two do not fit."""
    form = Trial(request.GET if "after" in request.GET else None, auto_id="try_%s")
    if not form.is_bound or not form.is_valid():
        return form, None
    what, after = form.cleaned_data["what"], form.cleaned_data["after"]
    if errors := errors_of(what, after):
        show_errors(form, errors)
        return form, None
    return form, (what, after)


def set_or_propose(environment: Environment, *, what: str, after: str, reason: str, by: Actor) -> str:
    """Do it where one may do it alone, else propose it; say which. Raises BadContent and Refused."""
    if errors := errors_of(what, after):
        raise BadContent(errors)
    if are_two_administrators() and weakens(what, as_it_is(environment, what), after):
        propose_relaxation(environment_id=environment.pk, rule=what, after=after, reason=reason, by=by)
        return "It is proposed. Another administrator confirms it; until then nothing changes."
    if what == REQUIRED:
        change_environment(environment.pk, change_required=after, by=by)
    else:
        set_rule_mode(environment_id=environment.pk, rule=what, mode=Mode(after), reason=reason, by=by)
    return "It holds from now on."


def refusals_of(relaxation: Relaxation, asking: PersonFacts) -> tuple[Refusal | None, Refusal | None, bool]:
    """Why this person cannot confirm it, why not end it, and whether it is their own."""
    facts = relaxation_facts(relaxation)
    refusals = (why_not_confirm_relaxation(asking, relaxation=facts), why_not_end_relaxation(asking, relaxation=facts))
    return (*refusals, asking.canonical_id == facts.proposed_by)


@require_POST
@anew
def relaxation_confirmation(request: PageRequest, public_id: UUID) -> HttpResponse:
    """Put it in force."""
    about = get_relaxation(public_id)
    confirm_relaxation(relaxation_id=about.pk, by=request.user.actor)
    messages.success(request, "It is in force as confirmed.")
    return redirect("home:environment_strictness", about.environment.slug)


@require_POST
def relaxation_end(request: PageRequest, public_id: UUID) -> HttpResponse:
    """Take it back, or refuse it."""
    about = get_relaxation(public_id)
    end_relaxation(relaxation_id=about.pk, by=request.user.actor)
    messages.success(request, "The proposal is ended. Everything stays as it is.")
    return redirect("home:environment_strictness", about.environment.slug)
