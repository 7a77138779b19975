"""Who may do what to people: the whole matrix of roles and verbs, and the pure answers."""

import inspect
from datetime import time
from uuid import UUID, uuid4

import pytest

from apps.accounts import actions, rules
from apps.accounts.identities import IdentityKind
from apps.accounts.models import Identity, Person, Team
from apps.accounts.roles import PURPOSE, WIDE_ONLY, Role
from apps.accounts.rules import Asker, Subject, TeamFacts
from apps.core.actors import Actor, ActorKind, system
from apps.core.refusals import Kind, Refused
from tests.factories.accounts import (
    IdentityFactory,
    MembershipFactory,
    PasskeyFactory,
    PersonalTokenFactory,
    RoleGrantFactory,
    SignInFactory,
    TeamFactory,
    make_person,
)

ADMINISTRATORS, ANYBODY, ONLY_SYSTEM = frozenset({Role.ADMINISTRATOR}), frozenset(Role), frozenset()

# verb: (who may, what it is called with). A verb of this app that is not in the table fails the test below it.
MATRIX = {
    "join_person": (ADMINISTRATORS, lambda: {"email": "new@example.org", "name": "New"}),
    "invite_person": (ADMINISTRATORS, lambda: {"person_id": make_person().pk}),
    "create_administrator": (ONLY_SYSTEM, lambda: {"email": "new@example.org", "name": "New"}),
    "rename_person": (ADMINISTRATORS, lambda: {"person_id": make_person().pk, "name": "New"}),
    "deactivate_person": (ADMINISTRATORS, lambda: {"person_id": make_person().pk}),
    "reactivate_person": (ADMINISTRATORS, lambda: {"person_id": make_person(is_active=False).pk}),
    "merge_persons": (ADMINISTRATORS, lambda: {"keep_id": make_person().pk, "gone_id": make_person().pk}),
    "add_person_identity": (ADMINISTRATORS, lambda: {"person_id": make_person().pk, "kind": IdentityKind.EMAIL, "value": "n@example.org"}),
    "remove_identity": (ADMINISTRATORS, lambda: {"identity_id": IdentityFactory().pk}),
    "create_team": (ADMINISTRATORS, lambda: {"slug": "new", "name": "New"}),
    "rename_team": (ADMINISTRATORS, lambda: {"team_id": TeamFactory().pk, "name": "New"}),
    "retire_team": (ADMINISTRATORS, lambda: {"team_id": TeamFactory().pk}),
    "start_membership": (ADMINISTRATORS, lambda: {"team_id": TeamFactory().pk, "person_id": make_person().pk}),
    "end_membership": (ADMINISTRATORS, lambda: {"team_id": (row := MembershipFactory()).team_id, "person_id": row.person_id}),
    "grant_role": (ADMINISTRATORS, lambda: {"person_id": make_person().pk, "role": Role.APPROVER}),
    "revoke_role": (ADMINISTRATORS, lambda: {"person_id": RoleGrantFactory(role=Role.AUDITOR).person_id, "role": Role.AUDITOR}),
    "reset_factors": (ADMINISTRATORS, lambda: {"person_id": PasskeyFactory().person_id}),
    "set_working_hours": (ADMINISTRATORS, lambda: {"person_id": make_person().pk, "days": [0], "begins": time(9), "ends": time(17)}),
    "end_sign_ins": (ANYBODY, lambda: {"sign_in_ids": [SignInFactory().pk]}),
    "issue_personal_token": (ANYBODY, lambda: {"name": "laptop", "days": 30}),
    "revoke_personal_token": (ADMINISTRATORS, lambda: {"token_id": PersonalTokenFactory().pk}),
}


# Verbs about oneself alone: what they are called with depends on who calls; tests/accounts/test_enrolling.py has them.
OWN = {
    "link_single_sign_on",
    "enrol_passkey",
    "rename_passkey",
    "remove_passkey",
    "enrol_authenticator_app",
    "remove_authenticator_app",
    "make_recovery_codes",
    "sign_on_person",
}


def test_every_verb_of_this_app_is_in_the_matrix():
    verbs = {name for name in actions.__all__ if inspect.isfunction(getattr(actions, name))}

    assert verbs == set(MATRIX) | OWN


