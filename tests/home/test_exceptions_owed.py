"""Exceptions where they are looked through: what each kind would pass, what counts in a list, what a person is left to review."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from apps.approvals.actions import review_exception
from apps.approvals.models import LegException
from apps.changes.models import Leg
from apps.changes.states import State
from tests.approvals.world import edit, make_world
from tests.factories.accounts import MembershipFactory
from tests.factories.deployments import DeploymentFactory
from tests.factories.exceptions import LegExceptionFactory, agreed, asked, leg_of, make_emergency
from tests.factories.schedule import HoldFactory, make_freeze
from tests.home.pages import get, marks_of, post, text_of

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
REASON = "Customers cannot pay."
SAID = {"review": "A deadlock of two workers.", "prevention": "A test that has both of them."}


@pytest.fixture
def world(db):
    return make_world()


@pytest.fixture
def change(world):
    return make_emergency(world.target, world.requester, now=timezone.now())


def where(change):
    return change.ref, leg_of(change).public_id


def asking(client, person, change):
    return get(client, person, "home:leg_exception", *where(change))


def options(response):
    """Which kinds can be chosen, and which is."""
    marks = marks_of(response)
    kinds = {}
    for kind in ("EMERGENCY", "FREEZE", "GATE"):
        tag = next(piece for piece in marks.split("<input")[1:] if f'value="{kind}"' in piece.split(">")[0]).split(">")[0]
        kinds[kind] = "shut" if "disabled" in tag else "chosen" if "checked" in tag else "open"
    return kinds


# What each kind passes


def test_kind_that_passes_nothing_is_not_offered_and_says_why(client, world, change):
    page = asking(client, world.requester, change)

    assert options(page) == {"EMERGENCY": "chosen", "FREEZE": "shut", "GATE": "shut"}
    assert "Not offered: nothing that it passes is in the way now." in text_of(page)


def test_what_would_stay_in_the_way_is_said_of_each_kind_and_of_the_statement(client, world, change):
    HoldFactory(reason="The disk is full.")
    make_freeze(world.target, starts_at=timezone.now() - HOUR, ends_at=timezone.now() + HOUR)

    page = asking(client, world.requester, change)
    assert options(page) == {"EMERGENCY": "chosen", "FREEZE": "open", "GATE": "open"}
    assert "It leaves in the way:" in text_of(page)
    fields = {"kind": "EMERGENCY", "minutes": "30", "reason": REASON}
    shown = text_of(post(client, world.requester, "home:leg_exception_statement", *where(change), **fields))
    stays = shown.split("What stays in the way after it", 1)[1].split("It takes two people", 1)[0]
    assert "The disk is full." in stays
    one = asked(change, world.requester, "EMERGENCY", now=timezone.now())
    assert (
        "The disk is full." in text_of(get(client, world.manager, "home:exception", one.pk)).split("What stays in the way after it", 1)[1]
    )


def test_emergency_is_not_offered_for_a_normal_change(client, world):
    change = world.change(State.APPROVED, now=timezone.now())
    HoldFactory()

    page = asking(client, world.requester, change)

    assert options(page) == {"EMERGENCY": "shut", "FREEZE": "shut", "GATE": "chosen"}
    assert f"Not offered: {change.ref} is no emergency change." in text_of(page)
    fields = {"kind": "EMERGENCY", "minutes": "30", "reason": REASON}
    assert post(client, world.requester, "home:leg_exception_statement", *where(change), **fields).status_code == 422


def test_nothing_is_asked_where_no_exception_passes_what_is_in_the_way(client, world):
    change = world.change(now=timezone.now())

    page = asking(client, world.requester, change)

    assert 'name="kind"' not in marks_of(page)
    assert f"No exception passes what is in the way of {change.ref} here." in text_of(page)
    fields = {"kind": "FREEZE", "minutes": "30", "reason": REASON}
    sent = post(client, world.requester, "home:leg_exception_statement", *where(change), **fields)
    assert sent.status_code == 409
    assert not LegException.objects.exists()


def test_kind_that_waits_for_its_second_person_is_not_offered_again(client, world, change):
    HoldFactory()
    one = asked(change, world.requester, "EMERGENCY", now=timezone.now())

    page = asking(client, world.requester, change)

    assert options(page) == {"EMERGENCY": "shut", "FREEZE": "shut", "GATE": "chosen"}
    assert f"Not offered: {one.ref} of this kind waits for its second person." in text_of(page)


def test_only_kind_that_waits_is_said_instead_of_a_form(client, world, change):
    one = asked(change, world.requester, "EMERGENCY", now=timezone.now())

    page = asking(client, world.requester, change)

    assert 'name="kind"' not in marks_of(page)
    assert f"{one.ref} waits for its second person." in text_of(page)


def test_second_person_reads_which_one_of_the_day_it_is(client, world, change):
    agreed(change, world.requester, world.manager, now=timezone.now() - 2 * HOUR)
    one = asked(change, world.requester, "EMERGENCY", now=timezone.now())

    assert "The 2nd for this place within 24 hours" in text_of(get(client, world.manager, "home:exception", one.pk))
    assert "The 2nd for this place within 24 hours" in text_of(asking(client, world.requester, change))


# Lists


def listed(client, world, **asked_for):
    page = text_of(get(client, world.stranger, "home:exceptions", **asked_for))
    return {f"EXC-{one.pk}" for one in LegException.objects.all() if f"EXC-{one.pk}" in page.split("Agreed per team")[0]}


def test_exception_that_an_edit_voided_is_over_and_not_in_force(client, world, change):
    one = agreed(change, world.requester, world.manager, now=timezone.now())
    assert listed(client, world, state="live") == {one.ref}

    edit(change, "rollback", now=timezone.now())

    assert listed(client, world, state="live") == set()
    assert listed(client, world, state="over") == {one.ref}
    page = text_of(get(client, world.stranger, "home:exceptions"))
    assert "Does not count" in page
    assert "scope or rollback plan changed since" in page


def test_exception_that_was_used_names_its_deployment_and_is_not_withdrawn_any_more(client, world, change):
    one = agreed(change, world.requester, world.manager, now=timezone.now() - MINUTE)
    Leg.objects.filter(change=change).update(state="DONE", is_open=False)
    order = DeploymentFactory(target=world.target, leg=leg_of(change), settings=leg_of(change).target.settings, begun_at=timezone.now())

    assert listed(client, world, state="live") == set()
    page = text_of(get(client, world.requester, "home:exception", one.pk))
    assert f"Used by {order.ref}" in page
    assert "Nothing is left to withdraw." in page or "Withdraw it" not in page


def test_row_put_in_by_hand_is_counted_for_nobody_and_owes_nothing(client, world, change):
    now = timezone.now()
    real = agreed(change, world.requester, world.manager, now=now)
    by_hand = LegExceptionFactory(
        leg=leg_of(change),
        revision=change.revision,
        agreed_at=now,
        ends_at=now + HOUR,
        review_due_at=now + 72 * HOUR,
        kind="GATE",
        lifts=["hold"],
    )

    assert listed(client, world, state="live") == {real.ref}
    assert listed(client, world, state="owing") == {real.ref}
    page = text_of(get(client, world.stranger, "home:exceptions"))
    assert "1 : 1 freeze" in page
    assert by_hand.ref in page


def test_counts_lead_to_the_exceptions_of_their_month(client, world, change):
    now = timezone.now()
    past = agreed(change, world.requester, world.manager, now=now - timedelta(days=70))
    review_exception(exception_id=past.pk, by=world.requester.actor, now=now - timedelta(days=69), **SAID)
    here = agreed(change, world.requester, world.manager, now=now)

    month = f"{timezone.localtime(now):%Y-%m}"
    assert f"?month={month}&team=" in marks_of(get(client, world.stranger, "home:exceptions"))
    assert listed(client, world, month=month) == {here.ref}
    for wrong in ("2026-13", "soon", "2026-1-1", "\x00"):
        assert len(listed(client, world, month=wrong)) == 2


def test_request_of_yesterday_waits_for_nobody(client, world, change):
    one = asked(change, world.requester, "EMERGENCY", now=timezone.now() - 25 * HOUR)

    assert listed(client, world, state="waiting") == set()
    assert listed(client, world, state="over") == {one.ref}
    assert one.ref not in text_of(get(client, world.manager, "home:inbox"))


def test_tab_looks_on_where_what_it_shows_is_far_down(client, world, change, monkeypatch):
    monkeypatch.setattr("apps.home.facts.exception_list.PAGE", 2)
    now = timezone.now()
    real = agreed(change, world.requester, world.manager, now=now)
    for _ in range(5):
        LegExceptionFactory(leg=leg_of(change), revision=change.revision, agreed_at=now, ends_at=now + HOUR, review_due_at=now + 72 * HOUR)

    assert listed(client, world, state="live") == {real.ref}


# What is owed


def number_of(client, person):
    client.force_login(person)
    return text_of(client.get(reverse("home:inbox_count"), headers={"HX-Request": "true"}))


def test_owed_review_waits_for_the_team_and_for_who_asked_from_the_day_it_was_agreed(client, world, change):
    one = agreed(change, world.requester, world.manager, now=timezone.now())
    member = MembershipFactory(team=one.team).person

    for person in (member, world.requester):
        for page in ("home:home", "home:inbox"):
            assert "Review of the exception for" in text_of(get(client, person, page))
        assert "1" in number_of(client, person)
    assert "Review of the exception for" not in text_of(get(client, world.stranger, "home:inbox"))
    assert "so somebody else looks back on it" in text_of(get(client, world.requester, "home:inbox"))
    assert "is not used yet and can be until" in text_of(get(client, member, "home:inbox"))


def test_overdue_review_says_what_it_blocks_and_leads_to_its_form(client, world, change):
    one = agreed(change, world.requester, world.manager, now=timezone.now() - 80 * HOUR)
    member = MembershipFactory(team=one.team).person

    page = get(client, member, "home:home")

    assert "Until it is written the team gets no other exception." in text_of(page)
    assert f"{reverse('home:exception', args=[one.pk])}#review-form" in marks_of(page)
    post(client, member, "home:exception_review", one.pk, **SAID)
    assert "Review of the exception for" not in text_of(get(client, member, "home:inbox"))
    assert "Nothing waits for you" in text_of(get(client, member, "home:home"))


def test_review_of_a_restricted_service_or_of_a_row_put_in_by_hand_waits_for_nobody(client, world, change):
    one = agreed(change, world.requester, world.manager, now=timezone.now() - 80 * HOUR)
    by_hand = LegExceptionFactory(leg=leg_of(change), revision=change.revision)
    member = MembershipFactory(team=by_hand.team).person
    assert text_of(get(client, member, "home:inbox")).count("Review of the exception for") == 1

    service = leg_of(change).service
    service.is_restricted = True
    service.save()
    MembershipFactory(team=one.team, person=world.stranger)
    assert by_hand.ref not in text_of(get(client, member, "home:inbox"))
