"""Where approval is asked for, a policy is changed by two: one administrator proposes, another one confirms."""

import pytest
from django.db import IntegrityError, transaction

from apps.accounts.models import Person, RoleGrant
from apps.accounts.roles import Role
from apps.approvals.actions import confirm_policy, end_policy_proposal, propose_policy, retire_policy, write_policy
from apps.approvals.models import Policy, PolicyProposal, PolicyVersion, ProposalOutcome
from apps.approvals.policy_body import default_body
from apps.audit.sentences import sentence
from apps.audit.stream import latest
from apps.audit.vocabulary import Event
from apps.core.refusals import BadContent, Refused
from tests.approvals.test_races import Pause
from tests.conftest import NOW
from tests.factories.accounts import make_person
from tests.factories.approvals import PolicyProposalFactory, a_rule, make_policy
from tests.factories.catalog import EnvironmentFactory, ServiceFactory

SOLO = {**default_body(), "solo": True}


@pytest.fixture
def ada(db):
    return make_person(Role.ADMINISTRATOR, name="Ada")


@pytest.fixture
def ben(ada):
    return make_person(Role.ADMINISTRATOR, name="Ben")


def propose(by, environment, document=SOLO, **more):
    return propose_policy(name="Production", environment_id=environment.pk, document=document, by=by.actor, now=NOW, **more)


def code(verb):
    with pytest.raises(Refused) as refused:
        verb()
    return refused.value.refusal.code


def told(event):
    return next(entry for entry in latest(limit=20) if entry.event is event)


def words(entry):
    said = sentence(entry, lambda reference: reference.partition(":")[0])
    return f"{said.text} {said.sub}"


def test_one_administrator_writes_alone_and_the_stream_says_so(ada):
    write_policy(name="Production", environment_id=EnvironmentFactory().pk, document=SOLO, by=ada.actor, now=NOW)

    assert "Single-handed: nobody else looked at it." in words(told(Event.POLICY_WRITTEN))


def test_two_administrators_neither_write_nor_end_alone(ada, ben):
    policy = make_policy(EnvironmentFactory())

    assert code(lambda: write_policy(name="P", environment_id=policy.environment_id, document=SOLO, by=ada.actor, now=NOW)) == "takes_two"
    assert code(lambda: retire_policy(policy_id=policy.pk, by=ada.actor, now=NOW)) == "takes_two"
    assert [entry.data["code"] for entry in latest(limit=2) if entry.event is Event.POLICY_REFUSED] == ["takes_two"] * 2


@pytest.mark.parametrize("required", ["NO", "RECORDED"])
def test_where_no_approval_is_asked_for_one_writes_alone(ada, ben, required):
    place = EnvironmentFactory(change_required=required)

    assert write_policy(name="P", environment_id=place.pk, document=SOLO, by=ada.actor, now=NOW).version.number == 1


@pytest.mark.parametrize("gone", ["deactivated", "revoked", "merged", "never"])
def test_two_are_two_active_people(ada, ben, gone):
    match gone:
        case "deactivated":
            Person.objects.filter(pk=ben.pk).update(is_active=False, deactivated_at=NOW)
        case "revoked":
            RoleGrant.objects.filter(person=ben).update(revoked_at=NOW, revoked_by="SYSTEM:test")
        case "merged":
            Person.objects.filter(pk=ben.pk).update(is_active=False, deactivated_at=NOW, merged_into=ada)

    def write():
        return write_policy(name="P", environment_id=EnvironmentFactory().pk, document=SOLO, by=ada.actor, now=NOW)

    if gone == "never":
        assert code(write) == "takes_two"
    else:
        assert write().version.number == 1


def test_what_one_proposes_another_puts_in_force(ada, ben):
    policy = make_policy(EnvironmentFactory())

    proposal = propose(ada, policy.environment)
    assert Policy.objects.get().version.number == 1
    confirm_policy(proposal_id=proposal.pk, by=ben.actor, now=NOW)

    policy.refresh_from_db()
    proposal.refresh_from_db()
    assert (policy.name, policy.version.number) == ("Production", 2)
    assert (proposal.outcome, proposal.decided_by) == (ProposalOutcome.CONFIRMED, ben)
    written = told(Event.POLICY_WRITTEN)
    assert "single_handed" not in written.data
    assert "Proposed by Ada." in words(written)
    assert ada.reference in written.refs


def test_the_end_of_a_policy_is_proposed_and_confirmed(ada, ben):
    policy = make_policy(EnvironmentFactory())

    confirm_policy(proposal_id=propose(ada, policy.environment, None).pk, by=ben.actor, now=NOW)

    policy.refresh_from_db()
    assert policy.retired_at == NOW
    assert "Proposed by Ada." in words(told(Event.POLICY_RETIRED))


def test_nobody_confirms_what_they_proposed(ada, ben):
    proposal = propose(ada, EnvironmentFactory())

    assert code(lambda: confirm_policy(proposal_id=proposal.pk, by=ada.actor, now=NOW)) == "own_proposal"
    with pytest.raises(IntegrityError, match="nobody_confirms"), transaction.atomic():
        PolicyProposal.objects.filter(pk=proposal.pk).update(decided_at=NOW, decided_by=ada, outcome="CONFIRMED")


