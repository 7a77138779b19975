"""Models that approve beforehand as people meet them: the form, the proposal, the live panel, the change, the API."""

import json

import pytest
from django.urls import reverse

from apps.accounts.roles import Role
from apps.approvals.actions import ask_for_change
from apps.changes.actions import retire_change_model
from apps.changes.content.templates import read_template
from apps.changes.models import Change, ChangeModel, ChangeModelProposal
from apps.changes.states import Kind, State
from tests.approvals.world import make_world
from tests.conftest import NOW
from tests.factories.accounts import make_person
from tests.factories.changes import as_modelled, make_coverage, make_standard_model, make_template
from tests.home.pages import get, post, text_of
from tests.home.test_editing import COMMIT
from tests.home.test_editing import sheet as change_sheet
from tests.home.test_modelling import send, sheet

BEFOREHAND = "is approved beforehand by model Weekly restart, version 1, by Ada alone"


@pytest.fixture
def world(db):
    return make_world()


@pytest.fixture
def ada(world):
    return make_person(Role.ADMINISTRATOR, name="Ada")


@pytest.fixture
def model(world, ada):
    return make_standard_model(world.target, author=ada)


def standard(world, **more):
    """A model that approves beforehand, as the browser sends it."""
    said = {
        "kind": "STANDARD",
        "pre_approved": "on",
        "covered_services": world.target.service.slug,
        "covered_environments": [str(world.target.environment.public_id)],
    }
    return sheet(**{**said, **more})


def asked_for(world, model, *, is_submitted=True, **parts):
    content = as_modelled(model, world.target, **parts)
    return ask_for_change(content=content, by=world.requester.actor, is_submitted=is_submitted, made_from=model.version_id, now=NOW)


def written(world, model, **more):
    """The request form as a browser sends it that began from the model."""
    says = read_template(bytes(model.version.body))
    steps = {"plan-0-what": says.plan.steps[0].what, "plan-0-by": "AUTOMATION", "plan-0-expected_seconds": "60", "plan-0-verify": ""}
    back = {"strategy": "PREVIOUS_RELEASE", "trigger": "", "seconds_to_restore": "30", "irreversible": ""}
    name = f"{model.slug}:{model.version.number}"
    return change_sheet(world.target, **{**steps, **back, "model": name, **more})


# Writing and agreeing


def test_a_single_administrator_writes_it_and_reads_what_comes_of_it(client, world, ada):
    response = send(client, ada, "home:new_model", standard(world))

    assert response["Location"] == reverse("home:change_model", args=["weekly"])
    page = text_of(get(client, make_person(), "home:change_model", "weekly"))
    assert f"Nobody has to sign: {world.target.service.name} in {world.target.environment.name}" in page
    assert "single-handed: there was no second administrator" in page
    assert f"Approves beforehand: {world.target.service.name}" in text_of(get(client, ada, "home:change_models"))


def test_two_persons_agree_through_the_pages(client, world, ada):
    make_person(Role.ADMINISTRATOR, name="Ben")

    response = send(client, ada, "home:new_model", standard(world))

    proposal = ChangeModelProposal.objects.get()
    address = reverse("home:model_proposal", args=[proposal.public_id])
    assert (response["Location"], ChangeModel.objects.exists()) == (address, False)
    own = text_of(get(client, ada, "home:model_proposal", proposal.public_id))
    assert "You proposed this yourself." in own
    assert "Waits for a second person" in text_of(get(client, world.manager, "home:change_models"))
    page = text_of(get(client, world.manager, "home:model_proposal", proposal.public_id))
    assert "Roll out" in page
    assert "Nobody looks at what stays free: any version, any period, any part of it touched, any reason, any impact and any title." in page
    assert f"{world.target.service.name} in {world.target.environment.name}" in page

    post(client, world.manager, "home:model_agreement", proposal.public_id)

    said = text_of(get(client, ada, "home:change_model", "weekly"))
    assert "Proposed by Ada, agreed by Max" in said
    assert "Agreed to by Max" in text_of(get(client, ada, "home:model_proposal", proposal.public_id))


def test_the_next_version_waits_and_shows_what_would_change(client, world, ada, model):
    make_person(Role.ADMINISTRATOR, name="Ben")

    send(client, ada, "home:change_model", model.slug, standard(world, use="Every day.", name=model.name))

    model.refresh_from_db()
    assert model.version.number == 1
    assert "Another wording waits for a second person." in text_of(get(client, ada, "home:change_model", model.slug))
    page = text_of(get(client, ada, "home:model_proposal", ChangeModelProposal.objects.get().public_id))
    assert "Instead of version 1" in page
    assert "Every day." in page


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"covered_services": "nowhere"}, "No service is called nowhere."),
        ({"covered_teams": "nobody"}, "No team is called nobody."),
        ({"covered_services": ""}, "Name the services that it approves"),
        ({"covered_environments": []}, "Name the environments that it approves."),
        ({"covered_environments": ["x"]}, "is not one of the available choices"),
        ({"kind": "NORMAL"}, "Only STANDARD changes are approved beforehand."),
        ({"strategy": ""}, "Choose how to get back."),
        ({"plan-0-what": ""}, "Write at least one step"),
        ({"fixed": ["title"]}, "is not one of the available choices"),
    ],
)
def test_each_mistake_is_told_on_its_field(client, world, ada, more, said):
    response = send(client, ada, "home:new_model", standard(world, **more))

    assert response.status_code == 422
    assert said in text_of(response)


