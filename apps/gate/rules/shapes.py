"""The frozen facts that the judge is asked about. Pure: no Django, no clock; whatever is not here is not known."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from apps.approvals.rules import ExceptionFacts, QuorumFacts
from apps.changes.content import Period, Rollback
from apps.gate.rules.workloads import Workload


class Action(StrEnum):
    """What is asked for."""

    DEPLOY = "DEPLOY"
    ROLLBACK = "ROLLBACK"


class AskerKind(StrEnum):
    """Who asks; SYSTEM is our own worker or page, UNKNOWN a credential nobody issued."""

    TOKEN = "TOKEN"  # noqa: S105 - a kind, not a secret
    WORKLOAD = "WORKLOAD"
    PERSON = "PERSON"
    SYSTEM = "SYSTEM"
    UNKNOWN = "UNKNOWN"


class Detail(StrEnum):
    """How much a token is told."""

    FULL = "FULL"
    CODES = "CODES"


@dataclass(frozen=True, slots=True)
class Run:
    """The pipeline run that asks. What a CI job proved of itself; otherwise as it names itself: recorded, never trusted."""

    system: str = ""
    id: str = ""
    attempt: int = 1
    url: str = ""
    actor: str = ""  # who made it run, where its issuer says so


@dataclass(frozen=True, slots=True)
class Question:
    """May these identities of this service go to this environment? `leg_id` and `deployment` are set by our own code alone."""

    service: str
    environment: str
    identities: tuple[str, ...]
    action: Action = Action.DEPLOY
    run: Run | None = None
    credential: bytes | None = None  # SHA-256 of the bearer token; None: our own machinery asks
    workload: Workload | None = None  # the CI job whose trust the credential is
    is_personal: bool = False  # the credential has the form of a person's token, not of a pipeline's
    key: str = ""  # the Idempotency-Key
    leg_id: int | None = None  # judge this leg, not whichever matches
    deployment: UUID | None = None  # the deployment that asks about itself: what it holds does not stand in its way


@dataclass(frozen=True, slots=True)
class AskerFacts:
    """Who asks and what it may ask for; None in a scope means all."""

    kind: AskerKind
    pk: int = 0
    id: UUID | None = None
    name: str = ""
    is_live: bool = True  # not expired, not revoked; a person: present
    actions: frozenset[str] = frozenset(Action)
    service_ids: frozenset[int] | None = None
    environment_ids: frozenset[int] | None = None
    detail: Detail = Detail.FULL
    sees_restricted: bool = True
    workload: Workload | None = None  # the CI job that asks


@dataclass(frozen=True, slots=True)
class ServiceFacts:
    """The service that is asked about."""

    pk: int
    id: UUID
    slug: str
    name: str
    is_restricted: bool
    is_retired: bool


@dataclass(frozen=True, slots=True)
class EnvironmentFacts:
    """The environment that is asked about."""

    pk: int
    id: UUID
    slug: str
    name: str
    rank: int
    change_required: str
    zone: str
    is_retired: bool
    offline_minutes: int = 0  # for how long a yes permits a start while we are away


@dataclass(frozen=True, slots=True)
class TargetFacts:
    """What is true of the target now."""

    pk: int
    id: UUID
    running: tuple[str, ...]
    running_label: str
    previous: tuple[str, ...]
    previous_label: str
    occupied_by: UUID | None
    occupied_since: datetime | None
    locked_at: datetime | None
    lock_reason: str
    settings_digest: str
    deploy_seconds: int
    bake_seconds: int
    is_retired: bool


@dataclass(frozen=True, slots=True)
class SlotFacts:
    """When the leg is planned."""

    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class EvidenceFacts:
    """A report that was shown for a version, and what was counted in it."""

    name: str
    kind: str  # JUNIT or SARIF
    identities: frozenset[str]  # of the version it was shown for
    good_count: int  # tests that passed
    bad_count: int  # tests that failed or broke off; errors of a scanner


@dataclass(frozen=True, slots=True)
class LegFacts:
    """An open leg that names one of the identities asked about. Identities, period and way back are read from the signed bytes."""

    pk: int
    id: UUID
    change_id: UUID
    ref: str
    change_state: str
    state: str
    failures: int
    revision: int
    revision_digest: str
    is_intact: bool  # the stored bytes have the digests that were signed
    identities: tuple[str, ...]  # empty where the revision does not name this service and environment
    label: str
    period: Period
    rollback: Rollback
    slot: SlotFacts | None
    quorum: QuorumFacts
    kind: str = ""
    evidence: tuple[EvidenceFacts, ...] = ()  # the newest first
    exceptions: tuple[ExceptionFacts, ...] = ()  # agreed to by two people and not ended; whether they count is judged


@dataclass(frozen=True, slots=True)
class ClosedFacts:
    """A leg that named the identities and is not open: a draft, or one that is over."""

    ref: str
    change_state: str
    state: str
    identities: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CalendarFacts:
    """A freeze or window of one of the question's scopes; `starts_at` and `ends_at` bound its range now, else the next one."""

    kind: str
    title: str
    zone: str
    covers_now: bool
    starts_at: datetime | None
    ends_at: datetime | None
    expanded_until: datetime | None


@dataclass(frozen=True, slots=True)
class HoldFacts:
    """A standing stop."""

    source: str
    reason: str
    placed_at: datetime


@dataclass(frozen=True, slots=True)
class ReservationFacts:
    """The reach of another deployment on this target, its way back included."""

    held_for: UUID
    until: datetime


@dataclass(frozen=True, slots=True)
class RungFacts:
    """A target of the service one rung below, and the identities of its arrivals that share one with the question."""

    environment: str
    arrivals: tuple[frozenset[str], ...]


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything the judge knows, read at one moment."""

    now: datetime
    question: Question
    asker: AskerFacts
    service: ServiceFacts | None
    environment: EnvironmentFacts | None
    target: TargetFacts | None
    legs: tuple[LegFacts, ...] = ()
    legs_cut: bool = False  # there were more legs than are read
    closed: tuple[ClosedFacts, ...] = ()
    calendar: tuple[CalendarFacts, ...] = ()
    holds: tuple[HoldFacts, ...] = ()
    reservations: tuple[ReservationFacts, ...] = ()
    rungs: tuple[RungFacts, ...] = ()
    modes: Mapping[str, str] = field(default_factory=dict)
