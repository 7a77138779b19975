"""Whose account changed is told so at once, whoever did it, and cannot choose otherwise."""

import pytest

from apps.accounts import actions
from apps.accounts.identities import IdentityKind
from apps.accounts.roles import Role
from apps.approvals.actions import give_delegation
from apps.notifications.kinds import TOPICS, Kind, Relation, Timing
from apps.notifications.rules import why_not_choices
from tests.factories.accounts import make_authenticator_app, make_passkey, make_person
from tests.factories.approvals import approve, make_change, make_place
from tests.factories.notifications import ChoiceFactory, follow_all, told
from tests.notifications.test_events import DAY, now, pytestmark, text

__all__ = ["pytestmark"]


@pytest.fixture
def ada():
    return make_person(name="Ada", email="ada@example.org")


def said_after(person) -> str:
    follow_all()
    return text(person, Kind.ACCOUNT)


def test_new_and_removed_means_are_told_to_whoever_did_it(ada):
    make_authenticator_app(ada)
    actions.remove_authenticator_app(by=ada.actor)

    said = said_after(ada)

    assert "Your account: the authenticator app was removed" in said
    assert "you, or somebody signed in as you" in said
    assert "tell an administrator at once" in said
    assert [row.relation for row in told(ada, Kind.ACCOUNT)] == [Relation.HOLDER]


def test_removed_passkey_is_told_by_name(ada):
    make_passkey(ada)
    actions.remove_passkey(ada.passkeys.get().pk, by=ada.actor)

    assert "A passkey was removed" in said_after(ada)


def test_token_is_told_by_name_and_without_its_secret(ada):
    issued = actions.issue_personal_token(name="laptop", days=7, by=ada.actor)

    said = said_after(ada)

    assert "a personal token was issued" in said
    assert "laptop" in said
    assert issued.secret not in said


def test_what_an_administrator_does_is_told_with_name_and_reason(ada):
    administrator = make_person(Role.ADMINISTRATOR, name="Alan")
    make_authenticator_app(ada)
    actions.reset_factors(ada.pk, reason="The phone is lost.", by=administrator.actor)

    follow_all()

    said = text(ada, Kind.ACCOUNT)
    assert "every passkey and the app were taken away" in said
    assert "Who: Alan" in said
    assert "The phone is lost." in said
    assert not told(administrator, Kind.ACCOUNT)


def test_identity_is_told_and_the_address_one_joined_with_is_not(ada):
    administrator = make_person(Role.ADMINISTRATOR)
    joined = actions.join_person(email="eve@example.org", name="Eve", by=administrator.actor)
    actions.add_person_identity(ada.pk, kind=IdentityKind.EMAIL, value="attacker@evil.example", by=administrator.actor)

    said = said_after(ada)

    assert "an e-mail address was added" in said
    assert "attacker@evil.example" in said
    assert not told(joined, Kind.ACCOUNT)


def test_it_is_told_to_whom_it_is_about_whoever_was_there_first():
    administrator = make_person(Role.ADMINISTRATOR, name="Alan", email="alan@example.org")
    bo = make_person(name="Bo", email="bo@example.org")
    actions.add_person_identity(bo.pk, kind=IdentityKind.EMAIL, value="other@example.org", by=administrator.actor)

    assert "other@example.org" in said_after(bo)
    assert not told(administrator, Kind.ACCOUNT)


def test_link_of_single_sign_on_is_told(ada):
    actions.link_single_sign_on(issuer="https://id.example", subject="ada-1", by=ada.actor)

    assert "single sign-on was added" in said_after(ada)


def test_principal_is_told_who_signed_in_their_place():
    owner, stand_in = make_person(name="Bo"), make_person(name="Stan")
    change = make_change("IN_REVIEW", targets=(make_place(business=owner),), now=now())
    give_delegation(delegate_id=stand_in.pk, starts_at=now(), ends_at=now() + DAY, by=owner.actor)
    approve(change, stand_in, now=now())

    said = said_after(owner)

    assert f"Stan for Bo decided on {change.ref}" in said
    assert told(owner, Kind.ACCOUNT)[0].relation == Relation.PRINCIPAL


def test_nothing_puts_it_off(ada):
    assert TOPICS[Kind.ACCOUNT].choices == (Timing.NOW,)
    assert why_not_choices({Kind.ACCOUNT: Timing.DIGEST})
    ChoiceFactory(person=ada, kind=Kind.ACCOUNT, timing=Timing.DIGEST)
    make_authenticator_app(ada)
    actions.remove_authenticator_app(by=ada.actor)
    follow_all()

    assert {row.timing for row in told(ada, Kind.ACCOUNT)} == {Timing.NOW}
