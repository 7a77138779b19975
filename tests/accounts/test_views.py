"""Pages about people: they open for everybody signed in, acts work, and nothing typed into them is a 500."""

from urllib.parse import urlencode

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.accounts.access import is_member, roles_of
from apps.accounts.models import Identity, Person, PersonalToken, RoleGrant, Team
from apps.accounts.roles import Role
from tests.factories.accounts import IdentityFactory, MembershipFactory, PersonalTokenFactory, TeamFactory, make_person, prove_lately

pytestmark = pytest.mark.django_db

HOSTILE = [
    "",
    " ",
    "x" * 5000,
    "\x00",
    "a\x00b",
    "\x1b[31m",
    "\u202egnp.exe",
    "\ud7ff\uffff",
    "<script>alert(1)</script>",
    "' OR 1=1 --",
    "-1",
    "9" * 40,
    "\r\nX: y",
]


@pytest.fixture
def admin(client) -> Person:
    person = make_person(Role.ADMINISTRATOR, name="Grace")
    prove_lately(client, person)
    return person


def address(name: str, *args: object) -> str:
    return reverse(f"accounts:{name}", args=args)


def test_pages_open_for_somebody_without_any_role(client):
    person, team = make_person(name="Ada"), TeamFactory()
    other = make_person(Role.OPERATOR, team=team)
    client.force_login(person)

    for page in (
        address("people"),
        address("teams"),
        address("team", team.slug),
        address("profile"),
        address("person", other.public_id),
        address("join"),
    ):
        answer = client.get(page)
        assert answer.status_code == 200
        assert b"Only an administrator changes this." in answer.content or page == address("profile") or page == address("people")


def test_pages_ask_somebody_unknown_to_sign_in(client):
    for page in (address("people"), address("profile"), address("teams"), address("join")):
        assert client.get(page).status_code == 302
        assert client.get(page).url.startswith(reverse("account_login"))


def test_everybody_is_found_by_name_and_address(client, admin):
    make_person(name="Ada Lovelace", email="ada@analytical.example")

    for text in ("lovelace", "analytical"):
        assert b"Ada Lovelace" in client.get(address("people"), {"q": text}).content
    assert b"Ada Lovelace" not in client.get(address("people"), {"q": "babbage\x00"}).content


def test_everybody_takes_as_many_queries_for_many_people_as_for_few(client, admin):
    make_person(Role.OPERATOR, team=TeamFactory())
    few = queries(client)

    for _ in range(10):
        make_person(Role.OPERATOR, team=TeamFactory())

    assert queries(client) == few


def queries(client) -> int:
    with CaptureQueriesContext(connection) as captured:
        client.get(address("people"))
    return len(captured)


def test_join_makes_a_person_and_the_link_is_made_on_their_page(client, admin):
    answer = client.post(address("join"), {"name": "Ada", "email": "Ada@Example.org", "time_zone": "Europe/London"})

    ada = Person.objects.get(email="ada@example.org")
    assert answer.url == address("person", ada.public_id)
    page = client.post(address("invitation", ada.public_id))
    assert b"/accounts/password/reset/key/" in page.content
    assert page["Cache-Control"] == "max-age=0, no-cache, no-store, must-revalidate, private"


def test_invitation_is_refused_for_somebody_who_has_signed_in(client, admin, now):
    person = make_person(last_login=now)

    answer = client.post(address("invitation", person.public_id))

    assert answer.status_code == 409
    assert b"has signed in already" in answer.content


def test_acts_on_a_person_work_for_an_administrator(client, admin):
    person, team = make_person(), TeamFactory()

    client.post(address("roles", person.public_id), {"role": "OPERATOR", "team": ""})
    client.post(address("roles", person.public_id), {"role": "APPROVER", "team": team.slug})
    client.post(address("identities", person.public_id), {"kind": "GIT_AUTHOR", "value": "A <a@git.example>", "issuer": ""})
    assert roles_of(person) == {Role.OPERATOR}
    assert RoleGrant.objects.filter(person=person, team=team).exists()

    grant = RoleGrant.objects.get(person=person, team=None)
    client.post(address("role_revocation", person.public_id, grant.pk))
    client.post(address("identity_removal", person.public_id, Identity.objects.get(value="a@git.example").pk))
    assert roles_of(person) == frozenset()
    assert Identity.objects.filter(person=person).count() == 1

    client.post(address("deactivation", person.public_id), {"reason": "gone"})
    assert not Person.objects.get(pk=person.pk).is_active
    client.post(address("reactivation", person.public_id), {"reason": "back"})
    assert Person.objects.get(pk=person.pk).is_active

    other = make_person()
    merged = client.post(address("merger", person.public_id), {"gone": str(other.public_id)}, follow=True)
    assert f"{other.name} is merged into {person.name}. Open changes are judged anew." in merged.content.decode()
    assert Person.objects.get(pk=other.pk).merged_into == person
    assert client.get(address("person", other.public_id)).status_code == 200


