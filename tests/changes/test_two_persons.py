"""A model that approves changes beforehand takes two persons: one administrator proposes, a second person agrees."""

import pytest
from django.db import DatabaseError, IntegrityError, transaction

from apps.accounts.actions import grant_role, revoke_role
from apps.accounts.models import Person, RoleGrant
from apps.accounts.roles import Role
from apps.audit.sentences import sentence
from apps.audit.stream import latest
from apps.audit.vocabulary import Event
from apps.changes.actions import (
    agree_to_change_model,
    end_change_model_proposal,
    propose_change_model,
    retire_change_model,
    write_change_model,
)
from apps.changes.content import Plan
from apps.changes.content.coverage import Coverage, Named
from apps.changes.content.templates import read_template, template_bytes
from apps.changes.models import ChangeModel, ChangeModelProposal, ModelOutcome
from apps.changes.states import Kind
from apps.core.locks import database_now
from apps.core.refusals import BadContent, Refused
from tests.conftest import NOW
from tests.factories.accounts import make_person
from tests.factories.catalog import make_target
from tests.factories.changes import ChangeModelProposalFactory, make_coverage, make_template

MEMBERS = sorted({*Role, ""})
AGREEING = {Role.ADMINISTRATOR, Role.RELEASE_MANAGER}


@pytest.fixture
def target(db):
    return make_target()


@pytest.fixture
def ada(db):
    return make_person(Role.ADMINISTRATOR, name="Ada")


@pytest.fixture
def ben(ada):
    return make_person(Role.ADMINISTRATOR, name="Ben")


def standard(target, **parts):
    return make_template(**{"kind": Kind.STANDARD, "coverage": make_coverage(target), **parts})


def write(by, template, **more):
    return write_change_model(**{"slug": "restart", "name": "Restart", "template": template, "by": by.actor, "now": NOW, **more})


def propose(by, template, **more):
    return propose_change_model(**{"slug": "restart", "name": "Restart", "template": template, "by": by.actor, "now": NOW, **more})


def code(verb):
    with pytest.raises(Refused) as refused:
        verb()
    return refused.value.refusal.code


def words(event):
    entry = next(entry for entry in latest(limit=20) if entry.event is event)
    said = sentence(entry, lambda reference: reference.partition(":")[0])
    return f"{said.text} {said.sub}"


def somebody(role):
    return make_person(role) if role else make_person()


def test_one_administrator_writes_alone_and_the_stream_says_so(ada, target):
    model = write(ada, standard(target))

    assert (model.version.author, model.version.agreed_by) == (ada, None)
    assert "Single-handed: nobody else looked at it." in words(Event.CHANGE_MODEL_WRITTEN)


def test_two_administrators_do_not_approve_beforehand_alone(ada, ben, target):
    assert code(lambda: write(ada, standard(target))) == "takes_two"
    assert "*" not in words(Event.CHANGE_MODEL_REFUSED)
    assert not ChangeModel.objects.exists()


def test_what_approves_nothing_takes_one(ada, ben):
    assert write(ada, make_template()).version.number == 1


def test_agreed_it_is_in_force_and_says_who(ada, ben, target):
    proposal = propose(ada, standard(target))
    assert not ChangeModel.objects.exists()

    model = agree_to_change_model(proposal_id=proposal.pk, by=ben.actor, now=NOW)

    assert (model.slug, model.version.author, model.version.agreed_by) == ("restart", ada, ben)
    proposal.refresh_from_db()
    assert (proposal.outcome, proposal.decided_by) == (ModelOutcome.AGREED, ben)
    assert "Proposed by Ada." in words(Event.CHANGE_MODEL_WRITTEN)
    assert "AGREED" in words(Event.CHANGE_MODEL_PROPOSAL_DECIDED).upper()


