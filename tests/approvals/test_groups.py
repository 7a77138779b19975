"""Every kind of group against real rows: who is in it signs, who left it no longer counts."""

import pytest

from apps.accounts.models import Membership, RoleGrant
from apps.accounts.roles import WIDE_ONLY, Role
from apps.approvals.facts import review_facts
from apps.approvals.rules import Group, forecast, group_text, group_words, members_of, quorum
from apps.catalog.models import Ownership, ServiceRole
from apps.changes.states import State
from apps.core.refusals import Refused
from apps.gate.gather import gather
from apps.gate.judgement import question_about
from tests.approvals.material import SERVICE, TEAM
from tests.conftest import NOW
from tests.factories.accounts import MembershipFactory, TeamFactory, give_team_role, make_person
from tests.factories.approvals import SYSTEM, a_rule, approve, make_change, make_place, make_policy
from tests.factories.catalog import OwnershipFactory, ServiceRoleFactory


@pytest.fixture
def place(db):
    return make_place(policy=False)


def owner(place, kind="BUSINESS"):
    person = make_person()
    OwnershipFactory(service=place.service, person=person, kind=kind)
    return {"kind": "OWNER", "owner": kind}, person


def technical_owner(place):
    return owner(place, "TECHNICAL")


def wide_role(place):
    return {"kind": "ROLE", "role": "RELEASE_MANAGER"}, make_person(Role.RELEASE_MANAGER)


def team_role(place):
    person = make_person()
    give_team_role(person, Role.RELEASE_MANAGER, place.service.team)
    return {"kind": "ROLE", "role": "RELEASE_MANAGER"}, person


def own_role(place):
    person = make_person()
    ServiceRoleFactory(service=place.service, person=person, role=Role.RELEASE_MANAGER)
    return {"kind": "ROLE", "role": "RELEASE_MANAGER"}, person


def team(place):
    of, person = TeamFactory(), make_person()
    MembershipFactory(team=of, person=person)
    return {"kind": "TEAM", "team": str(of.public_id)}, person


def named(place):
    person = make_person()
    return {"kind": "PERSONS", "persons": [str(person.public_id)]}, person


@pytest.mark.parametrize("kind", [owner, technical_owner, wide_role, team_role, own_role, team, named])
def test_who_is_in_the_group_signs_and_who_left_it_no_longer_counts(place, kind):
    group, person = kind(place)
    make_policy(place.environment, a_rule("them", group=group))
    change = make_change(State.IN_REVIEW, targets=(place,))
    (leg,) = review_facts(change).legs
    assert [one.name for one in members_of(leg.policy.rules[0], facts=leg)].count(person.name) == 1

    approve(change, person)

    change.refresh_from_db()
    assert change.state == State.APPROVED
    for rows, ended in ((Ownership, "ended"), (ServiceRole, "ended"), (Membership, "ended"), (RoleGrant, "revoked")):
        rows.objects.filter(person=person).update(**{f"{ended}_at": NOW, f"{ended}_by": "SYSTEM:test"})
    (leg,) = review_facts(change).legs
    assert quorum(leg).met is (kind is named)


@pytest.mark.parametrize("role", [role for role in Role if role not in WIDE_ONLY])
def test_a_role_for_another_team_or_service_asks_nobody_here(place, role):
    person = make_person()
    give_team_role(person, role, TeamFactory())
    ServiceRoleFactory(person=person, role=role)  # for a service of its own
    make_policy(place.environment, a_rule("them", group={"kind": "ROLE", "role": role.value}))
    change = make_change(State.IN_REVIEW, targets=(place,))

    with pytest.raises(Refused, check=lambda error: error.refusal.code == "not_asked"):
        approve(change, person)


def test_the_owner_of_one_service_does_not_sign_for_another(place):
    other = make_place(business=make_person(), environment=place.environment, policy=False)
    make_policy(place.environment)
    change = make_change(State.IN_REVIEW, targets=(place, other))
    first = Ownership.objects.get(service=place.service).person

    approve(change, first)
    OwnershipFactory(service=other.service, person=first)

    legs = {leg.service: quorum(leg).met for leg in review_facts(change).legs}
    assert legs == {place.service.name: True, other.service.name: False}
    approve(change, first)  # now that they own both, agreeing again speaks for both
    change.refresh_from_db()
    assert change.state == State.APPROVED


