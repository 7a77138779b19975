"""A proposal that waits for a second person is mailed to whoever may be that one, and stands in their inbox until it is decided."""

import pytest

from apps.accounts.actions import grant_role
from apps.accounts.models import Person
from apps.accounts.roles import Role
from apps.approvals.actions import end_policy_proposal, propose_policy
from apps.approvals.policy_body import default_body
from apps.catalog.models import ChangeRequired
from apps.changes.actions import propose_change_model
from apps.changes.states import Kind as ChangeKind
from apps.core.ids import new_id
from apps.core.references import Reference
from apps.gate.actions import propose_relaxation
from apps.gate.proposals import proposal_named, proposals_waiting_for
from apps.notifications.kinds import Kind
from apps.notifications.letters import write_mail
from apps.notifications.states import State
from tests.factories.accounts import make_person
from tests.factories.approvals import make_place
from tests.factories.catalog import EnvironmentFactory
from tests.factories.changes import make_coverage, make_template
from tests.factories.notifications import follow_all, told
from tests.gate.ci import make_issuer, make_trust
from tests.home.pages import get, text_of
from tests.notifications.test_events import now, pytestmark, text

__all__ = ["pytestmark"]


@pytest.fixture
def ada():
    return make_person(Role.ADMINISTRATOR, name="Ada")


@pytest.fixture
def alan():
    return make_person(Role.ADMINISTRATOR, name="Alan")


def propose(what: str, by: Person) -> str:
    """Propose one of each kind; returns what it is called."""
    place = EnvironmentFactory(name="Production", slug="production", change_required=ChangeRequired.APPROVED)
    match what:
        case "policy":
            propose_policy(name="Stricter", environment_id=place.pk, document={**default_body(), "solo": True}, by=by.actor)
            return "Policy “Stricter” for Production"
        case "model":
            template = make_template(kind=ChangeKind.STANDARD, coverage=make_coverage(make_place()))
            propose_change_model(slug="restart", name="Weekly restart", template=template, by=by.actor)
            return "Change model “Weekly restart”, which approves changes beforehand"
        case "trust":
            make_trust(make_issuer("https://gitlab.example.org", by=by), by=by, name="Departures job")
            return "Trust in CI jobs of Github: “Departures job”"
        case "relaxation":
            propose_relaxation(environment_id=place.pk, rule="freeze", after="OFF", by=by.actor)
            return "Production asks for less"
    grant_role(make_person(name="Eve").pk, role=Role.ADMINISTRATOR, by=by.actor)
    return "Make Eve an administrator"


@pytest.mark.parametrize("what", ["administrator", "model", "policy", "relaxation", "trust"])
def test_proposal_is_mailed_and_waits_in_the_inbox_of_whoever_may_confirm(client, ada, alan, what):
    manager = make_person(Role.RELEASE_MANAGER)
    title = propose(what, ada)
    follow_all()

    said = text(alan, Kind.PROPOSAL_ASKED)

    assert f"A proposal asks for you: {title}" in said
    assert "Ada proposes" in said
    assert [one.title for one in proposals_waiting_for(alan, now=now())] == [title]
    page = text_of(get(client, alan, "home:inbox"))
    assert title in page
    assert not told(ada, Kind.PROPOSAL_ASKED)
    assert proposals_waiting_for(ada, now=now()) == []
    assert bool(told(manager, Kind.PROPOSAL_ASKED)) is bool(proposals_waiting_for(manager, now=now())) is (what == "model")
    client.force_login(alan)
    assert ">1<" in client.get("/inbox/count/", headers={"HX-Request": "true"}).content.decode()
    assert client.get(proposals_waiting_for(alan, now=now())[0].url).status_code == 200
    assert "Something that you may not see." not in text_of(get(client, alan, "notifications:notifications"))


def test_decided_proposal_is_told_to_nobody(ada, alan):
    place = EnvironmentFactory(change_required=ChangeRequired.APPROVED)
    proposal = propose_policy(name="Stricter", environment_id=place.pk, document={**default_body(), "solo": True}, by=ada.actor)
    follow_all()
    end_policy_proposal(proposal_id=proposal.pk, by=alan.actor)

    (row,) = told(alan, Kind.PROPOSAL_ASKED)

    written = write_mail(row, now=now())
    assert (written.message, written.ending) == (None, State.SUPERSEDED)
    assert proposals_waiting_for(alan, now=now()) == []


def test_reference_to_nothing_is_no_proposal():
    for reference in (None, Reference("policy_proposal", "x"), Reference("change", str(new_id())), Reference("relaxation", str(new_id()))):
        assert proposal_named(reference, now=now()) is None
