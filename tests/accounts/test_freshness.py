"""What asks for a fresh proof, that nothing sent is lost by it, and that nobody is led away."""

import re

import pytest
from django.urls import reverse

from apps.accounts.actions import grant_role
from apps.accounts.freshness import KEPT, LARGEST
from apps.accounts.models import PersonalToken, RoleGrant, SecondHand, SignIn
from apps.accounts.roles import Role
from tests.factories.accounts import PASSWORD, make_authenticator_app, make_person, prove_lately
from tests.home.pages import text_of

AGAIN = reverse("accounts:again")


@pytest.fixture
def ada(db):
    return make_person(Role.ADMINISTRATOR, name="Ada")


@pytest.fixture
def ben(db):
    return make_person(Role.ADMINISTRATOR, name="Ben")


def address(name, *args):
    return reverse(f"accounts:{name}", args=args)


def way_of(answer):
    return answer.status_code, answer.url.partition("?")


def hidden_in(answer):
    return dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', answer.content.decode()))


def test_what_was_sent_is_kept_until_its_sender_has_proved_who_they_are(client, ada):
    client.force_login(ada)

    asked = client.post(address("tokens"), {"name": "laptop <b>", "days": "30"}, headers={"referer": "http://testserver/people/me/"})

    assert asked.url == f"{reverse('account_reauthenticate')}?next={AGAIN.replace('/', '%2F')}"
    assert not PersonalToken.objects.exists()
    back = client.post(reverse("account_reauthenticate"), {"password": PASSWORD, "next": AGAIN})
    assert back.url == AGAIN
    page = client.get(AGAIN)
    assert f'action="{address("tokens")}"' in page.content.decode()
    assert 'href="/people/me/"' in page.content.decode()
    assert "laptop &lt;b&gt;" in page.content.decode()
    assert not PersonalToken.objects.exists()

    sent = client.post(address("tokens"), {"name": "laptop", "days": hidden_in(page)["days"]})

    assert b"ccp_" in sent.content
    assert KEPT not in client.session
    assert client.get(AGAIN).url == address("profile")


def test_nothing_kept_shows_nothing(client, ada):
    client.force_login(ada)

    assert client.get(AGAIN).url == address("profile")
    assert client.post(AGAIN).status_code == 405


def test_too_much_is_not_kept(client, ada):
    client.force_login(ada)

    asked = client.post(address("tokens"), {"name": "x" * LARGEST, "days": "30"})

    assert asked.url.endswith("next=%2Fpeople%2Fme%2F")
    assert KEPT not in client.session


@pytest.mark.parametrize("referer", ["http://evil.example/people/me/", "javascript:alert(1)", "//evil.example", ""])
def test_page_it_came_from_is_one_of_ours(client, ada, referer):
    client.force_login(ada)

    client.post(address("tokens"), {"name": "laptop", "days": "30"}, headers={"referer": referer})

    assert client.session[KEPT]["back"] == address("profile")


@pytest.mark.parametrize("lead", ["//evil.example/", "https://evil.example/", "javascript:alert(1)", "\\\\evil.example"])
def test_who_adds_a_means_is_not_led_away(client, ada, lead):
    prove_lately(client, ada)

    shown = client.get(address("factors"), {"next": lead}).content.decode()

    assert "evil" not in shown
    assert "?next=" not in shown


def test_who_adds_a_means_comes_back_to_what_asked_for_it(client, ada):
    prove_lately(client, ada)

    shown = client.get(address("factors"), {"next": "/changes/CHG-7/sign-off/"}).content.decode()

    assert f'href="{address("app")}?next=/changes/CHG-7/sign-off/"' in shown
    assert f'href="{address("new_passkey")}?next=/changes/CHG-7/sign-off/"' in shown


ACTS = {
    "make an administrator": lambda ben, cleo: (address("roles", cleo.public_id), {"role": "ADMINISTRATOR", "team": ""}),
    "end the role": lambda ben, cleo: (address("role_revocation", ben.public_id, RoleGrant.objects.get(person=ben).pk), {}),
    "deactivate one": lambda ben, cleo: (address("deactivation", ben.public_id), {"reason": "Left."}),
}


@pytest.mark.parametrize("act", sorted(ACTS))
@pytest.mark.parametrize("has_app", [False, True])
def test_administrators_are_made_and_ended_by_a_fresh_proof(client, ada, ben, act, has_app):
    cleo = make_person(name="Cleo")
    where, given = ACTS[act](ben, cleo)
    if has_app:
        make_authenticator_app(ada)
    prove_lately(client, ada, ago=0 if has_app else 400)  # the password is no proof of somebody who has an app

    asked = client.post(where, given)

    assert asked.url.startswith(reverse("mfa_reauthenticate" if has_app else "account_reauthenticate"))
    assert not SecondHand.objects.exists()
    prove_lately(client, ada, method="mfa")
    assert client.post(where, given).url == address("person", (cleo if act == "make an administrator" else ben).public_id)
    assert SecondHand.objects.count() == 1


def test_who_is_no_administrator_is_refused_before_anything_is_asked(client, ben):
    client.force_login(make_person())

    assert client.post(address("deactivation", ben.public_id), {"reason": ""}).status_code == 403
    assert client.post(address("roles", ben.public_id), {"role": "ADMINISTRATOR", "team": ""}).status_code == 403


def test_other_roles_and_people_ask_for_no_proof(client, ada):
    person = make_person()
    client.force_login(ada)

    client.post(address("roles", person.public_id), {"role": "OPERATOR", "team": ""})
    client.post(address("deactivation", person.public_id), {"reason": ""})

    person.refresh_from_db()
    assert (RoleGrant.objects.filter(person=person).count(), person.is_active) == (1, False)


def test_stolen_session_does_not_sign_its_owner_out(client, ada):
    client.force_login(ada)
    before = SignIn.objects.count()

    asked = client.post(address("other_sessions_end"))

    assert asked.url.startswith(reverse("account_reauthenticate"))
    assert SignIn.objects.count() == before


def test_ending_oneself_is_asked_and_says_what_follows(client, ada, ben):
    prove_lately(client, ada)

    shown = text_of(client.get(address("person", ada.public_id)))
    refused = client.post(address("deactivation", ada.public_id), {"reason": "Done."})

    assert "Then Ben alone decides: what takes two administrators takes one." in shown
    assert refused.status_code == 422
    assert "Tick it to end your own account." in text_of(refused)
    ada.refresh_from_db()
    assert ada.is_active
    client.post(address("deactivation", ada.public_id), {"reason": "Done.", "understood": "on"})
    ada.refresh_from_db()
    assert not ada.is_active


def test_one_of_three_who_ends_themselves_reads_that_others_stay(client, ada, ben):
    grant_role(make_person(name="Cleo").pk, role=Role.OPERATOR, by=ada.actor)
    make_person(Role.ADMINISTRATOR)
    prove_lately(client, ada)

    assert "2 other administrators stay; only they bring you back." in text_of(client.get(address("person", ada.public_id)))


def test_last_administrator_cannot_end_themselves(client, ada):
    prove_lately(client, ada)

    shown = text_of(client.get(address("person", ada.public_id)))
    refused = client.post(address("deactivation", ada.public_id), {"reason": "Done.", "understood": "on"})

    assert "Ada is the last active administrator." in shown
    assert refused.status_code == 409
    ada.refresh_from_db()
    assert ada.is_active
