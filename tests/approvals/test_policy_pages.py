"""The pages of policies: read, written as a form, proposed and confirmed, compared, and asked whom they would ask."""

import pytest
from django.urls import reverse

from apps.accounts.roles import Role
from apps.approvals.facts import policy_facts
from apps.approvals.forms import row_of
from apps.approvals.models import Policy, PolicyProposal
from apps.approvals.policy_body import default_body
from apps.changes.states import State
from tests.approvals.world import make_world
from tests.conftest import NOW
from tests.factories.accounts import TeamFactory, make_person, prove_lately
from tests.factories.approvals import AbsenceFactory, DelegationFactory, a_rule, make_policy
from tests.factories.catalog import EnvironmentFactory
from tests.factories.schedule import SlotFactory
from tests.home.pages import get, marks_of, text_of

LARGE = 8  # rules; more statements than for one of them would be one per rule


@pytest.fixture
def ada(db):
    return make_person(Role.ADMINISTRATOR, name="Ada")


@pytest.fixture
def policy(ada):
    return make_policy(EnvironmentFactory(name="Stage"))


def post(client, person, page, /, *args, **data):
    prove_lately(client, person, method="mfa")
    return client.post(reverse(page, args=args), data)


def sent(*rules, **more):
    """What a browser sends: these rows, and one that nobody touched."""
    rows = [*(row_of(rule) for rule in rules), {"needed": "1", "stage": 1, "parts": ["scope"], "meaning": "APPROVAL", "group": "OWNER:ANY"}]
    named = {f"rules-{at}-{name}": value for at, row in enumerate(rows) for name, value in row.items()}
    management = {"rules-TOTAL_FORMS": len(rows), "rules-INITIAL_FORMS": len(rules)}
    return {"name": "Who agrees", "last_editor": "on", "promotion": "ONE", "proof": "TWO_FACTORS", **management, **named, **more}


def test_policies_are_listed_in_words(client, ada, policy):
    page = get(client, make_person(), "approvals:policies")

    assert "Who agrees 1 of the owners of the service" in text_of(page)
    assert "Only an administrator writes policies." in text_of(page)
    assert reverse("approvals:new_policy") in marks_of(get(client, ada, "approvals:policies"))


def test_new_policy_is_written_from_the_form(client, ada):
    team, place = TeamFactory(name="Payments"), EnvironmentFactory()
    rules = [
        a_rule(group={"kind": "TEAM", "team": str(team.public_id)}, needed=2, parts=["scope"]),
        a_rule("named", group={"kind": "PERSONS", "persons": [str(ada.public_id)]}, stage=2, meaning="REVIEW"),
    ]

    answer = post(
        client,
        ada,
        "approvals:new_policy",
        **sent(*rules, environment=place.slug, kind="EMERGENCY", least_risk="3", remind_after_hours="4"),
    )

    made = Policy.objects.get()
    assert answer.url == reverse("approvals:policy", args=[made.public_id])
    assert (made.environment, made.kind, made.least_risk) == (place, "EMERGENCY", 3)
    facts = policy_facts(made)
    assert [(rule.key, rule.needed, rule.stage, rule.meaning, rule.parts) for rule in facts.rules] == [
        ("owner", 2, 1, "APPROVAL", ("scope",)),
        ("named", 1, 2, "REVIEW", ("scope", "plan", "rollback", "period")),
    ]
    assert (facts.remind_after_hours, facts.exclude) == (4, {"requester", "last_editor"})


def test_edit_saved_untouched_writes_nothing(client, ada, policy):
    post(client, ada, "approvals:edit_policy", policy.public_id, **sent(*default_body()["rules"], proof="ANY"))

    assert policy.versions.count() == 1


def test_edit_adds_removes_and_switches(client, ada, policy):
    row = {"rules-1-label": "Release management", "rules-1-group": "ROLE:RELEASE_MANAGER", "rules-0-remove": "on"}

    post(client, ada, "approvals:edit_policy", policy.public_id, **sent(*default_body()["rules"], **row, solo="on", last_editor=""))

    policy.refresh_from_db()
    facts = policy_facts(policy)
    assert [(rule.key, rule.group.role) for rule in facts.rules] == [("release-management", "RELEASE_MANAGER")]
    assert (facts.solo, facts.exclude) == (True, frozenset())


