"""What pages say of sign-offs: printed name, meaning, moment, proof and reason; which do not count, and what ended without one."""

import re
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from apps.accounts.actions import rename_person
from apps.accounts.roles import Role
from apps.approvals.models import Meaning, SignOff
from apps.approvals.statement import read_statement
from apps.changes.actions import comment_on_change, withdraw_change
from apps.changes.content import Plan, Step
from apps.changes.models import Move
from apps.changes.states import State
from apps.changes.steps import expire_unagreed
from apps.core.actors import system
from apps.core.ids import new_id
from apps.core.moments import full_words
from tests.factories.accounts import PASSWORD, make_person
from tests.factories.approvals import SignOffFactory, a_rule, approve, make_change, make_place, make_policy, newest
from tests.factories.catalog import EnvironmentFactory, OwnershipFactory
from tests.home.pages import get, marks_of, nothing_written, text_of
from tests.home.signing import choose, decide, sealed_in
from tests.home.test_sign_off_page import revise

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner():
    return make_person(name="Bo Owner")


@pytest.fixture
def place(owner):
    return make_place(business=owner)


@pytest.fixture
def change(place):
    return make_change(State.IN_REVIEW, targets=(place,), requester=make_person(Role.REQUESTER, name="Dana Developer"))


def page_of(client, reader, sign_off, ref=""):
    return get(client, reader, "home:given_sign_off", ref or sign_off.change.ref, sign_off.public_id)


def sheet_of(client, change):
    """The text of the change page."""
    change.refresh_from_db()
    return text_of(get(client, change.requester, "home:change", change.ref))


def asked_of_two(**policy):
    """A place that needs two of its owners."""
    place = EnvironmentFactory(name="Production")
    make_policy(place, a_rule(needed=2), **policy)
    first, second = make_person(name="Bo Owner"), make_person(name="Tom Owner")
    return first, second, make_place(business=first, technical=second, environment=place)


def test_a_sign_off_says_who_meaning_moment_proof_and_why(client, owner, change):
    decide(client, owner, change, reason="Rehearsed on Friday.")

    given = SignOff.objects.get()
    text = sheet_of(client, change)
    when = full_words(given.given_at, zone=timezone.get_current_timezone())
    assert re.search(rf"Bo Owner · approval · {re.escape(when)}( <[^>]*>)?.{{0,30}}· password “Rehearsed on Friday\.”", text), text
    assert reverse("home:given_sign_off", args=[change.ref, given.public_id]) in marks_of(get(client, owner, "home:change", change.ref))


def test_the_name_is_the_printed_one_after_a_new_name(client, owner, change):
    decide(client, owner, change)

    rename_person(owner.pk, name="Bo Married", by=owner.actor)

    text = sheet_of(client, change)
    assert "Bo Owner (now Bo Married) · approval" in text
    assert "Bo Owner (now Bo Married) signed revision 1" in text
    assert "Bo Married signed" not in text
    assert "Approval by Bo Owner (now Bo Married)" in text_of(page_of(client, change.requester, SignOff.objects.get()))


def test_the_page_of_a_sign_off_tells_the_stored_bytes_and_verifies_them(client, owner, change):
    decide(client, owner, change, reason="Rehearsed on Friday.")
    given = SignOff.objects.get()
    client.force_login(owner)

    with nothing_written():
        response = client.get(reverse("home:given_sign_off", args=[change.ref, given.public_id]))

    text, source = text_of(response), marks_of(response)
    assert "I, Bo Owner, " in text
    assert "approve revision 1" in text
    assert "Verifies now" in text
    assert given.statement_hash in source
    assert given.key_id in source
    assert f'"nonce":"{read_statement(bytes(given.statement)).nonce}"' in source
    assert "counts." in text


def test_the_page_of_a_sign_off_is_of_its_own_change_alone(client, owner, place, change):
    given = approve(change, owner)
    other = make_change(State.IN_REVIEW, targets=(place,))

    assert page_of(client, owner, given, other.ref).status_code == 404
    assert get(client, owner, "home:given_sign_off", change.ref, new_id()).status_code == 404


def test_what_was_put_in_by_hand_does_not_verify(client, owner, place, change):
    given, other = approve(change, owner), make_change(State.IN_REVIEW, targets=(place,))
    copied = {name: getattr(given, name) for name in ("statement", "key_id", "alg", "signature", "person")}
    forged = SignOffFactory(change=other, revision=newest(other), **copied)
    empty = SignOffFactory(change=other, revision=newest(other))

    assert "Its proof does not hold" in sheet_of(client, other)
    for one in (forged, empty):
        text = text_of(page_of(client, owner, one))
        assert "This sign-off does not verify." in text
        assert "Verifies now" not in text
    assert "The stored bytes are no statement." in text_of(page_of(client, owner, empty))


def test_a_sign_off_that_was_taken_back_keeps_its_page(client, owner, change):
    given = approve(change, owner)
    client.force_login(owner)
    client.post(reverse("home:sign_off_withdrawal", args=[change.ref]), {"reason": "Too early."})

    text = text_of(page_of(client, change.requester, given))

    assert "Taken back by Bo Owner" in text
    assert "For nothing: it was taken back." in text


def test_a_sign_off_that_stopped_counting_is_listed_with_why(client, owner, place, change):
    decide(client, owner, change)
    make_policy(place.environment, a_rule(), require_passkey=True)

    text = sheet_of(client, change)

    assert "Bo Owner · approval" in text
    assert "Does not count: The policy now asks for a passkey." in text
    assert "does not count. The policy now asks for a passkey." in text_of(page_of(client, owner, SignOff.objects.get()))


