"""Whose it is: for every address that names something, who acts on what is theirs, their team's, another team's.

People hold one role each, for the services of their team; administrators and auditors hold theirs for everything. What is read and acted
on by whom without regard to teams: `access_table.py`."""

from dataclasses import dataclass
from enum import StrEnum

from tests.doors.estate import EVERYONE


class Whose(StrEnum):
    """To whom it belongs, seen by who asks."""

    MINE = "asked for, entered or owned by oneself"
    OURS = "somebody else's of one's team"
    THEIRS = "another team's"
    HIDDEN = "of a restricted service of another team"
    DRAFT = "a draft of somebody else, never submitted"


ALL = frozenset(EVERYONE)
NOBODY: frozenset[str] = frozenset()
ADMINISTRATOR = frozenset({"administrator"})
OPERATING = frozenset({"operator", "release_manager"})
MANAGING = frozenset({"release_manager"})
OWNING = frozenset({"business", "technical"})
SIGNING = OWNING | {"approver", "release_manager"}
SEEING_HIDDEN = frozenset({"auditor"})


@dataclass(frozen=True)
class Rule:
    """Who acts on a kind of thing, and on which page the form for it stands (its own address, unless said)."""

    thing: str
    on: str = ""
    team: frozenset[str] = NOBODY  # on what is their team's
    wide: frozenset[str] = NOBODY  # on what is anybody's
    second: frozenset[str] = NOBODY  # on what somebody else of their team asked for
    others: frozenset[str] = NOBODY  # on what is anybody else's
    mine: frozenset[str] = NOBODY  # on what is their own
    is_private: bool = False  # what is somebody else's is not there
    is_blind: bool = False  # its form is shown in some states only
    refused_with: int = 403
    operation: str = ""  # of the API, where it takes anything

    @property
    def cases(self) -> tuple[Whose, ...]:
        """The kinds of ownership there are of such a thing."""
        match self.thing.partition(" ")[0]:
            case "change" | "leg" | "agreement":
                return tuple(Whose)
            case (
                "environment"
                | "credential"
                | "trust"
                | "issuer"
                | "model"
                | "delivery"
                | "relaxation"
                | "proposed"
                | "empty"
                | "gone"
                | "new"
            ):
                return (Whose.THEIRS,)
            case "team" | "member":
                return (Whose.OURS, Whose.THEIRS)
            case "person" | "identity" | "grant" | "token" | "passkey" | "session" | "absence" | "delegation" | "search":
                return (Whose.MINE, Whose.OURS, Whose.THEIRS)
        return (Whose.OURS, Whose.THEIRS, Whose.HIDDEN)

    def is_there(self, who: str, whose: Whose) -> bool:
        """Whether they see that it exists."""
        if whose is Whose.HIDDEN:
            return who in SEEING_HIDDEN and not self.is_private
        if self.is_private:
            return who in self.wide or (whose is Whose.MINE and who in self.mine)
        return whose is not Whose.DRAFT

    def favours(self, who: str) -> bool:
        """Whether they may more than everybody may, on what is not their own."""
        return self.wide != ALL and who in self.wide | self.team | self.second | self.others

    def lets(self, who: str, whose: Whose) -> bool:
        """Whether they act on it."""
        if not self.is_there(who, whose):
            return False
        mine, ours = whose is Whose.MINE, whose in {Whose.MINE, Whose.OURS}
        if mine:
            return who in self.wide | self.team | self.mine
        return who in self.wide | self.others or (ours and who in self.team | self.second)


def administered(thing: str, on: str = "") -> Rule:
    """Whatever administrators keep."""
    return Rule(thing, on, wide=ADMINISTRATOR)


