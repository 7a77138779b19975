"""Wordings of change models that wait for a second person, because they approve changes beforehand."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST, require_safe

from apps.accounts.access import roles_of
from apps.accounts.freshness import anew
from apps.changes.access import get_model_proposal
from apps.changes.actions import agree_to_change_model, end_change_model_proposal
from apps.changes.content.templates import read_template
from apps.changes.facts import model_proposal_facts, person_id, was_let_in
from apps.changes.rules import why_not_agree_to_model, why_not_end_model_proposal
from apps.core.pages import PageRequest, render_page
from apps.core.refusals import BadContent, Refused, not_now
from apps.home.facts.modelling import free_words, wording_rows
from apps.home.facts.telling import told_content


@require_safe
def model_proposal(request: PageRequest, public_id: UUID) -> HttpResponse:
    """What would be approved beforehand, and what differs from the version in force."""
    about, reader = get_model_proposal(public_id), request.user
    facts, roles = model_proposal_facts(about), roles_of(reader)
    says = read_template(bytes(about.body))
    standing = read_template(bytes(about.replaces.body)) if about.replaces else None
    context = {
        "proposal": about,
        "rows": wording_rows(standing, says, reader=reader),
        "told": told_content(says.content, legs=()),
        "agree_refusal": why_not_agree_to_model(person_id(reader), roles, proposal=facts, is_let_in=was_let_in(reader, about)),
        "free": free_words(says.coverage) if says.coverage else "",
        "end_refusal": why_not_end_model_proposal(person_id(reader), roles, proposal=facts),
        "is_own": person_id(reader) == facts.proposed_by,
    }
    return render_page(request, "home/model_proposal.html", context)


@require_POST
@anew
def model_agreement(request: PageRequest, public_id: UUID) -> HttpResponse:
    """Agree to it: it is in force from now on."""
    about = get_model_proposal(public_id)
    try:
        model = agree_to_change_model(proposal_id=about.pk, by=request.user.actor)
    except BadContent as error:
        said = " ".join(sentence for sentences in error.errors.values() for sentence in sentences)
        raise Refused(not_now("proposal_unfit", said, "End this proposal and propose it anew."), about=about.reference) from error
    messages.success(request, f"{model.name} is in force as proposed. Changes that stay as it says need no signature.")
    return redirect("home:change_model", slug=model.slug)


@require_POST
def model_proposal_end(request: PageRequest, public_id: UUID) -> HttpResponse:
    """Take it back, or refuse it."""
    about = get_model_proposal(public_id)
    end_change_model_proposal(proposal_id=about.pk, by=request.user.actor)
    messages.success(request, "The proposal is ended. The model stays as it is.")
    return redirect("home:model_proposal", about.public_id)
