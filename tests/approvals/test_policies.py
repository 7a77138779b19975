"""Writing and ending policies, and which one applies."""

from copy import deepcopy

import pytest
from django.db import IntegrityError, transaction
from django.http import Http404

from apps.accounts.roles import Role
from apps.approvals.access import get_policy, get_proposal, open_proposals, policies
from apps.approvals.actions import retire_policy, write_policy
from apps.approvals.facts import policies_for, review_facts
from apps.approvals.models import Policy, PolicyVersion
from apps.approvals.policy_body import default_body
from apps.audit.stream import latest
from apps.audit.vocabulary import Event
from apps.changes.states import Kind, State
from apps.core.refusals import BadContent, Refused
from tests.conftest import NOW
from tests.factories.accounts import PersonFactory, TeamFactory, make_person
from tests.factories.approvals import PolicyFactory, PolicyProposalFactory, a_rule, make_change, make_place, make_policy
from tests.factories.catalog import EnvironmentFactory, ServiceFactory


@pytest.fixture
def administrator(db):
    return make_person(Role.ADMINISTRATOR)


def write(by, **more):
    given = {"name": "Production", "document": default_body(), "by": by.actor, "now": NOW, **more}
    return write_policy(**{"environment_id": more.get("environment_id") or EnvironmentFactory().pk, **given})


def test_write_policy_stores_canonical_bytes_and_tells_so(administrator):
    policy = write(administrator)

    version = PolicyVersion.objects.get()
    assert (policy.version, version.number, version.made_by) == (version, 1, f"PERSON:{administrator.public_id}")
    (entry,) = [one for one in latest(limit=5) if one.event is Event.POLICY_WRITTEN]
    assert entry.data == {"number": 1, "digest": version.digest, "proof": "TWO_FACTORS", "single_handed": True}
    assert entry.ref("environment") == policy.environment.reference


def test_write_policy_again_adds_a_wording_and_keeps_the_old(administrator):
    first = write(administrator)
    again = write(administrator, environment_id=first.environment_id, document={**default_body(), "solo": True})

    assert again.pk == first.pk
    assert [version.number for version in first.versions.order_by("number")] == [1, 2]


def test_write_the_same_policy_again_writes_nothing(administrator):
    first = write(administrator)

    write(administrator, environment_id=first.environment_id)

    assert PolicyVersion.objects.count() == 1


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.ADMINISTRATOR] + [None])
def test_policies_are_for_administrators_alone(db, role):
    person, policy = make_person(*([role] if role else [])), make_policy(EnvironmentFactory())

    for attempt in (lambda: write(person), lambda: retire_policy(policy_id=policy.pk, by=person.actor, now=NOW)):
        with pytest.raises(Refused, check=lambda error: error.refusal.code == "not_administrator"):
            attempt()

    refused = [one for one in latest(limit=9) if one.event is Event.POLICY_REFUSED]
    assert [one.data["code"] for one in refused] == ["not_administrator"] * 2


@pytest.mark.parametrize("retired", ["environment", "service"])
def test_write_policy_for_what_is_retired_is_refused(administrator, retired):
    places = {
        "environment_id": EnvironmentFactory(retired_at=NOW if retired == "environment" else None).pk,
        "service_id": ServiceFactory(retired_at=NOW if retired == "service" else None).pk,
    }

    with pytest.raises(Refused, check=lambda error: error.refusal.code == "retired"):
        write(administrator, **places)


@pytest.mark.parametrize(
    ("field", "more"),
    [
        ("name", {"name": ""}),
        ("name", {"name": "\x00"}),
        ("kind", {"kind": "URGENT"}),
        ("rules", {"document": {"rules": []}}),
        ("rules.0.group.team", {"document": {"rules": [a_rule(group={"kind": "TEAM", "team": "0" * 32})]}}),
        ("rules.0.group.persons", {"document": {"rules": [a_rule(group={"kind": "PERSONS", "persons": ["0" * 32]})]}}),
    ],
)
def test_write_policy_with_bad_content_names_the_field(administrator, field, more):
    with pytest.raises(BadContent) as bad:
        write(administrator, **more)

    assert [*bad.value.errors] == [field]
    assert not Policy.objects.exists()


def test_write_policy_for_a_team_and_for_persons_who_are_there(administrator):
    team, person = TeamFactory(), make_person()
    rules = [
        a_rule("team", group={"kind": "TEAM", "team": str(team.public_id)}),
        a_rule("named", group={"kind": "PERSONS", "persons": [str(person.public_id)]}),
    ]

    assert write(administrator, document={"rules": rules}).version.number == 1