def test_until_agreed_the_version_before_stays_in_force(ada, target):
    model = write(ada, standard(target))
    ben = make_person(Role.ADMINISTRATOR, name="Ben")

    proposal = propose(ada, standard(target, use="Wider."), model_id=model.pk)

    model.refresh_from_db()
    assert model.version.number == 1
    agree_to_change_model(proposal_id=proposal.pk, by=ben.actor, now=NOW)
    model.refresh_from_db()
    assert (model.version.number, read_template(bytes(model.version.body)).use) == (2, "Wider.")


@pytest.mark.parametrize("role", MEMBERS)
def test_who_may_propose(ada, ben, target, role):
    person = somebody(role)
    allowed = role == Role.ADMINISTRATOR

    assert (code(lambda: propose(person, standard(target))) == "not_an_administrator") if not allowed else propose(person, standard(target))


@pytest.mark.parametrize("role", MEMBERS)
@pytest.mark.parametrize("verb", [agree_to_change_model, end_change_model_proposal], ids=["agree", "end"])
def test_who_may_decide(ada, ben, target, role, verb):
    proposal, person = propose(ada, standard(target)), somebody(role)

    if role in AGREEING:
        verb(proposal_id=proposal.pk, by=person.actor, now=NOW)
        return
    assert code(lambda: verb(proposal_id=proposal.pk, by=person.actor, now=NOW)) == "not_agreeing"


@pytest.mark.parametrize("role", MEMBERS)
def test_who_may_retire(ada, target, role):
    model, person = write(ada, standard(target)), somebody(role)

    if role == Role.ADMINISTRATOR:
        assert retire_change_model(model_id=model.pk, by=person.actor, now=NOW).retired_at
        return
    assert code(lambda: retire_change_model(model_id=model.pk, by=person.actor, now=NOW)) == "not_an_administrator"


def test_nobody_agrees_to_their_own_proposal(ada, ben, target):
    proposal = propose(ada, standard(target))
    other = make_person(name="Ada at home")
    Person.objects.filter(pk=other.pk).update(merged_into=ada, is_active=False, deactivated_at=NOW)

    assert code(lambda: agree_to_change_model(proposal_id=proposal.pk, by=ada.actor, now=NOW)) == "own_proposal"
    with pytest.raises(IntegrityError), transaction.atomic():
        ChangeModelProposal.objects.filter(pk=proposal.pk).update(outcome="AGREED", decided_by=ada, decided_at=NOW)


@pytest.mark.parametrize(("by", "outcome"), [("ada", ModelOutcome.TAKEN_BACK), ("ben", ModelOutcome.REFUSED)])
def test_a_proposal_ends_once(ada, ben, target, by, outcome):
    proposal, person = propose(ada, standard(target)), {"ada": ada, "ben": ben}[by]

    assert end_change_model_proposal(proposal_id=proposal.pk, by=person.actor, now=NOW).outcome == outcome
    for verb in (end_change_model_proposal, agree_to_change_model):
        assert code(lambda verb=verb: verb(proposal_id=proposal.pk, by=ben.actor, now=NOW)) == "already_decided"


def test_who_is_no_administrator_any_more_proposes_nothing(ada, ben, target):
    proposal = propose(ada, standard(target))
    RoleGrant.objects.filter(person=ada).update(revoked_at=NOW, revoked_by="SYSTEM:test")

    assert code(lambda: agree_to_change_model(proposal_id=proposal.pk, by=ben.actor, now=NOW)) == "proposer_gone"


@pytest.mark.parametrize("between", ["written", "retired"])
def test_what_came_in_between_outdates_it(ada, target, between):
    model = write(ada, standard(target))
    ben = make_person(Role.ADMINISTRATOR, name="Ben")
    proposal = propose(ada, standard(target, use="Wider."), model_id=model.pk)
    if between == "written":
        write(ben, make_template(), model_id=model.pk)
    else:
        retire_change_model(model_id=model.pk, by=ben.actor, now=NOW)

    assert code(lambda: agree_to_change_model(proposal_id=proposal.pk, by=ben.actor, now=NOW)) == "outdated"


