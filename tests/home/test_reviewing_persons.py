"""Reviews of access by person: merged accounts, stand-ins, by what somebody signs, who edited or was let in by the requester."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.utils import timezone

from apps.accounts.actions import merge_persons
from apps.accounts.identities import IdentityKind
from apps.accounts.models import Person
from apps.accounts.roles import Role
from apps.approvals.actions import give_delegation, revise_change
from apps.catalog.models import Ownership
from apps.changes.content import Step, StepBy
from apps.changes.facts import content_of
from apps.changes.states import State
from apps.home.facts.access_review import review_lines, reviewed
from apps.home.facts.own_approvals import exposures, own_approvals
from tests.factories.accounts import IdentityFactory, TeamFactory, give_team_role, make_authenticator_app, make_passkey, make_person
from tests.factories.approvals import a_rule, approve, make_change, make_place, make_policy, newest
from tests.factories.catalog import EnvironmentFactory, make_service
from tests.home.pages import get, text_of

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
OWNER = {"kind": "OWNER", "owner": "BUSINESS"}


@pytest.fixture
def admin():
    return make_person(Role.ADMINISTRATOR, name="Grace")


def stand_in(principal, delegate, **more) -> None:
    at = timezone.now()
    give_delegation(delegate_id=delegate.pk, starts_at=at, ends_at=at + DAY, by=principal.actor, **more)


def row_of(admin, name: str, **more):
    return next((row for row in reviewed(admin, **more) if row.person.name == name), None)


def found(admin):
    return own_approvals(admin, now=timezone.now() + DAY)


# Who can do what


def test_what_a_merged_account_owned_its_person_owns(admin):
    old, dana, team = make_person(name="D. Developer"), make_person(Role.REQUESTER, name="Dana"), TeamFactory()
    service = make_service(business=old, name="Gateway", team=team)
    make_policy(EnvironmentFactory(), a_rule("business", label="Business owner", group=OWNER))

    merge_persons(dana.pk, old.pk, by=admin.actor)

    for more in ({}, {"service": service}):
        assert ("Business owner", "Gateway") in row_of(admin, "Dana", **more).rights
    assert any("Dana" in one and "Gateway" in one for one in review_lines(admin))
    assert [(one.person, one.rules) for one in exposures(admin)] == [(dana, ("Business owner",))]


def test_stand_in_is_listed_with_whom_and_until_when(admin):
    bo, stan, other = make_person(name="Bo"), make_person(Role.REQUESTER, name="Stan"), make_person(name="Other")
    service = make_service(business=bo, name="Gateway")
    stand_in(bo, stan, service_ids=[service.pk])
    stand_in(other, make_person(name="Nobody's"))
    make_policy(EnvironmentFactory(), a_rule("business", label="Business owner", group=OWNER))

    ((who, what),) = [right for right in row_of(admin, "Stan", service=service).rights if right[0].startswith("Stands")]

    assert who == "Stands in for Bo"
    assert what.startswith("Gateway until ")
    assert row_of(admin, "Nobody's", service=service) is None
    assert row_of(admin, "Nobody's").rights[0][0] == "Stands in for Other"
    assert [(one.person, one.rules) for one in exposures(admin)] == [(stan, ("Business owner, for Bo",))]


def test_review_says_by_what_somebody_signs(client, admin):
    weak, app, key, linked, new = (make_person(name=name) for name in ("Weak", "App", "Key", "Linked", "New"))
    make_authenticator_app(app)
    make_passkey(key)
    IdentityFactory(person=linked, kind=IdentityKind.OIDC, issuer="https://id.example", value="linked-1")
    for person in (linked, new):
        Person.objects.filter(pk=person.pk).update(password="!")

    said = {row.person.name: (row.signs_by.words, row.signs_by.is_weak) for row in reviewed(admin)}

    assert said["Weak"] == ("password alone", True)
    assert said["App"] == ("password and app", False)
    assert said["Key"] == ("1 passkey", False)
    assert said["Linked"] == ("single sign-on only", True)
    assert said["New"] == ("nothing yet", False)
    assert "single sign-on only" in text_of(get(client, admin, "home:access"))
    assert weak


def test_service_is_asked_before_people_are_cut(admin):
    for number in range(4):
        make_person(name=f"A{number}")
    service = make_service(business=make_person(name="Zoe"))

    assert [row.person.name for row in reviewed(admin, service=service, most=2)] == ["Grace", "Zoe"]
    assert list(review_lines(admin, most=2))[-1].strip() == "Stopped after 2 people."
    assert not any("Stopped" in one for one in review_lines(admin))


# Where somebody did


def edit_plan(change, by: Person, what: str) -> None:
    content = content_of(newest(change))
    plan = replace(content.plan, steps=(Step(what, StepBy.PERSON, 60, "It works"),))
    revise_change(change_id=change.pk, content=replace(content, plan=plan), by=by.actor)
    change.refresh_from_db()


@pytest.fixture
def lenient():
    """A place whose policy keeps out the requester alone, its owner, and a change for it."""
    owner, requester, place = make_person(Role.REQUESTER, name="Cleo"), make_person(Role.REQUESTER), EnvironmentFactory()
    make_policy(place, a_rule("business", group=OWNER), exclude=["requester"])
    target = make_place(business=owner, environment=place, policy=False)
    return make_change(State.IN_REVIEW, targets=(target,), requester=requester, now=timezone.now()), owner, requester


def test_whoever_edited_and_signed_is_listed(admin, lenient):
    change, owner, _ = lenient
    edit_plan(change, owner, "Another way")

    sign_off = approve(change, owner, now=timezone.now())

    (one,) = found(admin)
    assert (one.sign_off, one.is_sure) == (sign_off, True)
    assert one.why == "Edited and signed: the signer was the last to edit plan"


def test_edit_by_another_afterwards_leaves_the_first_editor_listed_as_unclear(admin, lenient):
    change, owner, requester = lenient
    edit_plan(change, owner, "Another way")
    edit_plan(change, requester, "A third way")

    approve(change, owner, now=timezone.now())

    (one,) = found(admin)
    assert (one.is_sure, one.why) == (False, "Edited and signed: others edited the same parts after the signer had")


def test_whoever_was_let_in_by_the_requester_is_listed(client, admin):
    requester, eve, bob = make_person(Role.REQUESTER), make_person(name="Eve"), make_person(name="Bob")
    change = make_change(State.IN_REVIEW, targets=(make_place(business=eve),), requester=requester)
    approve(change, eve)
    approve(make_change(State.IN_REVIEW, targets=(make_place(business=bob),), requester=requester), bob)
    assert found(admin) == []

    Person.objects.filter(pk=eve.pk).update(let_in_at=timezone.now(), let_in_by=f"PERSON:{requester.public_id}")

    (one,) = found(admin)
    assert (one.sign_off.change, one.is_sure) == (change, False)
    assert "Let in by the requester" in text_of(get(client, admin, "home:own_approvals"))


def test_right_from_the_requester_alone_is_listed_and_one_from_another_too_is_not(admin):
    team = TeamFactory()
    requester, eve = make_person(Role.REQUESTER), make_person(name="Eve")
    approve(make_change(State.IN_REVIEW, targets=(make_place(business=eve),), requester=requester), eve)

    Ownership.objects.filter(person=eve).update(started_by=f"PERSON:{requester.public_id}")
    assert [one.sign_off.person for one in found(admin)] == [eve]

    give_team_role(eve, Role.APPROVER, team)
    assert found(admin) == []