def test_a_wide_role_for_a_team_is_told_on_the_field(client, admin):
    answer = client.post(address("roles", admin.public_id), {"role": "AUDITOR", "team": TeamFactory().slug})

    assert answer.status_code == 422
    assert b"Choose Everything." in answer.content


def test_a_reason_that_cannot_be_kept_is_told_when_reactivating(client, admin):
    person = make_person(is_active=False)

    assert client.post(address("reactivation", person.public_id), {"reason": "\x1b"}).status_code == 422


def test_acts_on_teams_work_for_an_administrator(client, admin):
    client.post(address("teams"), {"name": "Payments", "slug": "payments"})
    team = Team.objects.get(slug="payments")
    client.post(address("team_name", "payments"), {"name": "Pay"})
    client.post(address("members", "payments"), {"person": str(admin.public_id)})
    assert is_member(admin, team)
    client.post(address("member_end", "payments", admin.public_id))
    client.post(address("team_retirement", "payments"))

    team.refresh_from_db()
    assert (team.name, team.retired_at is None) == ("Pay", False)
    assert client.get(address("team", "payments")).status_code == 200


def test_acts_are_refused_for_everybody_else(client):
    person, team = make_person(), TeamFactory()
    member = MembershipFactory(team=team).person
    client.force_login(make_person(Role.OPERATOR, Role.RELEASE_MANAGER, Role.APPROVER, Role.AUDITOR))
    acts = {
        address("deactivation", person.public_id): {},
        address("invitation", person.public_id): {},
        address("merger", person.public_id): {"gone": str(member.public_id)},
        address("identities", person.public_id): {"kind": "EMAIL", "value": "x@example.org"},
        address("roles", person.public_id): {"role": "ADMINISTRATOR"},
        address("teams"): {"name": "X", "slug": "x"},
        address("team_name", team.slug): {"name": "X"},
        address("team_retirement", team.slug): {},
        address("members", team.slug): {"person": str(person.public_id)},
        address("member_end", team.slug, member.public_id): {},
        address("join"): {"name": "X", "email": "x@example.org", "time_zone": "UTC"},
    }

    for act, given in acts.items():
        answer = client.post(act, given)
        assert answer.status_code == 403, act
        assert b"administrator" in answer.content
        assert client.get(act).status_code in {200, 405}, act


def test_profile_saves_name_and_zone_and_shows_times_there(client):
    person = make_person(name="Ada")
    client.force_login(person)

    assert client.post(address("profile"), {"name": "Ada King", "time_zone": "Asia/Tokyo"}).status_code == 302

    person.refresh_from_db()
    assert (person.name, person.time_zone) == ("Ada King", "Asia/Tokyo")
    assert b"Asia/Tokyo" in client.get(address("profile")).content


def test_a_token_takes_a_fresh_proof(client):
    client.force_login(make_person())

    asked = client.post(address("tokens"), {"name": "laptop", "days": "30"})

    assert asked.url == f"{reverse('account_reauthenticate')}?next=%2Fpeople%2Fme%2Fagain%2F"
    assert not PersonalToken.objects.exists()


def test_tokens_are_shown_once_and_revoked_by_their_owner_alone(client):
    person = make_person()
    prove_lately(client, person)

    page = client.post(address("tokens"), {"name": "laptop", "days": "30"})

    token = PersonalToken.objects.get(person=person)
    assert token.prefix.encode() in page.content
    assert b"ccp_" in page.content
    secret = page.content.split(b"ccp_", 1)[1].split(b"<", 1)[0]
    assert secret not in client.get(address("profile")).content
    other = PersonalTokenFactory()
    assert client.post(address("token_revocation", other.public_id)).status_code == 404
    assert client.post(address("token_revocation", token.public_id)).status_code == 302
    assert client.post(address("token_revocation", token.public_id)).status_code == 409


