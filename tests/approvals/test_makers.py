"""Where a policy keeps out who made it: authors and committers, and those nobody knows."""

from dataclasses import replace
from uuid import UUID

import pytest
from django.db import IntegrityError, transaction

from apps.approvals.facts import review_facts, who_must_sign_change
from apps.approvals.models import Implementer
from apps.approvals.policy_body import default_body, policy_bytes, read_policy
from apps.approvals.rules import forecast, needed_of, quorum, switch_words, why_not_counted
from apps.changes.authors import Hands
from apps.core.refusals import Refused
from apps.gate.judgement import verdict_now
from tests.approvals.material import leg, person, policy, rule, sign_off
from tests.approvals.world import make_world
from tests.conftest import NOW
from tests.factories.accounts import make_person
from tests.factories.approvals import ImplementerFactory, a_rule, approve

OWNER, OTHER, MAKER = person(3, owner="BUSINESS"), person(4, owner="BUSINESS"), person(7, owner="BUSINESS")
STRICT = ("requester", "last_editor", "author", "committer")


def made(*sign_offs, unknown=False, rules=(), **more):
    under = policy(*rules, exclude=STRICT)
    hands = {"author": frozenset({MAKER.id}), "committer": frozenset()}
    facts = leg(*sign_offs, under=under, people=(OWNER, OTHER, MAKER), has_unknown_makers=unknown, **more)
    return replace(facts, hands={**facts.hands, **hands})


def test_whoever_wrote_a_commit_of_it_does_not_count():
    assert why_not_counted(sign_off(MAKER), rule=rule(), facts=made()) == "excluded"
    assert why_not_counted(sign_off(OWNER), rule=rule(), facts=made()) is None


def test_whoever_stands_in_for_the_author_does_not_count():
    helper = person(9)

    assert why_not_counted(sign_off(helper, stands_for=MAKER), rule=rule(), facts=made()) == "excluded"


def test_an_unknown_author_costs_one_more_person_for_the_first_rule_alone():
    rules = (rule("everyone", needed=0), rule("first"), rule("second", stage=2))
    facts = made(unknown=True, rules=rules)

    assert [needed_of(one, facts=facts) for one in rules] == [0, 2, 1]
    assert not quorum(made(sign_off(OWNER), unknown=True)).met
    assert quorum(made(sign_off(OWNER), sign_off(OTHER), unknown=True)).met
    assert quorum(made(sign_off(OWNER))).met


def test_forecast_counts_the_one_more():
    facts = replace(made(unknown=True), people=(OWNER,))

    assert "needs 2 and 1 can sign" in forecast(facts).cures[0]


def test_who_is_not_asked_about_is_never_left_out_silently():
    with pytest.raises(KeyError):
        quorum(leg(sign_off(OWNER), under=policy(exclude=STRICT)))


@pytest.fixture
def world(db):
    return make_world(a_rule(), exclude=[*STRICT])


@pytest.fixture
def made_by(monkeypatch):
    def by(*people, unknown=(), is_read=True):
        hands = Hands(frozenset(one.public_id for one in people), frozenset(), unknown, is_read)
        monkeypatch.setattr("apps.approvals.facts.makers.hands_of", lambda change: hands)

    return by


def test_the_author_is_refused_with_the_reason(world, made_by):
    made_by(world.business)

    with pytest.raises(Refused, check=lambda error: error.refusal.code == "own_author"):
        approve(world.change(), world.business)


@pytest.mark.parametrize("more", [{"unknown": ("Eve <eve@example.org>",)}, {"is_read": False}])
def test_page_and_gate_ask_one_more_where_not_all_are_known(world, made_by, more):
    change = world.change()
    made_by(**more)
    approve(change, world.business)
    one = change.legs.get(is_current=True)

    assert not quorum(review_facts(change).legs[0]).met
    assert "sign_off_missing" in verdict_now(one, now=NOW).codes
    approve(change, world.technical)

    assert quorum(review_facts(change).legs[0]).met
    assert "sign_off_missing" not in verdict_now(one, now=NOW).codes


def test_the_gate_finds_out_who_wrote_it_after_they_signed(world, made_by):
    change = world.change()
    made_by()
    approve(change, world.business)

    made_by(world.business)

    assert "sign_off_missing" in verdict_now(change.legs.get(is_current=True), now=NOW).codes


def test_without_the_switch_nobody_is_asked_who_made_it(db, monkeypatch):
    monkeypatch.setattr("apps.approvals.facts.makers.hands_of", None)
    world = make_world()

    assert quorum(review_facts(world.change()).legs[0]).met is False


def test_simulator_keeps_makers_out_under_a_wording_that_does(world, made_by):
    change = world.change()
    made_by(world.business)
    (strict,) = [one.policy for one in review_facts(change).legs]

    (asked,) = who_must_sign_change(change, now=NOW, policy=strict)

    assert [one.name for one in asked.forecast.rules[0].candidates] == ["Tom"]
    assert default_body()["exclude"] == ["requester", "last_editor"]
    assert asked.leg.policy.id != UUID(int=0)


def implementing():
    return make_world(a_rule(), exclude=["requester", "last_editor", "implementer"])


def test_whoever_had_it_deployed_is_refused_with_the_reason(db):
    world = implementing()
    change = world.change()
    ImplementerFactory(leg=change.legs.get(is_current=True), person=world.business)

    with pytest.raises(Refused, check=lambda error: error.refusal.code == "own_deployment" and "Tom can." in error.refusal.cure):
        approve(change, world.business)


def test_page_and_gate_find_out_who_had_it_deployed_after_they_signed(db):
    world = implementing()
    change = world.change()
    approve(change, world.business)
    one = change.legs.get(is_current=True)
    before = quorum(review_facts(change).legs[0]).met, "sign_off_missing" in verdict_now(one, now=NOW).codes

    ImplementerFactory(leg=one, person=make_person(is_active=False, deactivated_at=NOW, merged_into=world.business))

    assert before == (True, False)
    assert not quorum(review_facts(change).legs[0]).met
    assert "sign_off_missing" in verdict_now(one, now=NOW).codes


def test_unknown_authors_cost_nothing_where_only_who_deploys_is_kept_out(db, made_by):
    world = implementing()
    change = world.change()
    made_by(is_read=False)

    approve(change, world.business)

    assert quorum(review_facts(change).legs[0]).met


@pytest.mark.parametrize(
    ("more", "apart"), [({"exclude": ["requester", "implementer"]}, True), ({"forbid_approver_start": True}, True), ({}, False)]
)
def test_policy_says_in_words_whether_signing_and_starting_are_kept_apart(more, apart):
    facts = read_policy(policy_bytes({**default_body(), **more}), policy_id=UUID(int=1), name="", number=1, digest="")

    assert switch_words(facts)["Whoever signs"] == ("does not start the deployment" if apart else "may start the deployment")
    assert ("whoever has it deployed" in switch_words(facts)["Cannot sign"]) == ("exclude" in more)


def test_the_database_keeps_who_had_it_deployed(db):
    ImplementerFactory()

    for act in (lambda: Implementer.objects.update(at=NOW), Implementer.objects.all().delete):
        with pytest.raises(IntegrityError), transaction.atomic():
            act()
