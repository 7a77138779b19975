"""Policies, and changes in every state: `make_change` walks the real actions, so nothing impossible is made."""

from collections.abc import Mapping
from copy import deepcopy
from datetime import datetime, timedelta
from typing import Any

import factory
from factory.django import DjangoModelFactory

from apps.accounts.models import Person
from apps.accounts.roles import Role
from apps.approvals.actions import expire_change, submit_change
from apps.approvals.facts import review_facts
from apps.approvals.models import Absence, Delegation, Doubt, Implementer, Look, Nudge, Policy, PolicyProposal, PolicyVersion, SignOff
from apps.approvals.policy_body import default_body
from apps.approvals.rules import forecast, quorum
from apps.approvals.steps import set_policy
from apps.catalog.models import ChangeRequired, Environment, Service, Target
from apps.changes.actions import close_change, withdraw_change
from apps.changes.models import Change, Revision
from apps.changes.states import State
from apps.changes.steps import leg_done, leg_started
from apps.core.actors import system
from tests.conftest import NOW
from tests.factories import changes
from tests.factories.accounts import make_person
from tests.factories.catalog import COMMIT, EnvironmentFactory, make_service, make_target
from tests.factories.changes import ChangeFactory, LegFactory, RevisionFactory
from tests.factories.proving import approve_change, reject_change

SYSTEM = system("test")


class PolicyFactory(DjangoModelFactory):
    """A bare row without a wording, for tests of queries alone."""

    class Meta:
        model = Policy

    name = factory.Sequence(lambda n: f"Policy {n}")
    environment = factory.SubFactory(EnvironmentFactory)


class PolicyVersionFactory(DjangoModelFactory):
    class Meta:
        model = PolicyVersion

    policy = factory.SubFactory(PolicyFactory)
    number = factory.Sequence(lambda n: n + 1)
    body = b"{}"
    digest = "0" * 64
    made_at = NOW
    made_by = "SYSTEM:test"


class SignOffFactory(DjangoModelFactory):
    """A row put in by hand: it proves nothing and never counts."""

    class Meta:
        model = SignOff

    change = factory.SubFactory(ChangeFactory)
    revision = factory.SubFactory(RevisionFactory, change=factory.SelfAttribute("..change"))
    person = factory.LazyFunction(make_person)
    requester = factory.SelfAttribute("change.requester")
    decision = "APPROVE"
    meaning = "APPROVAL"
    covered_parts = factory.LazyFunction(lambda: ["period", "plan", "rollback", "scope"])
    given_at = NOW
    statement = b"{}"
    statement_hash = factory.Sequence(lambda n: f"{n:064d}")
    key_id = "ed25519-0"
    alg = "Ed25519"
    signature = b"\x00" * 64


class PolicyProposalFactory(DjangoModelFactory):
    """A proposal that waits, for the end of a policy unless it has a body."""

    class Meta:
        model = PolicyProposal

    name = "Who agrees"
    environment = factory.SubFactory(EnvironmentFactory)
    proposed_at = NOW
    proposed_by = factory.LazyFunction(make_person)


class AbsenceFactory(DjangoModelFactory):
    class Meta:
        model = Absence

    person = factory.LazyFunction(make_person)
    starts_at = NOW - timedelta(hours=1)
    ends_at = NOW + timedelta(days=5)
    entered_at = NOW
    entered_by = "SYSTEM:test"


class DelegationFactory(DjangoModelFactory):
    """Holds around the tests' moment, and around the clock on the wall."""

    class Meta:
        model = Delegation

    person = factory.LazyFunction(make_person)
    delegate = factory.LazyFunction(make_person)
    starts_at = NOW - timedelta(days=3650)
    ends_at = NOW + timedelta(days=3650)
    given_at = NOW


class NudgeFactory(DjangoModelFactory):
    class Meta:
        model = Nudge

    change = factory.SubFactory(ChangeFactory)
    revision = factory.SubFactory(RevisionFactory, change=factory.SelfAttribute("..change"))
    person = factory.LazyFunction(make_person)
    step = "REMINDED"
    since = NOW
    at = NOW


class ImplementerFactory(DjangoModelFactory):
    """Somebody who had a leg started."""

    class Meta:
        model = Implementer

    leg = factory.SubFactory(LegFactory)
    person = factory.LazyFunction(make_person)
    at = NOW


class DoubtFactory(DjangoModelFactory):
    """An agreement that is to be counted again."""

    class Meta:
        model = Doubt

    change = factory.SubFactory(ChangeFactory)
    reason = "Rea is not active any more."
    raised_at = NOW


class LookFactory(DjangoModelFactory):
    class Meta:
        model = Look

    change = factory.SubFactory(ChangeFactory)
    person = factory.LazyFunction(make_person)
    revision = factory.SubFactory(RevisionFactory, change=factory.SelfAttribute("..change"))
    looked_at = NOW