def test_a_proposal_that_does_not_fit_any_more_says_what(client, world, ada):
    make_person(Role.ADMINISTRATOR)
    send(client, ada, "home:new_model", standard(world))
    world.target.service.retired_at = NOW
    world.target.service.save(update_fields=["retired_at"])

    response = post(client, world.manager, "home:model_agreement", ChangeModelProposal.objects.get().public_id)

    assert response.status_code == 409
    assert "Something named here is not there, or is retired." in text_of(response)


def test_a_proposal_is_taken_back(client, world, ada):
    make_person(Role.ADMINISTRATOR)
    send(client, ada, "home:new_model", standard(world))
    public_id = ChangeModelProposal.objects.get().public_id

    post(client, ada, "home:model_proposal_end", public_id)

    assert "Taken back by Ada" in text_of(get(client, ada, "home:model_proposal", public_id))


def test_the_policy_hint_names_the_policy_in_force(client, world, model):
    page = text_of(get(client, world.requester, "home:change_model", model.slug))

    assert f"{world.target.environment.name}: Everything" in page or ", version 1" in page
    assert "A service's own policy comes before it" in page


def test_services_the_reader_may_not_see_are_counted_only(client, world, model):
    service = world.target.service
    service.is_restricted = True
    service.save(update_fields=["is_restricted"])

    page = text_of(get(client, world.stranger, "home:change_model", model.slug))

    assert "1 that you may not see" in page
    assert service.name not in page


# Asking, deciding


def test_the_live_panel_says_that_nobody_has_to_sign(client, world, model):
    page = text_of(send(client, world.requester, "home:new_change", written(world, model, do="look")))

    assert f"{BEFOREHAND}" in page
    assert "Nobody has to sign." in page


def test_the_live_panel_says_what_departs_from_the_model(client, world, model):
    page = text_of(send(client, world.requester, "home:new_change", written(world, model, do="look", trigger="anything")))

    assert "is not approved beforehand by the model Weekly restart, so people sign." in page
    assert "The way back is not the model's: its trigger." in page


def test_submitted_it_is_approved_with_no_signer(client, world, model):
    response = send(client, world.requester, "home:new_change", written(world, model, do="submit"))

    change = Change.objects.get()
    assert response["Location"] == reverse("home:change", args=[change.ref])
    assert (change.kind, change.state) == (Kind.STANDARD, State.APPROVED)
    page = text_of(client.get(response["Location"]))
    assert f"{change.ref} is approved: nobody has to sign." in page
    assert BEFOREHAND in page
    signing = text_of(get(client, world.business, "home:sign_off", change.ref))
    assert BEFOREHAND in signing
    assert "Nobody has to sign: it is approved beforehand by model Weekly restart" in signing


def test_evidence_that_is_missing_is_named_on_the_form(client, world, ada):
    model = make_standard_model(world.target, author=ada, evidence=frozenset({"junit"}))

    response = send(client, world.requester, "home:new_change", written(world, model, do="submit"))

    assert response.status_code == 422
    assert "The change model asks for evidence: junit. Upload it." in text_of(response)
    assert "asks for: JUnit" in text_of(get(client, world.requester, "home:new_change", model=model.slug))


def test_a_copy_begins_from_the_version_in_force(client, world, ada, model):
    change = asked_for(world, model)
    assert 'value="restart:1"' in get(client, world.requester, "home:new_change", copy=change.ref).content.decode()

    retire_change_model(model_id=model.pk, by=ada.actor, now=NOW)

    assert "restart:" not in get(client, world.requester, "home:new_change", copy=change.ref).content.decode()


def test_the_simulator_says_it_too(client, world, ada, model):
    change = asked_for(world, model)
    policy = reverse("approvals:policies")
    client.force_login(ada)
    address = next(
        part for part in client.get(policy).content.decode().split('"') if part.startswith("/policies/") and part.count("-") == 4
    )

    page = text_of(client.get(address, {"change": change.ref}))

    assert "Nobody has to sign: approved beforehand by model Weekly restart, version 1" in page


# The API


def api(client, world, **more):
    client.force_login(world.requester)
    service, environment = world.target.service.slug, world.target.environment.slug
    item = {"service": service, "label": "3.18.1", "identities": [f"git:{COMMIT}"], "environments": [environment]}
    body = {"scope": {"items": [item], "aspects": ["CODE"], "reason": "It is Tuesday."}, "story": {"title": "Restart"}, **more}
    return client.post(reverse("api:changes"), data=json.dumps(body), content_type="application/json")


def test_a_model_named_through_the_api_makes_a_standard_change(client, world, model):
    told = api(client, world, model=model.slug, submit=True).json()

    assert (told["kind"], told["state"]) == ("STANDARD", "APPROVED")
    (leg,) = told["legs"]
    assert leg["pre_approval"] == {"model": "restart:1", "holds": True, "agreed_by": None, "doubts": []}


def test_nobody_claims_a_kind_that_no_model_gives(client, world, model):
    for more, said in (
        ({"kind": "STANDARD"}, "A STANDARD change begins from a change model of that kind."),
        ({"kind": "NORMAL", "model": model.slug}, "Changes from this model are STANDARD."),
    ):
        response = api(client, world, **more)
        assert response.status_code == 422
        assert said in response.content.decode()
    assert api(client, world, kind="NORMAL").status_code == 201
    assert api(client, world, kind="EMERGENCY").json()["kind"] == "EMERGENCY"


def test_a_model_of_another_kind_says_so_on_the_page(client, world, ada):
    model = make_standard_model(world.target, author=ada, coverage=None, kind=Kind.EMERGENCY)

    assert asked_for(world, model, is_submitted=False).kind == Kind.EMERGENCY
    assert "Emergency" in text_of(get(client, ada, "home:change_models"))
    assert make_template().coverage is None
    assert make_coverage(world.target).services
