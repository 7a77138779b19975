"""The pages of exceptions: asked for, agreed to, refused, withdrawn, reviewed; listed and counted."""

import json
import re
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.accounts.roles import Role
from apps.approvals.actions import review_exception
from apps.approvals.models import ExceptionSignature, LegException
from tests.approvals.world import edit, make_world
from tests.factories.accounts import PASSWORD, make_person
from tests.factories.exceptions import LegExceptionFactory, agreed, asked, leg_of, make_emergency
from tests.factories.proving import agree_exception
from tests.factories.schedule import HoldFactory
from tests.home.pages import get, marks_of, nothing_written, post, text_of

REASON = "Customers cannot pay.\nEvery minute costs."
SAID = {"review": "A deadlock of two workers.", "prevention": "A test that has both of them."}


@pytest.fixture
def world(db):
    world = make_world()
    for person in (world.requester, world.manager, world.business):
        person.set_password(PASSWORD)
        person.save()
    return world


@pytest.fixture
def change(world):
    return make_emergency(world.target, world.requester, now=timezone.now())


def where(change):
    return change.ref, leg_of(change).public_id


def statement_in(response):
    marks = marks_of(response)
    return marks.split('name="statement" value="', 1)[1].split('"', 1)[0]


def ask(client, person, change, **more):
    given = {"kind": "EMERGENCY", "minutes": "30", "reason": REASON, **more}
    return post(client, person, "home:leg_exception_statement", *where(change), **given)


def test_page_shows_what_the_gate_says_and_who_could_agree(client, world, change):
    client.force_login(world.requester)
    with nothing_written():
        said = text_of(client.get(reverse("home:leg_exception", args=where(change))))

    assert "Ask for an exception" in said
    assert "What the gate says now" in said
    assert "waits for" in said
    for name in ("Bea", "Tom", "Max"):
        assert name in said
    assert "within 72 hours" in said


def test_asking_shows_the_statement_then_signs_it(client, world, change):
    shown = ask(client, world.requester, change)

    assert shown.status_code == 200
    said = text_of(shown)
    assert "I, Rita, ask for an exception" in said
    assert "for 30 minutes from the second signature on" in said
    assert "Stands in for the agreement" in said
    assert "Nothing: with it the gate says yes." in said
    assert not LegException.objects.exists()
    done = post(client, world.requester, "home:leg_exception", *where(change), statement=statement_in(shown), password=PASSWORD)
    one = LegException.objects.get()
    assert done.url == reverse("home:exception", args=[one.pk])
    assert json.loads(bytes(ExceptionSignature.objects.get().statement))["reason"] == REASON


def test_agreeing_shows_the_second_statement_then_signs_it(client, world, change):
    one = asked(change, world.requester, "EMERGENCY", now=timezone.now())
    page = text_of(get(client, world.manager, "home:exception", one.pk))
    assert "Waits for a second person" in page
    assert "Agree: read what you sign" in page

    shown = post(client, world.manager, "home:exception_statement", one.pk)
    assert "I, Max, agree to the exception" in text_of(shown)
    done = post(client, world.manager, "home:exception_agreement", one.pk, statement=statement_in(shown), password=PASSWORD)

    assert done.status_code == 302
    page = text_of(get(client, world.requester, "home:exception", one.pk))
    assert "In force" in page
    assert "owes its review until" in page
    assert "The signed statements" in page


def test_wrong_password_keeps_the_statement_and_signs_nothing(client, world, change):
    shown = ask(client, world.requester, change)

    wrong = post(client, world.requester, "home:leg_exception", *where(change), statement=statement_in(shown), password="wrong")

    assert wrong.status_code == 422
    assert "What you sign" in text_of(wrong)
    assert not LegException.objects.exists()


def test_statement_of_another_person_is_not_taken(client, world, change):
    shown = ask(client, world.requester, change)

    taken = post(client, world.manager, "home:leg_exception", *where(change), statement=statement_in(shown), password=PASSWORD)

    assert taken.status_code == 409
    assert "was not put before you" in text_of(taken)
    assert not LegException.objects.exists()


def test_edit_between_reading_and_signing_shows_a_new_statement(client, world, change):
    shown = ask(client, world.requester, change)
    edit(change, "scope")

    again = post(client, world.requester, "home:leg_exception", *where(change), statement=statement_in(shown), password=PASSWORD)

    assert again.status_code == 409
    assert "This statement is not the one you read" in text_of(again)
    assert not LegException.objects.exists()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"kind": ""}, "Choose what shall be passed."),
        ({"kind": "GATE"}, "Name at least one rule."),
        ({"kind": "GATE", "lifts": ["approval"]}, "Choose among"),
        ({"kind": "FREEZE"}, "Not offered: nothing that it passes is in the way now."),
        ({"minutes": "4"}, "From 5 to 240 minutes."),
        ({"minutes": "soon"}, "Write a whole number of minutes."),
        ({"reason": " "}, "This is empty. Write it."),
        ({"reason": "bell\x07"}, "control character"),
    ],
    ids=str,
)
def test_bad_input_is_told_on_its_field_and_loses_no_word(client, world, change, given, said):
    HoldFactory()
    answer = ask(client, world.requester, change, **given)

    assert answer.status_code == 422
    assert said in text_of(answer)
    if "reason" not in given:
        assert "Every minute costs." in text_of(answer) or "Every minute costs." in marks_of(answer)


