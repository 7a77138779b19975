"""The pages of gate tokens and of trusts in CI jobs: who reads, what is shown once, two administrators, trying a token."""

import json
import re

import pytest
from django.urls import reverse

from apps.accounts.roles import Role
from apps.audit.stream import entries_about
from apps.gate.actions import revoke_gate_token
from apps.gate.models import GateToken, Issuer, Trust
from apps.gate.rules.workloads import IssuerKind
from tests.conftest import NOW
from tests.factories.accounts import make_person, prove_lately
from tests.factories.approvals import make_place
from tests.factories.catalog import make_service
from tests.factories.changes import COMMIT
from tests.factories.gate import GateTokenFactory, ask, body_for, make_gate_token
from tests.gate.ci import AUDIENCE, github, make_issuer, make_trust, signed

pytestmark = pytest.mark.django_db
SECRET = "ccg_"
URL = "https://token.actions.githubusercontent.com"


@pytest.fixture
def chief():
    return make_person(Role.ADMINISTRATOR, name="Ada")


@pytest.fixture
def target():
    return make_place()


@pytest.fixture
def signed_in(client, chief):
    prove_lately(client, chief)
    return client


def scope(target, **more):
    return {
        "name": "Checkout",
        "services": target.service.slug,
        "environments": [str(target.environment_id)],
        "actions": ["DEPLOY"],
        "detail": "FULL",
        "days": "30",
        **more,
    }


def pins(issuer, target, **more):
    return scope(target) | {
        "issuer": str(issuer.pk),
        "audience": AUDIENCE,
        "project": "456789",
        "owner": "123456",
        "environment": "production",
        "refs": "refs/heads/main\n",
        "workflow": ".github/workflows/deploy.yml",
        **more,
    }


def secret_in(response):
    text = response.content.decode()
    return text[text.index(SECRET) :].partition("<")[0]


def test_token_is_issued_in_the_browser_and_its_secret_stands_in_that_answer_alone(signed_in, target):
    response = signed_in.post("/gate/identity/tokens/new/", scope(target))

    secret, token = secret_in(response), GateToken.objects.get()
    assert (response.status_code, response["Cache-Control"]) == (200, "no-store")
    assert ask(secret, body_for(target, COMMIT)).status_code == 201
    for page in ("/gate/identity/", f"/gate/identity/tokens/{token.public_id}/"):
        assert secret not in signed_in.get(page).content.decode()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"services": "nobody"}, "There is no service nobody."),
        ({"services": ""}, "This is empty. Write it."),
        ({"environments": []}, "Choose at least one."),
        ({"actions": []}, "Choose at least one."),
        ({"days": "0"}, "A token lives 1 to 400 days."),
        ({"days": "1000000"}, "A token lives 1 to 400 days."),
        ({"name": "a\u202eb"}, "turns the writing direction"),
    ],
)
def test_token_that_cannot_be_issued_so_says_why_on_its_field(signed_in, target, more, said):
    response = signed_in.post("/gate/identity/tokens/new/", scope(target, **more))

    assert response.status_code == 422
    assert said in response.content.decode()
    assert not GateToken.objects.exists()


def suggested(client, text):
    response = client.get(reverse("home:gate_services"), {"services": text}, headers={"HX-Request": "true"})
    assert response.status_code == 200
    return re.findall(r'data-fill="([^"]*)"', response.content.decode())


def test_services_are_suggested_for_the_word_that_is_written(signed_in):
    for slug, more in (("checkout", {}), ("chat", {}), ("search", {"name": "Chapter search"}), ("charge", {"retired_at": NOW})):
        make_service(slug=slug, **{"name": slug.title(), **more})

    assert suggested(signed_in, "ch") == ["search, ", "chat, ", "checkout, "]
    assert suggested(signed_in, "chat, che") == ["chat, checkout, "]
    assert suggested(signed_in, "chat,chat") == []
    assert suggested(signed_in, "")[:2] == ["*", "search, "]
    assert suggested(signed_in, "chat, ") == []
    assert suggested(signed_in, "che\x00ckout") == []
    assert suggested(signed_in, "nothing of this name") == []


