"""What belongs to whom: one of everything of my team, of another team and of a restricted service, and what people have for themselves."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from django.contrib.sessions.models import Session

from apps.accounts.models import Person, Team
from apps.accounts.roles import WIDE_ONLY, Role
from apps.approvals.actions import send_back_change
from apps.approvals.models import SignOff
from apps.catalog.actions import lock_target
from apps.catalog.models import ChangeRequired, Environment, Ownership, Target
from apps.changes.actions import attach_evidence, propose_change_model
from apps.changes.models import Change
from apps.changes.states import Kind, State
from apps.changes.steps import leg_done, leg_started
from apps.changes.steps.evidence import Piece
from apps.core.actors import system
from apps.deployments.models import Deployment
from apps.deployments.states import State as DeploymentState
from apps.gate.actions import propose_relaxation
from apps.incidents.actions import note_on_timeline, open_incident
from apps.notifications.states import State as MailState
from apps.schedule.facts import scope_of
from apps.schedule.models import RuleKind
from tests.factories.accounts import (
    IdentityFactory,
    MembershipFactory,
    PersonalTokenFactory,
    PersonFactory,
    RoleGrantFactory,
    SignInFactory,
    TeamFactory,
    make_passkey,
    make_person,
)
from tests.factories.approvals import (
    AbsenceFactory,
    DelegationFactory,
    PolicyProposalFactory,
    a_rule,
    make_change,
    make_place,
    make_policy,
)
from tests.factories.catalog import EnvironmentFactory, OwnershipFactory, ServiceRoleFactory
from tests.factories.changes import SavedSearchFactory, make_coverage, make_model, make_template
from tests.factories.deployments import make_deployment, make_leg, make_site
from tests.factories.exceptions import agreed, asked
from tests.factories.gate import BadgeLinkFactory, ask, body_for, make_gate_token
from tests.factories.notifications import DeliveryFactory
from tests.factories.pipelines import UndeclaredFactory
from tests.factories.schedule import CalendarRuleFactory, HoldFactory, SlotFactory
from tests.gate.ci import make_issuer, make_trust

STAFF = ("requester", "approver", "release_manager", "operator", "business", "technical")
EVERYONE = (*STAFF, "auditor", "administrator", "nobody")
ORDERS = (DeploymentState.QUEUED, DeploymentState.SUCCEEDED, DeploymentState.NEEDS_HUMAN)
STAGES = (State.IN_REVIEW, State.APPROVED, State.POST_REVIEW)
DAY = timedelta(days=1)
SYSTEM = system("test")
Parts = dict[str, str]


@dataclass
class Holding:
    """What belongs to one team, by what the address of a page calls it."""

    team: Team
    staff: dict[str, Person]
    restricted: bool
    changes: dict[str, Change] = field(default_factory=dict)
    things: dict[str, Parts] = field(default_factory=dict)


@dataclass
class Estate:
    """Who is there: people of one team, each with one role for its services; and what belongs to whom."""

    people: dict[str, Person]
    keeper: Person
    holdings: dict[str, Holding]
    own: dict[str, dict[str, Parts]]
    common: dict[str, Parts]


def make_estate() -> Estate:
    """Build it, by the real verbs wherever a rule matters."""
    keeper = make_person(*Role, name="Keeper")
    works = EnvironmentFactory(name="Works", rank=61, change_required=ChangeRequired.APPROVED)
    group = {"kind": "ROLE", "role": "APPROVER"}, {"kind": "ROLE", "role": "RELEASE_MANAGER"}
    rules = a_rule(needed=2), a_rule("approver", group=group[0]), a_rule("release", group=group[1])
    make_policy(works, *rules)
    holdings = {"ours": _holding("Ours"), "theirs": _holding("Theirs"), "hidden": _holding("Hidden", restricted=True)}
    for holding in holdings.values():
        MembershipFactory(team=holding.team, person=keeper)
        _fill(holding, works)
    ours = holdings["ours"]
    people = dict(ours.staff) | {name: _person(name, ours.team) for name in EVERYONE if name not in ours.staff}
    others = {
        "colleague": make_person(name="Colleague", team=ours.team),
        "neighbour": make_person(name="Neighbour", team=holdings["theirs"].team),
    }
    own = {name: _belongings(person, make_person()) for name, person in (people | others).items()}
    return Estate(people, keeper, holdings, own, _common(keeper))


def _holding(name: str, *, restricted: bool = False) -> Holding:
    team = TeamFactory(slug=name.lower(), name=name)
    return Holding(team, {staff: _person(staff, team) for staff in STAFF}, restricted)


def _person(name: str, team: Team) -> Person:
    """Somebody of the team who has this role for it, or for everything where no team has it."""
    person = make_person(name=f"{team.name} {name}", team=team)
    if name.upper() in Role.__members__:
        role = Role[name.upper()]
        RoleGrantFactory(person=person, role=role, team=None if role in WIDE_ONLY else team)
    return person


def _fill(holding: Holding, works: Environment) -> None:
    asking, operator = make_person(Role.REQUESTER, name=f"{holding.team.name} asking", team=holding.team), holding.staff["operator"]
    RoleGrantFactory(person=asking, role=Role.OPERATOR)
    for state in STAGES:
        holding.changes[state] = make_change(state, targets=(_place(holding, works),), requester=asking)
    holding.changes["STARTED"] = _started(holding, works, asking)
    back = make_change(State.IN_REVIEW, targets=(_place(holding, works),), requester=asking)
    send_back_change(change_id=back.pk, by=holding.staff["business"].actor, reason="Say more.")
    holding.changes |= {"SENT_BACK": back, "DRAFT": make_change(State.DRAFT, targets=(_place(holding, works),), requester=asking)}
    for name, change in holding.changes.items():
        leg = change.legs.filter(is_current=True).earliest("pk")
        seen = {"ref": change.ref, "revision_digest": change.revision.digest if change.revision else ""}
        holding.things |= {f"change {name}": seen, f"leg {name}": {"ref": change.ref, "leg": str(leg.public_id)}}
    given = SignOff.objects.filter(change=holding.changes[State.APPROVED]).earliest("pk")
    holding.things["signed"] = {"ref": given.change.ref, "public_id": str(given.public_id)}
    holding.things["agreement"] = holding.things["change IN_REVIEW"]
    holding.things["agreement DRAFT"] = holding.things["change DRAFT"]
    leg = holding.changes[State.APPROVED].legs.get(is_current=True)
    attach_evidence(change_id=leg.change_id, leg_id=leg.pk, piece=Piece("run.txt", b"All well."), by=asking.actor)
    holding.things["evidence"] = {"public_id": str(leg.uploads.get().public_id)}
    now = datetime.now(UTC)
    SlotFactory(leg=leg, starts_at=now + DAY, ends_at=now + 2 * DAY)  # an exception passes it
    waits = asked(holding.changes[State.IN_REVIEW], asking, now=now)
    owed = now - timedelta(hours=3)  # it has ended, so its review may be written
    over = agreed(holding.changes[State.APPROVED], asking, holding.staff["release_manager"], now=owed)
    holding.things |= {"exception": {"number": str(waits.pk)}, "agreed exception": {"number": str(over.pk)}}
    _fill_places(holding, works, operator)
    _fill_runs(holding, asking, operator)


def _place(holding: Holding, works: Environment) -> Target:
    return _owned(holding, make_place(environment=works))


def _site(holding: Holding) -> Target:
    return _owned(holding, make_site())


def _owned(holding: Holding, target: Target) -> Target:
    """Let the service be the team's, and its owners people of the team alone."""
    service = target.service
    service.team, service.is_restricted = holding.team, holding.restricted
    service.save()
    Ownership.objects.filter(service=service).update(person=holding.staff["business"])
    if not Ownership.objects.filter(service=service).exists():
        OwnershipFactory(service=service, person=holding.staff["business"])
    OwnershipFactory(service=service, person=holding.staff["technical"], kind="TECHNICAL")
    return target


