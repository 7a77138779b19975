"""Who may write change models, who agrees to one that approves beforehand, and whether it speaks for a leg now. Pure."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from apps.accounts.roles import Role
from apps.core.refusals import Refusal, not_allowed, not_now

AGREEING = frozenset({Role.ADMINISTRATOR, Role.RELEASE_MANAGER})


@dataclass(frozen=True, slots=True)
class PreApproval:
    """A model that speaks for everybody who would have to sign one leg, or why it does not, in sentences."""

    model: str
    slug: str
    number: int
    author: str
    agreed_by: str  # empty: the author alone, before there was a second administrator
    at: datetime
    doubts: tuple[str, ...] = ()
    is_outdated: bool = False  # retired, or another version is in force: no wording makes this one speak again

    @property
    def cure(self) -> str:
        """What makes it speak again."""
        if self.is_outdated:
            return "Begin a new change from the version in force, or have this one signed."
        return "Write it as the model says, or have it signed."

    @property
    def holds(self) -> bool:
        """Whether nobody has to sign."""
        return not self.doubts

    @property
    def words(self) -> str:
        """What is approved by what: `model Weekly restart, version 3, agreed by A and B on 20 Nov 2026`."""
        by = f"agreed by {self.author} and {self.agreed_by}" if self.agreed_by else f"by {self.author} alone"
        return f"model {self.model}, version {self.number}, {by} on {self.at:%-d %b %Y}"


@dataclass(frozen=True, slots=True)
class ModelProposalFacts:
    """A wording that one administrator proposed."""

    proposed_by: UUID  # the person they stand as
    proposer: str
    is_proposer_administrator: bool
    is_decided: bool
    is_outdated: bool  # another wording came into force, or the model ended, after it was written


def why_not_write_model(roles: Collection[str], *, takes_two: bool = False, waiting_by: str = "") -> Refusal | None:
    """Whether somebody with these roles for everything may write or end change models; alone, where it does not take two."""
    if Role.ADMINISTRATOR not in roles:
        return not_allowed(
            "not_an_administrator", "Change models are written by administrators.", "Ask one of them for what is missing in it."
        )
    if waiting_by:
        return not_now("already_proposed", f"A proposal by {waiting_by} waits already.", "Agree to it or end it first.")
    if takes_two:
        said = "Another administrator is active, so a model that approves changes beforehand takes two persons."
        return not_now("takes_two", said, "Propose it; another administrator or a release manager agrees to it.")
    return None


def why_not_agree_to_model(
    person_id: UUID | None, roles: Collection[str], *, proposal: ModelProposalFacts, is_let_in: bool = False
) -> Refusal | None:
    """Another administrator or a release manager, while whoever proposed it still is one and nothing came in between.

    Whoever lets somebody in does not choose who agrees: IS_LET_IN says that the proposer gave all that lets this person."""
    if refusal := why_not_end_model_proposal(person_id, roles, proposal=proposal):
        return refusal
    if person_id == proposal.proposed_by:
        return not_allowed("own_proposal", "You proposed this yourself.", "Another administrator or a release manager agrees to it.")
    if is_let_in:
        said = f"What would let you agree was given to you by {proposal.proposer}, who proposed this."
        return not_allowed("let_in", said, "Another administrator gives it to you anew, or somebody else agrees.")
    if not proposal.is_proposer_administrator:
        said = f"{proposal.proposer} is no active administrator any more, so one person alone would approve changes beforehand."
        return not_now("proposer_gone", said, "End this proposal; an administrator proposes it anew.")
    if proposal.is_outdated:
        return not_now("outdated", "The model changed after this was proposed.", "End this proposal and propose it anew.")
    return None


def why_not_end_model_proposal(person_id: UUID | None, roles: Collection[str], *, proposal: ModelProposalFacts) -> Refusal | None:
    """Whoever proposed takes it back; another administrator or a release manager refuses it."""
    if not AGREEING & set(roles) and person_id != proposal.proposed_by:
        said = "Only administrators and release managers decide on change models."
        return not_allowed("not_agreeing", said, "Ask one of them; the people page names them.")
    return not_now("already_decided", "This proposal is decided.", "Nothing is left to do here.") if proposal.is_decided else None
