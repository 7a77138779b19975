"""Every verb about people: it works, each refusal, and nothing stays when the record fails."""

import pytest

from apps.accounts import actions
from apps.accounts.access import has_role, is_member, person_by_identity, roles_of
from apps.accounts.identities import IdentityKind
from apps.accounts.models import Identity, Membership, Person, PersonalToken, RoleGrant, Team
from apps.accounts.roles import Role
from apps.audit.stream import entries_about
from apps.audit.vocabulary import Event
from apps.core.actors import system
from apps.core.refusals import BadContent, Refused
from tests.factories.accounts import (
    PASSWORD,
    MembershipFactory,
    PersonalTokenFactory,
    PersonFactory,
    RoleGrantFactory,
    TeamFactory,
    make_person,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin() -> Person:
    return make_person(Role.ADMINISTRATOR, name="Grace Hopper")


def events(thing) -> list[Event]:
    return [entry.event for entry in entries_about(thing.reference, limit=50)]


def refusal(call, *args, **kwargs) -> str:
    with pytest.raises(Refused) as caught:
        call(*args, **kwargs)
    return caught.value.refusal.code


# join


def test_join_person_makes_somebody_present_with_one_verified_identity(admin):
    person = actions.join_person(email=" Ada@Example.ORG ", name=" Ada Lovelace ", by=admin.actor)

    assert (person.email, person.name, person.is_present) == ("ada@example.org", "Ada Lovelace", True)
    assert not person.has_usable_password()
    assert person_by_identity(IdentityKind.GIT_AUTHOR, "Ada L. <ADA@example.org>") == person
    assert events(person) == [Event.IDENTITY_ADDED, Event.PERSON_JOINED]


def test_join_person_with_a_password_lets_them_sign_in_with_it(admin):
    person = actions.join_person(email="ada@example.org", name="Ada", password=PASSWORD, by=admin.actor)

    assert person.check_password(PASSWORD)


def test_join_person_keeps_names_and_addresses_out_of_the_entry_bytes(admin):
    person = actions.join_person(email="ada@example.org", name="Ada Lovelace", by=admin.actor)

    entry = entries_about(person.reference, limit=2)[1]

    assert entry.details["name"] == "Ada Lovelace"
    assert "Ada" not in str(entry.data)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"email": "no address"}, "email"),
        ({"email": "ada@example.org\x00"}, "email"),
        ({"email": "a" * 250 + "@example.org"}, "email"),
        ({"email": "аda@example.org"}, "email"),
        ({"name": " "}, "name"),
        ({"name": "Ada\u202eevil"}, "name"),
        ({"name": "Ada\nLovelace"}, "name"),
        ({"name": "Ada\ud800"}, "name"),
        ({"name": "x" * 121}, "name"),
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"password": "short"}, "password"),
    ],
)
def test_join_person_with_text_that_cannot_be_kept_names_the_field(admin, given, field):
    with pytest.raises(BadContent) as caught:
        actions.join_person(**{"email": "ada@example.org", "name": "Ada", "by": admin.actor, **given})

    assert [*caught.value.errors] == [field]


@pytest.mark.parametrize("written", ["ada@example.org", "ADA@EXAMPLE.ORG", " ada@example.org ", "ａda@example.org", "ada@eXample.org"])
def test_join_person_with_a_known_mailbox_in_any_spelling_is_refused_by_name(admin, written):
    make_person(name="Ada", email="ada@example.org")

    with pytest.raises(BadContent, match="Ada is known by this address"):
        actions.join_person(email=written, name="Ada again", by=admin.actor)


# rename


def test_rename_person_by_themselves_changes_name_and_zone():
    person = make_person(name="Ada")

    actions.rename_person(person.pk, name="Ada King", time_zone="Europe/London", by=person.actor)

    person.refresh_from_db()
    assert (person.name, person.time_zone) == ("Ada King", "Europe/London")
    assert events(person) == [Event.PERSON_RENAMED]


def test_rename_person_to_the_same_name_records_nothing():
    person = make_person(name="Ada")

    actions.rename_person(person.pk, name="Ada", by=person.actor)

    assert events(person) == []


