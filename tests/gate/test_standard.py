"""The gate judges a STANDARD change as the pages do: by its model while that speaks for the leg, by policies as soon as it does not."""

from dataclasses import replace

import pytest

from apps.accounts.roles import Role
from apps.approvals.actions import ask_for_change, revise_change
from apps.approvals.facts import review_facts
from apps.catalog.models import Service
from apps.changes.actions import agree_to_change_model, propose_change_model, retire_change_model, write_change_model
from apps.changes.content import Plan, Step
from apps.changes.content.coverage import Named
from apps.changes.facts import content_of
from apps.changes.models import Change, ChangeModel, ChangeModelVersion, Leg
from apps.changes.states import Kind
from apps.gate.gather import gather
from apps.gate.judgement import question_about, verdict_now
from tests.approvals.world import make_world
from tests.conftest import NOW
from tests.factories.accounts import TeamFactory, make_person
from tests.factories.approvals import newest
from tests.factories.changes import as_modelled, make_coverage, make_standard_model, make_template
from tests.factories.proving import approve_change

ASKING = {"sign_off_missing", "not_beforehand"}


@pytest.fixture
def world(db):
    return make_world()


@pytest.fixture
def model(world):
    return make_standard_model(world.target)


@pytest.fixture
def change(world, model):
    return ask(world, model)


def ask(world, model, *targets):
    content = as_modelled(model, *(targets or (world.target,)))
    return ask_for_change(content=content, by=world.requester.actor, is_submitted=True, made_from=model.version_id, now=NOW)


def codes(change):
    """What the gate finds about who agrees; both readers say the same about the model."""
    leg = Leg.objects.select_related("service", "environment", "target", "item").get(change=change, is_current=True)
    (read,) = gather(question_about(leg), now=NOW).facts.legs
    (shown,) = review_facts(Change.objects.get(pk=change.pk)).legs
    assert read.quorum.pre_approval == shown.pre_approval
    found = set(verdict_now(leg, now=NOW).codes)
    return found & {*ASKING, "no_policy", "content_differs", "sign_off_lapsed"}


def test_what_a_model_approved_is_asked_of_nobody(change):
    assert codes(change) == set()


def test_what_two_persons_agreed_to_is_too(world, change):
    ada, ben = (make_person(Role.ADMINISTRATOR) for _ in range(2))
    model = ChangeModel.objects.get()
    template = make_template(kind=Kind.STANDARD, coverage=make_coverage(world.target), use="Every day.")
    proposal = propose_change_model(name=model.name, template=template, by=ada.actor, model_id=model.pk, now=NOW)

    assert codes(change) == set()
    agree_to_change_model(proposal_id=proposal.pk, by=ben.actor, now=NOW)
    assert codes(change) == ASKING

    model.refresh_from_db()
    assert codes(ask(world, model)) == set()


def test_an_edit_asks_people_and_their_agreement_counts(world, change):
    content = replace(content_of(newest(change)), plan=Plan((Step("Otherwise"),)))
    revise_change(change_id=change.pk, content=content, by=world.requester.actor, now=NOW)
    assert codes(change) == ASKING
    assert cure(change) == "Write it as the model says, or have it signed."

    approve_change(change_id=change.pk, revision_digest=newest(change).digest, by=world.business.actor, now=NOW)

    assert codes(change) == set()


def cure(change):
    leg = Leg.objects.select_related("service", "environment", "target", "item").get(change=change, is_current=True)
    return next(one.cure for one in verdict_now(leg, now=NOW).findings if one.code == "not_beforehand")


def test_retired_or_narrowed_it_asks_people(world, model, change):
    retire_change_model(model_id=model.pk, by=model.version.author.actor, now=NOW)
    assert codes(change) == ASKING
    assert cure(change) == "Begin a new change from the version in force, or have this one signed."

    ChangeModel.objects.update(retired_at=None)
    write_change_model(name="Other", template=make_template(), by=model.version.author.actor, model_id=model.pk, now=NOW)
    assert codes(change) == ASKING


def test_a_service_that_moved_out_of_the_team_asks_people(world):
    team = world.target.service.team
    whole = make_coverage(world.target, services=(), teams=(Named(team.public_id, team.name),))
    change = ask(world, make_standard_model(world.target, coverage=whole))
    assert codes(change) == set()

    Service.objects.filter(pk=world.target.service_id).update(team=TeamFactory())

    assert codes(change) == ASKING


def test_a_version_put_in_by_hand_speaks_for_nobody(model, change):
    real = ChangeModelVersion.objects.get(pk=model.version_id)
    forged = ChangeModelVersion.objects.create(
        model=model,
        number=2,
        body=bytes(real.body),
        digest=real.digest,
        author=real.author,
        made_at=NOW,
        statement=bytes(real.statement),
        key_id=real.key_id,
        alg=real.alg,
        signature=bytes(real.signature),
    )
    ChangeModel.objects.filter(pk=model.pk).update(version=forged)
    Change.objects.filter(pk=change.pk).update(made_from=forged)

    assert codes(change) == {*ASKING, "content_differs"}


def test_a_model_taken_from_another_change_does_not_fit_the_revision(world, model, change):
    Change.objects.filter(pk=change.pk).update(made_from=make_other(world).version_id)

    assert codes(change) == {*ASKING, "content_differs"}


def make_other(world):
    template = make_template(kind=Kind.STANDARD, coverage=make_coverage(world.target), use="Another one.")
    return write_change_model(slug="another", name="Another", template=template, by=ChangeModel.objects.get().version.author.actor, now=NOW)