def test_write_policy_naming_somebody_inactive_is_bad_content(administrator):
    gone = PersonFactory(is_active=False)

    with pytest.raises(BadContent, check=lambda error: "rules.0.group.persons" in error.errors):
        write(administrator, document={"rules": [a_rule(group={"kind": "PERSONS", "persons": [str(gone.public_id)]})]})


def test_retire_policy_leaves_nobody_to_agree(administrator):
    place = make_place()
    change = make_change(State.APPROVED, targets=(place,))

    retire_policy(policy_id=Policy.objects.get().pk, by=administrator.actor, now=NOW)

    assert [leg.policy for leg in review_facts(change).legs] == [None]
    with pytest.raises(Refused, check=lambda error: error.refusal.code == "already_retired"):
        retire_policy(policy_id=Policy.objects.get().pk, by=administrator.actor, now=NOW)
    assert write(administrator, environment_id=place.environment_id).version.number == 1


def test_the_most_specific_policy_applies(db):
    environment, service = EnvironmentFactory(), ServiceFactory()
    selectors = [(None, ""), (None, "EMERGENCY"), (service, ""), (service, "EMERGENCY")]
    made = {}
    for number, (of, kind) in enumerate(selectors):
        document = deepcopy(default_body())
        document["rules"][0]["label"] = f"Rule {number}"
        made[number] = make_policy(environment, *document["rules"], service=of, kind=kind)
    shelf = policies_for([environment])

    def found(service_id, kind):
        return shelf.find(environment_id=environment.pk, service_id=service_id, kind=kind).rules[0].label

    assert found(service.pk, Kind.EMERGENCY) == "Rule 3"
    assert found(service.pk, Kind.NORMAL) == "Rule 2"
    assert found(0, Kind.EMERGENCY) == "Rule 1"
    assert found(0, Kind.NORMAL) == "Rule 0"
    assert shelf.find(environment_id=0, service_id=service.pk, kind=Kind.NORMAL) is None


def test_a_policy_without_a_wording_applies_nowhere(db):
    bare = PolicyFactory()

    assert policies_for([bare.environment]).find(environment_id=bare.environment_id, service_id=0, kind="NORMAL") is None


def test_one_policy_per_selector(db):
    policy = make_policy(EnvironmentFactory())

    with pytest.raises(IntegrityError, match="one_policy_per_selector"), transaction.atomic():
        PolicyFactory(environment=policy.environment)


def test_the_database_refuses_to_change_a_wording(db):
    make_policy(EnvironmentFactory())

    with pytest.raises(IntegrityError, match="written once"), transaction.atomic():
        PolicyVersion.objects.update(body=b"{}")


def test_policies_are_found_by_id_and_listed(db):
    policy, person = make_policy(EnvironmentFactory()), make_person()

    assert get_policy(person, policy.public_id) == policy
    assert [*policies(person)] == [policy]
    with pytest.raises(Http404):
        get_policy(person, "x")


def test_policies_of_a_restricted_service_are_for_those_who_see_it(db):
    service = ServiceFactory(is_restricted=True)
    policy, proposal = make_policy(EnvironmentFactory(), service=service), PolicyProposalFactory(service=service)
    outsider, auditor = make_person(), make_person(Role.AUDITOR)

    assert ([*policies(outsider)], [*open_proposals(outsider)]) == ([], [])
    assert ([*policies(auditor)], [*open_proposals(auditor)]) == ([policy], [proposal])
    for get, row in ((get_policy, policy), (get_proposal, proposal)):
        assert get(auditor, row.public_id) == row
        with pytest.raises(Http404):
            get(outsider, row.public_id)


def test_of_policies_for_the_same_place_the_highest_risk_that_is_reached_applies(db):
    environment, service = EnvironmentFactory(), ServiceFactory()
    for least in (0, 4, 7):
        make_policy(environment, a_rule(label=f"From {least}"), least_risk=least)
    narrow = make_policy(environment, a_rule(label="Narrow"), service=service, least_risk=6)
    shelf = policies_for([environment])

    def found(risk, service_id=0):
        return shelf.find(environment_id=environment.pk, service_id=service_id, kind=Kind.NORMAL, risk=risk).rules[0].label

    assert [found(risk) for risk in (None, 0, 3, 4, 6, 7, 50)] == ["From 0"] * 3 + ["From 4"] * 2 + ["From 7"] * 2
    assert [found(risk, narrow.service_id) for risk in (5, 6)] == ["From 4", "Narrow"]


@pytest.mark.parametrize("least_risk", [-1, 101])
def test_write_policy_for_a_risk_that_no_change_has_is_bad_content(administrator, least_risk):
    with pytest.raises(BadContent, check=lambda error: "least_risk" in error.errors):
        write(administrator, least_risk=least_risk)