def test_nobody_confirms_what_they_proposed_under_another_account(ada, ben):
    other = make_person(Role.ADMINISTRATOR)
    proposal = propose(other, EnvironmentFactory())
    Person.objects.filter(pk=other.pk).update(is_active=False, deactivated_at=NOW, merged_into=ben)

    assert code(lambda: confirm_policy(proposal_id=proposal.pk, by=ben.actor, now=NOW)) == "own_proposal"


def test_what_somebody_proposed_who_is_no_administrator_any_more_is_not_confirmed(ada, ben):
    proposal = propose(ada, EnvironmentFactory())
    RoleGrant.objects.filter(person=ada).update(revoked_at=NOW, revoked_by="SYSTEM:test")

    assert code(lambda: confirm_policy(proposal_id=proposal.pk, by=ben.actor, now=NOW)) == "proposer_gone"


def test_what_was_proposed_against_an_older_wording_is_not_confirmed(ada, ben):
    policy = make_policy(EnvironmentFactory())
    proposal = propose(ada, policy.environment)
    make_policy(policy.environment, a_rule(needed=2))

    assert code(lambda: confirm_policy(proposal_id=proposal.pk, by=ben.actor, now=NOW)) == "outdated"
    assert PolicyVersion.objects.count() == 2


def test_one_proposal_at_a_time_for_a_place(ada, ben):
    place = EnvironmentFactory()
    propose(ada, place)

    assert code(lambda: propose(ben, place)) == "already_proposed"
    assert propose(ben, place, kind="EMERGENCY").pk
    assert propose(ben, place, least_risk=5).pk
    assert propose(ben, place, service_id=ServiceFactory().pk).pk


@pytest.mark.parametrize(("by_proposer", "outcome"), [(True, "TAKEN_BACK"), (False, "REFUSED")])
def test_a_proposal_is_taken_back_or_refused_once(ada, ben, by_proposer, outcome):
    proposal, by = propose(ada, EnvironmentFactory()), ada if by_proposer else ben

    assert end_policy_proposal(proposal_id=proposal.pk, by=by.actor, now=NOW).outcome == outcome
    for verb in (end_policy_proposal, confirm_policy):
        assert code(lambda verb=verb: verb(proposal_id=proposal.pk, by=ben.actor, now=NOW)) == "already_decided"
    assert not Policy.objects.exists()


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.ADMINISTRATOR])
def test_proposals_are_for_administrators_alone(ada, ben, role):
    person, proposal = make_person(role), propose(ada, EnvironmentFactory())

    assert code(lambda: propose(person, EnvironmentFactory())) == "not_administrator"
    for verb in (confirm_policy, end_policy_proposal):
        assert code(lambda verb=verb: verb(proposal_id=proposal.pk, by=person.actor, now=NOW)) == "not_administrator"


def test_a_proposal_is_read_as_strictly_as_a_policy(ada, ben):
    for more, field in (({"document": {"rules": []}}, "rules"), ({"kind": "URGENT"}, "kind"), ({"document": None}, "environment")):
        with pytest.raises(BadContent, check=lambda error, field=field: field in error.errors):
            propose(ada, EnvironmentFactory(), **more)
    assert code(lambda: propose(ada, EnvironmentFactory(retired_at=NOW))) == "retired"


def test_whom_a_proposal_names_is_looked_at_again_when_it_is_confirmed(ada, ben):
    named = make_person()
    rule = a_rule(group={"kind": "PERSONS", "persons": [str(named.public_id)]})
    proposal = propose(ada, EnvironmentFactory(), {"rules": [rule]})
    Person.objects.filter(pk=named.pk).update(is_active=False, deactivated_at=NOW)

    with pytest.raises(BadContent, check=lambda error: "rules.0.group.persons" in error.errors):
        confirm_policy(proposal_id=proposal.pk, by=ben.actor, now=NOW)
    proposal.refresh_from_db()
    assert proposal.outcome == ""


@pytest.mark.parametrize("change", [{"body": b"{}"}, {"name": "Other"}])
def test_the_database_refuses_to_change_what_is_proposed(db, change):
    proposal = PolicyProposalFactory()

    with pytest.raises(IntegrityError, match="written once"), transaction.atomic():
        PolicyProposal.objects.filter(pk=proposal.pk).update(**change)


def test_a_proposal_confirmed_by_two_at_once_is_put_in_force_once(own_database, racer, wait_until_blocked, monkeypatch):
    first, second, third = (make_person(Role.ADMINISTRATOR) for _ in range(3))
    proposal = propose(first, make_policy(EnvironmentFactory()).environment)
    pause = Pause(monkeypatch, "apps.approvals.actions.policies", "decide_proposal")

    winner = racer(lambda: confirm_policy(proposal_id=proposal.pk, by=second.actor))
    pid = pause.wait()
    loser = racer(lambda: confirm_policy(proposal_id=proposal.pk, by=third.actor))
    wait_until_blocked(pid)
    pause.go_on()
    winner.result()

    assert code(loser.result) == "already_decided"
    assert PolicyVersion.objects.count() == 2
