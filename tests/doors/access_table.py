"""Who comes through which door: every address of the project is classified here, and a new one fails until it is.

`reads`: who gets its page; `acts`: who may send its form. The form is tried as it stands on a page where somebody may send it,
so roles show: `author` asked for that change, `owner` answers for its service."""

from dataclasses import dataclass
from enum import StrEnum


class Door(StrEnum):
    """Who may come in at all."""

    OPEN = "nobody is asked who they are"
    SIGNED_IN = "whoever is signed in"
    TOKEN = "whoever sends a token"


EVERYBODY = frozenset(
    "chief author owner insider nobody requester approver release_manager operator auditor administrator".split()  # noqa: SIM905
)
NOBODY: frozenset[str] = frozenset()
ADMINISTRATORS = frozenset({"chief", "administrator"})
OPERATING = frozenset({"chief", "release_manager", "operator"})
STARTING = OPERATING | {"author"}
PLANNING = frozenset({"chief", "release_manager"})
CHIEF, AUTHOR = frozenset({"chief"}), frozenset({"author"})
AUDITORS = frozenset({"chief", "auditor"})


@dataclass(frozen=True)
class Access:
    """One address."""

    door: Door = Door.SIGNED_IN
    reads: frozenset[str] = EVERYBODY
    acts: frozenset[str] = NOBODY


def act(acts: frozenset[str]) -> Access:
    """An address that only takes a form."""
    return Access(reads=NOBODY, acts=acts)


