"""The frozen facts that the rules of sign-off are asked about, and the answers they give. Pure: no Django, no clock."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from apps.approvals.rules.proofs import Strength
from apps.catalog.rules import PersonFacts
from apps.changes.rules import PreApproval


@dataclass(frozen=True, slots=True)
class Group:
    """Who may fill a seat: owners of the service, holders of a role, a team or named persons."""

    kind: str  # OWNER, ROLE, TEAM, PERSONS
    owner: str = ""  # BUSINESS, TECHNICAL, ANY
    role: str = ""
    team: UUID | None = None
    persons: frozenset[UUID] = frozenset()


@dataclass(frozen=True, slots=True)
class RuleFacts:
    """One rule of a policy; needed 0 means everyone in the group."""

    key: str
    label: str
    group: Group
    needed: int
    stage: int
    meaning: str
    parts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PolicyFacts:
    """One immutable wording of a policy."""

    id: UUID
    name: str
    number: int
    digest: str
    rules: tuple[RuleFacts, ...]
    exclude: frozenset[str] = frozenset({"requester", "last_editor"})
    solo: bool = False
    require_digest: bool = False
    require_evidence: bool = False  # a test report without failures
    promotion: str = "ONE"
    forbid_approver_start: bool = False
    strength: Strength = Strength.ANY  # an agreement counts only where it is proved by as much as this
    remind_after_hours: int | None = None
    escalate_after_hours: int | None = None
    expire_after_hours: int | None = None


@dataclass(frozen=True, slots=True)
class SignOffFacts:
    """One sign-off that was not withdrawn. `groups` are those its statement names, each with the id of the target it was
    spoken for: (group, target). None in `signature_ok` is not yet proved."""

    id: UUID
    person: PersonFacts
    decision: str
    meaning: str
    covered: Mapping[str, str]
    groups: frozenset[tuple[str, str]]
    given_at: datetime
    signature_ok: bool | None
    settings: Mapping[str, str] = field(default_factory=dict)
    revision: int = 0
    proof: str = ""  # by what its person proved themselves, as the statement says
    stands_for: PersonFacts | None = None  # in whose place it was given; None: in one's own right
    is_mandated: bool = True  # whether that person had asked the signer to, at that time, for this service and kind
    # What the statement says for people to read; nothing is counted by it, and the gate reads none of it.
    printed_name: str = field(default="", compare=False)
    reason: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Mandate:
    """Somebody who may sign in another's place for one leg now. Both are the persons they stand as."""

    id: UUID  # of the delegation
    person_id: UUID
    delegate_id: UUID


@dataclass(frozen=True, slots=True)
class QuorumFacts:
    """One leg: the policy in force, what the revision says now, and who signed. `people` are the members of its groups now."""

    leg_id: UUID
    target_id: UUID
    service_id: UUID
    service: str
    environment: str
    required: str  # NO, RECORDED, APPROVED
    policy: PolicyFacts | None
    digests: Mapping[str, str]
    sign_offs: tuple[SignOffFacts, ...]
    hands: Mapping[str, frozenset[UUID]]  # canonical ids by what they did: requester, editor_of(part); makers where asked
    people: tuple[PersonFacts, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)  # target id to the digest of its settings
    leg_state: str = "WAITING"
    has_unknown_makers: bool = False  # whoever made it is not known whole, and the policy keeps makers out
    mandates: tuple[Mandate, ...] = ()
    pre_approval: PreApproval | None = None  # what the change's model says about this leg; None: it approves nothing beforehand
    away: Mapping[UUID, datetime] = field(default_factory=dict)  # who is away now, and until when
    before: datetime | None = None  # when the agreement is needed at the latest
    unproved: frozenset[UUID] = frozenset()  # who has nothing now that proves as much as the policy asks for

    @property
    def is_pre_approved(self) -> bool:
        """Whether a model speaks for everybody who would have to sign."""
        return self.pre_approval is not None and self.pre_approval.holds

    @property
    def asks_somebody(self) -> bool:
        """Whether people have to sign: the environment asks for approval, and no model has given it."""
        return self.required == "APPROVED" and not self.is_pre_approved


class RuleState(StrEnum):
    """Where one rule stands."""

    AGREED = "AGREED"
    WAITING = "WAITING"
    LAPSED = "LAPSED"
    LATER = "LATER"


@dataclass(frozen=True, slots=True)
class RuleAnswer:
    """How far one rule is: who fills its seats, whose agreement lapsed, how many are missing."""

    rule: RuleFacts
    state: RuleState
    by: tuple[PersonFacts, ...]
    lapsed: tuple[PersonFacts, ...]
    missing: int
    stand_ins: Mapping[UUID, PersonFacts] = field(default_factory=dict)  # of those in `by`: in whose place they signed


@dataclass(frozen=True, slots=True)
class QuorumAnswer:
    """How far a leg's agreement is. `has_policy` is False where agreement is required and nothing says whose."""

    rules: tuple[RuleAnswer, ...]
    met: bool
    has_policy: bool = True


@dataclass(frozen=True, slots=True)
class RuleForecast:
    """Who could still fill the seats of one rule, and how many seats nobody can fill."""

    rule: RuleFacts
    candidates: tuple[PersonFacts, ...]
    missing: int
    away: tuple[PersonFacts, ...] = ()  # could sign, come back too late and asked nobody to stand in
    could_stand_in: tuple[PersonFacts, ...] = ()
    stand_ins: Mapping[UUID, PersonFacts] = field(default_factory=dict)  # of the candidates: in whose place they would sign
    unproved: tuple[PersonFacts, ...] = ()  # of the candidates: who adds a stronger proof first


@dataclass(frozen=True, slots=True)
class Forecast:
    """Whether a leg's quorum can be met at all, by whom, and what would help."""

    can_be_met: bool
    rules: tuple[RuleForecast, ...]
    cures: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Seat:
    """A rule of one leg that one person may speak for."""

    leg: QuorumFacts
    rule: RuleFacts
    state: RuleState
    stands_for: PersonFacts | None = None
    mandate: UUID | None = None

    @property
    def voice(self) -> UUID | None:
        """In whose place one signs; None: in one's own right."""
        return self.stands_for.canonical_id if self.stands_for else None


@dataclass(frozen=True, slots=True)
class ReviewFacts:
    """A change under review as a whole: what every sign-off verb decides from."""

    ref: str
    state: str
    revision: int
    revision_digest: str
    revised_by: str
    revised_at: datetime
    requester_id: UUID
    legs: tuple[QuorumFacts, ...]
    opened_at: datetime | None = None  # when it was first submitted
    changed_at: Mapping[str, datetime] = field(default_factory=dict)  # by part, when it was last changed
