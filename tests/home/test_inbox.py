"""The inbox: who is asked, in which order, what leaves it, what was decided, and what is signed in another's place."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from apps.accounts.actions import deactivate_person
from apps.accounts.roles import Role
from apps.approvals.actions import revise_change
from apps.approvals.policy_body import default_body
from apps.approvals.steps import set_policy
from apps.catalog.actions import change_environment
from apps.catalog.models import Ownership, Service
from apps.changes.content import Plan, Step
from apps.changes.facts import content_of
from apps.changes.models import Dependency
from apps.changes.states import State
from apps.changes.steps import leg_started
from apps.home.facts.inbox import waiting_for_signature
from tests.factories.accounts import MembershipFactory, TeamFactory, give_team_role, make_person
from tests.factories.approvals import SYSTEM, DelegationFactory, a_rule, approve, make_change, make_place, make_policy, newest
from tests.factories.catalog import EnvironmentFactory
from tests.factories.schedule import SlotFactory
from tests.home.pages import get, nothing_written, text_of

pytestmark = pytest.mark.django_db


def waits(person, **more):
    return [one.change.ref for one in waiting_for_signature(person, now=timezone.now(), **more).wanted]


@pytest.fixture
def owner():
    return make_person(name="Bo Owner")


def test_inbox_holds_what_asks_the_person_and_nothing_else(owner):
    asked = make_change(State.IN_REVIEW, targets=(make_place(business=owner),))
    make_change(State.IN_REVIEW)
    make_change(State.DRAFT, targets=(make_place(business=owner),))

    assert waits(owner) == [asked.ref]
    assert waits(asked.requester) == []
    assert waits(make_person()) == []


def grant(kind, person, place):
    """Make the person a member of a group of this kind, and say which group."""
    match kind:
        case "ROLE":
            give_team_role(person, Role.RELEASE_MANAGER, place.service.team)
            return {"kind": "ROLE", "role": "RELEASE_MANAGER"}
        case "TEAM":
            team = TeamFactory()
            MembershipFactory(team=team, person=person)
            return {"kind": "TEAM", "team": str(team.public_id)}
    return {"kind": "PERSONS", "persons": [str(person.public_id)]}


@pytest.mark.parametrize("kind", ["ROLE", "TEAM", "PERSONS"])
def test_inbox_finds_every_kind_of_group(kind):
    place, person = make_place(environment=EnvironmentFactory(), policy=False), make_person()
    make_policy(place.environment, a_rule(group=grant(kind, person, place)))
    change = make_change(State.IN_REVIEW, targets=(place,))
    elsewhere = make_place(environment=place.environment)
    other = make_change(State.IN_REVIEW, targets=(elsewhere,))

    assert waits(person) == ([change.ref] if kind == "ROLE" else [change.ref, other.ref])


def test_what_somebody_else_decided_leaves_the_queue():
    first, second = make_person(), make_person()
    place = make_place(business=first, technical=second)
    change = make_change(State.IN_REVIEW, targets=(place,))
    before = waits(first), waits(second)

    approve(change, first)

    assert before == ([change.ref], [change.ref])
    assert (waits(first), waits(second)) == ([], [])


def test_who_could_agree_is_asked_no_more_when_another_did_while_other_rules_wait():
    first, second, manager = make_person(), make_person(), make_person(Role.RELEASE_MANAGER)
    environment = EnvironmentFactory()
    make_policy(environment, a_rule("owner"), a_rule("release", group={"kind": "ROLE", "role": "RELEASE_MANAGER"}))
    change = make_change(State.IN_REVIEW, targets=(make_place(business=first, technical=second, environment=environment),))
    before = waits(second)

    approve(change, first)

    assert (before, waits(second), waits(manager)) == ([change.ref], [], [change.ref])


def test_an_edit_of_what_a_rule_does_not_cover_begins_no_wait_anew(owner):
    change = make_change(State.IN_REVIEW, targets=(make_place(business=owner),))
    told = content_of(newest(change))

    def since():
        (wanted,) = waiting_for_signature(owner, now=timezone.now()).wanted
        return wanted.since

    began = since()
    revise_change(change_id=change.pk, content=replace(told, story=replace(told.story, title="Another title")), by=change.requester.actor)
    still = since()
    revise_change(change_id=change.pk, content=replace(told, plan=Plan(steps=(Step("Otherwise"),))), by=change.requester.actor)

    assert (newest(change).number, still) == (3, began)
    assert since() == newest(change).made_at


def test_row_says_as_whom_one_is_asked_and_the_risk(client, owner):
    place = make_place(business=owner)
    change = make_change(State.IN_REVIEW, targets=(place,))
    type(change).objects.filter(pk=change.pk).update(risk=7)

    text = text_of(get(client, owner, "home:inbox"))

    assert f"asks for your agreement as owner of {place.service.name}." in text
    assert "Risk 7" in text


def test_one_who_agreed_is_asked_no_more_while_others_are():
    first, manager, environment = make_person(), make_person(Role.RELEASE_MANAGER), EnvironmentFactory()
    make_policy(environment, a_rule("business"), a_rule("release", group={"kind": "ROLE", "role": "RELEASE_MANAGER"}))
    change = make_change(State.IN_REVIEW, targets=(make_place(business=first, environment=environment),))

    approve(change, first)

    assert waits(first) == []
    assert waits(manager) == [change.ref]


def test_lapsed_agreement_comes_back_as_one_to_affirm(client, owner):
    change = make_change(State.APPROVED, targets=(make_place(business=owner),))
    content = replace(content_of(newest(change)), plan=Plan(steps=(Step("Half of the hosts"),)))
    revise_change(change_id=change.pk, content=content, by=change.requester.actor)

    text = text_of(get(client, owner, "home:inbox"))

    assert "Your sign-off of revision 1 lapsed. Read the difference, then re-affirm." in text


def test_earliest_slot_comes_first_then_the_earliest_end(client, owner):
    place = make_place(business=owner)
    late, soon, planned = (make_change(State.IN_REVIEW, targets=(place,)) for _ in range(3))
    type(late).objects.filter(pk=late.pk).update(not_after=timezone.now() + timedelta(days=9))
    type(late).objects.filter(pk=soon.pk).update(not_after=timezone.now() + timedelta(days=2))
    SlotFactory(leg=planned.legs.get(), starts_at=timezone.now() + timedelta(hours=1), ends_at=timezone.now() + timedelta(hours=2))

    assert waits(owner) == [planned.ref, soon.ref, late.ref]
    assert "slot" in text_of(get(client, owner, "home:inbox"))


def test_inbox_names_what_a_change_keeps_waiting(client, owner):
    change, later = make_change(State.IN_REVIEW, targets=(make_place(business=owner),)), make_change(State.IN_REVIEW)
    Dependency.objects.create(change=later, needs=change, since_at=timezone.now(), since_by="SYSTEM:test")

    text = text_of(get(client, owner, "home:inbox"))

    assert f"It keeps {later.ref} waiting." in text
    assert "Waits since" in text


def test_inbox_of_a_restricted_service_stays_with_those_who_see_it():
    manager = make_person(Role.RELEASE_MANAGER)
    place = make_place(environment=EnvironmentFactory(), policy=False)
    make_policy(place.environment, a_rule(group={"kind": "ROLE", "role": "RELEASE_MANAGER"}))
    change = make_change(State.IN_REVIEW, targets=(place,))
    before = waits(manager)

    Service.objects.filter(pk=place.service_id).update(is_restricted=True)

    assert before == [change.ref]
    assert waits(manager) == []


def test_capped_inbox_says_that_there_may_be_more(client, owner):
    place = make_place(business=owner)
    for _ in range(4):
        make_change(State.IN_REVIEW, targets=(place,))

    queue = waiting_for_signature(owner, now=timezone.now(), most=2, looked_at=40)
    judged = waiting_for_signature(owner, now=timezone.now(), most=20, looked_at=3)

    assert (len(queue.wanted), queue.is_whole) == (2, False)
    assert (len(judged.wanted), judged.is_whole) == (3, False)
    assert waiting_for_signature(owner, now=timezone.now()).is_whole


def test_inbox_costs_no_more_for_changes_that_do_not_ask(client, owner):
    make_change(State.IN_REVIEW, targets=(make_place(business=owner),))
    client.force_login(owner)
    counts = []
    for _ in range(2):
        with CaptureQueriesContext(connection) as seen:
            client.get(reverse("home:inbox"))
        counts.append(len(seen))
        for _ in range(5):
            make_change(State.IN_REVIEW)

    assert counts[0] == counts[1]


def test_decisions_of_the_person_are_listed_with_what_became_of_them(client, owner):
    change = make_change(State.APPROVED, targets=(make_place(business=owner),))
    make_change(State.APPROVED)

    text = text_of(get(client, owner, "home:inbox", tab="decided"))

    assert change.ref in text.split()
    assert "Approval of revision 1" in text
    assert "Approved" in text
    assert "You have decided nothing yet" in text_of(get(client, make_person(), "home:inbox", tab="decided"))


def test_queue_of_somebody_away_stands_with_who_signs_in_their_place(client, owner):
    delegate = make_person()
    change = make_change(State.IN_REVIEW, targets=(make_place(business=owner),))
    now = timezone.now()
    DelegationFactory(person=owner, delegate=delegate, starts_at=now - timedelta(hours=1), ends_at=now + timedelta(days=1))

    text = text_of(get(client, delegate, "home:inbox", tab="delegated"))

    assert change.ref in text.split()
    assert "Bo Owner" in text
    assert "all services, all kinds" in text
    assert "Nobody has asked you to sign" in text_of(get(client, owner, "home:inbox", tab="delegated"))


@pytest.mark.parametrize(("number", "said"), [(0, ""), (1, "1 waiting for you"), (10, "9+ waiting for you")])
def test_navigation_counts_what_waits_as_far_as_one_digit(client, owner, number, said):
    place = make_place(business=owner)
    for _ in range(number):
        make_change(State.IN_REVIEW, targets=(place,))

    client.force_login(owner)
    response = client.get(reverse("home:inbox_count"), headers={"HX-Request": "true"})

    assert text_of(response).strip() == said
    assert "<h1>Inbox</h1>" in client.get(reverse("home:inbox_count")).content.decode()
    assert response["Cache-Control"] == "private, max-age=20"


def test_looking_at_the_inbox_writes_nothing(client, owner):
    make_change(State.IN_REVIEW, targets=(make_place(business=owner),))
    client.force_login(owner)

    with nothing_written():
        for tab in ("waiting", "decided", "delegated", "else"):
            assert client.get(reverse("home:inbox"), {"tab": tab}).status_code == 200


def test_what_is_agreed_asks_nobody_any_more(owner):
    second = make_person()
    place = make_place(business=owner, technical=second)
    make_change(State.APPROVED, targets=(place,))

    assert (waits(owner), waits(second)) == ([], [])


def tighten(place, second, **more):
    """Ask for a second person of a policy that one sufficed for."""
    document = {**default_body(), "rules": [a_rule(needed=2)]}
    set_policy(name="Two of them", environment=place.environment, document=document, by=SYSTEM, at=timezone.now(), **more)


def leave(place, second):
    """One who signed is there no more."""
    deactivate_person(second.pk, by=make_person(Role.ADMINISTRATOR).actor)


def own_no_more(place, second):
    """One who signed owns the service no more."""
    Ownership.objects.filter(person=second).update(ended_at=timezone.now(), ended_by="SYSTEM:test")


@pytest.mark.parametrize("state", [State.APPROVED, State.IN_PROGRESS])
@pytest.mark.parametrize("what", [leave, own_no_more, tighten])
def test_what_was_agreed_waits_again_when_its_agreement_is_not_enough(owner, what, state):
    signed = make_person()
    place = make_place(business=signed, technical=owner, environment=EnvironmentFactory())
    change = make_change(State.IN_REVIEW, targets=(place, make_place(environment=EnvironmentFactory(change_required="NO"))))
    approve(change, signed)
    if state == State.IN_PROGRESS:
        leg_started(change.legs.get(environment__change_required="NO"), by=SYSTEM, at=timezone.now())
    change.refresh_from_db()
    before = waits(owner)

    what(place, signed)

    assert (change.state, before, waits(owner)) == (state, [], [change.ref])


def test_policy_that_changes_little_asks_nobody_again(owner):
    second = make_person()
    place = make_place(business=owner, technical=second, environment=EnvironmentFactory())
    change = make_change(State.IN_REVIEW, targets=(place,))
    approve(change, owner)

    set_policy(
        name="Reminded", environment=place.environment, document={**default_body(), "remind_after_hours": 4}, by=SYSTEM, at=timezone.now()
    )

    assert (waits(owner), waits(second)) == ([], [])


def test_environment_that_asks_for_agreement_from_now_on_asks_for_it(owner):
    environment = EnvironmentFactory(change_required="RECORDED")
    make_policy(environment)
    change = make_change(State.IN_REVIEW, targets=(make_place(business=owner, environment=environment), make_place(business=owner)))
    approve(change, owner)
    before = waits(owner)

    change_environment(environment.pk, change_required="APPROVED", by=make_person(Role.ADMINISTRATOR).actor)

    assert before == []
    assert waits(owner) == [change.ref]


def test_first_page_and_navigation_say_the_same_number(client, owner):
    place = make_place(business=owner, technical=make_person(), environment=EnvironmentFactory())
    shown = []
    for _ in range(11):
        make_change(State.IN_REVIEW, targets=(place,))
        client.force_login(owner)
        counted = text_of(client.get(reverse("home:inbox_count"), headers={"HX-Request": "true"})).split()[0]
        shown.append(counted)
        assert f"Waiting for me {counted} " in " ".join(text_of(get(client, owner, "home:home")).split())

    assert shown[8:] == ["9", "9+", "9+"]


def test_first_page_keeps_work_of_ones_own_apart_from_what_waits(client):
    owner = make_person(Role.REQUESTER)
    draft, over = make_change(State.DRAFT, requester=owner), make_change(State.POST_REVIEW, requester=owner)

    text = text_of(get(client, owner, "home:home"))

    assert "Nothing waits for you" in text
    assert {draft.ref, over.ref} <= {*text.split()}
    assert "Left with me" in text
    assert "Left with me" not in text_of(get(client, make_person(), "home:home"))