def test_a_sign_off_that_an_edit_lapsed_says_what_changed(client, owner, change):
    approve(change, owner)

    revise(change, plan=Plan(steps=(Step("Otherwise"),)))

    assert "Does not count: An edit changed plan after it." in sheet_of(client, change)


def test_a_deactivated_persons_sign_off_is_listed_with_why(client, owner, change):
    approve(change, owner)
    owner.is_active, owner.deactivated_at = False, timezone.now()
    owner.save()

    assert "Does not count: Bo Owner is not active any more." in sheet_of(client, change)


def test_solo_is_marked_wherever_the_agreement_is_told(client, owner):
    environment = EnvironmentFactory(name="Production")
    make_policy(environment, a_rule(), solo=True)
    place = make_place(business=owner, environment=environment)
    change = make_change(State.IN_REVIEW, targets=(place,), requester=make_person(Role.REQUESTER, name="Dana Developer"))
    OwnershipFactory(service=place.service, person=change.requester)

    shown = text_of(choose(client, change.requester, change, reason="Nobody else is here."))
    decide(client, change.requester, change, reason="Nobody else is here.")

    text = sheet_of(client, change)
    assert "SOLO : I asked for this change myself, and nobody else looked at it." in shown.replace("SOLO:", "SOLO :")
    assert "SOLO Agreed alone" in text
    assert "SOLO: whoever asked for it signed it" in text
    assert "may sign alone" in text
    assert "Cannot sign: whoever asked for it" not in text
    assert "SOLO" in text_of(get(client, owner, "home:changes"))


def test_a_rejected_change_says_who_when_and_why_and_waits_for_nobody(client, owner, change):
    decide(client, owner, change, "REJECT", reason="The bank is not ready.")

    text = sheet_of(client, change)
    assert "Rejected by Bo Owner" in text
    assert "“The bank is not ready.”" in text
    assert "Copy it into a new change" in text
    assert "Nobody had agreed." in text
    assert "Not deployed" in text
    assert "Bo Owner · rejection" in text
    for said in ("Waiting", "can sign", "Cannot sign"):
        assert said not in text


def test_a_withdrawn_change_says_who_and_why(client, change):
    withdraw_change(change_id=change.pk, by=change.requester.actor, reason="Asked for twice.")

    text = sheet_of(client, change)

    assert "Withdrawn by Dana Developer" in text
    assert "“Asked for twice.”" in text
    assert "Waiting" not in text


def test_an_expired_change_tells_its_own_cause(client, place, change):
    said = "“Owners” was not agreed within 3 working hours, as “Two eyes” asks."
    expire_unagreed(change, by=system("beat"), at=timezone.now() + timedelta(seconds=1), reason=said)

    text = sheet_of(client, change)

    assert Move.objects.filter(change=change, goal=State.EXPIRED).exists()
    assert f"Expired, {full_words(change.moves.get(goal=State.EXPIRED).at, zone=timezone.get_current_timezone())}" in text
    assert text.count(said) == 2  # above, and in the stream
    assert "its period ended first" not in text


def test_a_no_means_rejection_in_the_bytes_and_on_the_panel(client, owner, change):
    shown = text_of(choose(client, owner, change, "REJECT", reason="No."))
    decide(client, owner, change, "REJECT", reason="No.")

    given = SignOff.objects.get()
    assert "Meaning Rejection" in shown
    assert "Meaning Approval" not in shown
    assert (read_statement(bytes(given.statement)).meaning, given.meaning) == ("REJECTION", "REJECTION")
    assert "Rejection by Bo Owner" in text_of(page_of(client, owner, given))
    assert "Verifies now" in text_of(page_of(client, owner, given))


@pytest.mark.parametrize(
    ("meaning", "verb"), [(Meaning.APPROVAL, "approve"), (Meaning.AUTHORISATION, "authorise"), (Meaning.REVIEW, "have reviewed")]
)
def test_the_verb_is_that_of_the_meaning(client, owner, meaning, verb):
    environment = EnvironmentFactory(name="Production")
    make_policy(environment, a_rule(meaning=meaning.value))
    change = make_change(State.IN_REVIEW, targets=(make_place(business=owner, environment=environment),))

    text = text_of(choose(client, owner, change))

    assert f", {verb} revision 1" in text
    assert f"Meaning {meaning.label}" in text


def test_the_sign_off_page_shows_who_signed_why_and_the_last_comments(client):
    first, second, place = asked_of_two()
    change = make_change(State.IN_REVIEW, targets=(place,))
    decide(client, first, change, reason="Rehearsed on Friday.")
    comment_on_change(change_id=change.pk, text="Watch the turnstiles.", by=change.requester.actor)

    text = text_of(get(client, second, "home:sign_off", change.ref))

    assert "Bo Owner · approval" in text
    assert "“Rehearsed on Friday.”" in text
    assert "Watch the turnstiles." in text


def test_a_statement_about_another_change_says_so(client, owner, place, change):
    other = make_change(State.IN_REVIEW, targets=(place,))
    statement = sealed_in(choose(client, owner, change))

    response = client.post(reverse("home:sign_off", args=[other.ref]), {"statement": statement, "password": PASSWORD})

    assert response.status_code == 409
    assert f"This statement is about {change.ref}, not about {other.ref}." in text_of(response)
    assert not SignOff.objects.exists()


def test_reaffirming_is_one_button_under_the_difference(client, owner, change):
    decide(client, owner, change, reason="Rehearsed on Friday.")
    revise(change, plan=Plan(steps=(Step("Otherwise"),)))

    source = marks_of(get(client, owner, "home:sign_off", change.ref))
    statement = text_of(choose(client, owner, change, reason="Rehearsed on Friday."))

    assert 'name="reason" value="Rehearsed on Friday."' in source
    assert "with the reason you gave" in source
    assert "“Rehearsed on Friday.”" in statement
