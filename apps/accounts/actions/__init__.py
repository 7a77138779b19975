"""The durable verbs about people, by what they are about."""

from apps.accounts.actions.factors import (
    enrol_authenticator_app,
    enrol_passkey,
    make_recovery_codes,
    remove_authenticator_app,
    remove_passkey,
    rename_passkey,
    reset_factors,
)
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
from apps.accounts.actions.presence import end_sign_ins, set_working_hours
from apps.accounts.actions.roles import grant_role, revoke_role
from apps.accounts.actions.sign_on import link_single_sign_on, sign_on_person
from apps.accounts.actions.teams import create_team, end_membership, rename_team, retire_team, start_membership
from apps.accounts.actions.tokens import Issued, issue_personal_token, revoke_personal_token

__all__ = [
    "Issued",
    "add_person_identity",
    "create_administrator",
    "create_team",
    "deactivate_person",
    "end_membership",
    "end_sign_ins",
    "enrol_authenticator_app",
    "enrol_passkey",
    "grant_role",
    "invite_person",
    "issue_personal_token",
    "join_person",
    "link_single_sign_on",
    "make_recovery_codes",
    "merge_persons",
    "reactivate_person",
    "remove_authenticator_app",
    "remove_identity",
    "remove_passkey",
    "rename_passkey",
    "rename_person",
    "rename_team",
    "reset_factors",
    "retire_team",
    "revoke_personal_token",
    "revoke_role",
    "set_working_hours",
    "sign_on_person",
    "start_membership",
]