def test_everyone_is_everyone_of_now(place):
    make_policy(place.environment, a_rule("all", group={"kind": "OWNER", "owner": "ANY"}, needed=0))
    _, second = technical_owner(place)
    change = make_change(State.IN_REVIEW, targets=(place,))
    approve(change, Ownership.objects.get(service=place.service, kind="BUSINESS").person)
    (leg,) = review_facts(change).legs
    assert quorum(leg).rules[0].missing == 1

    approve(change, second)
    (leg,) = review_facts(change).legs
    assert quorum(leg).met
    technical_owner(place)

    (leg,) = review_facts(change).legs
    assert not quorum(leg).met


@pytest.mark.parametrize(
    ("group", "text", "words"),
    [
        (Group("OWNER", owner="ANY"), f"owner:ANY:{SERVICE}", "owner of payments"),
        (Group("OWNER", owner="BUSINESS"), f"owner:BUSINESS:{SERVICE}", "business owner of payments"),
        (Group("ROLE", role="RELEASE_MANAGER"), f"role:RELEASE_MANAGER:{SERVICE}", "release manager"),
        (Group("TEAM", team=TEAM), f"team:{TEAM}", "member of the team"),
    ],
)
def test_a_group_has_one_text_and_words_for_people(group, text, words):
    assert group_text(group, service_id=SERVICE) == text
    assert group_words(group, service="payments") == words


def test_named_persons_have_one_text_in_any_order_and_for_any_service():
    group = Group("PERSONS", persons=frozenset({SERVICE, TEAM}))
    text = group_text(group, service_id=SERVICE)

    assert text == group_text(Group("PERSONS", persons=frozenset({TEAM, SERVICE})), service_id=TEAM)
    assert len(text) == len("persons:") + 64
    assert group_words(group, service="payments") == "person on the rule's list"


def test_forecast_of_an_open_change_names_its_candidates(place):
    make_policy(place.environment)
    change = make_change(State.IN_REVIEW, targets=(place,))

    (said,) = (forecast(leg) for leg in review_facts(change).legs)

    assert said.can_be_met
    assert [one.name for one in said.rules[0].candidates] == [Ownership.objects.get(service=place.service).person.name]


def test_everyone_of_a_list_goes_on_asking_who_was_merged(place):
    from apps.accounts.steps import fold

    one, gone, keep = make_person(), make_person(), make_person()
    group = {"kind": "PERSONS", "persons": [str(one.public_id), str(gone.public_id)]}
    make_policy(place.environment, a_rule("all", group=group, needed=0))
    change = make_change(State.IN_REVIEW, targets=(place,))
    fold(gone, keep, by=SYSTEM, at=NOW)

    approve(change, one)
    (leg,) = review_facts(change).legs
    assert quorum(leg).rules[0].missing == 1
    asked = gather(question_about(change.legs.get())).facts.legs[0].quorum
    assert quorum(asked).rules[0].missing == 1
    assert {person.name for person in members_of(asked.policy.rules[0], facts=asked)} == {one.name, keep.name}
    approve(change, keep)

    change.refresh_from_db()
    assert change.state == State.APPROVED
    assert quorum(gather(question_about(change.legs.get())).facts.legs[0].quorum).met


def test_everyone_who_owns_is_asked_under_the_name_they_have_now(place):
    from apps.accounts.steps import fold

    make_policy(place.environment, a_rule("all", group={"kind": "OWNER", "owner": "ANY"}, needed=0))
    _, gone = technical_owner(place)
    keep = make_person()
    change = make_change(State.IN_REVIEW, targets=(place,))
    fold(gone, keep, by=SYSTEM, at=NOW)

    approve(change, Ownership.objects.get(service=place.service, kind="BUSINESS").person)

    for leg in (*review_facts(change).legs, gather(question_about(change.legs.get())).facts.legs[0].quorum):
        assert quorum(leg).rules[0].missing == 1
