"""A STANDARD change: approved beforehand by its model, or judged by policies as soon as it is not what two persons agreed to."""

from dataclasses import replace

import pytest

from apps.accounts.models import RoleGrant
from apps.accounts.roles import Role
from apps.approvals.actions import ask_for_change, revise_change
from apps.approvals.facts import review_facts, who_must_sign_change
from apps.approvals.rules import quorum
from apps.audit.sentences import sentence
from apps.audit.stream import latest
from apps.audit.vocabulary import Event
from apps.catalog.models import Service
from apps.changes.actions import retire_change_model, write_change_model
from apps.changes.content import Aspect, Evidence, Plan, Rollback, Scope, Step, StepBy, Strategy
from apps.changes.content.coverage import Named
from apps.changes.facts import content_of
from apps.changes.models import Change, ChangeModelVersion
from apps.changes.states import Kind, State
from apps.core.refusals import BadContent, Refused
from tests.approvals.world import make_world
from tests.conftest import NOW
from tests.factories.accounts import TeamFactory, make_person
from tests.factories.approvals import make_place, newest
from tests.factories.changes import as_modelled, make_coverage, make_standard_model, make_template
from tests.factories.proving import approve_change, reject_change

SHOWN = Evidence("junit.xml", "a" * 64, "junit")


@pytest.fixture
def world(db):
    return make_world()


@pytest.fixture
def model(world):
    return make_standard_model(world.target)


def ask(world, model, *, is_submitted=True, **parts):
    """Ask for a change from a model, through the real action."""
    content = as_modelled(model, world.target, **parts)
    return ask_for_change(content=content, by=world.requester.actor, is_submitted=is_submitted, made_from=model.version_id, now=NOW)


def leg_of(change):
    (leg,) = review_facts(Change.objects.get(pk=change.pk)).legs
    return leg


def doubts(change):
    """Why the model does not speak for the change; nothing where it does."""
    leg = leg_of(change)
    assert leg.pre_approval is not None
    assert quorum(leg).met is leg.pre_approval.holds
    return " ".join(leg.pre_approval.doubts)


def test_a_change_that_stays_as_its_model_says_is_approved_by_nobody(world, model):
    change = ask(world, model)

    assert (change.kind, change.state) == (Kind.STANDARD, State.APPROVED)
    assert doubts(change) == ""
    said = leg_of(change).pre_approval.words
    assert said == f"model Weekly restart, version 1, by Ada alone on {NOW:%-d %b %Y}"
    entry = next(one for one in latest(limit=9) if one.event is Event.CHANGE_PRE_APPROVED)
    assert (entry.data["number"], entry.data["digest"]) == (1, model.version.digest)
    told = sentence(entry, lambda reference: "CHG-1")
    assert f"{told.text} {told.sub}".count("Weekly restart") == 1


def test_nobody_can_sign_what_is_approved_beforehand(world, model):
    change = ask(world, model)

    for verb in (approve_change, reject_change):
        with pytest.raises(Refused) as refused:
            verb(change_id=change.pk, revision_digest=newest(change).digest, by=world.business.actor, reason="No.", now=NOW)
        assert refused.value.refusal.code in {"pre_approved", "already_approved"}
    (asked,) = who_must_sign_change(Change.objects.get(pk=change.pk), now=NOW)
    assert (asked.forecast.can_be_met, asked.forecast.rules) == (True, ())


EDITS = {
    "plan": ({"plan": Plan((Step("Roll out faster", StepBy.AUTOMATION, 60),))}, "Step 1 of the plan is not the model's."),
    "one step more": (
        {"plan": Plan((Step("Roll out", StepBy.AUTOMATION, 60), Step("Look")))},
        "The plan has 2 steps and the model's has 1",
    ),
    "strategy": ({"rollback": Rollback(Strategy.TRAFFIC_SWITCH, seconds_to_restore=30)}, "The way back is not the model's: its kind."),
    "time": ({"rollback": Rollback(Strategy.PREVIOUS_RELEASE, seconds_to_restore=31)}, "the time to restore"),
    "trigger": ({"rollback": Rollback(Strategy.PREVIOUS_RELEASE, trigger="x", seconds_to_restore=30)}, "its trigger"),
    "irreversible": (
        {"rollback": Rollback(Strategy.PREVIOUS_RELEASE, irreversible=("x",), seconds_to_restore=30)},
        "what cannot be undone",
    ),
}


