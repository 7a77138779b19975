"""How strict an environment is: what a change needs there, how each rule of the gate is applied, and what is proposed about it."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST

from apps.accounts.facts import are_two_administrators
from apps.accounts.freshness import anew
from apps.accounts.models import Person
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
from apps.gate.rules import SWITCHABLE, Mode
from apps.gate.rules.relaxing import GRACE, REQUIRED, errors_of, weakens, why_not_confirm_relaxation, why_not_end_relaxation
from apps.gate.strictness import TITLES, as_it_is, get_relaxation, open_relaxations, relaxation_facts, rules_applied
from apps.home.facts.trying import Wish, tried_on_past
from apps.home.strictness_form import SAID, Strictness, Trial

TRIED = "try_%s"  # two forms of the page have the same fields


@require_http_methods(["GET", "POST"])
def strictness(request: PageRequest, slug: str) -> HttpResponse:
    """Show it, and take what shall be different."""
    about = get_environment(slug)
    asking = asker(request.user.actor)
    refusal = why_not_change_place(asking, environment_facts(about))
    if request.method == "POST" and refusal:
        raise Refused(refusal, about=about.reference)
    form, is_post = Strictness(request.POST or None), request.method == "POST"
    if is_post and form.is_valid():
        try:
            said = set_or_propose(about, by=request.user.actor, **form.cleaned_data)
        except BadContent as error:
            show_errors(form, error.errors)
        else:
            messages.success(request, said)
            return redirect("home:environment_strictness", about.slug)
    trial, wish = tried_in(request.POST if is_post else request.GET)
    if is_post and wish is None:
        trial = Trial(auto_id=TRIED, initial={"what": None})  # the form that was sent says what does not fit
    context = {"environment": about, "form": form, "trial": trial, "rules": rules_applied(about), "refusal": refusal}
    context |= {
        "takes_two": are_two_administrators(),
        "chosen": TITLES.get(trial.initial["what"], ""),
        **seen_from(request.user, about, asking, wish),
    }
    return render_page(request, "home/strictness.html", context, status=422 if is_post else 200)


def seen_from(person: Person, about: Environment, asking: PersonFacts, wish: Wish | None) -> dict[str, Any]:
    """What is proposed there and what is wished for, each with what it would have done to the last answers."""
    proposed = [*open_relaxations(about)]
    past = tried_on_past(person, about, [(one.rule, one.after) for one in proposed if one.rule != GRACE] + ([wish] if wish else []))
    rows = [(one, told(one.rule, one.before, one.after), *refusals_of(one, asking), past.get((one.rule, one.after))) for one in proposed]
    if wish is None:
        return {"rows": rows, "tried": None}
    before, (what, after) = as_it_is(about, wish[0]), wish
    return {
        "rows": rows,
        "tried": past[wish],
        "wish": {"what": what, "after": after, "title": told(what, before, after)},
        "is_so": before == after,
        "is_weaker": weakens(what, before, after),
    }


def told(what: str, before: str, after: str) -> str:
    """One wish in words."""
    return f"{TITLES[what]}: {SAID.get(before, before)} → {SAID.get(after, after)}"


def tried_in(given: QueryDict) -> tuple[Trial, Wish | None]:
    """What somebody wants to see tried before it is set; None where nothing is asked for or the two do not fit."""
    asked, wanted = given.get("what"), given.get("after")
    is_known = asked == REQUIRED or asked in SWITCHABLE
    chosen = asked if is_known and (wanted is None or not errors_of(asked or REQUIRED, wanted)) else None
    form = Trial(given if "after" in given else None, auto_id=TRIED, initial={"what": chosen})
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
