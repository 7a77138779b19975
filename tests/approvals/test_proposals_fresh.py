"""Whoever confirms what another one proposed proves at that moment who they are."""

import pytest
from django.urls import reverse

from apps.accounts.roles import Role
from apps.approvals.actions import propose_policy
from apps.approvals.models import Policy
from apps.approvals.policy_body import default_body
from apps.changes.actions import propose_change_model
from apps.changes.models import ChangeModel
from apps.changes.states import Kind
from apps.gate.actions import propose_relaxation
from apps.gate.models import RuleMode
from tests.factories.accounts import make_authenticator_app, make_person, prove_lately
from tests.factories.catalog import make_target
from tests.factories.changes import make_coverage, make_template

MEANS = {
    "nothing lately": ("password", 400, False),
    "their password, with an app": ("password", 0, True),
    "nothing at all": (None, 0, False),
}


def a_policy(ada, target):
    proposal = propose_policy(name="Stricter", environment_id=target.environment_id, document=default_body(), by=ada.actor)
    return reverse("approvals:proposal_confirmation", args=[proposal.public_id]), Policy.objects.filter(environment=target.environment)


def a_relaxation(ada, target):
    proposed = propose_relaxation(environment_id=target.environment_id, rule="freeze", after="OFF", reason="A pilot.", by=ada.actor)
    return reverse("home:environment_relaxation_confirmation", args=[proposed.public_id]), RuleMode.objects.filter(mode="OFF")


def a_model(ada, target):
    template = make_template(kind=Kind.STANDARD, coverage=make_coverage(target))
    proposal = propose_change_model(slug="restart", name="Restart", template=template, by=ada.actor)
    return reverse("home:model_agreement", args=[proposal.public_id]), ChangeModel.objects.all()


PROPOSED = {"policy": a_policy, "relaxation": a_relaxation, "model": a_model}


@pytest.mark.parametrize("what", sorted(PROPOSED))
@pytest.mark.parametrize("means", sorted(MEANS))
def test_second_person_proves_anew_by_the_strongest_means(client, db, what, means):
    ada, ben = make_person(Role.ADMINISTRATOR, name="Ada"), make_person(Role.ADMINISTRATOR, name="Ben")
    address, in_force = PROPOSED[what](ada, make_target())
    method, ago, has_app = MEANS[means]
    if has_app:
        make_authenticator_app(ben)
    if method:
        prove_lately(client, ben, method=method, ago=ago)
    else:
        client.force_login(ben)

    asked = client.post(address)

    assert asked.url == f"{reverse('mfa_reauthenticate' if has_app else 'account_reauthenticate')}?next=%2Fpeople%2Fme%2Fagain%2F"
    assert not in_force.exists()
    prove_lately(client, ben, method="mfa")
    assert f'action="{address}"' in client.get(reverse("accounts:again")).content.decode()
    assert client.post(address).status_code == 302
    assert in_force.count() == 1