def _started(holding: Holding, works: Environment, asking: Person) -> Change:
    """One part of it is done, the other waits."""
    change = make_change(targets=(_place(holding, works), _place(holding, works)), requester=asking)
    leg, at = change.legs.filter(is_current=True).earliest("pk"), datetime.now(UTC)
    leg_started(leg, by=SYSTEM, at=at)
    leg_done(leg, by=SYSTEM, at=at)
    return change


def _fill_places(holding: Holding, works: Environment, operator: Person) -> None:
    """A service, what surrounds it, and who agrees to it."""
    now, target, locked = datetime.now(UTC), _place(holding, works), _site(holding)
    lock_target(locked.pk, reason="The stage is being built.", by=operator.actor)
    ServiceRoleFactory(service=target.service, person=operator, role=Role.OPERATOR)
    service = {"slug": target.service.slug}
    holding.things |= {
        "service": service,
        "business owner": service | {"public_id": str(holding.staff["business"].public_id)},
        "worker": service | {"role": "operator", "public_id": str(holding.staff["operator"].public_id)},
        "technical owner": service | {"public_id": str(holding.staff["technical"].public_id)},
        "target": service | {"environment": works.slug},
        "evaluation": {"public_id": ask(make_gate_token()[1], body_for(target)).json()["id"]},
        "shared target": {"slug": locked.service.slug, "environment": locked.environment.slug},
        "locked target": {"slug": locked.service.slug, "environment": locked.environment.slug},
        "team": {"slug": holding.team.slug},
        "member": {"slug": holding.team.slug, "public_id": str(make_person(team=holding.team).public_id)},
    }
    BadgeLinkFactory(target=locked)
    scope = scope_of(locked.service).number
    for kind in RuleKind:
        rule = CalendarRuleFactory(kind=kind, scope=scope, starts_at=now - DAY, ends_at=now + DAY)
        holding.things[kind.value.lower()] = {"public_id": str(rule.public_id)}
    holding.things["hold"] = {"public_id": str(HoldFactory(scope=scope).public_id)}
    policy = make_policy(locked.environment, service=locked.service)
    proposal = PolicyProposalFactory(
        name="Stricter",
        environment=EnvironmentFactory(),
        service=locked.service,
        body=policy.version.body,
        proposed_by=make_person(Role.ADMINISTRATOR),
    )
    holding.things |= {"policy": {"public_id": str(policy.public_id)}, "proposal": {"public_id": str(proposal.public_id)}}


