"""The two steps of signing in the browser: a statement that is put before a person, and what they sign it with."""

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from apps.accounts.roles import Role
from apps.approvals.actions import revise_change
from apps.approvals.models import SignOff
from apps.audit.models import Entry
from apps.changes.content import Plan, Step
from apps.changes.facts import content_of
from apps.changes.states import State
from apps.core.canonical import digest
from tests.factories.accounts import PASSWORD, code_for, make_authenticator_app, make_person
from tests.factories.approvals import a_rule, make_change, make_place, make_policy, newest
from tests.factories.catalog import OwnershipFactory
from tests.factories.proving import with_two_factors
from tests.home.pages import get, marks_of, post, text_of
from tests.home.signing import choose, decide, sealed_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner():
    return make_person(name="Bo Owner")


@pytest.fixture
def change(owner):
    """In review, asked of one owner."""
    return make_change(State.IN_REVIEW, targets=(make_place(business=owner),), requester=make_person(Role.REQUESTER, name="Dana Developer"))


def revise(change, *, by=None, **parts):
    content = replace(content_of(newest(change)), **parts)
    return revise_change(change_id=change.pk, content=content, by=(by or change.requester).actor)


def make_owner_of(change, person):
    OwnershipFactory(service=change.legs.get(is_current=True).service, person=person, kind="TECHNICAL")


def test_statement_is_put_before_the_person_and_nothing_is_signed_by_it(client, owner, change):
    response = choose(client, owner, change, reason="Rehearsed on Friday.")

    text = text_of(response)
    assert response.status_code == 200
    assert "I, Bo Owner, " in text
    assert f"approve revision 1 of {change.ref}" in text
    assert "I had its scope, plan, rollback and period before me." in text
    assert "Rehearsed on Friday." in text
    assert "You sign with your password alone" in text
    assert not SignOff.objects.exists()
    assert not Entry.objects.filter(event__startswith="sign_off").exists()


def test_statement_shown_is_the_statement_signed_to_the_byte(client, owner, change):
    shown = choose(client, owner, change, reason="Rehearsed on Friday.")
    client.post(reverse("home:sign_off", args=[change.ref]), {"statement": sealed_in(shown), "password": PASSWORD})

    lines = re.search(r'class="bytes"[^>]*>(.*?)</pre>', marks_of(shown), re.DOTALL)[1].splitlines()
    sign_off = SignOff.objects.get()
    assert "{" + ",".join(lines) + "}" == bytes(sign_off.statement).decode()
    assert digest(bytes(sign_off.statement)) == sign_off.statement_hash
    assert '"by":{"credential":"password",' in bytes(sign_off.statement).decode()


def test_fragment_is_the_panel_alone(client, owner, change):
    response = choose(client, owner, change, **{"HX-Request": "true"})

    assert response.content.decode().lstrip().startswith("<form")
    assert sealed_in(response)


def test_fragment_of_a_choice_that_was_not_taken_is_the_form(client, owner, change):
    response = choose(client, owner, change, "", reason="kept", **{"HX-Request": "true"})

    assert response.status_code == 422
    assert response.content.decode().lstrip().startswith("<form")
    assert "Choose approve or reject." in text_of(response)


def test_refusal_of_a_fragment_becomes_the_page(client, owner, change):
    seen = newest(change).digest
    revise(change, plan=Plan(steps=(Step("Otherwise"),)))

    response = choose(client, owner, change, seen=seen, **{"HX-Request": "true"})

    assert response.status_code == 409
    assert response["HX-Retarget"] == "body"
    assert "Changed while you read" in text_of(response)


@pytest.mark.parametrize("name", ["home:sign_off_statement", "home:looks"])
def test_steps_of_signing_take_no_get(client, owner, change, name):
    assert get(client, owner, name, change.ref).status_code == 405


def test_wrong_password_is_told_on_its_field_and_the_same_statement_goes_on(client, owner, change):
    shown = choose(client, owner, change)
    path = reverse("home:sign_off", args=[change.ref])

    wrong = client.post(path, {"statement": sealed_in(shown), "password": "not mine"})
    right = client.post(path, {"statement": sealed_in(wrong), "password": PASSWORD})

    assert wrong.status_code == 422
    assert "This is not your password." in text_of(wrong)
    assert sealed_in(wrong) == sealed_in(shown)
    assert "not mine" not in wrong.content.decode()
    assert right.status_code == 302
    assert Entry.objects.filter(event="proof.refused").count() == 1


def test_guessing_ends_after_a_few(client, owner, change):
    shown = choose(client, owner, change)
    path = reverse("home:sign_off", args=[change.ref])
    for _ in range(5):
        assert client.post(path, {"statement": sealed_in(shown), "password": "guess"}).status_code == 422

    answer = client.post(path, {"statement": sealed_in(shown), "password": PASSWORD})

    assert answer.status_code == 409
    assert "5 attempts failed." in text_of(answer)
    assert not SignOff.objects.exists()


@pytest.mark.parametrize("sent", ["", "nonsense", "x" * 100_000, "{}:abc", "\x00"])
def test_statement_of_nobody_is_refused(client, owner, change, sent):
    response = post(client, owner, "home:sign_off", change.ref, statement=sent, password=PASSWORD)

    assert response.status_code == 409
    assert "This statement was not put before you in this session" in text_of(response)
    assert not SignOff.objects.exists()