def test_what_was_suggested_is_taken(signed_in, target):
    (one,) = suggested(signed_in, target.service.slug)

    issued = signed_in.post(reverse("home:new_gate_token"), scope(target, services=one))

    assert SECRET in issued.content.decode()
    assert GateToken.objects.get().service_ids == [target.service_id]


def test_suggestions_show_no_service_that_the_reader_may_not_see(signed_in):
    make_service(slug="secret", is_restricted=True)

    assert suggested(signed_in, "secret") == []


def test_suggestions_are_for_those_who_may_use_them(client, signed_in):
    form = client.get(reverse("home:gate_services")).content.decode()
    assert f'action="{reverse("home:new_gate_token")}"' in form

    client.force_login(make_person(Role.AUDITOR))
    assert client.get(reverse("home:gate_services"), {"services": "a"}, headers={"HX-Request": "true"}).status_code == 403


@pytest.mark.parametrize("form", ["home:new_gate_token", "home:new_trust"])
def test_forms_ask_for_suggestions_under_their_services(signed_in, chief, form):
    make_issuer(URL, by=chief)

    text = signed_in.get(reverse(form)).content.decode()

    assert re.search(r'name="services"[^>]* data-suggest hx-get="/gate/identity/services/"', text)
    assert text.count('id="suggestions"') == 1
    assert "js/suggest.js" in text


def test_star_is_every_service_and_place(signed_in, target):
    signed_in.post("/gate/identity/tokens/new/", scope(target, services="*", environments=["*"]))

    token = GateToken.objects.get()
    assert (token.service_ids, token.environment_ids) == (None, None)
    assert "every service · every environment" in signed_in.get("/gate/identity/").content.decode()


def test_rotated_token_and_the_one_before_both_work_for_the_hours_that_were_said(signed_in, target):
    token, old = make_gate_token(target.service)

    response = signed_in.post(f"/gate/identity/tokens/{token.public_id}/rotation/", {"days": "90", "hours": "2"})

    new = secret_in(response)
    token.refresh_from_db()
    assert [ask(secret, body_for(target, COMMIT)).status_code for secret in (old, new)] == [201, 201]
    made = GateToken.objects.exclude(pk=token.pk).get()
    assert (made.service_ids, made.actions, made.name) == (token.service_ids, token.actions, token.name)
    assert (token.expires_at - made.issued_at).total_seconds() == 7200
    (entry,) = [one for one in entries_about(made.reference, limit=9) if one.event == "gate_token.rotated"]
    assert token.reference in entry.refs


@pytest.mark.parametrize("given", [{"days": "0", "hours": "2"}, {"days": "90", "hours": "0"}, {"days": "x", "hours": ""}])
def test_rotation_that_cannot_be_says_why(signed_in, given):
    token, _ = make_gate_token()

    assert signed_in.post(f"/gate/identity/tokens/{token.public_id}/rotation/", given).status_code == 422
    assert GateToken.objects.count() == 1


def test_token_that_is_over_is_not_rotated(signed_in, chief):
    token, _ = make_gate_token()
    revoke_gate_token(token.pk, by=chief.actor)

    assert signed_in.post(f"/gate/identity/tokens/{token.public_id}/rotation/", {"days": "90", "hours": "2"}).status_code == 409
    assert "has expired or was revoked" in signed_in.get(f"/gate/identity/tokens/{token.public_id}/").content.decode()


def test_revoked_token_is_refused_from_the_next_question_on(signed_in, target):
    token, secret = make_gate_token()

    signed_in.post(f"/gate/identity/tokens/{token.public_id}/revocation/")

    assert ask(secret, body_for(target, COMMIT)).json()["code"] == "token_over"


def test_restricted_service_of_another_team_is_not_named(signed_in):
    hidden = make_service(name="Acquisition", is_restricted=True)
    make_gate_token(hidden)

    page = signed_in.get("/gate/identity/").content.decode()

    assert "Acquisition" not in page
    assert "1 restricted" in page
    assert "There is no service" in signed_in.post("/gate/identity/tokens/new/", {"services": hidden.slug}).content.decode()