def test_whoever_was_made_a_release_manager_by_the_proposer_does_not_agree(ada, ben, target):
    eve = make_person(name="Eve")
    grant_role(eve.pk, role=Role.RELEASE_MANAGER, by=ada.actor)
    proposal = propose(ada, standard(target))

    with pytest.raises(Refused) as refused:
        agree_to_change_model(proposal_id=proposal.pk, by=eve.actor)

    assert refused.value.refusal.code == "let_in"
    assert refused.value.refusal.reason == "What would let you agree was given to you by Ada, who proposed this."
    assert not ChangeModel.objects.exists()
    revoke_role(eve.pk, role=Role.RELEASE_MANAGER, by=ben.actor)
    grant_role(eve.pk, role=Role.RELEASE_MANAGER, by=ben.actor)
    assert agree_to_change_model(proposal_id=proposal.pk, by=eve.actor).version.agreed_by == eve


def test_whoever_was_let_in_by_the_proposer_does_not_agree_either(ada, ben, target):
    eve = make_person(name="Eve")
    grant_role(eve.pk, role=Role.RELEASE_MANAGER, by=ben.actor)
    Person.objects.filter(pk=eve.pk).update(let_in_at=database_now(), let_in_by=f"PERSON:{ada.public_id}")
    proposal = propose(ada, standard(target))

    assert code(lambda: agree_to_change_model(proposal_id=proposal.pk, by=eve.actor)) == "let_in"


def test_what_the_only_administrator_gave_goes_on_counting(ada, target):
    eve = make_person(name="Eve")
    grant_role(eve.pk, role=Role.RELEASE_MANAGER, by=ada.actor)
    proposal = propose(ada, standard(target))

    assert agree_to_change_model(proposal_id=proposal.pk, by=eve.actor).version.agreed_by == eve


def test_one_proposal_waits_at_a_time(ada, ben, target):
    propose(ada, standard(target))

    assert code(lambda: propose(ben, standard(target))) == "already_proposed"


def test_what_is_covered_is_looked_at_again(ada, ben, target):
    proposal = propose(ada, standard(target))
    target.service.retired_at = NOW
    target.service.save(update_fields=["retired_at"])

    with pytest.raises(BadContent) as refused:
        agree_to_change_model(proposal_id=proposal.pk, by=ben.actor, now=NOW)
    assert refused.value.errors == {"covered_services": ["Something named here is not there, or is retired. Choose what lives."]}


BAD = {
    "normal": ({"kind": Kind.NORMAL}, "kind"),
    "nowhere": ({"coverage": Coverage((Named(Kind, "x"),))}, "covered_environments"),
    "nothing": ({"coverage": Coverage()}, "covered_services"),
    "no step": ({"plan": Plan()}, "plan.steps"),
    "unfixable": ({"coverage": Coverage(fixed=frozenset({"title"}))}, "fixed"),
}


@pytest.mark.parametrize("bad", sorted(BAD))
def test_what_no_model_may_approve_is_named(ada, target, bad):
    parts, field = BAD[bad]

    with pytest.raises(BadContent) as refused:
        write(ada, standard(target, **parts))
    assert field in refused.value.errors


def test_only_what_approves_something_is_proposed(ada, ben):
    with pytest.raises(BadContent) as refused:
        propose(ada, make_template())
    assert refused.value.errors["pre_approved"][0].startswith("This version approves nothing beforehand")


def test_what_it_says_is_read_back_and_older_bytes_stay(target):
    says = standard(target, coverage=make_coverage(target, fixed=frozenset({"reason"})))

    assert read_template(template_bytes(says)) == says
    assert b"pre_approval" not in template_bytes(make_template())
    assert b"kind" not in template_bytes(make_template())


def test_a_proposal_is_written_once_and_decided_once(ada, ben, target):
    proposal = propose(ada, standard(target))
    for change in ({"body": b"{}"}, {"name": "Another"}):
        with pytest.raises(DatabaseError), transaction.atomic():
            ChangeModelProposal.objects.filter(pk=proposal.pk).update(**change)
    with pytest.raises(DatabaseError), transaction.atomic():
        ChangeModelProposalFactory().delete()