def test_rename_person_by_somebody_else_is_for_administrators(admin):
    person, other = make_person(), make_person()

    assert refusal(actions.rename_person, person.pk, name="X", by=other.actor) == "not_administrator"
    assert actions.rename_person(person.pk, name="X", by=admin.actor).name == "X"


# deactivate and reactivate


def test_deactivate_person_ends_sessions_tokens_and_rights(admin):
    person = make_person(Role.OPERATOR)
    token, session = PersonalTokenFactory(person=person), person.get_session_auth_hash()

    actions.deactivate_person(person.pk, reason="left the company", by=admin.actor)

    person.refresh_from_db()
    token.refresh_from_db()
    assert not person.is_present
    assert person.deactivated_at is not None
    assert token.revoked_at is not None
    assert person.get_session_auth_hash() != session
    assert roles_of(person) == frozenset()
    assert refusal(actions.rename_person, person.pk, name="X", by=person.actor) == "not_present"


def test_reactivate_person_brings_roles_back_but_no_session_and_no_token(admin):
    person = make_person(Role.OPERATOR)
    token, session = PersonalTokenFactory(person=person), person.get_session_auth_hash()
    actions.deactivate_person(person.pk, by=admin.actor)

    actions.reactivate_person(person.pk, by=admin.actor)

    person.refresh_from_db()
    token.refresh_from_db()
    assert roles_of(person) == {Role.OPERATOR}
    assert person.get_session_auth_hash() != session
    assert token.revoked_at is not None
    assert events(person) == [Event.PERSON_REACTIVATED, Event.PERSON_DEACTIVATED, Event.PERSONAL_TOKEN_REVOKED]


def test_deactivate_person_refuses_who_is_gone_inactive_or_the_last_administrator(admin):
    inactive = make_person(is_active=False)
    merged = make_person(is_active=False, merged_into=admin)

    assert refusal(actions.deactivate_person, inactive.pk, by=admin.actor) == "already_inactive"
    assert refusal(actions.deactivate_person, merged.pk, by=admin.actor) == "person_merged"
    assert refusal(actions.deactivate_person, admin.pk, by=admin.actor) == "last_administrator"
    assert refusal(actions.reactivate_person, merged.pk, by=admin.actor) == "person_merged"
    assert refusal(actions.reactivate_person, admin.pk, by=admin.actor) == "already_active"


def test_deactivate_person_counts_only_administrators_who_can_act(admin):
    make_person(Role.ADMINISTRATOR, is_active=False)

    assert refusal(actions.deactivate_person, admin.pk, by=admin.actor) == "last_administrator"

    make_person(Role.ADMINISTRATOR)
    actions.deactivate_person(admin.pk, by=admin.actor)


# merge


def test_merge_persons_moves_identities_memberships_and_roles(admin):
    team, both = TeamFactory(), TeamFactory()
    keep, gone = make_person(Role.REQUESTER, team=both), make_person(Role.REQUESTER, Role.OPERATOR, team=both)
    MembershipFactory(team=team, person=gone)

    actions.merge_persons(keep.pk, gone.pk, by=admin.actor)

    gone.refresh_from_db()
    assert (gone.merged_into, gone.is_active) == (keep, False)
    assert person_by_identity(IdentityKind.EMAIL, gone.email) == keep
    assert is_member(keep, team)
    assert is_member(keep, both)
    assert roles_of(keep) == {Role.REQUESTER, Role.OPERATOR}
    assert roles_of(gone) == frozenset()
    assert not Membership.objects.filter(person=gone, ended_at__isnull=True).exists()
    assert not RoleGrant.objects.filter(person=gone, revoked_at__isnull=True).exists()


def test_merge_persons_flattens_chains(admin):
    first, second, third = make_person(), make_person(), make_person()

    actions.merge_persons(second.pk, first.pk, by=admin.actor)
    actions.merge_persons(third.pk, second.pk, by=admin.actor)

    assert {*Person.objects.filter(merged_into=third)} == {first, second}