PAGES = ("/gate/identity/", "/gate/identity/trusts/")
FORMS = ("/gate/identity/tokens/new/", "/gate/identity/trusts/new/", "/gate/identity/issuers/new/", "/gate/identity/trusts/trial/")


@pytest.mark.parametrize(
    ("role", "reads", "writes"),
    [(Role.ADMINISTRATOR, 200, 200), (Role.AUDITOR, 200, 403), (Role.RELEASE_MANAGER, 403, 403), (None, 403, 403)],
)
def test_administrators_write_and_auditors_read(client, role, reads, writes):
    client.force_login(make_person(*([role] if role else [])))

    assert {client.get(page).status_code for page in PAGES} == {reads}
    assert {client.get(page).status_code for page in FORMS} == {writes}


def test_auditor_sees_why_nothing_can_be_done(client, target, chief):
    token, _ = make_gate_token()
    trust = make_trust(make_issuer(URL, by=chief), target, by=chief)
    client.force_login(make_person(Role.AUDITOR))

    for page in (f"/gate/identity/tokens/{token.public_id}/", f"/gate/identity/trusts/{trust.grant.public_id}/"):
        assert "Only an administrator changes this." in client.get(page).content.decode()
    assert client.post(f"/gate/identity/tokens/{token.public_id}/rotation/", {"days": "9", "hours": "2"}).status_code == 403
    assert client.post(f"/gate/identity/trusts/{trust.grant.public_id}/end/").status_code == 403


def test_issuer_is_entered_and_ended(signed_in):
    signed_in.post("/gate/identity/issuers/new/", {"kind": "GITHUB", "name": "GitHub", "url": URL, "project_claim": ""})
    issuer = Issuer.objects.get()
    again = signed_in.post("/gate/identity/issuers/new/", {"kind": "GITHUB", "name": "GitHub", "url": URL, "project_claim": ""})
    signed_in.post(f"/gate/identity/issuers/{issuer.public_id}/end/")

    issuer.refresh_from_db()
    assert (issuer.project_claim, issuer.ended_at is not None) == ("repository_id", True)
    assert (again.status_code, "entered already" in again.content.decode()) == (422, True)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"url": "http://gitlab.example.com"}, "begins with https://"),
        ({"url": "https://u:p@gitlab.example.com"}, "has no user"),
        ({"url": "file:///etc/passwd"}, "begins with https://"),
        ({"kind": "OTHER", "project_claim": ""}, "Name the claim"),
    ],
)
def test_issuer_that_cannot_be_entered_says_why(signed_in, more, said):
    response = signed_in.post(
        "/gate/identity/issuers/new/", {"kind": "GITLAB", "name": "GitLab", "url": "https://gitlab.example.com", **more}
    )

    assert (response.status_code, said in response.content.decode()) == (422, True)


def test_trust_of_the_one_administrator_holds_at_once_and_is_marked(signed_in, chief, target):
    issuer = make_issuer(URL, by=chief)

    response = signed_in.post("/gate/identity/trusts/new/", pins(issuer, target))

    trust = Trust.objects.get()
    (entry,) = entries_about(trust.reference, limit=5)
    assert response["Location"] == f"/gate/identity/trusts/{trust.grant.public_id}/"
    assert (trust.in_force_at is not None, trust.confirmed_by, entry.data["single_handed"]) == (True, None, True)
    assert "single-handed" in signed_in.get(response["Location"]).content.decode()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"project": "octo-org/octo-repo"}, "Write the number that is the project"),
        ({"owner": "octo-org"}, "Write the number that is the owner"),
        ({"refs": "main"}, "Write full refs"),
        ({"refs": "refs/heads/*"}, "no patterns"),
        ({"refs": "", "environment": ""}, "Name the environment of the CI, or the refs"),
        ({"takes_merge_requests": "on"}, "only where no agreement is needed"),
        ({"takes_merge_requests": "on", "environments": ["*"]}, "only where no agreement is needed"),
        ({"audience": ""}, "This is empty. Write it."),
        ({"issuer": "999999"}, "Choose the issuer."),
    ],
)
def test_trust_that_is_not_pinned_says_what_is_missing(signed_in, chief, target, more, said):
    response = signed_in.post("/gate/identity/trusts/new/", pins(make_issuer(URL, by=chief), target) | more)

    assert (response.status_code, said in response.content.decode()) == (422, True)
    assert not Trust.objects.exists()


