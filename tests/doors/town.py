"""A whole installation: changes, deployments and incidents in every state, walls, a restricted service, and everybody who may act."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.db import connection, transaction
from django.urls import reverse

from apps.accounts.actions import issue_personal_token
from apps.accounts.models import Person
from apps.accounts.roles import Role
from apps.approvals.actions import propose_policy
from apps.approvals.models import LegException, Policy, PolicyProposal, SignOff
from apps.approvals.policy_body import default_body
from apps.catalog.actions import lock_target
from apps.catalog.models import Target
from apps.changes.access import changes_for
from apps.changes.actions import attach_evidence, propose_change_model
from apps.changes.models import Change, EvidenceUpload, Leg
from apps.changes.states import Kind, State
from apps.changes.steps.evidence import Piece
from apps.deployments.models import Deployment, Undeclared
from apps.deployments.states import State as DeploymentState
from apps.gate.actions import propose_relaxation
from apps.gate.models import Evaluation
from apps.incidents.actions import note_on_timeline, open_incident, recover_incident, resolve_incident
from apps.incidents.models import Incident, TimelineEntry
from apps.incidents.states import State as IncidentState
from apps.notifications.states import State as MailState
from apps.schedule.facts import scope_of
from apps.schedule.models import Hold, RuleKind
from tests.factories.accounts import (
    IdentityFactory,
    MembershipFactory,
    PersonFactory,
    SignInFactory,
    TeamFactory,
    make_authenticator_app,
    make_passkey,
    make_person,
)
from tests.factories.approvals import (
    AbsenceFactory,
    DelegationFactory,
    PolicyProposalFactory,
    SignOffFactory,
    approve,
    make_change,
    make_place,
    make_policy,
)
from tests.factories.catalog import EnvironmentFactory, ServiceRoleFactory, make_service
from tests.factories.changes import SavedSearchFactory, WatchFactory, make_coverage, make_model, make_template
from tests.factories.deployments import FAKE, make_deployment, make_leg, make_order, make_site
from tests.factories.exceptions import LegExceptionFactory, agreed, asked
from tests.factories.gate import BadgeLinkFactory, ask, body_for, make_gate_token
from tests.factories.notifications import DeliveryFactory
from tests.factories.pipelines import UndeclaredFactory
from tests.factories.schedule import CalendarRuleFactory, HoldFactory, SlotFactory
from tests.gate.ci import make_issuer, make_trust

ROLES = {role.value.lower(): role for role in Role}
PEOPLE = ("chief", "author", "owner", "insider", "nobody", *ROLES)
OUTSIDER = "outsider"  # every role but the auditor's, who sees restricted services
DAY = timedelta(days=1)
SHOWN = ("chief", "administrator", "Gone", "Newcomer")


@dataclass(frozen=True)
class Restricted:
    """One of everything about a service that only its team, its owners and auditors see."""

    target: Target
    change: Change
    deployment: Deployment
    incident: Incident

    @property
    def leg(self) -> Leg:
        """The only leg of the change."""
        return self.change.legs.get(is_current=True)

    @property
    def policy(self) -> Policy:
        """Who agrees to it, whatever others are asked."""
        return Policy.objects.get(service=self.target.service)

    @property
    def proposal(self) -> PolicyProposal:
        """What is proposed instead."""
        return PolicyProposal.objects.get(service=self.target.service)

    @property
    def sign_off(self) -> SignOff:
        """What somebody said of the change."""
        return SignOff.objects.filter(change=self.change).earliest("pk")

    @property
    def evidence(self) -> EvidenceUpload:
        """What was shown for the leg."""
        return self.leg.uploads.get()

    @property
    def evaluation(self) -> str:
        """The id of what a pipeline asked about it."""
        return str(Evaluation.objects.get(target_id=self.target.pk).id)

    @property
    def exception(self) -> LegException:
        """What was asked for it."""
        return LegException.objects.get(leg=self.leg)

    @property
    def note(self) -> TimelineEntry:
        """What was noted on the incident."""
        return TimelineEntry.objects.filter(incident=self.incident).earliest("recorded_at")

    @property
    def undeclared(self) -> Undeclared:
        """What runs there that nobody declared."""
        return Undeclared.objects.get(target=self.target)

    @property
    def hold(self) -> Hold:
        """What the incident placed."""
        return Hold.objects.get(source_ref=str(self.incident.reference))


@dataclass(frozen=True)
class Town:
    """Who is there, and what some may not see."""

    people: dict[str, Person]
    place: Target
    drafts: dict[str, Change]
    restricted: Restricted

    @property
    def changes(self) -> list[str]:
        """The pages of changes in every state, drafts too."""
        open_to_all = [change.ref for change in changes_for(self.people["nobody"]).order_by("pk")]
        return [reverse("home:change", args=[ref]) for ref in (*open_to_all, *(draft.ref for draft in self.drafts.values()))]

    @property
    def seen(self) -> list[str]:
        """The page of one of everything in each of its states."""
        found = self.changes + [
            reverse("deployments:deployment", args=[one.pk]) for one in Deployment.objects.exclude(pk=self.restricted.deployment.pk)
        ]
        found += [reverse("incidents:incident", args=[one.pk]) for one in Incident.objects.exclude(pk=self.restricted.incident.pk)]
        found += [
            reverse("catalog:target", args=[one.service.slug, one.environment.slug]) for one in Target.objects.exclude(locked_at=None)
        ]
        found += [reverse("catalog:service", args=[self.place.service.slug])]
        open_to_all = EvidenceUpload.objects.exclude(change=self.restricted.change).select_related("change", "leg")
        found += [reverse("home:leg_evidence", args=[one.change.ref, one.leg.public_id]) for one in open_to_all if one.change and one.leg]
        found += [reverse("home:exception", args=[one.pk]) for one in LegException.objects.exclude(pk=self.restricted.exception.pk)]
        return found + [reverse("accounts:person", args=[one.public_id]) for one in Person.objects.filter(name__in=SHOWN)]


def make_town() -> Town:
    """Build it, by the real verbs wherever a rule matters."""
    FAKE.reset()
    now = datetime.now(UTC)
    people = _people()
    restricted = _restricted(people["insider"])  # first, so that lists show everything else before it
    author, owner, chief = people["author"], people["owner"], people["chief"]
    make_leg(requester=author)  # what the gate lets through at once
    changes = {state: make_change(state, targets=(make_place(business=owner),), requester=author) for state in State}
    drafts = {"author": changes[State.DRAFT], "chief": make_change(State.DRAFT, targets=(make_place(),), requester=chief)}
    make_change(State.IN_REVIEW, targets=(make_place(business=chief),), requester=author)
    for signer in (chief, owner):
        approve(make_change(State.IN_REVIEW, targets=_two_places(signer), requester=author), signer)
    for state in DeploymentState:
        make_deployment(state, target=make_site(), requester=author)
    UndeclaredFactory(target=make_site())
    for state in IncidentState:
        _incident(state, make_site(), by=people["operator"])
    _walls(changes[State.APPROVED], now)
    make_model()
    _show(changes[State.APPROVED].legs.get(is_current=True), author)
    asked(changes[State.APPROVED], author, now=now)
    for kind, begins in (("FREEZE", now - timedelta(hours=3)), ("GATE", now)):  # one whose review may be written, one in force
        agreed(changes[State.IN_REVIEW], chief, make_person(Role.RELEASE_MANAGER), kind, now=begins)
    _agreement(people, now)
    _mail(chief, now)
    _factors(chief, now)
    return Town(people, _arena(owner), drafts, restricted)


def _arena(owner: Person) -> Target:
    """The place that every list names first, and one that is locked."""
    locked = make_place()
    lock_target(locked.pk, reason="The stage is being built.", by=make_person(Role.OPERATOR).actor)
    target = make_place(business=owner, technical=owner, environment=EnvironmentFactory(name="Arena", rank=1))
    target.service.name = "Arena"
    target.service.save()
    ServiceRoleFactory(service=target.service, person=owner, role=Role.APPROVER)  # who may do no more by it here
    BadgeLinkFactory(target=locked)
    ask(make_gate_token()[1], body_for(target))
    return target


def _people() -> dict[str, Person]:
    roles = {name: (role,) for name, role in ROLES.items()} | {"chief": tuple(Role), "author": (Role.REQUESTER,)}
    roles[OUTSIDER] = tuple(role for role in Role if role is not Role.AUDITOR)
    people = {name: make_person(*roles.get(name, ()), name=name, email=f"{name}@example.org") for name in (*PEOPLE, OUTSIDER)}
    team = TeamFactory(slug="hall", name="Hall")
    for person in people.values():
        MembershipFactory(person=person, team=team)
        issue_personal_token(name="laptop", days=30, by=person.actor)
    PersonFactory(name="Gone", is_active=False)
    IdentityFactory(person=PersonFactory(name="Newcomer"))
    TeamFactory(slug="empty", name="Empty")
    return people


def _two_places(signer: Person) -> tuple[Target, ...]:
    """One sign-off does not do: the other place has another owner."""
    return make_place(business=signer), make_place(business=make_person())


def _incident(state: IncidentState, target: Target, *, by: Person) -> Incident:
    incident = open_incident(target.pk, title="Turnstiles stay shut", by=by.actor)
    note_on_timeline(incident.pk, text="Looked at the log.", by=by.actor)
    if state is IncidentState.RECOVERED:
        recover_incident(incident.pk, by=by.actor)
    if state is IncidentState.RESOLVED:
        resolve_incident(incident.pk, reason="It was a cable.", by=by.actor)
    return incident


def _mail(reader: Person, now: datetime) -> None:
    """A mail to somebody in each of its states."""
    incident = Incident.objects.filter(target__service__is_restricted=False).earliest("pk")
    for state in MailState:
        ended_at = None if state is MailState.QUEUED else now
        DeliveryFactory(person=reader, subject=str(incident.reference), state=state, ended_at=ended_at, wake_at=now + DAY)


def _agreement(people: dict[str, Person], now: datetime) -> None:
    """A policy that waits for another administrator, somebody away, and somebody who stands in."""
    place, outsider = EnvironmentFactory(name="Cellar", rank=0), people[OUTSIDER]
    make_policy(place)
    propose_policy(name="Stricter", environment_id=place.pk, document={**default_body(), "solo": True}, by=outsider.actor)
    propose_relaxation(environment_id=place.pk, rule="freeze", after="OFF", by=outsider.actor)
    make_trust(make_issuer("https://gitlab.example.org", by=outsider), by=outsider)
    beforehand = make_template(kind=Kind.STANDARD, coverage=make_coverage(Target.objects.earliest("pk")))
    propose_change_model(slug="restart", name="Weekly restart", template=beforehand, by=outsider.actor)
    AbsenceFactory(starts_at=now - DAY, ends_at=now + DAY)
    DelegationFactory(person=people["chief"], delegate=people["operator"], starts_at=now, ends_at=now + DAY, kinds=["EMERGENCY"])
    WatchFactory(change=Change.objects.filter(state=State.IN_REVIEW).earliest("pk"), person=people["chief"])
    SavedSearchFactory(person=people["chief"])


def _factors(owner: Person, now: datetime) -> None:
    """Somebody with everything one can prove oneself with, signed in twice; and a newcomer who lost a passkey."""
    make_passkey(owner)
    make_authenticator_app(owner)
    make_passkey(Person.objects.get(name="Newcomer"))
    Session.objects.create(session_key="elsewhere", session_data="", expire_date=now + DAY)
    SignInFactory(person=owner, session_key="elsewhere")


def _walls(change: Change, now: datetime) -> None:
    """Walls around a service of their own, so that nothing else is stopped by them."""
    scope = scope_of(make_service()).number
    for kind in RuleKind:
        CalendarRuleFactory(kind=kind, scope=scope, starts_at=now - DAY, ends_at=now + DAY)
    HoldFactory(scope=scope)
    SlotFactory(leg=change.legs.get(is_current=True), starts_at=now + DAY, ends_at=now + 2 * DAY)


def _show(leg: Leg, person: Person) -> None:
    """Something seen where it ran."""
    attach_evidence(change_id=leg.change_id, leg_id=leg.pk, piece=Piece("run.txt", b"All well."), by=person.actor)


def _restricted(insider: Person) -> Restricted:
    team = TeamFactory(slug="vault", name="Vault")
    MembershipFactory(team=team, person=insider)
    target = make_site()
    target.service.team, target.service.name, target.service.is_restricted = team, "Zoo", True
    target.service.save()
    operator = make_person(Role.OPERATOR, team=team)
    deployment = make_order(target, by=operator, requester=make_person(Role.REQUESTER, team=team))
    assert deployment.leg is not None
    _show(deployment.leg, operator)
    LegExceptionFactory(leg=deployment.leg, revision=deployment.leg.change.revision)
    ask(make_gate_token(name="Vault pipeline")[1], body_for(target))
    SignOffFactory(change=deployment.leg.change, revision=deployment.leg.change.revision, person=operator)
    make_policy(target.environment, service=target.service)
    PolicyProposalFactory(environment=target.environment, service=target.service)
    UndeclaredFactory(target=target)
    return Restricted(target, deployment.leg.change, deployment, _incident(IncidentState.OPEN, target, by=operator))


@contextmanager
def undone() -> Iterator[None]:
    """Let something happen and undo it. A bare savepoint, so that verbs still find no transaction but the test's around them."""
    point = transaction.savepoint()
    try:
        yield
    finally:
        cache.clear()  # where attempts are counted
        connection.needs_rollback = False
        transaction.savepoint_rollback(point)