def test_merge_persons_refuses_one_person_merged_ones_and_an_absent_keeper(admin):
    person, inactive = make_person(), make_person(is_active=False)
    merged = make_person(is_active=False, merged_into=person)

    assert refusal(actions.merge_persons, person.pk, person.pk, by=admin.actor) == "same_person"
    assert refusal(actions.merge_persons, person.pk, merged.pk, by=admin.actor) == "person_merged"
    assert refusal(actions.merge_persons, merged.pk, person.pk, by=admin.actor) == "person_merged"
    assert refusal(actions.merge_persons, inactive.pk, person.pk, by=admin.actor) == "person_inactive"


@pytest.mark.parametrize("way", ["into oneself", "oneself into another"])
def test_merge_persons_of_oneself_is_refused_because_it_would_give_one_what_the_other_holds(admin, way):
    holder = make_person(Role.RELEASE_MANAGER)
    keep, gone = (admin, holder) if way == "into oneself" else (holder, admin)

    assert refusal(actions.merge_persons, keep.pk, gone.pk, by=admin.actor) == "merges_oneself"

    assert (roles_of(admin), roles_of(holder)) == ({Role.ADMINISTRATOR}, {Role.RELEASE_MANAGER})
    other = make_person(Role.ADMINISTRATOR).actor
    if gone == admin:
        assert refusal(actions.merge_persons, keep.pk, gone.pk, by=other) == "is_administrator"
        actions.revoke_role(admin.pk, role=Role.ADMINISTRATOR, by=admin.actor)
    actions.merge_persons(keep.pk, gone.pk, by=other)


# identities


def test_add_person_identity_lets_a_git_author_stand_for_a_person(admin):
    person = make_person()

    actions.add_person_identity(person.pk, kind=IdentityKind.GIT_AUTHOR, value="Ada L. <Ada@Home.example>", by=admin.actor)

    assert person_by_identity(IdentityKind.GIT_AUTHOR, "somebody <ada@home.example>") == person
    assert person_by_identity(IdentityKind.EMAIL, "ada@home.example") == person


def test_add_person_identity_keeps_issuer_and_subject_letter_by_letter(admin):
    person = make_person()

    actions.add_person_identity(person.pk, kind=IdentityKind.OIDC, issuer="https://id.example", value="Subject-1", by=admin.actor)

    assert person_by_identity(IdentityKind.OIDC, "Subject-1", issuer="https://id.example") == person
    assert person_by_identity(IdentityKind.OIDC, "subject-1", issuer="https://id.example") is None
    assert person_by_identity(IdentityKind.OIDC, "Subject-1", issuer="https://other.example") is None


@pytest.mark.parametrize("kind", [IdentityKind.EMAIL, IdentityKind.GIT_AUTHOR])
def test_add_person_identity_of_another_person_is_refused_by_name(admin, kind):
    make_person(name="Ada", email="ada@example.org")

    with pytest.raises(BadContent, match="identity of Ada"):
        actions.add_person_identity(admin.pk, kind=kind, value="ada@example.org", by=admin.actor)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"kind": IdentityKind.EMAIL, "value": "a@example.org", "issuer": "forge"}, "issuer"),
        ({"kind": IdentityKind.GIT_AUTHOR, "value": "Ada <not an address>"}, "value"),
        ({"kind": IdentityKind.OIDC, "value": "1"}, "issuer"),
        ({"kind": IdentityKind.OIDC, "value": "", "issuer": "https://id.example"}, "value"),
        ({"kind": IdentityKind.CI_ACTOR, "value": "a\x00", "issuer": "forge"}, "value"),
        ({"kind": IdentityKind.CI_ACTOR, "value": "1", "issuer": "x" * 201}, "issuer"),
    ],
)
def test_add_person_identity_that_cannot_be_read_names_the_field(admin, given, field):
    with pytest.raises(BadContent) as caught:
        actions.add_person_identity(admin.pk, **given, by=admin.actor)

    assert [*caught.value.errors] == [field]


def test_add_person_identity_twice_is_refused(admin):
    with pytest.raises(BadContent, match="already"):
        actions.add_person_identity(admin.pk, kind=IdentityKind.EMAIL, value=admin.email, by=admin.actor)