PAGE, PAGE_AND_ACT = Access(), Access(acts=EVERYBODY)
# Its form stands on no page that can be opened: it is the answer to another form, and holds what was made for this person.
ANSWERED = {"home:sign_off", "home:leg_exception", "home:exception_agreement"}
OPEN = Access(Door.OPEN)
TOKEN = Access(Door.TOKEN, reads=NOBODY)
TABLE = {
    # sign-in
    "account_login": OPEN,
    "account_logout": OPEN,
    "account_inactive": OPEN,
    "account_signup": OPEN,
    "account_change_password": PAGE_AND_ACT,
    "account_set_password": act(NOBODY),  # leads on: everybody has one
    "account_reset_password": OPEN,
    "account_reset_password_done": OPEN,
    "account_reset_password_from_key": OPEN,
    "account_reset_password_from_key_done": OPEN,
    "account_reauthenticate": PAGE_AND_ACT,
    "mfa_authenticate": OPEN,
    "mfa_reauthenticate": Access(reads=frozenset({"chief"}), acts=frozenset({"chief"})),  # who has an app
    "mfa_reauthenticate_webauthn": act(NOBODY),
    "mfa_login_webauthn": OPEN,
    "single_sign_on": OPEN,
    "single_sign_on_callback": OPEN,
    # people
    "accounts:people": PAGE,
    "accounts:join": Access(acts=ADMINISTRATORS),
    "accounts:profile": PAGE_AND_ACT,
    "accounts:again": act(NOBODY),  # leads on where nothing is kept
    "accounts:tokens": act(EVERYBODY),
    "accounts:token_revocation": act(CHIEF),  # one's own alone
    "accounts:hours": act(EVERYBODY),
    "accounts:factors": PAGE,
    "accounts:new_passkey": PAGE_AND_ACT,
    "accounts:passkey_name": act(CHIEF),  # one's own alone
    "accounts:passkey_removal": act(CHIEF),  # one's own alone
    "accounts:app": PAGE_AND_ACT,
    "accounts:app_removal": act(EVERYBODY),
    "accounts:single_sign_on_link": act(NOBODY),  # no provider here
    "accounts:recovery_codes": act(EVERYBODY),
    "accounts:session_end": act(CHIEF),
    "accounts:other_sessions_end": act(EVERYBODY),
    "accounts:factors_removal": act(ADMINISTRATORS),
    "accounts:teams": Access(acts=ADMINISTRATORS),
    "accounts:team": PAGE,
    "accounts:team_name": act(ADMINISTRATORS),
    "accounts:team_retirement": act(ADMINISTRATORS),
    "accounts:members": act(ADMINISTRATORS),
    "accounts:member_end": act(ADMINISTRATORS),
    "accounts:person": PAGE,
    "accounts:deactivation": act(ADMINISTRATORS),
    "accounts:reactivation": act(ADMINISTRATORS),
    "accounts:invitation": act(ADMINISTRATORS),
    "accounts:merger": act(ADMINISTRATORS),
    "accounts:identities": act(ADMINISTRATORS),
    "accounts:identity_removal": act(ADMINISTRATORS),
    "accounts:roles": act(ADMINISTRATORS),
    "accounts:role_revocation": act(ADMINISTRATORS),
    # catalogue
    "catalog:services": PAGE,
    "catalog:new_service": Access(acts=ADMINISTRATORS),
    "catalog:service": PAGE,
    "catalog:service_change": Access(acts=ADMINISTRATORS),
    "catalog:service_retirement": act(ADMINISTRATORS),
    "catalog:owners": act(ADMINISTRATORS),
    "catalog:service_roles": act(ADMINISTRATORS),
    "catalog:service_role_end": act(ADMINISTRATORS),
    "catalog:business_owner_end": act(ADMINISTRATORS),
    "catalog:technical_owner_end": act(ADMINISTRATORS),
    "catalog:targets": act(ADMINISTRATORS),
    "catalog:target": PAGE,
    "catalog:target_settings": act(ADMINISTRATORS),
    "catalog:target_lock": act(OPERATING),
    "catalog:target_unlocking": act(OPERATING),
    "catalog:adoption": act(OPERATING),
    "catalog:environments": PAGE,
    "catalog:new_environment": Access(acts=ADMINISTRATORS),
    "catalog:environment": Access(acts=ADMINISTRATORS),
    "catalog:environment_retirement": act(ADMINISTRATORS),
    # calendar
    "schedule:walls": PAGE,
    "schedule:new_freeze": Access(acts=PLANNING),
    "schedule:freeze_lifting": act(PLANNING),
    "schedule:new_window": Access(acts=PLANNING),
    "schedule:window_lifting": act(PLANNING),
    "schedule:new_hold": Access(acts=OPERATING),
    "schedule:hold_lifting": Access(acts=OPERATING),
    # agreement
    "approvals:policies": PAGE,
    "approvals:new_policy": Access(acts=ADMINISTRATORS),
    "approvals:policy": PAGE,
    "approvals:edit_policy": Access(acts=ADMINISTRATORS),
    "approvals:policy_retirement": act(ADMINISTRATORS),
    "approvals:proposal": PAGE,
    "approvals:proposal_confirmation": act(ADMINISTRATORS),
    "approvals:proposal_end": act(ADMINISTRATORS),
    "approvals:absence": PAGE,
    "approvals:absence_times": act(EVERYBODY),
    "approvals:absence_end": act(ADMINISTRATORS),
    "approvals:stand_ins": act(EVERYBODY),
    "approvals:stand_in_end": act(ADMINISTRATORS | {"operator"}),
    # deployments
    "deployments:deployments": PAGE,
    "deployments:deployment": PAGE,
    "deployments:log": PAGE,
    "deployments:order": act(STARTING),
    "deployments:stop": act(STARTING),
    "deployments:roll_back": act(STARTING),
    "deployments:settle": act(OPERATING),
    "deployments:undeclared": PAGE,
    "deployments:undeclared_one": PAGE,
    "deployments:undeclared_settlement": act(OPERATING),
    # incidents: whoever sees something may say so
    "incidents:incidents": PAGE,
    "incidents:new": PAGE_AND_ACT,
    "incidents:incident": PAGE,
    "incidents:note": act(EVERYBODY),
    "incidents:correction": Access(acts=OPERATING),
    "incidents:recover": act(OPERATING),
    "incidents:resolve": act(OPERATING),
    # notifications
    "notifications:notifications": PAGE,
    "notifications:settings": PAGE_AND_ACT,
    "notifications:failures": Access(reads=ADMINISTRATORS),
    "notifications:another_try": act(ADMINISTRATORS),
    # changes
    "home:home": OPEN,
    "home:first_run": OPEN,
    "home:inbox": PAGE,
    "home:inbox_count": PAGE,
    "home:changes": PAGE,
    "home:changes_suggestions": PAGE,
    "home:changes_export": PAGE,
    "home:saved_searches": act(EVERYBODY),
    "home:saved_search_removal": act(CHIEF),  # one's own alone
    "home:watch": act(EVERYBODY),
    "home:watch_end": act(EVERYBODY),  # one's own alone: the address names the change, and who does not watch it ends nothing
    "home:new_change": Access(acts=frozenset({"chief", "author", "requester"})),
    "home:environment_strictness": Access(acts=ADMINISTRATORS),
    "home:environment_grace": Access(acts=ADMINISTRATORS),
    "home:environment_relaxation_confirmation": act(ADMINISTRATORS),
    "home:environment_relaxation_end": act(ADMINISTRATORS),
    "home:change_models": PAGE,
    "home:new_model": Access(acts=ADMINISTRATORS),
    "home:change_model": Access(acts=ADMINISTRATORS),
    "home:model_retirement": act(ADMINISTRATORS),
    "home:model_proposal": PAGE,
    "home:model_agreement": act(PLANNING | ADMINISTRATORS),
    "home:model_proposal_end": act(PLANNING | ADMINISTRATORS),
    "home:change": PAGE,
    "home:edit_change": Access(acts=frozenset({"chief", "author", "requester"})),
    "home:submission": act(AUTHOR),
    "home:sign_off": Access(acts=CHIEF),
    "home:sign_off_statement": act(CHIEF),
    "home:looks": act(EVERYBODY),
    "home:preview": act(EVERYBODY),
    "home:sign_off_withdrawal": act(CHIEF),
    "home:given_sign_off": PAGE,
    "home:return": act(PLANNING | {"owner"}),
    "home:withdrawal": act(PLANNING | {"author"}),
    "home:completion": act(STARTING),
    "home:closure": act(PLANNING | {"author"}),
    "home:comments": act(EVERYBODY),
    "home:slot": act(PLANNING | {"author"}),
    "home:version": PAGE,
    "home:gate_tokens": Access(reads=AUDITORS | ADMINISTRATORS),
    "home:new_gate_token": Access(reads=ADMINISTRATORS, acts=ADMINISTRATORS),
    "home:gate_services": Access(reads=ADMINISTRATORS),
    "home:gate_token": Access(reads=AUDITORS | ADMINISTRATORS),
    "home:gate_token_rotation": act(ADMINISTRATORS),
    "home:gate_token_revocation": act(ADMINISTRATORS),
    "home:trusts": Access(reads=AUDITORS | ADMINISTRATORS),
    "home:new_trust": Access(reads=ADMINISTRATORS, acts=ADMINISTRATORS),
    "home:trust_trial": Access(reads=ADMINISTRATORS, acts=ADMINISTRATORS),
    "home:trust": Access(reads=AUDITORS | ADMINISTRATORS),
    "home:trust_confirmation": act(ADMINISTRATORS),
    "home:trust_end": act(ADMINISTRATORS),
    "home:new_issuer": Access(reads=ADMINISTRATORS, acts=ADMINISTRATORS),
    "home:issuer_end": act(ADMINISTRATORS),
    "home:gate": PAGE,
    "home:gate_asking": PAGE,
    "home:gate_evaluation": PAGE,
    "home:gate_pipeline": PAGE,
    "home:gate_pipelines": PAGE,
    "home:gate_badge": PAGE,
    "home:badge_sharing": act(ADMINISTRATORS),
    "home:badge_end": act(ADMINISTRATORS),
    "home:evidence": Access(acts=frozenset({"chief", "author", "requester"})),
    "home:evidence_file": PAGE,
    "home:leg_evidence": Access(acts=STARTING | {"requester"}),
    "home:leg_exception": Access(acts=STARTING | {"requester"}),
    "home:leg_exception_statement": act(STARTING | {"requester"}),
    "home:exceptions": PAGE,
    "home:exception": PAGE,
    "home:exception_statement": act(PLANNING | {"owner"}),
    "home:exception_agreement": act(PLANNING | {"owner"}),
    "home:exception_refusal": act(PLANNING | {"owner"}),
    "home:exception_withdrawal": act(PLANNING | {"author"}),
    "home:exception_review": act(CHIEF),  # who asked, and the team's
    "home:matrix": PAGE,
    "home:access": Access(reads=ADMINISTRATORS | AUDITORS),
    "home:access_export": Access(reads=ADMINISTRATORS | AUDITORS),
    "home:own_approvals": Access(reads=ADMINISTRATORS | AUDITORS),
    "home:audit": Access(reads=AUDITORS),
    "home:audit_export": Access(reads=AUDITORS),
    "home:livez": OPEN,
    "home:readyz": OPEN,
    "gate_pages:keys": OPEN,
    "gate_pages:client": OPEN,
    "gate_pages:badge": OPEN,
    # machines
    "api:changes": TOKEN,
    "api:change": TOKEN,
    "api:revisions": TOKEN,
    "api:submission": TOKEN,
    "api:comments": TOKEN,
    "api:withdrawal": TOKEN,
    "api:evidence": TOKEN,
    "gate:evaluations": TOKEN,
    "gate:evaluation": TOKEN,
    "deployments_api:deployments": TOKEN,
    "deployments_api:deployment": TOKEN,
    "deployments_api:reports": TOKEN,
    "deployments_api:observations": TOKEN,
    "deployments_api:unbegun": TOKEN,
}