def _fill_runs(holding: Holding, asking: Person, operator: Person) -> None:
    """Deployments and an incident."""
    for state in ORDERS:
        deployment: Deployment = make_deployment(state, target=_site(holding), requester=asking, by=operator)
        holding.things[f"deployment {state}"] = {"number": str(deployment.pk)}
    undeclared = UndeclaredFactory(target=_site(holding))
    holding.things["undeclared"] = {"number": str(undeclared.pk)}
    leg = make_leg(_site(holding), requester=asking)
    holding.things["order"] = {"ref": leg.change.ref, "leg_id": str(leg.public_id)}
    incident = open_incident(_site(holding).pk, title="Turnstiles stay shut", by=asking.actor)
    note = note_on_timeline(incident.pk, text="Looked at the log.", by=asking.actor)
    holding.things |= {"incident": {"number": str(incident.pk)}, "note": {"number": str(incident.pk), "entry_id": str(note.public_id)}}


def _belongings(person: Person, friend: Person) -> dict[str, Parts]:
    """What somebody has for themselves, each by its address."""
    now, public_id = datetime.now(UTC), {"public_id": str(person.public_id)}
    key = f"elsewhere-{person.pk}"
    Session.objects.create(session_key=key, session_data="", expire_date=now + DAY)
    rows = {
        "token": PersonalTokenFactory(person=person),
        "passkey": make_passkey(person)[0],
        "session": SignInFactory(person=person, session_key=key),
        "absence": AbsenceFactory(person=person, starts_at=now - DAY, ends_at=now + DAY),
        "delegation": DelegationFactory(person=person, delegate=friend, starts_at=now, ends_at=now + DAY),
    }
    search = SavedSearchFactory(person=person, name=f"Search of {person.name}")
    grant = RoleGrantFactory(person=person, role=Role.REQUESTER, team=TeamFactory())
    identity = IdentityFactory(person=person)
    found = {name: {"public_id": str(row.public_id)} for name, row in rows.items()}
    numbers = {"identity": public_id | {"identity_id": str(identity.pk)}, "grant": public_id | {"grant_id": str(grant.pk)}}
    return found | numbers | {"person": public_id, "search": {"name": search.name}}


def _common(keeper: Person) -> dict[str, Parts]:
    """What is nobody's."""
    failed = DeliveryFactory(person=keeper, state=MailState.FAILED, ended_at=datetime.now(UTC), wake_at=datetime.now(UTC) + DAY)
    slug = make_model(slug="monthly", name="Monthly release").slug
    empty = EnvironmentFactory(name="Empty rung", rank=0)
    make_person(name="Aaron")  # the first of every list
    template, administrator = (
        make_template(kind=Kind.STANDARD, coverage=make_coverage(Target.objects.earliest("pk"))),
        make_person(Role.ADMINISTRATOR),
    )
    proposed = propose_change_model(slug="yearly", name="Yearly release", template=template, by=administrator.actor)
    trust = make_trust(make_issuer("https://ci.example.org", by=administrator), by=administrator)
    relaxed = propose_relaxation(environment_id=empty.pk, rule="freeze", after="OFF", by=administrator.actor)
    return {
        "proposed model": {"public_id": str(proposed.public_id)},
        "credential": {"public_id": str(make_gate_token(name="Turnstile pipeline")[0].public_id)},
        "trust": {"public_id": str(trust.grant.public_id)},
        "issuer": {"public_id": str(trust.issuer.public_id)},
        "relaxation": {"slug": empty.slug, "public_id": str(relaxed.public_id)},
        "environment": {"slug": empty.slug},
        "model": {"slug": slug},
        "empty team": {"slug": TeamFactory().slug},
        "gone person": {"public_id": str(PersonFactory(is_active=False).public_id)},
        "new person": {"public_id": str(make_person(name="Newly").public_id)},
        "delivery": {"public_id": str(failed.public_id)},
    }