def test_remove_identity_leaves_the_address_that_signs_in(admin):
    signs_in = Identity.objects.get(person=admin)
    other = actions.add_person_identity(admin.pk, kind=IdentityKind.GIT_AUTHOR, value="g@navy.example", by=admin.actor)

    actions.remove_identity(other.pk, by=admin.actor)

    assert person_by_identity(IdentityKind.GIT_AUTHOR, "g@navy.example") is None
    assert refusal(actions.remove_identity, signs_in.pk, by=admin.actor) == "signs_in_with_it"


# teams


def test_teams_are_made_renamed_and_retired(admin):
    team = actions.create_team(slug="payments", name="Payments", by=admin.actor)
    actions.rename_team(team.pk, name="Pay", by=admin.actor)
    actions.retire_team(team.pk, by=admin.actor)

    team.refresh_from_db()
    assert (team.name, team.retired_at is None) == ("Pay", False)
    assert events(team) == [Event.TEAM_RETIRED, Event.TEAM_RENAMED, Event.TEAM_CREATED]
    assert refusal(actions.rename_team, team.pk, name="X", by=admin.actor) == "team_retired"


def test_create_team_with_a_taken_or_unreadable_short_name_names_the_field(admin):
    TeamFactory(slug="payments")

    for slug in ("payments", "Pay", "pay--ments", "-pay", "", "x" * 61, "pay\x00"):
        with pytest.raises(BadContent) as caught:
            actions.create_team(slug=slug, name="Pay", by=admin.actor)
        assert [*caught.value.errors] == ["slug"]


def test_rename_team_to_the_same_name_records_nothing(admin):
    team = TeamFactory(name="Pay")

    actions.rename_team(team.pk, name=" Pay ", by=admin.actor)

    assert events(team) == []


def test_memberships_start_and_end_once(admin):
    team, person = TeamFactory(), make_person()

    actions.start_membership(team.pk, person.pk, by=admin.actor)

    assert is_member(person, team)
    assert refusal(actions.start_membership, team.pk, person.pk, by=admin.actor) == "already_member"
    assert refusal(actions.retire_team, team.pk, by=admin.actor) == "team_has_members"
    actions.end_membership(team.pk, person.pk, by=admin.actor)
    assert not is_member(person, team)
    assert refusal(actions.end_membership, team.pk, person.pk, by=admin.actor) == "not_member"
    assert events(person) == [Event.MEMBERSHIP_ENDED, Event.MEMBERSHIP_STARTED]


def test_start_membership_refuses_absent_people_and_retired_teams(admin, now):
    assert refusal(actions.start_membership, TeamFactory().pk, make_person(is_active=False).pk, by=admin.actor) == "person_inactive"
    assert refusal(actions.start_membership, TeamFactory(retired_at=now).pk, make_person().pk, by=admin.actor) == "team_retired"


# roles


def test_grant_role_keeps_who_granted_it(admin):
    person = make_person()

    grant = actions.grant_role(person.pk, role=Role.OPERATOR, by=admin.actor)

    assert grant.granted_by == f"PERSON:{admin.public_id}"
    assert roles_of(person) == {Role.OPERATOR}
    (entry,) = entries_about(person.reference, limit=5)
    assert (entry.event, entry.data["granted_to_self"]) == (Event.ROLE_GRANTED, False)


def test_grant_role_for_a_team_counts_for_that_team_alone(admin):
    person, team, other = make_person(), TeamFactory(), TeamFactory()

    actions.grant_role(person.pk, role=Role.OPERATOR, team_id=team.pk, by=admin.actor)

    assert roles_of(person) == frozenset()
    assert [has_role(person, Role.OPERATOR, where) for where in (None, team, other)] == [False, True, False]


def test_grant_role_refuses_wide_roles_for_a_team_repeats_and_absent_people(admin):
    person, team = make_person(Role.OPERATOR), TeamFactory()

    assert refusal(actions.grant_role, person.pk, role=Role.AUDITOR, team_id=team.pk, by=admin.actor) == "role_is_wide"
    assert refusal(actions.grant_role, person.pk, role=Role.OPERATOR, by=admin.actor) == "already_granted"
    assert refusal(actions.grant_role, make_person(is_active=False).pk, role=Role.OPERATOR, by=admin.actor) == "person_inactive"