def test_with_two_administrators_one_proposes_and_another_confirms(client, provider, chief, target):
    issuer, second = make_issuer(provider.issuer, by=chief), make_person(Role.ADMINISTRATOR, name="Bea")
    token, question = signed(github(iss=provider.issuer)), body_for(target, COMMIT)
    prove_lately(client, chief)
    page = client.post("/gate/identity/trusts/new/", pins(issuer, target))["Location"]
    before = ask(token, question).json()["code"]
    own = client.post(f"{page}confirmation/")
    prove_lately(client, second)
    waiting = client.get("/inbox/").content.decode()
    done = client.post(f"{page}confirmation/")

    trust = Trust.objects.get()
    assert (before, own.status_code, done.status_code) == ("ci_project", 403, 302)
    assert "Trust in CI jobs" in waiting
    assert (trust.proposed_by, trust.confirmed_by) == (chief, second)
    assert client.post(f"{page}confirmation/").status_code == 409


def test_proposal_is_taken_back_or_refused_and_then_over(client, chief, target):
    second = make_person(Role.ADMINISTRATOR)
    trust = make_trust(make_issuer(URL, by=chief), target, by=chief)
    prove_lately(client, second)

    client.post(f"/gate/identity/trusts/{trust.grant.public_id}/end/")

    again = [client.post(f"/gate/identity/trusts/{trust.grant.public_id}/{verb}/").status_code for verb in ("end", "confirmation")]
    assert again == [409, 409]
    assert "Ended" in client.get("/gate/identity/trusts/?view=over").content.decode()


def test_proposal_of_somebody_who_is_no_administrator_any_more_is_not_confirmed(client, chief, target):
    second = make_person(Role.ADMINISTRATOR)
    trust = make_trust(make_issuer(URL, by=chief), target, by=chief)
    chief.is_active, chief.deactivated_at = False, trust.grant.issued_at
    chief.save()
    prove_lately(client, second)

    response = client.post(f"/gate/identity/trusts/{trust.grant.public_id}/confirmation/")

    assert (response.status_code, "no active administrator any more" in response.content.decode()) == (409, True)


def test_tried_token_says_which_check_refuses_it_and_is_kept_nowhere(signed_in, provider, chief, target):
    make_trust(make_issuer(provider.issuer, by=chief), target, by=chief)
    token = signed(github(iss=provider.issuer, ref="refs/heads/other"))

    page = signed_in.post("/gate/identity/trusts/trial/", {"token": token})
    text = page.content.decode()

    assert (page.status_code, page["Cache-Control"]) == (200, "no-store")
    assert "It is not taken." in text
    assert "The job runs on a ref that the trust does not name." in text
    assert token not in text


def test_tried_token_that_fits_says_which_trust_takes_it(signed_in, provider, chief, target):
    make_trust(make_issuer(provider.issuer, by=chief), target, by=chief)

    text = signed_in.post("/gate/identity/trusts/trial/", {"token": signed(github(iss=provider.issuer))}).content.decode()

    assert "It is taken." in text
    assert "octo-org/octo-repo" in text