@pytest.mark.parametrize("edit", sorted(EDITS))
def test_an_edit_of_what_is_fixed_asks_people(world, model, edit):
    parts, said = EDITS[edit]

    change = ask(world, model, **parts)

    assert (change.kind, change.state) == (Kind.STANDARD, State.IN_REVIEW)
    assert said in doubts(change)


def test_an_edit_away_and_back_is_approved_again(world, model):
    change = ask(world, model)
    content = content_of(newest(change))
    by = world.requester.actor

    revise_change(change_id=change.pk, content=replace(content, plan=Plan((Step("Otherwise"),))), by=by, now=NOW)
    away = Change.objects.get(pk=change.pk).state
    approve_change(change_id=change.pk, revision_digest=newest(change).digest, by=world.business.actor, now=NOW)
    signed = Change.objects.get(pk=change.pk).state
    revise_change(change_id=change.pk, content=content, by=by, now=NOW)

    assert (away, signed, Change.objects.get(pk=change.pk).state) == (State.IN_REVIEW, State.APPROVED, State.APPROVED)


def test_other_parts_may_be_written(world, model):
    content = as_modelled(model, world.target)
    scope = replace(content.scope, reason="Another reason.", aspects=frozenset({Aspect.RUNTIME}))

    assert ask(world, model, scope=scope).state == State.APPROVED


@pytest.mark.parametrize("fixed", ["aspects", "impact", "reason"])
def test_what_a_model_fixes_beyond_that_stays_too(world, fixed):
    model = make_standard_model(world.target, coverage=make_coverage(world.target, fixed=frozenset({fixed})))
    scope = as_modelled(model, world.target).scope
    other = Scope(scope.items, frozenset({Aspect.RUNTIME}), "Another reason.", "Another impact.")

    assert ask(world, model).state == State.APPROVED
    assert {"aspects": "It touches runtime", "reason": "The reason is", "impact": "The impact is"}[fixed] in doubts(
        ask(world, model, scope=other)
    )


def test_a_time_that_the_model_leaves_open_is_filled_in(world):
    model = make_standard_model(world.target, rollback=Rollback(Strategy.PREVIOUS_RELEASE))

    assert ask(world, model, rollback=Rollback(Strategy.PREVIOUS_RELEASE, seconds_to_restore=90)).state == State.APPROVED


def test_another_place_asks_people(world):
    elsewhere = make_place()
    model = make_standard_model(elsewhere, coverage=make_coverage(elsewhere))

    assert "The model does not cover" in doubts(ask(world, model))


def test_a_team_stands_for_the_services_it_has_now(world):
    team = world.target.service.team
    whole = make_coverage(world.target, services=(), teams=(Named(team.public_id, team.name),))
    change = ask(world, make_standard_model(world.target, coverage=whole))
    assert doubts(change) == ""

    Service.objects.filter(pk=world.target.service_id).update(team=TeamFactory())

    assert "does not cover" in doubts(change)


def test_one_leg_outside_asks_people_for_that_leg_alone(world, model):
    other = make_place(environment=world.target.environment)
    content = as_modelled(model, world.target, other)

    change = ask_for_change(content=content, by=world.requester.actor, is_submitted=True, made_from=model.version_id, now=NOW)

    met = {leg.target_id: quorum(leg).met for leg in review_facts(change).legs}
    assert met == {world.target.public_id: True, other.public_id: False}
    assert change.state == State.IN_REVIEW