def test_statement_of_another_person_or_session_is_refused(client, owner, change):
    other = make_person(name="Other Owner")
    make_owner_of(change, other)
    theirs = sealed_in(choose(client, other, change))
    client.logout()
    mine = sealed_in(choose(client, owner, change))
    client.logout()

    for sealed in (theirs, mine):
        response = post(client, owner, "home:sign_off", change.ref, statement=sealed, password=PASSWORD)
        assert response.status_code == 409
    assert not SignOff.objects.exists()


def test_statement_made_before_the_policy_changed_is_made_anew_with_the_difference(client, owner, change):
    shown = choose(client, owner, change, reason="I rehearsed this.")
    make_policy(change.legs.get().environment, a_rule("owner"), a_rule("second", parts=["story"]))

    response = client.post(reverse("home:sign_off", args=[change.ref]), {"statement": sealed_in(shown), "password": PASSWORD})

    text = text_of(response)
    assert response.status_code == 409
    assert "What you would sign now is not what you read" in text
    assert "This statement is not the one you read. What differs:" in text
    assert "Policies" in text
    assert "I rehearsed this." in text
    again = client.post(reverse("home:sign_off", args=[change.ref]), {"statement": sealed_in(response), "password": PASSWORD})
    assert again.status_code == 302


def test_statement_signed_once_is_not_signed_again(client, owner, change):
    shown = choose(client, owner, change)
    path, given = reverse("home:sign_off", args=[change.ref]), {"statement": sealed_in(shown), "password": PASSWORD}
    client.post(path, given)
    post(client, owner, "home:sign_off_withdrawal", change.ref, reason="Too early.")

    again = client.post(path, given)

    assert again.status_code == 409
    assert "This very statement was signed already." in text_of(again)
    assert not SignOff.objects.filter(withdrawn_at__isnull=True).exists()


def test_statement_is_good_for_five_minutes(client, owner, change, monkeypatch):
    shown = choose(client, owner, change)
    monkeypatch.setattr("apps.approvals.steps.signing.GOOD_FOR", timedelta(0))

    response = client.post(reverse("home:sign_off", args=[change.ref]), {"statement": sealed_in(shown), "password": PASSWORD})

    assert response.status_code == 409
    assert "this one is older. Read it again: it is made anew." in text_of(response)
    assert sealed_in(response) != sealed_in(shown)


def test_password_and_code_sign_where_an_app_is_enrolled_and_a_code_counts_once(client, owner, change):
    secret = make_authenticator_app(owner)
    shown = choose(client, owner, change)
    path, sealed = reverse("home:sign_off", args=[change.ref]), sealed_in(shown)

    without = client.post(path, {"statement": sealed, "password": PASSWORD})
    done = client.post(path, {"statement": sealed, "password": PASSWORD, "code": code_for(secret, timezone.now())})

    assert "Code of your authenticator app" in text_of(shown)
    assert without.status_code == 422
    assert done.status_code == 302
    assert '"credential":"password_and_code"' in bytes(SignOff.objects.get().statement).decode()


def test_somebody_without_any_means_reads_why_they_cannot_sign(client, owner, change):
    owner.set_unusable_password()
    owner.save()

    shown = get(client, owner, "home:sign_off", change.ref)
    sent = choose(client, owner, change)

    assert "nothing can prove that it is you" in text_of(shown)
    assert sent.status_code == 403


def test_policy_that_asks_for_a_passkey_is_told_on_the_button(client, owner, change):
    make_policy(change.legs.get().environment, require_passkey=True)

    shown = get(client, owner, "home:sign_off", change.ref)
    sent = choose(client, owner, change)

    assert "asks for a passkey. Add a passkey on your profile, then sign with it." in text_of(shown)
    assert sent.status_code == 403
    assert choose(client, owner, change, "REJECT", reason="No.").status_code == 200


def test_policy_that_asks_for_two_factors_is_told_in_the_words_of_the_refusal_and_leads_to_enrolment(client, owner, change):
    place = change.legs.get()
    make_policy(place.environment, require_two_factors=True)
    said = (
        f"The policy of {place.service.name} in {place.environment.name} asks for two factors, and your password alone is one."
        " Add a passkey or an authenticator app on your profile, then sign with it."
    )

    shown = get(client, owner, "home:sign_off", change.ref)
    sent = choose(client, owner, change)

    assert said in text_of(shown)
    assert said in text_of(sent)
    assert sent.status_code == 403
    assert f'href="{reverse("accounts:factors")}?next=%2Fchanges%2F{change.ref}%2Fsign-off%2F"' in shown.content.decode()
    with_two_factors(owner)
    assert "Add what is missing" not in text_of(get(client, owner, "home:sign_off", change.ref))
    assert decide(client, owner, change).status_code == 302


def test_somebody_without_a_password_is_told_that_a_passkey_is_what_is_missing(client, owner, change):
    make_policy(change.legs.get().environment, require_two_factors=True)
    owner.set_unusable_password()
    owner.save()

    text = text_of(get(client, owner, "home:sign_off", change.ref))

    assert "asks for two factors. Add a passkey on your profile, then sign with it." in text
    assert "Add what is missing" in text