@contextmanager
def open_ground() -> Iterator[None]:
    """A transaction that is rolled back at the end, for what stands during all tests of a package."""
    with _around_verbs():
        try:
            yield
        finally:
            transaction.set_rollback(True)


def kept_town() -> Town:
    """The town committed, for tests that look at it from another process."""
    with _around_verbs():
        return make_town()


def _around_verbs() -> transaction.Atomic:
    around = transaction.atomic()
    around._from_testcase = True  # type: ignore[attr-defined]  # as Django's own test case does: verbs may be durable inside
    return around


Prints = dict[str, tuple[int, int]]
TABLES = """select relname from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace
  and has_table_privilege(oid, 'select') and relname not in ('django_session', 'accounts_counted') order by relname"""


def fingerprint(known: Iterable[str] = ()) -> Prints:
    """Rows and their writers, by table: whatever is inserted, updated or deleted below a savepoint changes it."""
    with connection.cursor() as cursor:
        tables = list(known)
        if not tables:
            cursor.execute(TABLES)
            tables = [name for (name,) in cursor.fetchall()]
        seen = (f"select '{name}', count(*), coalesce(sum(xmin::text::bigint), 0) from \"{name}\"" for name in tables)
        cursor.execute(" union all ".join(seen))
        return {name: (count, int(writers)) for name, count, writers in cursor.fetchall()}
