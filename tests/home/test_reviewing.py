"""Reviews of access: who can do what, who could have approved their own change, and where somebody did."""

import csv

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from apps.accounts.actions import merge_persons
from apps.accounts.roles import Role
from apps.approvals.models import SignOff
from apps.changes.states import State
from apps.home.facts.access_review import reviewed
from apps.home.facts.own_approvals import exposures, own_approvals
from tests.factories.accounts import PersonalTokenFactory, TeamFactory, give_team_role, make_passkey, make_person
from tests.factories.approvals import a_rule, approve, make_change, make_place, make_policy
from tests.factories.catalog import EnvironmentFactory, make_service, make_target
from tests.home.pages import get, text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin():
    return make_person(Role.ADMINISTRATOR, name="Grace")


def test_review_shows_every_right_and_by_what_it_is_proved(client, admin):
    ada, team = make_person(Role.REQUESTER, name="Ada"), TeamFactory(name="Payments")
    give_team_role(ada, Role.APPROVER, team)
    make_service(business=ada, name="Ledger")
    make_passkey(ada)
    PersonalTokenFactory(person=ada)
    PersonalTokenFactory(person=ada, revoked_at=timezone.now())

    page = text_of(get(client, admin, "home:access"))

    for words in ("Requester for everything", "Approver for services of Payments", "Business owner for Ledger", "1 passkey, 1 token"):
        assert words in page


def test_review_of_one_service_names_those_alone_who_may_act_on_it(client, admin):
    team = TeamFactory()
    service = make_service(business=make_person(name="Owner"), slug="ledger", team=team)
    give_team_role(make_person(name="Near"), Role.OPERATOR, team)
    give_team_role(make_person(name="Far"), Role.OPERATOR, TeamFactory())

    client.force_login(admin)
    page = client.get(reverse("home:access"), {"service": "ledger"}).content.decode()

    assert [row.person.name for row in reviewed(admin, service=service)] == ["Grace", "Near", "Owner"]
    assert "Far" not in page
    assert client.get(reverse("home:access"), {"service": "no-such"}).status_code == 404
    assert client.get(reverse("home:access"), {"q": "\x00", "service": "\x00"}).status_code == 404


def test_review_is_for_administrators_and_auditors(client, admin):
    for name in ("access", "access_export", "own_approvals"):
        for role, status in ((Role.ADMINISTRATOR, 200), (Role.AUDITOR, 200), (Role.APPROVER, 403)):
            client.force_login(make_person(role))
            assert client.get(reverse(f"home:{name}")).status_code == status


def test_restricted_service_is_reviewed_by_those_who_see_it(admin):
    hidden = make_service(business=make_person(name="Ada"), name="Zoo", is_restricted=True, team=TeamFactory())
    place = EnvironmentFactory()
    make_target(hidden, place)
    make_policy(place, a_rule("business", group={"kind": "OWNER", "owner": "BUSINESS"}))

    def rights(reader):
        return [right for row in reviewed(reader) for right in row.rights if row.person.name == "Ada"]

    assert rights(admin) == []
    assert rights(make_person(Role.AUDITOR)) == [("Business owner", "Zoo")]


def test_table_holds_a_line_per_right_and_no_formula(client, admin):
    make_person(Role.REQUESTER, Role.APPROVER, name="=HYPERLINK(1)")
    client.force_login(admin)

    body = b"".join(client.get(reverse("home:access_export"))).decode("utf-8-sig")

    rows = list(csv.DictReader(body.splitlines()))
    assert [row["Role or ownership"] for row in rows if row["Person"] == "'=HYPERLINK(1)"] == ["Approver", "Requester"]


def test_exposure_is_whoever_asks_and_agrees_for_the_same_service(admin):
    team, other = TeamFactory(), TeamFactory()
    both, asks, agrees, elsewhere = (make_person(name=name) for name in ("Both", "Asks", "Agrees", "Elsewhere"))
    make_service(business=both, team=team)
    make_service(business=agrees, team=team)
    make_service(business=elsewhere, team=other)
    for person in (both, asks, elsewhere):
        give_team_role(person, Role.REQUESTER, team)
    make_policy(EnvironmentFactory(), a_rule("business", label="Business owner", group={"kind": "OWNER", "owner": "BUSINESS"}))

    (found,) = exposures(admin)

    assert (found.person, found.rules, found.is_open) == (both, ("Business owner",), False)
    assert found.kept_apart == "Excluded as requester, last editor"


@pytest.mark.parametrize("kind", ["ROLE", "TEAM", "PERSONS"])
def test_exposure_by_every_kind_of_group(admin, kind):
    team = TeamFactory()
    make_service(team=team)
    both = make_person(Role.REQUESTER, Role.RELEASE_MANAGER, team=team, name="Both")
    make_person(Role.RELEASE_MANAGER, team=team)
    group = {
        "ROLE": {"kind": "ROLE", "role": "RELEASE_MANAGER"},
        "TEAM": {"kind": "TEAM", "team": str(team.public_id)},
        "PERSONS": {"kind": "PERSONS", "persons": [str(both.public_id)]},
    }[kind]
    make_policy(EnvironmentFactory(), a_rule("one", group=group), solo=True)

    (found,) = exposures(admin)

    assert (found.person, found.is_open) == (both, True)
    assert "SOLO" in found.kept_apart


def test_sign_off_by_the_second_account_or_the_same_name_is_found(client, admin):
    owner = make_person(Role.APPROVER, name="Ada Lovelace")
    requester = make_person(Role.REQUESTER, name="ada lovelace")
    change = make_change(State.IN_REVIEW, targets=(make_place(business=owner),), requester=requester)
    approve(change, owner)
    clean = make_change(State.IN_REVIEW, targets=(make_place(business=(bob := make_person(name="Bob"))),), requester=requester)
    approve(clean, bob)

    (found,) = own_approvals(admin, now=timezone.now() + timezone.timedelta(days=1))
    assert (found.sign_off.change, found.is_sure) == (change, False)
    assert "the same name" in text_of(get(client, admin, "home:own_approvals"))

    merge_persons(owner.pk, requester.pk, by=admin.actor)
    (found,) = own_approvals(admin, now=timezone.now() + timezone.timedelta(days=1))
    assert found.is_sure
    assert "two accounts" in found.why
    assert SignOff.objects.count() == 2


def test_reviews_take_as_many_queries_for_many_as_for_few(client, admin):
    def grow(count: int) -> None:
        for _ in range(count):
            make_service(business=make_person(Role.REQUESTER, team=TeamFactory()))
            make_policy(EnvironmentFactory(), a_rule("one", group={"kind": "OWNER", "owner": "ANY"}))

    grow(2)
    few = [queries(client, admin, name) for name in ("home:access", "home:own_approvals")]
    grow(8)

    assert [queries(client, admin, name) for name in ("home:access", "home:own_approvals")] == few


def queries(client, person, name: str) -> int:
    client.force_login(person)
    with CaptureQueriesContext(connection) as captured:
        client.get(reverse(name))
    assert len(captured) <= 16
    return len(captured)