def a_rule(key: str = "owner", **more: Any) -> dict[str, object]:
    """One rule of a policy document; the default policy's unless said otherwise."""
    return {**default_body()["rules"][0], "key": key, "label": key.replace("-", " ").capitalize(), **more}


def make_policy(
    environment: Environment, *rules: Mapping[str, object], service: Service | None = None, kind: str = "", least_risk: int = 0, **more: Any
) -> Policy:
    """The policy of an environment, or of a service, kind or risk in it: the default one, or these rules.

    Signed by whatever its people have, unless the test is about that: few of them have a second factor."""
    document = {**deepcopy(default_body()), "require_two_factors": False, **({"rules": [*rules]} if rules else {}), **more}
    place = {"environment": environment, "service": service, "kind": kind, "least_risk": least_risk}
    return set_policy(name="Who agrees", document=document, by=SYSTEM, at=NOW, **place)


def make_place(
    *, business: Person | None = None, technical: Person | None = None, environment: Environment | None = None, policy: bool = True
) -> Target:
    """A target where something runs, its service owned; where its environment asks for agreement, with the default policy."""
    service = make_service(business=business or make_person(), technical=technical)
    target = make_target(service, environment)
    target.running_label, target.running_identities, target.running_since = "3.17.0", [COMMIT], NOW
    target.save()
    place = target.environment
    if policy and place.change_required == ChangeRequired.APPROVED and not Policy.objects.filter(environment=place).exists():
        make_policy(place)
    return target


def newest(change: Change) -> Revision:
    """The revision to decide on."""
    change.refresh_from_db()
    assert change.revision is not None
    return change.revision


def approve(change: Change, by: Person, *, now: datetime = NOW, **more: Any) -> SignOff:
    """Agree to the newest revision through the real action."""
    return approve_change(change_id=change.pk, revision_digest=newest(change).digest, by=by.actor, now=now, **more)


def agree(change: Change, *, now: datetime = NOW) -> None:
    """Let whoever can agree do so until the change is approved."""
    for _ in range(20):
        change.refresh_from_db()
        if change.state != State.IN_REVIEW:
            return
        approve(change, _next_signer(change), now=now)
    raise AssertionError(f"{change} cannot be agreed to")


def _next_signer(change: Change) -> Person:
    for leg in review_facts(change).legs:
        signed = {one.id for answer in quorum(leg).rules for one in answer.by}
        able = {said.rule.key: [one for one in said.candidates if one.id not in signed] for said in forecast(leg).rules}
        for answer in quorum(leg).rules:
            if answer.state in {"WAITING", "LAPSED"} and able[answer.rule.key]:
                return Person.objects.get(public_id=able[answer.rule.key][0].id)
    raise AssertionError(f"nobody can agree to {change}")


def make_change(
    state: State = State.APPROVED,
    *,
    targets: tuple[Target, ...] = (),
    requester: Person | None = None,
    now: datetime = NOW,
    **parts: Any,
) -> Change:
    """A change in this state, walked there by the real actions; PARTS replace parts of its content."""
    requester = requester or make_person(Role.REQUESTER)
    change = changes.make_change(requester=requester, targets=targets or (make_place(),), now=now, **parts)
    by = requester.actor
    if state not in {State.DRAFT, State.WITHDRAWN}:
        submit_change(change_id=change.pk, by=by, now=now)
    if state in {State.APPROVED, State.IN_PROGRESS, State.POST_REVIEW, State.CLOSED}:
        agree(change, now=now)
    change.refresh_from_db()
    match state:
        case State.WITHDRAWN:
            withdraw_change(change_id=change.pk, by=by, reason="Not needed.", now=now)
        case State.REJECTED:
            reject_change(
                change_id=change.pk, revision_digest=newest(change).digest, by=_next_signer(change).actor, reason="Not like this.", now=now
            )
        case State.EXPIRED:
            assert change.not_after is not None
            expire_change(change_id=change.pk, by=SYSTEM, now=change.not_after + timedelta(seconds=1))
        case State.IN_PROGRESS | State.POST_REVIEW | State.CLOSED:
            _deploy(change, now=now, ends=state is not State.IN_PROGRESS)
    if state is State.CLOSED:
        close_change(change_id=change.pk, by=by, review="All well.", now=now)
    change.refresh_from_db()
    assert change.state == state, f"{change} is {change.state}, not {state}"
    return change


def _deploy(change: Change, *, now: datetime, ends: bool) -> None:
    for leg in change.legs.filter(is_current=True):
        leg_started(leg, by=SYSTEM, at=now)
        if ends:
            leg_done(leg, by=SYSTEM, at=now)