@pytest.mark.parametrize("what", ["expired", "claims", "claims of nobody", "rubbish", "list", "unknown issuer", "unreadable"])
def test_trial_goes_as_far_as_it_can(signed_in, provider, chief, target, what):
    make_trust(make_issuer(provider.issuer, by=chief, kind=IssuerKind.GITHUB), target, by=chief)
    claims = github(iss=provider.issuer)
    given, said = {
        "expired": (signed(claims | {"exp": claims["iat"] - 60}), ["The token has expired.", "Pipeline file"]),
        "claims": (json.dumps(claims), ["Claims alone prove nothing", "Pipeline file"]),
        "claims of nobody": (json.dumps(claims | {"repository_id": "1"}), ["names the project 1"]),
        "rubbish": ("hello", ["This is no signed token that can be read."]),
        "list": ("{", ["neither a token nor a JSON object"]),
        "unknown issuer": (json.dumps(claims | {"iss": "https://evil.example"}), ["not one that is trusted here"]),
        "unreadable": (json.dumps(claims | {"ref": "main"}), ["name different ones"]),
    }[what]

    text = signed_in.post("/gate/identity/trusts/trial/", {"token": given}).content.decode()

    assert "It is not taken." in text
    assert all(one in text for one in said)


def test_session_that_was_left_open_issues_no_token_and_confirms_no_trust(client, chief, target):
    token, second = make_gate_token()[0], make_person(Role.ADMINISTRATOR)
    trust = make_trust(make_issuer(URL, by=chief), target, by=chief)
    prove_lately(client, second, ago=3600)
    second.set_password("a long enough password")
    second.save()
    prove_lately(client, second, ago=3600)

    answers = [
        client.post("/gate/identity/tokens/new/", scope(target)),
        client.post(f"/gate/identity/tokens/{token.public_id}/rotation/", {"days": "9", "hours": "2"}),
        client.post(f"/gate/identity/trusts/{trust.grant.public_id}/confirmation/"),
        client.post("/gate/identity/trusts/new/", pins(trust.issuer, target)),
    ]

    assert Trust.objects.get() == trust
    assert all(one.status_code == 302 and "reauthenticate" in one["Location"] for one in answers)
    trust.refresh_from_db()
    assert (GateToken.objects.filter(trust__isnull=True).count(), trust.in_force_at) == (1, None)


def test_what_ends_next_comes_first_and_what_is_over_has_its_own_view(signed_in):
    later, soon, gone = (make_gate_token(name=name, days=days)[0] for name, days in (("Later", 90), ("Soon", 5), ("Gone", 90)))
    signed_in.post(f"/gate/identity/tokens/{gone.public_id}/revocation/")

    live, over = signed_in.get("/gate/identity/"), signed_in.get("/gate/identity/?view=over")

    assert [(row["token"], row["standing"][0]) for row in live.context["rows"]] == [(soon, "Ends soon"), (later, "Holds")]
    assert [(row["token"], row["standing"][0]) for row in over.context["rows"]] == [(gone, "Ended")]
    page = signed_in.get(f"/gate/identity/tokens/{gone.public_id}/").content.decode()
    assert "Revoked by" in page
    assert "Issued by Change Control" in page


def test_many_revoked_tokens_hide_none_that_may_be_used_and_are_shown_page_by_page(signed_in):
    GateTokenFactory.create_batch(60, revoked_at=NOW, revoked_by="SYSTEM:test")
    token, _ = make_gate_token(name="The one in use")

    live, over = signed_in.get("/gate/identity/"), signed_in.get("/gate/identity/?view=over")
    rest = signed_in.get(f"/gate/identity/{over.context['older_url']}")

    assert [row["token"] for row in live.context["rows"]] == [token]
    assert (len(over.context["rows"]), len(rest.context["rows"]), rest.context["newest_url"]) == (50, 10, "?view=over")
    assert signed_in.get("/gate/identity/?view=over&before=x").status_code == 200


def test_without_an_issuer_the_first_step_is_to_enter_one(signed_in):
    assert "No issuer is entered" in signed_in.get("/gate/identity/trusts/new/").content.decode()


def test_a_wrong_form_is_told_before_anybody_proves_who_they_are(client, chief, target):
    prove_lately(client, chief, ago=3_600)

    wrong = client.post("/gate/identity/tokens/new/", scope(target, days="0"))
    right = client.post("/gate/identity/tokens/new/", scope(target))

    assert (wrong.status_code, right.status_code) == (422, 302)
    assert not GateToken.objects.exists()