def test_a_retired_model_speaks_for_nobody(world, model):
    change = ask(world, model)

    retire_change_model(model_id=model.pk, by=make_person(Role.ADMINISTRATOR).actor, now=NOW)

    assert "The model Weekly restart is retired." in doubts(change)
    assert not quorum(leg_of(change)).met


def test_a_newer_version_speaks_for_what_begins_from_it(world, model):
    change, ada = ask(world, model), model.version.author
    template = make_template(kind=Kind.STANDARD, coverage=make_coverage(world.target), use="Otherwise.")

    write_change_model(name=model.name, template=template, by=ada.actor, model_id=model.pk, now=NOW)

    assert "Version 1 of Weekly restart is not in force any more: version 2 is." in doubts(change)
    model.refresh_from_db()
    assert ask(world, model).state == State.APPROVED


def test_a_version_that_approves_nothing_any_more_ends_it(world, model):
    change = ask(world, model)

    write_change_model(name=model.name, template=make_template(), by=model.version.author.actor, model_id=model.pk, now=NOW)

    assert "is not in force" in doubts(change)


def test_who_agreed_may_leave_and_their_word_stays(world, model):
    change = ask(world, model)

    RoleGrant.objects.filter(person=model.version.author).update(revoked_at=NOW, revoked_by="SYSTEM:test")
    type(model.version.author).objects.filter(pk=model.version.author_id).update(is_active=False, deactivated_at=NOW)

    assert doubts(change) == ""


def test_evidence_that_is_asked_for_is_named_and_then_taken(world):
    model = make_standard_model(world.target, evidence=frozenset({"junit"}))
    plan = as_modelled(model, world.target).plan

    with pytest.raises(BadContent) as refused:
        ask(world, model)
    assert refused.value.errors == {"plan.evidence": ["The change model asks for evidence: junit. Upload it."]}
    change = ask(world, model, plan=replace(plan, evidence=(SHOWN,)))
    assert change.state == State.APPROVED

    revise_change(change_id=change.pk, content=replace(content_of(newest(change)), plan=plan), by=world.requester.actor, now=NOW)
    assert "asks for evidence: junit" in doubts(change)


@pytest.mark.parametrize(("shown", "is_taken"), [((), False), ((SHOWN,), True)])
def test_any_piece_of_evidence_will_do_where_any_is_asked_for(world, shown, is_taken):
    model = make_standard_model(world.target, evidence=frozenset({"any"}))
    parts = {"plan": replace(as_modelled(model, world.target).plan, evidence=shown)}

    if is_taken:
        assert ask(world, model, **parts).state == State.APPROVED
        return
    with pytest.raises(BadContent, match="a file or a link"):
        ask(world, model, **parts)


def test_a_standard_model_that_approves_nothing_is_judged_by_policies(world):
    model = make_standard_model(world.target, coverage=None)

    change = ask(world, model)

    assert (change.kind, change.state) == (Kind.STANDARD, State.IN_REVIEW)
    assert leg_of(change).pre_approval is None


def test_the_kind_is_the_models(world):
    model = make_standard_model(world.target, coverage=None, kind=Kind.EMERGENCY)

    assert ask(world, model, is_submitted=False).kind == Kind.EMERGENCY


def test_a_version_put_in_by_hand_approves_nothing(world, model):
    change = ask(world, model, is_submitted=False)
    real = model.version
    body = ChangeModelVersion.objects.get(pk=real.pk)
    forged = ChangeModelVersion.objects.create(
        model=model,
        number=2,
        body=bytes(body.body),
        digest=body.digest,
        author=body.author,
        made_at=NOW,
        statement=b"{}",
        signature=b"x" * 64,
    )
    type(model).objects.filter(pk=model.pk).update(version=forged)
    Change.objects.filter(pk=change.pk).update(made_from=forged)

    said = doubts(change)

    assert "carries no agreement that we can verify" in said
    assert "does not have the digest that binds it to the model" in said