@pytest.mark.parametrize("proof", ["ANY", "PASSKEY", "TWO_FACTORS"])
def test_strength_of_proof_is_chosen_and_shown(client, ada, policy, proof):
    post(client, ada, "approvals:edit_policy", policy.public_id, **sent(*default_body()["rules"], proof=proof))

    policy.refresh_from_db()
    assert policy_facts(policy).strength == proof
    shown = get(client, ada, "approvals:edit_policy", policy.public_id)
    assert shown.context["sheet"]["proof"].value() == proof
    words = {"ANY": "by passkey or password", "PASSKEY": "by passkey", "TWO_FACTORS": "by passkey, or by password and code"}
    assert f"Signature {words[proof]} Artifact digest" in text_of(get(client, ada, "approvals:policy", policy.public_id))


def test_mistakes_stand_on_their_fields(client, ada, policy):
    rules = [a_rule(), a_rule("named", group={"kind": "PERSONS", "persons": []})]

    answer = post(client, ada, "approvals:edit_policy", policy.public_id, **sent(*rules, remind_after_hours="8", expire_after_hours="4"))

    assert answer.status_code == 422
    assert answer.context["rules"][1].errors["persons"] == ["Name 1 to 100 persons by their ids."]
    assert [*answer.context["sheet"].errors] == ["expire_after_hours"]
    assert policy.versions.count() == 1


@pytest.mark.parametrize(
    "more", [{"rules-TOTAL_FORMS": "x"}, {"rules-TOTAL_FORMS": "9999"}, {"rules-0-group": "TEAM:nobody"}, {"name": "a\x00"}]
)
def test_what_no_browser_sends_is_refused_on_the_page(client, ada, policy, more):
    answer = post(client, ada, "approvals:edit_policy", policy.public_id, **(sent(*default_body()["rules"]) | more))

    assert answer.status_code == 422
    assert policy.versions.count() == 1


def test_with_a_second_administrator_the_form_proposes(client, ada, policy):
    ben = make_person(Role.ADMINISTRATOR, name="Ben")
    shown = get(client, ada, "approvals:edit_policy", policy.public_id)
    assert "Another administrator confirms what you write here." in text_of(shown)

    answer = post(client, ada, "approvals:edit_policy", policy.public_id, **sent(*default_body()["rules"], solo="on"))

    proposal = PolicyProposal.objects.get()
    assert answer.url == reverse("approvals:proposal", args=[proposal.public_id])
    page = get(client, ben, "approvals:proposal", proposal.public_id)
    assert "Own change is never signed alone may be signed alone, with a reason, and is marked" in text_of(page)
    assert "You proposed this yourself." in text_of(get(client, ada, "approvals:proposal", proposal.public_id))
    assert "A change of this policy is proposed." in text_of(get(client, ada, "approvals:policy", policy.public_id))
    assert "Waits for another administrator" in text_of(get(client, ben, "approvals:policies"))

    post(client, ben, "approvals:proposal_confirmation", proposal.public_id)

    policy.refresh_from_db()
    assert policy.version.number == 2
    assert "Confirmed by Ben" in text_of(get(client, ada, "approvals:proposal", proposal.public_id))


def test_the_end_of_a_policy_is_proposed_and_refused(client, ada, policy):
    ben = make_person(Role.ADMINISTRATOR)

    post(client, ada, "approvals:policy_retirement", policy.public_id)
    proposal = PolicyProposal.objects.get()
    assert "The policy would end" in text_of(get(client, ben, "approvals:proposal", proposal.public_id))
    post(client, ben, "approvals:proposal_end", proposal.public_id)

    assert "Refused by" in text_of(get(client, ada, "approvals:proposal", proposal.public_id))
    policy.refresh_from_db()
    assert policy.retired_at is None


def test_a_proposal_that_names_somebody_gone_says_so_when_it_is_confirmed(client, ada, policy):
    ben, named = make_person(Role.ADMINISTRATOR), make_person()
    rule = a_rule(group={"kind": "PERSONS", "persons": [str(named.public_id)]})
    post(client, ada, "approvals:edit_policy", policy.public_id, **sent(rule))
    type(named).objects.filter(pk=named.pk).update(is_active=False, deactivated_at=NOW)

    answer = post(client, ben, "approvals:proposal_confirmation", PolicyProposal.objects.get().public_id)

    assert answer.status_code == 409
    assert "Somebody named here is not an active person." in text_of(answer)