CHANGE, SIGN, PERSON, TEAM, SERVICE, TARGET = (
    "home:change",
    "home:sign_off",
    "accounts:person",
    "accounts:team",
    "catalog:service",
    "catalog:target",
)
EXCEPTION = "home:exception"
DEPLOYMENT, INCIDENT, FACTORS, WALLS, POLICY, PROPOSAL = (
    "deployments:deployment",
    "incidents:incident",
    "accounts:factors",
    "schedule:walls",
    "approvals:policy",
    "approvals:proposal",
)
RULES = {
    # changes
    "home:change": Rule("change IN_REVIEW"),
    "home:edit_change": Rule("change SENT_BACK", mine=ALL),
    "home:submission": Rule("change SENT_BACK", CHANGE, mine=ALL),
    "home:sign_off": Rule("change IN_REVIEW", is_blind=True, refused_with=409),  # no statement was put before anybody here
    "home:sign_off_statement": Rule("change IN_REVIEW", SIGN, second=SIGNING),
    "home:looks": Rule("change IN_REVIEW", SIGN, wide=ALL, is_blind=True),
    "home:sign_off_withdrawal": Rule("agreement", CHANGE, mine=SIGNING, is_private=True),
    "home:given_sign_off": Rule("signed"),
    "home:return": Rule("change IN_REVIEW", CHANGE, second=SIGNING),
    "home:withdrawal": Rule("change IN_REVIEW", CHANGE, team=MANAGING, mine=ALL),
    "home:completion": Rule("change STARTED", CHANGE, team=OPERATING, mine=ALL),
    "home:closure": Rule("change POST_REVIEW", CHANGE, team=MANAGING, mine=ALL),
    "home:comments": Rule("change IN_REVIEW", CHANGE, wide=ALL),
    "home:watch": Rule("change IN_REVIEW", CHANGE, wide=ALL),
    "home:watch_end": Rule("change IN_REVIEW", CHANGE, wide=ALL, is_blind=True),
    "home:slot": Rule("leg APPROVED", CHANGE, team=MANAGING, mine=ALL),
    "home:leg_evidence": Rule("leg APPROVED", team=OPERATING | {"requester"}, mine=ALL),
    "home:evidence_file": Rule("evidence"),
    "home:change_model": administered("model"),
    "home:model_retirement": administered("model", "home:change_model"),
    "home:model_proposal": Rule("proposed model"),
    "home:model_agreement": administered("proposed model", "home:model_proposal"),
    "home:model_proposal_end": administered("proposed model", "home:model_proposal"),
    "home:saved_search_removal": Rule("search", "home:changes", mine=ALL, is_private=True),
    # exceptions: asked by whoever runs things, agreed to by somebody else who answers for them
    "home:leg_exception": Rule("leg APPROVED", is_blind=True, refused_with=409),  # no statement was put before anybody here
    "home:leg_exception_statement": Rule("leg APPROVED", "home:leg_exception", team=OPERATING | {"requester"}),
    "home:exception": Rule("exception"),
    "home:exception_statement": Rule("exception", EXCEPTION, team=MANAGING | OWNING),
    "home:exception_agreement": Rule("exception", is_blind=True, refused_with=409),
    "home:exception_refusal": Rule("exception", EXCEPTION, team=MANAGING | OWNING),
    "home:exception_withdrawal": Rule("exception", EXCEPTION, team=MANAGING),
    "home:exception_review": Rule("agreed exception", EXCEPTION, team=ALL),
    # deployments and incidents
    "deployments:deployment": Rule("deployment SUCCEEDED"),
    "deployments:log": Rule("deployment SUCCEEDED"),
    "deployments:order": Rule("order", CHANGE, team=OPERATING),
    "deployments:stop": Rule("deployment QUEUED", DEPLOYMENT, team=OPERATING),
    "deployments:roll_back": Rule("deployment SUCCEEDED", DEPLOYMENT, team=OPERATING),
    "deployments:settle": Rule("deployment NEEDS_HUMAN", DEPLOYMENT, team=OPERATING),
    "deployments:undeclared_one": Rule("undeclared"),
    "deployments:undeclared_settlement": Rule("undeclared", "deployments:undeclared_one", team=OPERATING),
    "incidents:incident": Rule("incident"),
    "incidents:note": Rule("incident", INCIDENT, wide=ALL),
    "incidents:correction": Rule("note", team=OPERATING),
    "incidents:recover": Rule("incident", INCIDENT, team=OPERATING),
    "incidents:resolve": Rule("incident", INCIDENT, team=OPERATING),
    # catalogue and calendar
    "catalog:service": Rule("service"),
    "catalog:service_change": administered("service"),
    "catalog:service_retirement": administered("service", SERVICE),
    "catalog:owners": administered("service", SERVICE),
    "catalog:service_roles": administered("service", SERVICE),
    "catalog:service_role_end": administered("worker", SERVICE),
    "catalog:business_owner_end": administered("business owner", SERVICE),
    "catalog:technical_owner_end": administered("technical owner", SERVICE),
    "catalog:targets": administered("service", SERVICE),
    "catalog:target": Rule("target"),
    "catalog:target_settings": administered("target", TARGET),
    "catalog:target_lock": Rule("target", TARGET, team=OPERATING),
    "catalog:target_unlocking": Rule("locked target", TARGET, team=OPERATING),
    "catalog:adoption": Rule("target", TARGET, team=OPERATING),
    "home:gate_token": administered("credential"),
    "home:gate_token_rotation": administered("credential", "home:gate_token"),
    "home:gate_token_revocation": administered("credential", "home:gate_token"),
    "home:trust": administered("trust"),
    "home:trust_confirmation": administered("trust", "home:trust"),
    "home:trust_end": administered("trust", "home:trust"),
    "home:issuer_end": administered("issuer", "home:trusts"),
    "home:gate_evaluation": Rule("evaluation"),
    "home:gate_pipeline": Rule("target"),
    "home:gate_badge": Rule("target"),
    "home:badge_sharing": administered("target", "home:gate_pipeline"),
    "home:badge_end": administered("shared target", "home:gate_pipeline"),
    "catalog:environment": administered("environment"),
    "home:environment_strictness": administered("environment"),
    "home:environment_grace": administered("environment"),
    "home:environment_relaxation_confirmation": administered("relaxation", "home:environment_strictness"),
    "home:environment_relaxation_end": administered("relaxation", "home:environment_strictness"),
    "catalog:environment_retirement": administered("environment", "catalog:environment"),
    "schedule:freeze_lifting": Rule("freeze", WALLS, team=MANAGING),
    "schedule:window_lifting": Rule("window", WALLS, team=MANAGING),
    "schedule:hold_lifting": Rule("hold", team=OPERATING),
    # agreement
    "approvals:policy": Rule("policy"),
    "approvals:edit_policy": administered("policy"),
    "approvals:policy_retirement": administered("policy", POLICY),
    "approvals:proposal": Rule("proposal"),
    "approvals:proposal_confirmation": administered("proposal", PROPOSAL),
    "approvals:proposal_end": administered("proposal", PROPOSAL),
    "approvals:absence_end": Rule("absence", "approvals:absence", wide=ADMINISTRATOR, mine=ALL),
    "approvals:stand_in_end": Rule("delegation", "approvals:absence", wide=ADMINISTRATOR, mine=ALL, is_private=True),
    # people
    "accounts:token_revocation": Rule("token", "accounts:profile", mine=ALL, is_private=True),
    "accounts:passkey_name": Rule("passkey", FACTORS, mine=ALL, is_private=True),
    "accounts:passkey_removal": Rule("passkey", FACTORS, mine=ALL, is_private=True),
    "accounts:session_end": Rule("session", FACTORS, mine=ALL, is_private=True),
    "accounts:team": Rule("team"),
    "accounts:team_name": administered("team", TEAM),
    "accounts:team_retirement": administered("empty team", TEAM),
    "accounts:members": administered("team", TEAM),
    "accounts:member_end": administered("member", TEAM),
    "accounts:person": Rule("person"),
    "accounts:deactivation": administered("person", PERSON),
    "accounts:reactivation": administered("gone person", PERSON),
    "accounts:invitation": administered("new person", PERSON),
    "accounts:factors_removal": Rule("person", PERSON, others=ADMINISTRATOR),
    "accounts:merger": Rule("person", PERSON, others=ADMINISTRATOR),
    "accounts:identities": administered("person", PERSON),
    "accounts:identity_removal": administered("identity", PERSON),
    "accounts:roles": administered("person", PERSON),
    "accounts:role_revocation": administered("grant", PERSON),
    "notifications:another_try": administered("delivery", "notifications:failures"),
}
# Addresses that name nothing of anybody: a code that was sent to one person, and what the sign-in pages of allauth ask for.
NAMELESS = {"account_reset_password_from_key", "gate_pages:badge"}
# Classified, and sent by the tests of exceptions: what waits for its second person is asked for anew there.
SENT_ELSEWHERE = {"home:exception_statement", "home:exception_refusal"}
# What programs may do, by whose change it is, with a token of a person; the gate's own tokens are another kind.
API = {
    "api:change": Rule("change IN_REVIEW"),
    "api:revisions": Rule("change IN_REVIEW", team=frozenset({"requester"}), mine=ALL, operation="revise_change"),
    "api:submission": Rule("change SENT_BACK", mine=ALL, operation="submit_change"),
    "api:comments": Rule("change IN_REVIEW", wide=ALL, operation="comment_on_change"),
    "api:withdrawal": Rule("change IN_REVIEW", team=MANAGING, mine=ALL, operation="withdraw_change"),
    "api:evidence": Rule("leg APPROVED", team=OPERATING | {"requester"}, mine=ALL, operation="attach_evidence"),
}