def test_refusal_stands_on_the_button_as_the_verb_would_say_it(client, world, change):
    said = text_of(get(client, world.stranger, "home:leg_exception", *where(change)))
    assert "takes the role of requester, operator or release manager there" in said
    refused = ask(client, world.stranger, change)
    assert refused.status_code == 403

    one = asked(change, world.requester, now=timezone.now())
    said = text_of(get(client, world.requester, "home:exception", one.pk))
    assert "A release manager, or an owner of the service, agrees to an exception" in said
    assert post(client, world.requester, "home:exception_statement", one.pk).status_code == 403


def test_refusal_withdrawal_and_review_are_forms_of_the_page(client, world, change):
    now = timezone.now()
    one = asked(change, world.requester, now=now)
    assert post(client, world.manager, "home:exception_refusal", one.pk, reason=" ").status_code == 422
    post(client, world.manager, "home:exception_refusal", one.pk, reason="It can wait.")
    assert "“It can wait.”" in text_of(get(client, world.requester, "home:exception", one.pk))

    other = agreed(change, world.requester, world.manager, now=now)
    early = post(client, world.requester, "home:exception_review", other.pk, **SAID)
    assert early.status_code == 409
    assert "is not used yet and can be until" in text_of(early)
    post(client, world.requester, "home:exception_withdrawal", other.pk, reason="")
    short = post(client, world.requester, "home:exception_review", other.pk, review="A deadlock of both.", prevention=SAID["prevention"])
    assert short.status_code == 422
    assert "19 of at least 20 characters" in text_of(short)
    assert "A deadlock of both." in text_of(short)
    post(client, world.requester, "home:exception_review", other.pk, **SAID)
    said = text_of(get(client, world.manager, "home:exception", other.pk))
    assert "What happened A deadlock of two workers." in said
    assert "Withdrawn" in said


def test_list_filters_counts_and_tells_what_is_owed(client, world, change):
    now = timezone.now()
    late = agreed(change, world.requester, world.manager, "EMERGENCY", now=now - timedelta(hours=80))
    review_exception(exception_id=late.pk, by=world.requester.actor, now=now - timedelta(hours=79), **SAID)
    overdue = agreed(change, world.requester, world.manager, now=now - timedelta(hours=78))
    waiting = LegExceptionFactory(
        leg=leg_of(change), revision=change.revision, agreed_at=None, agreed_by=None, ends_at=None, review_due_at=None, asked_at=now
    )

    said = text_of(get(client, world.stranger, "home:exceptions"))
    assert all(one.ref in said for one in (late, overdue, waiting))
    assert "overdue since" in said
    assert "Does not count" in said  # put in by hand
    assert "2 : 1 emergency, 1 freeze" in said
    for state, those in {"overdue": [overdue], "owing": [overdue], "waiting": [], "over": [late, overdue]}.items():
        found = text_of(get(client, world.stranger, "home:exceptions", state=state, team=change.legs.get().service.team.slug))
        assert {one.ref for one in (late, overdue, waiting) if one.ref in found} == {one.ref for one in those}
    assert "No exception here" in text_of(get(client, world.stranger, "home:exceptions", team="no-such\x00team"))


def test_what_a_person_may_not_see_is_not_there(client, world, change):
    one = asked(change, world.requester, now=timezone.now())
    service = leg_of(change).service
    service.is_restricted = True
    service.save()

    assert get(client, world.stranger, "home:exception", one.pk).status_code == 404
    assert get(client, world.stranger, "home:exception", 2**70).status_code == 404
    assert one.ref not in text_of(get(client, world.stranger, "home:exceptions"))
    assert get(client, world.business, "home:exception", one.pk).status_code == 200


def test_waiting_exception_comes_first_in_the_inbox_of_who_may_agree(client, world, change):
    one = asked(change, world.requester, "EMERGENCY", now=timezone.now())

    said = text_of(get(client, world.manager, "home:inbox"))
    assert one.ref in said
    assert one.ref in text_of(get(client, world.business, "home:inbox"))
    assert one.ref in text_of(get(client, world.business, "home:home"))
    assert one.ref not in text_of(get(client, world.requester, "home:inbox"))
    client.force_login(world.manager)
    count = client.get(reverse("home:inbox_count"), headers={"HX-Request": "true"})
    assert "1" in text_of(count)
    agree_exception(exception_id=one.pk, by=make_person(Role.RELEASE_MANAGER).actor)
    assert one.ref not in text_of(get(client, world.manager, "home:inbox"))


def test_change_page_leads_to_asking_and_shows_each_exception(client, world, change):
    page = get(client, world.requester, "home:change", change.ref)
    assert reverse("home:leg_exception", args=where(change)) in marks_of(page)
    one = agreed(change, world.requester, world.manager, "EMERGENCY", now=timezone.now())

    said = text_of(get(client, world.requester, "home:change", change.ref))

    assert one.ref in said
    assert "Rita and Max" in said


def test_emergency_change_begins_at_one_address(client: Client, world):
    page = get(client, world.requester, "home:new_change", kind="EMERGENCY")

    assert re.search(r'<input[^>]* name="emergency"[^>]* checked', marks_of(page))
