"""The durable verbs about people, by what they are about."""

from apps.accounts.actions.identities import add_person_identity, remove_identity
from apps.accounts.actions.people import (
    create_administrator,
    deactivate_person,
    invite_person,
    join_person,
    merge_persons,
    reactivate_person,
    rename_person,
)
from apps.accounts.actions.roles import grant_role, revoke_role
from apps.accounts.actions.teams import create_team, end_membership, rename_team, retire_team, start_membership
from apps.accounts.actions.tokens import Issued, issue_personal_token, revoke_personal_token

__all__ = [
    "Issued",
    "add_person_identity",
    "create_administrator",
    "create_team",
    "deactivate_person",
    "end_membership",
    "grant_role",
    "invite_person",
    "issue_personal_token",
    "join_person",
    "merge_persons",
    "reactivate_person",
    "remove_identity",
    "rename_person",
    "rename_team",
    "retire_team",
    "revoke_personal_token",
    "revoke_role",
    "start_membership",
]