@pytest.mark.django_db
@pytest.mark.parametrize("role", [*Role, None])
@pytest.mark.parametrize("name", MATRIX)
def test_a_verb_works_for_those_who_may_and_is_refused_for_all_others(name, role):
    allowed, given = MATRIX[name]
    by, arguments = make_person(*([role] if role else [])).actor, given()
    make_person(Role.ADMINISTRATOR)

    if role in allowed or allowed is ANYBODY:
        getattr(actions, name)(**arguments, by=by)
    else:
        with pytest.raises(Refused) as caught:
            getattr(actions, name)(**arguments, by=by)
        assert caught.value.refusal.kind is Kind.NOT_ALLOWED
        assert caught.value.refusal.cure


@pytest.mark.django_db
@pytest.mark.parametrize("name", sorted(set(MATRIX) - {"create_administrator"}))
@pytest.mark.parametrize("who", ["system", "deactivated", "merged", "unknown", "workload"])
def test_a_verb_is_refused_for_whoever_is_no_present_person(name, who):
    keep = make_person(Role.ADMINISTRATOR)
    by = {
        "system": lambda: system("sweeper"),
        "deactivated": lambda: make_person(Role.ADMINISTRATOR, is_active=False).actor,
        "merged": lambda: make_person(Role.ADMINISTRATOR, is_active=False, merged_into=keep).actor,
        "unknown": lambda: Actor(ActorKind.PERSON, str(uuid4()), "session"),
        "workload": lambda: Actor(ActorKind.WORKLOAD, "repo:1"),
    }[who]()

    with pytest.raises(Refused) as caught:
        getattr(actions, name)(**MATRIX[name][1](), by=by)

    assert caught.value.refusal.code == "not_present"


@pytest.mark.django_db
def test_a_refused_verb_names_what_it_was_about():
    person = make_person()

    with pytest.raises(Refused) as caught:
        actions.deactivate_person(person.pk, by=make_person().actor)

    assert caught.value.about == person.reference


# pure answers

ADA, GRACE = UUID(int=1), UUID(int=2)
ADMIN = Asker(ADA, frozenset({Role.ADMINISTRATOR}))


def test_a_merged_person_refuses_everything_and_names_the_other():
    merged = Subject(GRACE, "Grace", is_active=False, merged_into="Ada")

    for refusal in (
        rules.why_not_rename_person(ADMIN, merged),
        rules.why_not_deactivate_person(ADMIN, merged),
        rules.why_not_reactivate_person(ADMIN, merged),
        rules.why_not_invite_person(ADMIN, merged, has_signed_in=False),
        rules.why_not_change_identity(ADMIN, merged),
        rules.why_not_grant_role(ADMIN, merged, Role.OPERATOR, team=None, stands=False),
        rules.why_not_start_membership(ADMIN, TeamFacts("Pay"), merged, stands=False),
        rules.why_not_merge_persons(ADMIN, Subject(ADA, "Ada"), merged),
    ):
        assert refusal is not None
        assert refusal.code == "person_merged"
        assert refusal.cure == "Do this for Ada."


def test_a_token_issues_no_token():
    refusal = rules.why_not_issue_personal_token(Asker(ADA, frozenset(), "personal_token:1"))

    assert refusal is not None
    assert refusal.code == "token_makes_no_token"


def test_every_role_has_a_purpose_and_a_label():
    assert set(PURPOSE) == set(Role)
    assert Role.RELEASE_MANAGER.label == "Release manager"
    assert {Role.ADMINISTRATOR, Role.AUDITOR} == WIDE_ONLY


@pytest.mark.django_db
def test_wide_roles_for_a_team_are_refused_by_the_database_too():
    with pytest.raises(Exception, match="wide_roles_have_no_team"):
        RoleGrantFactory(role=Role.AUDITOR, team=TeamFactory())


@pytest.mark.django_db
def test_the_tables_of_people_are_never_emptied_by_a_verb():
    """Nothing is deleted but an identity, whose coming and going the stream keeps."""
    before = Person.objects.count(), Team.objects.count()
    identity = IdentityFactory()

    actions.remove_identity(identity.pk, by=make_person(Role.ADMINISTRATOR).actor)

    assert Person.objects.count() >= before[0]
    assert Team.objects.count() == before[1]
    assert not Identity.objects.filter(pk=identity.pk).exists()


def test_whoever_holds_a_role_is_called_as_people_say_it():
    assert [role.holder for role in Role] == [
        "a requester",
        "an approver",
        "a release manager",
        "an operator",
        "an auditor",
        "an administrator",
    ]
