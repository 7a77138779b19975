"""Writing and ending change models, alone or by two. Nothing is submitted or begun meanwhile: the calendar guard is held alone."""

from datetime import datetime

from apps.accounts.facts import are_two_administrators, wide_roles
from apps.accounts.steps import person_by_actor
from apps.audit.attempts import recorded_refusal
from apps.audit.vocabulary import Event
from apps.changes.content.templates import Template, read_template
from apps.changes.facts import model_proposal_facts, person_id, waiting_model_proposal, was_let_in
from apps.changes.models import ChangeModel, ChangeModelProposal, ModelOutcome
from apps.changes.rules import why_not_agree_to_model, why_not_end_model_proposal, why_not_write_model
from apps.changes.steps.models import (
    LONGEST_NAME,
    Hands,
    add_model,
    add_model_proposal,
    checked_body,
    decide_model_proposal,
    end_model,
    read_new,
    write_model,
)
from apps.core.actors import Actor
from apps.core.locks import database_now, take_calendar_guard
from apps.core.refusals import BadContent, Refusal, Refused
from apps.core.texts import read_line
from apps.core.verbs import verb

DECIDED_ON = ("model__version", "replaces", "proposed_by__merged_into")
NO_PROPOSAL = "This version approves nothing beforehand, so nobody else has to agree. Save it."


@recorded_refusal(Event.CHANGE_MODEL_REFUSED)
@verb
def write_change_model(
    *, name: str, template: Template, by: Actor, slug: str = "", model_id: int | None = None, now: datetime | None = None
) -> ChangeModel:
    """Write a change model, or another version of one. Raises BadContent for its fields, Refused for who is no administrator
    and where it takes two persons: it approves changes beforehand, and two administrators are active."""
    take_calendar_guard()
    _refuse(why_not_write_model(_roles(by), takes_two=template.coverage is not None and are_two_administrators()))
    if model_id is None:
        return add_model(slug=slug, name=name, template=template, by=by, at=now or database_now())
    model, now = ChangeModel.objects.lock(model_id, now)
    write_model(model, name=name, template=template, by=by, at=now)
    return model


@recorded_refusal(Event.CHANGE_MODEL_REFUSED)
@verb
def propose_change_model(
    *, name: str, template: Template, by: Actor, slug: str = "", model_id: int | None = None, now: datetime | None = None
) -> ChangeModelProposal:
    """Propose a version that approves changes beforehand; the one before stays in force until a second person agrees.

    Raises BadContent naming each field, Refused."""
    take_calendar_guard()
    model = ChangeModel.objects.select_related("version").get(pk=model_id) if model_id is not None else None
    waiting = waiting_model_proposal(model.slug if model else slug)
    _refuse(why_not_write_model(_roles(by), waiting_by=waiting.proposed_by.name if waiting else ""))
    if template.coverage is None:
        raise BadContent({"pre_approved": [NO_PROPOSAL]})
    proposal = ChangeModelProposal(
        model=model,
        slug=model.slug if model else read_new(slug),
        name=read_line(name, field="name", longest=LONGEST_NAME),
        body=checked_body(template),
        replaces=model.version if model else None,
        proposed_at=now or database_now(),
        proposed_by=person_by_actor(by),
    )
    return add_model_proposal(proposal, by=by)


@recorded_refusal(Event.CHANGE_MODEL_REFUSED)
@verb
def agree_to_change_model(*, proposal_id: int, by: Actor, now: datetime | None = None) -> ChangeModel:
    """Put in force what an administrator proposed; where it reaches is looked at again. Raises BadContent, Refused."""
    take_calendar_guard()
    proposal, now = _proposal(proposal_id, now)
    person = person_by_actor(by)
    facts, is_let_in = model_proposal_facts(proposal), was_let_in(person, proposal)
    refusal = why_not_agree_to_model(person_id(person), wide_roles(person), proposal=facts, is_let_in=is_let_in)
    _refuse(refusal, about=proposal)
    decide_model_proposal(proposal, ModelOutcome.AGREED, person=person, by=by, at=now)
    template, hands = read_template(bytes(proposal.body)), Hands(proposal.proposed_by, person)
    if proposal.model is None:
        return add_model(slug=proposal.slug, name=proposal.name, template=template, by=by, at=now, hands=hands)
    write_model(proposal.model, name=proposal.name, template=template, by=by, at=now, hands=hands)
    return proposal.model


@recorded_refusal(Event.CHANGE_MODEL_REFUSED)
@verb
def end_change_model_proposal(*, proposal_id: int, by: Actor, now: datetime | None = None) -> ChangeModelProposal:
    """Take one's own proposal back, or refuse another's. The model stays as it is."""
    take_calendar_guard()
    proposal, now = _proposal(proposal_id, now)
    facts, person = model_proposal_facts(proposal), person_by_actor(by)
    _refuse(why_not_end_model_proposal(person_id(person), wide_roles(person), proposal=facts), about=proposal)
    outcome = ModelOutcome.TAKEN_BACK if person_id(person) == facts.proposed_by else ModelOutcome.REFUSED
    decide_model_proposal(proposal, outcome, person=person, by=by, at=now)
    return proposal


@recorded_refusal(Event.CHANGE_MODEL_REFUSED)
@verb
def retire_change_model(*, model_id: int, by: Actor, now: datetime | None = None) -> ChangeModel:
    """Offer a change model no more; what began from it goes on. To stop approving beforehand takes one person."""
    take_calendar_guard()
    _refuse(why_not_write_model(_roles(by)))
    model, now = ChangeModel.objects.lock(model_id, now)
    if model.retired_at is None:
        end_model(model, by=by, at=now)
    return model


def _roles(by: Actor) -> frozenset[str]:
    return wide_roles(person_by_actor(by))


def _refuse(refusal: Refusal | None, *, about: ChangeModelProposal | None = None) -> None:
    if refusal:
        raise Refused(refusal, about=about.reference if about else None)


def _proposal(pk: int, now: datetime | None) -> tuple[ChangeModelProposal, datetime]:
    _, at = ChangeModelProposal.objects.lock(pk, now)
    return ChangeModelProposal.objects.select_related(*DECIDED_ON).get(pk=pk), at
