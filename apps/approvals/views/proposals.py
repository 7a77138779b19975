"""What one administrator proposed and another one confirms."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET, require_POST

from apps.accounts.freshness import anew
from apps.approvals import actions
from apps.approvals.access import get_proposal
from apps.approvals.facts import proposal_facts
from apps.approvals.facts.reading import in_words, names_in, proposed_facts, version_facts
from apps.approvals.forms import Question
from apps.approvals.models import PolicyProposal
from apps.approvals.rules import differences, why_not_confirm_policy, why_not_end_proposal
from apps.approvals.views.asking import asked_about
from apps.catalog.steps import asker
from apps.core.pages import PageRequest, render_page
from apps.core.refusals import BadContent, Refused, not_now


@require_GET
def proposal_page(request: PageRequest, public_id: UUID) -> HttpResponse:
    """What would change, and whom the proposed wording would ask."""
    about = get_proposal(request.user, public_id)
    asking, facts, form = asker(request.user.actor), proposal_facts(about), Question(request.GET or None, person=request.user)
    wording, standing = proposed_facts(about), version_facts(about.replaces) if about.replaces else None
    context: dict[str, Any] = {
        "proposal": about,
        "words": in_words(wording, service=about.service.name if about.service else ""),
        "rows": differences(standing, wording, names=names_in([standing, wording])) if standing and wording else None,
        "confirm_refusal": why_not_confirm_policy(asking, proposal=facts),
        "end_refusal": why_not_end_proposal(asking, proposal=facts),
        "is_own": asking.canonical_id == facts.proposed_by,
        "form": form,
        "asked": asked_about(request, form, place=about, policy=wording) if wording else None,
    }
    return render_page(request, "approvals/proposal.html", context)


@require_POST
@anew
def confirmation(request: PageRequest, public_id: UUID) -> HttpResponse:
    """Put it in force."""
    about = get_proposal(request.user, public_id)
    try:
        policy = actions.confirm_policy(proposal_id=about.pk, by=request.user.actor)
    except BadContent as error:
        said = " ".join(sentence for sentences in error.errors.values() for sentence in sentences)
        raise Refused(not_now("proposal_unfit", said, "End this proposal and propose it anew."), about=about.reference) from error
    return told(request, about, f"{policy.name} is in force as confirmed." if about.body is not None else f"{policy.name} is retired.")


@require_POST
def proposal_end(request: PageRequest, public_id: UUID) -> HttpResponse:
    """Take it back, or refuse it."""
    about = get_proposal(request.user, public_id)
    actions.end_policy_proposal(proposal_id=about.pk, by=request.user.actor)
    return told(request, about, "The proposal is ended. The policy stays as it is.")


def told(request: PageRequest, about: PolicyProposal, said: str) -> HttpResponse:
    """Back to its page, with what happened."""
    messages.success(request, said)
    return redirect("approvals:proposal", about.public_id)