def test_revoke_role_works_from_the_next_decision_and_spares_the_last_administrator(admin):
    second = make_person(Role.ADMINISTRATOR)

    actions.revoke_role(second.pk, role=Role.ADMINISTRATOR, by=second.actor)

    assert refusal(actions.create_team, slug="x", name="X", by=second.actor) == "not_administrator"
    assert refusal(actions.revoke_role, second.pk, role=Role.ADMINISTRATOR, by=admin.actor) == "not_granted"
    assert refusal(actions.revoke_role, admin.pk, role=Role.ADMINISTRATOR, by=admin.actor) == "last_administrator"


# the way back in


def test_create_administrator_makes_a_new_person_from_the_host():
    person = actions.create_administrator(email="root@example.org", name="Root", by=system("console"))

    assert roles_of(person) == {Role.ADMINISTRATOR}
    assert events(person)[0] is Event.ADMINISTRATOR_CREATED


def test_create_administrator_brings_a_known_person_back():
    person = make_person(email="ada@example.org", is_active=False)

    actions.create_administrator(email="ADA@example.org", name="", password=PASSWORD + "!", by=system("console"))

    person.refresh_from_db()
    assert person.is_present
    assert person.check_password(PASSWORD + "!")
    assert roles_of(person) == {Role.ADMINISTRATOR}


def test_create_administrator_refuses_people_and_merged_rows(admin):
    gone = PersonFactory(is_active=False, merged_into=admin)

    assert refusal(actions.create_administrator, email="x@example.org", name="X", by=admin.actor) == "only_the_host"
    assert refusal(actions.create_administrator, email=gone.email, name="X", by=system("console")) == "person_merged"


# whole or nothing

BROKEN = {
    "join_person": lambda admin: {"email": "ada@example.org", "name": "Ada"},
    "deactivate_person": lambda admin: {"person_id": make_person().pk},
    "reactivate_person": lambda admin: {"person_id": make_person(is_active=False).pk},
    "rename_person": lambda admin: {"person_id": make_person().pk, "name": "X"},
    "merge_persons": lambda admin: {"keep_id": make_person().pk, "gone_id": make_person(Role.OPERATOR, team=TeamFactory()).pk},
    "add_person_identity": lambda admin: {"person_id": admin.pk, "kind": IdentityKind.EMAIL, "value": "x@example.org"},
    "create_team": lambda admin: {"slug": "x", "name": "X"},
    "rename_team": lambda admin: {"team_id": TeamFactory().pk, "name": "X"},
    "retire_team": lambda admin: {"team_id": TeamFactory().pk},
    "start_membership": lambda admin: {"team_id": TeamFactory().pk, "person_id": admin.pk},
    "grant_role": lambda admin: {"person_id": admin.pk, "role": Role.OPERATOR},
    "revoke_role": lambda admin: {"person_id": RoleGrantFactory(role=Role.OPERATOR).person_id, "role": Role.OPERATOR},
    "issue_personal_token": lambda admin: {"name": "x", "days": 1},
}
TABLES = (Person, Identity, Team, Membership, RoleGrant, PersonalToken)


@pytest.mark.parametrize("name", BROKEN)
def test_a_verb_whose_record_fails_leaves_nothing_behind(admin, name, monkeypatch):
    given = BROKEN[name](admin)
    before = [[*table.objects.order_by("pk").values()] for table in TABLES]

    def broken(*args, **kwargs):
        raise OSError("the stream is full")

    for module in ("steps", "actions.people", "actions.identities", "actions.teams", "actions.tokens"):
        monkeypatch.setattr(f"apps.accounts.{module}.record", broken)
    with pytest.raises(OSError, match="full"):
        getattr(actions, name)(**given, by=admin.actor)

    assert [[*table.objects.order_by("pk").values()] for table in TABLES] == before
