"""Policies: the list, one with its versions, writing one, and whom it would ask."""

from typing import Any, TypedDict
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.approvals import actions
from apps.approvals.access import get_policy, open_proposals, policies
from apps.approvals.facts import takes_two, waiting_proposal
from apps.approvals.facts.reading import document_of, in_words, names_in, summary, version_facts, wordings
from apps.approvals.forms import PolicyInput, Question
from apps.approvals.models import Policy, PolicyProposal
from apps.approvals.rules import differences, why_not_retire_policy, why_not_write_policy
from apps.approvals.views.asking import asked_about
from apps.catalog.rules import PersonFacts
from apps.catalog.steps import asker
from apps.core.pages import PageRequest, render_page
from apps.core.refusals import BadContent

MOST_VERSIONS = 50


class Selector(TypedDict):
    """What a policy is for, as the verbs take it."""

    environment_id: int
    service_id: int | None
    kind: str
    least_risk: int


@require_GET
def policies_page(request: PageRequest) -> HttpResponse:
    """Every policy in force, the lowest environment first, and what is proposed."""
    rows = [(policy, summary(policy)) for policy in policies(request.user)]
    context = {"rows": rows, "proposals": open_proposals(request.user), "refusal": why_not_write_policy(asker(request.user.actor))}
    return render_page(request, "approvals/policies.html", context)


@require_http_methods(["GET", "POST"])
def new_policy(request: PageRequest) -> HttpResponse:
    """Write a policy for a place that has none of its own."""
    return written(request, None)


@require_http_methods(["GET", "POST"])
def edit_policy(request: PageRequest, public_id: UUID) -> HttpResponse:
    """Write the next version of a policy."""
    policy = get_policy(request.user, public_id)
    if policy.retired_at is not None:
        raise Http404
    return written(request, policy)


@require_GET
def policy_page(request: PageRequest, public_id: UUID) -> HttpResponse:
    """One policy: in words, its versions, the difference between two of them, and whom it would ask."""
    policy = get_policy(request.user, public_id)
    asking, form = asker(request.user.actor), Question(request.GET or None, person=request.user)
    facts = version_facts(policy.version) if policy.version else None
    context: dict[str, Any] = {
        "policy": policy,
        "words": in_words(facts, service=policy.service.name if policy.service else ""),
        "versions": wordings(policy, limit=MOST_VERSIONS),
        "compared": compared(policy, request.GET.get("was", ""), request.GET.get("now", "")),
        "proposal": waiting_proposal(policy.environment, service=policy.service, kind=policy.kind, least_risk=policy.least_risk),
        "refusal": why_not_write_policy(asking),
        "form": form,
        "asked": asked_about(request, form, place=policy),
        **ending(policy, asking),
    }
    return render_page(request, "approvals/policy.html", context)


@require_POST
def policy_retirement(request: PageRequest, public_id: UUID) -> HttpResponse:
    """End a policy, or propose to."""
    policy, by = get_policy(request.user, public_id), request.user.actor
    if takes_two(policy.environment) and policy.retired_at is None:
        place = Selector(environment_id=policy.environment_id, service_id=policy.service_id, kind=policy.kind, least_risk=policy.least_risk)
        proposal = actions.propose_policy(name=policy.name, document=None, by=by, **place)
        return told_proposal(request, proposal)
    actions.retire_policy(policy_id=policy.pk, by=by)
    messages.success(request, f"{policy.name} is retired.")
    return redirect("approvals:policies")


def written(request: PageRequest, policy: Policy | None) -> HttpResponse:
    """The form, and what comes of sending it."""
    sent = request.POST if request.method == "POST" else None
    form = PolicyInput(sent, person=request.user, is_new=policy is None, shown=document_of(policy))
    if sent is not None and form.is_valid() and (done := saved(request, form, policy)):
        return done
    two = takes_two(policy.environment) if policy else False
    context = {"sheet": form.sheet, "rules": form.rules, "policy": policy, "refusal": why_not_write_policy(asker(request.user.actor))}
    return render_page(request, "approvals/policy_form.html", context | {"two": two}, status=422 if sent is not None else 200)


def saved(request: PageRequest, form: PolicyInput, policy: Policy | None) -> HttpResponse | None:
    """Write it or, where that takes two, propose it; None when the form holds errors now."""
    given, by = form.sheet.cleaned_data, request.user.actor
    environment = policy.environment if policy else given["environment"]
    service = policy.service if policy else given["service"]
    kind, least_risk = (policy.kind, policy.least_risk) if policy else (given["kind"], given["least_risk"] or 0)
    service_id = service.pk if service else None
    place = Selector(environment_id=environment.pk, service_id=service_id, kind=kind, least_risk=least_risk)
    try:
        if takes_two(environment):
            return told_proposal(request, actions.propose_policy(name=given["name"], document=form.document, by=by, **place))
        made = actions.write_policy(name=given["name"], document=form.document, by=by, **place)
    except BadContent as error:
        form.put_errors(error.errors)
        return None
    messages.success(request, f"{made.name} is in force. Sign-offs are counted against it from now on.")
    return redirect("approvals:policy", made.public_id)


def told_proposal(request: PageRequest, proposal: PolicyProposal) -> HttpResponse:
    """To the page of what was proposed."""
    messages.success(request, "Proposed. It is in force when another administrator confirms it.")
    return redirect("approvals:proposal", proposal.public_id)


def ending(policy: Policy, asking: PersonFacts) -> dict[str, Any]:
    """The button that ends a policy, as it may be pressed."""
    is_retired = policy.retired_at is not None
    two = takes_two(policy.environment)
    return {"two": two, "retire_refusal": why_not_retire_policy(asking, is_retired=is_retired)}


def compared(policy: Policy, was: str, now: str) -> dict[str, Any] | None:
    """Two versions of a policy beside each other; None where the address does not name two that are there."""
    wanted = [int(one) for one in (was, now) if one.isascii() and one.isdecimal() and len(one) < 7]
    found = {version.number: version for version in policy.versions.filter(number__in=wanted).select_related("policy")}
    if len(wanted) != 2 or not found.keys() >= set(wanted):
        return None
    sides = [version_facts(found[number]) for number in wanted]
    return {"rows": differences(*sides, names=names_in(sides)), "was": wanted[0], "now": wanted[1]}