def test_unknown_people_teams_and_rows_are_404(client, admin):
    unknown = "01980000-0000-7000-8000-000000000000"
    other = IdentityFactory()

    for page in (address("person", unknown), address("team", "unknown")):
        assert client.get(page).status_code == 404
    for act in (
        address("roles", unknown),
        address("members", "unknown"),
        address("identity_removal", admin.public_id, other.pk),
        address("identity_removal", admin.public_id, 10**30),
        address("role_revocation", admin.public_id, 10**30),
        address("token_revocation", unknown),
    ):
        assert client.post(act).status_code == 404, act


FORMS = {
    "join": (lambda person, team: address("join"), ["name", "email", "time_zone"]),
    "deactivation": (lambda person, team: address("deactivation", person.public_id), ["reason"]),
    "merger": (lambda person, team: address("merger", person.public_id), ["gone"]),
    "identities": (lambda person, team: address("identities", person.public_id), ["kind", "value", "issuer"]),
    "roles": (lambda person, team: address("roles", person.public_id), ["role", "team"]),
    "teams": (lambda person, team: address("teams"), ["name", "slug"]),
    "team_name": (lambda person, team: address("team_name", team.slug), ["name"]),
    "members": (lambda person, team: address("members", team.slug), ["person"]),
    "profile": (lambda person, team: address("profile"), ["name", "time_zone"]),
    "tokens": (lambda person, team: address("tokens"), ["name", "days"]),
}
GOOD = {
    "name": "Ada",
    "email": "ada@example.org",
    "time_zone": "UTC",
    "kind": "OIDC",
    "issuer": "i",
    "value": "v",
    "role": "OPERATOR",
    "slug": "s",
    "days": "5",
}


@pytest.mark.parametrize(("form", "field"), [(form, field) for form, (_, fields) in FORMS.items() for field in fields])
def test_hostile_text_in_any_field_is_told_or_kept_and_never_a_500(client, admin, form, field):
    person, team = make_person(), TeamFactory()
    act, fields = FORMS[form]
    good = {name: GOOD.get(name, "") for name in fields}

    for text in HOSTILE:
        answer = client.post(act(person, team), {**good, field: text})
        assert answer.status_code in {200, 302, 409, 422}, (text, answer.status_code)
        assert b"<script>alert" not in answer.content
        if answer.status_code == 302:
            assert client.get(address("person", person.public_id)).status_code == 200


def test_invitation_goes_by_mail_and_is_shown_to_nobody_else(client, admin, settings, mailoutbox):
    ada = make_person(name="Ada", email="ada@example.org")

    answer = client.post(address("invitation", ada.public_id), {"how": "mail"}, follow=True)

    (letter,) = mailoutbox
    assert letter.to == ["ada@example.org"]
    link = next(word for word in letter.body.split() if "/password/reset/key/" in word)
    assert link.startswith(settings.PUBLIC_URL)
    assert b"/password/reset/key/" not in answer.content
    assert b"on its way to ada@example.org" in answer.content
    assert type(client)().get(link.removeprefix(settings.PUBLIC_URL), follow=True).status_code == 200


def test_invitation_that_does_not_leave_is_said(client, admin, settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    ada = make_person()

    answer = client.post(address("invitation", ada.public_id), {"how": "mail"}, follow=True)

    assert answer.status_code == 200
    assert b"The mail did not leave" in answer.content


def test_whoever_sends_something_signed_out_comes_back_to_the_page_it_was_sent_from(client):
    sent = {"text": "Typed for an hour."}
    for referer, back in (
        ("http://testserver/changes/CHG-7/?page=2", "/changes/CHG-7/?page=2"),
        ("http://elsewhere.example/changes/CHG-7/", "/"),
        ("javascript:alert(1)", "/"),
        ("", "/"),
    ):
        answer = client.post("/changes/CHG-7/comments/", sent, headers={"Referer": referer})

        assert answer.url == f"{reverse('account_login')}?{urlencode({'next': back}, safe='/')}", referer


def test_whoever_opens_a_page_signed_out_comes_back_to_it(client):
    assert client.get("/changes/?q=is:mine").url == f"{reverse('account_login')}?next=/changes/%3Fq%3Dis%3Amine"


def test_an_address_that_only_takes_what_is_sent_answers_an_opening_with_a_page_that_leads_on(client):
    client.force_login(make_person())

    for address, above in (("/changes/CHG-7/comments/", "/changes/CHG-7/"), ("/changes/CHG-7/watch/", "/changes/CHG-7/")):
        answer = client.get(address)

        assert answer.status_code == 405
        assert answer["Allow"] == "POST"
        assert f'href="{above}"' in answer.content.decode()
        assert "There is no page to open here" in answer.content.decode()