def test_one_administrator_retires_alone(client, ada, policy):
    post(client, ada, "approvals:policy_retirement", policy.public_id)

    policy.refresh_from_db()
    assert policy.retired_at is not None
    assert get(client, ada, "approvals:edit_policy", policy.public_id).status_code == 404
    assert "Retired" in text_of(get(client, ada, "approvals:policy", policy.public_id))


def test_two_versions_are_compared(client, ada, policy):
    make_policy(policy.environment, a_rule(needed=3))

    page = get(client, ada, "approvals:policy", policy.public_id, was=1, now=2)

    assert "Rule “Owner” how many 1 3" in text_of(page)
    assert "They say the same." in text_of(get(client, ada, "approvals:policy", policy.public_id, was=1, now=1))


@pytest.mark.parametrize("was", ["", "x", "0", "99999999999", "²", "-1"])
def test_versions_that_are_not_there_are_not_compared(client, ada, policy, was):
    page = get(client, ada, "approvals:policy", policy.public_id, was=was, now=1)

    assert page.status_code == 200
    assert page.context["compared"] is None


def test_a_policy_without_a_wording_can_be_read(client, ada):
    bare = Policy.objects.create(environment=EnvironmentFactory(), name="Bare")

    assert "No wording" in text_of(get(client, ada, "approvals:policy", bare.public_id))
    assert "It has no wording" in text_of(get(client, ada, "approvals:policies"))


@pytest.fixture
def world(ada):
    return make_world(a_rule(group={"kind": "OWNER", "owner": "BUSINESS"}, needed=2))


def ask(client, person, world, **asked):
    policy = Policy.objects.get(environment=world.target.environment)
    return get(client, person, "approvals:policy", policy.public_id, **asked)


def test_simulator_says_who_would_sign_and_what_is_missing(client, ada, world):
    page = ask(client, ada, world, service=world.target.service.slug)

    assert "2 × business owner" in text_of(page)
    assert "“Owner” needs 2 and 1 can sign." in text_of(page)
    assert "Bea" in text_of(page)


def test_simulator_keeps_the_requester_out(client, ada, world):
    page = ask(client, ada, world, service=world.target.service.slug, requester=str(world.business.public_id))

    assert "nobody can sign" in text_of(page)


def test_simulator_asks_about_a_change_that_is_there(client, ada, world):
    change = world.change()
    SlotFactory(leg=change.legs.get(is_current=True))
    AbsenceFactory(person=world.business)
    DelegationFactory(person=world.business, delegate=world.stranger)

    page = ask(client, ada, world, change=change.ref.lower())

    assert "Bea is away." in text_of(page) or "Sam for Bea" in text_of(page)
    assert change.state == State.IN_REVIEW


def test_simulator_asks_the_proposed_wording(client, ada, world):
    make_person(Role.ADMINISTRATOR)
    policy = Policy.objects.get(environment=world.target.environment)
    post(client, ada, "approvals:edit_policy", policy.public_id, **sent(a_rule()))

    page = get(client, ada, "approvals:proposal", PolicyProposal.objects.get().public_id, service=world.target.service.slug)

    assert "It can be met." in text_of(page)


@pytest.mark.parametrize(
    ("said", "asked"),
    [
        ("Name a change, or choose a service.", {"service": ""}),
        ("No change that you may see has this number.", {"change": "CHG-999999"}),
        ("No change that you may see has this number.", {"change": "x"}),
        ("Select a valid choice", {"service": "nobody"}),
        ("is not a valid UUID", {"requester": "nobody"}),
        ("Null characters are not allowed", {"change": "a\x00"}),
    ],
)
def test_simulator_says_what_it_cannot_answer(client, ada, world, said, asked):
    page = ask(client, ada, world, **asked)

    assert page.status_code == 200
    assert said in text_of(page)


def test_simulator_of_a_place_that_asks_for_nothing(client, ada):
    world = make_world()
    world.target.environment.change_required = "NO"
    world.target.environment.save()

    assert "Nobody has to sign here." in text_of(ask(client, ada, world, service=world.target.service.slug))


def test_policy_page_asks_no_more_for_more_rules(client, ada, django_assert_max_num_queries):
    named = [{"kind": "PERSONS", "persons": [str(make_person().public_id)]} for _ in range(LARGE)]
    policy = make_policy(EnvironmentFactory(), *(a_rule(f"rule-{at}", group=group) for at, group in enumerate(named)))
    get(client, ada, "approvals:policy", policy.public_id)

    with django_assert_max_num_queries(24):
        client.get(reverse("approvals:policy", args=[policy.public_id]))
