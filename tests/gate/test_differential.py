"""The one statement against plain queries, over generated installations: the same facts, the same answers."""

from dataclasses import replace
from datetime import timedelta
from random import Random
from uuid import UUID

import pytest
from django.db import transaction

from apps.accounts.models import Person
from apps.accounts.roles import Role
from apps.approvals.actions import submit_change, withdraw_sign_off
from apps.approvals.models import SignOff
from apps.approvals.rules import PersonFacts, quorum
from apps.approvals.steps import Plea
from apps.catalog.models import Ownership, Service, Target
from apps.changes.actions import withdraw_change
from apps.changes.models import Change, Leg
from apps.changes.states import State
from apps.core.refusals import Refused
from apps.gate.gather import gather
from apps.gate.rules import Action, Facts, Mode, Question, judge
from apps.schedule.stretches import Stretch
from tests.conftest import NOW
from tests.factories.accounts import give_team_role, make_person
from tests.factories.approvals import DelegationFactory, a_rule, approve, make_change, make_place, make_policy
from tests.factories.catalog import ArrivalFactory, EnvironmentFactory, ServiceRoleFactory, make_target
from tests.factories.changes import COMMIT, OTHER_COMMIT, make_content, make_item
from tests.factories.evidence import EvidenceFileFactory, EvidenceUploadFactory
from tests.factories.exceptions import LegExceptionFactory
from tests.factories.gate import ARTIFACT, GateTokenFactory, RuleModeFactory
from tests.factories.proving import agree_exception, approve_change, ask_exception
from tests.factories.schedule import CalendarRuleFactory, HoldFactory, ReservationFactory, SlotFactory
from tests.gate.gather_plain import gather_plainly

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
IDENTITIES = [(COMMIT,), (OTHER_COMMIT,), (COMMIT, ARTIFACT)]


class World:
    """A small installation in which nearly everything that the gate reads happens by chance."""

    def __init__(self, seed: int) -> None:
        self.chance, self.luck = Random(seed), Random(-seed)  # exceptions have their own luck
        self.people = [make_person(Role.REQUESTER) for _ in range(5)]
        low, middle, self.top = (
            EnvironmentFactory(rank=rank, change_required=need) for rank, need in ((1, "NO"), (2, "RECORDED"), (3, "APPROVED"))
        )
        twin = EnvironmentFactory(rank=2, change_required="RECORDED")
        first = make_place(business=self.people[0], technical=self.people[1], environment=self.top, policy=False)
        second = make_place(business=self.people[1], environment=self.top, policy=False)
        self.targets = [
            first,
            second,
            *(make_target(first.service, place) for place in (low, middle, twin)),
            make_target(second.service, low),
        ]
        self.helpers = [make_person(Role.REQUESTER) for _ in range(2)]
        for step in (self.policies, self.mandates, self.changes, self.calendar, self.ground, self.tokens, self.people_move):
            step()

    def policies(self) -> None:
        service = self.targets[0].service
        everyone = a_rule("everyone", group={"kind": "OWNER", "owner": "ANY"}, needed=0, meaning="REVIEW")
        wanted = [
            a_rule(),
            a_rule("release", group={"kind": "ROLE", "role": "RELEASE_MANAGER"}, stage=2),
            a_rule("team", group={"kind": "TEAM", "team": str(service.team.public_id)}, parts=["scope"]),
            a_rule("named", group={"kind": "PERSONS", "persons": [str(self.people[2].public_id)]}),
            everyone,
        ]
        make_policy(self.top, *self.chance.sample(wanted, 2))
        if self.chance.random() < 0.5:
            make_policy(self.top, *self.chance.sample(wanted, 2), service=service)
        make_policy(self.top, everyone, kind="EMERGENCY")
        if self.chance.random() < 0.5:
            make_policy(self.top, self.chance.choice(wanted), least_risk=self.chance.choice([1, 3, 6]))
        give_team_role(self.people[3], Role.RELEASE_MANAGER, service.team)
        ServiceRoleFactory(service=service, person=self.people[1], role=Role.RELEASE_MANAGER)

    def mandates(self) -> None:
        """The helpers stand in for one person each: for everything, or for one service and kind, which may be another one."""
        for helper in self.helpers:
            some = {"service_ids": [self.chance.choice(self.targets[:2]).service_id], "kinds": self.chance.choice([["NORMAL"], None])}
            DelegationFactory(person=self.chance.choice(self.people[:4]), delegate=helper, **self.chance.choice([{}, some]))

    def changes(self) -> None:
        for _ in range(5):
            requester = self.chance.choice(self.people)
            targets = tuple(self.chance.sample(self.targets[:4], self.chance.randint(1, 3)))
            named = {target.service: [one.environment for one in targets if one.service == target.service] for target in targets}
            identities = self.chance.choice(IDENTITIES)
            items = tuple(make_item(service, tuple(places), identities=identities) for service, places in named.items())
            content = make_content(targets=targets)
            content = replace(content, scope=replace(content.scope, items=items))
            change = make_change(State.DRAFT, requester=requester, content=content)
            if self.chance.random() < 0.8:
                submit_change(change_id=change.pk, by=requester.actor, now=NOW)
            if self.chance.random() < 0.2:
                withdraw_change(change_id=change.pk, by=requester.actor, reason="Not needed.", now=NOW)
            for person in (*self.chance.sample(self.people, 3), *self.helpers):
                self.maybe_sign(change, person)
            for leg in change.legs.all():
                if self.chance.random() < 0.3:
                    SlotFactory(leg=leg)
            self.maybe_except(change)
            self.maybe_show(change)

    def maybe_sign(self, change: Change, person: Person) -> None:
        try:
            approve(change, person)
            if self.chance.random() < 0.2:
                given = SignOff.objects.get(person=person, change=change, withdrawn_at=None)
                withdraw_sign_off(sign_off_id=given.pk, by=person.actor, now=NOW)
        except Refused:  # not asked, or not any more
            return

    def maybe_except(self, change: Change) -> None:
        """Exceptions of every age; some of the people are deactivated or merged later, and some exceptions are put in by hand."""
        legs = [*change.legs.filter(is_current=True)]
        for leg in self.luck.sample(legs, min(2, len(legs))):
            at = NOW + self.luck.choice([-80, -1, 0, 0]) * HOUR
            asked = Plea(self.luck.choice(["FREEZE", "GATE"]), 90, "It cannot wait.", ())
            asked = replace(asked, lifts=("hold", "lock") if asked.kind == "GATE" else ())
            first, second = self.luck.sample(self.people, 2)
            try:
                one = ask_exception(leg_id=leg.pk, plea=asked, by=first.actor, now=at)
                agree_exception(exception_id=one.pk, by=second.actor, now=at)
            except Refused:  # a draft, a debt, or nobody who may
                LegExceptionFactory(leg=leg, revision=change.revision, asked_by=first, agreed_by=second, asked_at=at, agreed_at=NOW)

    def maybe_show(self, change: Change) -> None:
        """Reports of every kind, for this version, for another one and for none; some on a leg, and some that count nothing."""
        for _ in range(self.luck.randint(0, 3)):
            kind = self.luck.choice(["JUNIT", "JUNIT", "SARIF", "TEXT"])
            counts = {name: self.luck.choice([0, 0, 2]) for name in ("failures", "errors", "skipped", "error")}
            file = EvidenceFileFactory(kind=kind, counted={"tests": 9, **counts})
            identities = [*self.luck.choice([*IDENTITIES, ()])]
            leg = self.luck.choice([None, *change.legs.all()])
            EvidenceUploadFactory(file=file, change=change, leg=leg, attached_at=NOW, identities=identities, name=f"{kind.lower()}.xml")

    def calendar(self) -> None:
        scopes = [
            0,
            *(5_000_000_000 + target.pk for target in self.targets),
            *(4_000_000_000 + target.service_id for target in self.targets),
        ]
        for kind in ("FREEZE", "WINDOW", "WINDOW"):
            starts = NOW + self.chance.randint(-4, 4) * HOUR
            stretches = (Stretch(starts - 9 * HOUR, starts - 8 * HOUR), Stretch(starts, starts + 2 * HOUR))
            behind = self.chance.choice([None, None, NOW - HOUR, NOW + HOUR])
            live = NOW + 9 * HOUR if behind else starts + 2 * HOUR
            CalendarRuleFactory(kind=kind, scope=self.chance.choice(scopes), covers=stretches, live_until=live, expanded_until=behind)
        HoldFactory(scope=self.chance.choice(scopes))
        HoldFactory(scope=0, lifted_at=NOW, lifted_by="SYSTEM:test")

    def ground(self) -> None:
        for target in self.chance.sample(self.targets, 2):
            identities = [*self.chance.choice(IDENTITIES)]
            ArrivalFactory(target=target, identities=identities, outcome=self.chance.choice(["SUCCEEDED", "FAILED", "ADOPTED"]))
            if self.chance.random() < 0.3:
                since = NOW + self.chance.choice([-1, 1]) * HOUR
                ArrivalFactory(
                    target=target, identities=identities, outcome=self.chance.choice(["FAILED", "LEFT", "ROLLED_BACK"]), at=since
                )
        for target in self.targets:
            ReservationFactory(target=target, starts_at=NOW - 2 * HOUR, reserved_until=NOW + self.chance.choice([-1, 1]) * HOUR)
        busy = self.chance.choice(self.targets)
        Target.objects.filter(pk=busy.pk).update(occupied_by=UUID(int=9), occupied_since=NOW)
        Target.objects.filter(pk=self.chance.choice(self.targets).pk).update(
            locked_at=NOW, locked_by="SYSTEM:test", lock_reason="Disk swap."
        )
        RuleModeFactory(environment=self.top, rule=self.chance.choice(["freeze", "promotion", "window"]), mode=self.chance.choice([*Mode]))

    def tokens(self) -> None:
        target = self.targets[0]
        GateTokenFactory(hash=b"a" * 32)
        GateTokenFactory(hash=b"b" * 32, service_ids=[target.service_id], environment_ids=[target.environment_id])
        GateTokenFactory(hash=b"c" * 32, revoked_at=NOW, revoked_by="SYSTEM:test")

    def people_move(self) -> None:
        gone = self.chance.choice(self.people[:4])
        if self.chance.random() < 0.5:
            Person.objects.filter(pk=gone.pk).update(is_active=False, deactivated_at=NOW)
        elif self.chance.random() < 0.5:
            Ownership.objects.filter(person=gone).update(ended_at=NOW, ended_by="SYSTEM:test")
        else:
            Person.objects.filter(pk=gone.pk).update(is_active=False, deactivated_at=NOW, merged_into=self.people[4])
        if self.chance.random() < 0.2:
            Service.objects.filter(pk=self.targets[1].service_id).update(retired_at=NOW)

    def questions(self) -> list[Question]:
        credentials = [None, b"a" * 32, b"b" * 32, b"c" * 32, b"d" * 32]
        found = [Question("nothing", "nowhere", (COMMIT,)), Question(self.targets[0].service.slug, "nowhere", ())]
        for target in self.targets:
            for identities in (*IDENTITIES, (OTHER_COMMIT, ARTIFACT)):
                action = self.chance.choice([Action.DEPLOY, Action.DEPLOY, Action.ROLLBACK])
                asked = Question(
                    target.service.slug, target.environment.slug, identities, action, credential=self.chance.choice(credentials)
                )
                found.append(asked)
        return found + [replace(found[3], leg_id=leg.pk) for leg in Leg.objects.all()[:3]]


def ungranted(person: PersonFacts) -> PersonFacts:
    return replace(person, self_granted_at=None)


def bare(facts: Facts) -> Facts:
    """Without what only one of the two loads: members no rule asks for, who may stand in, and who gave themselves a role."""
    legs = []
    for leg in facts.legs:
        sign_offs = tuple(
            replace(one, person=ungranted(one.person), stands_for=one.stands_for and ungranted(one.stands_for))
            for one in leg.quorum.sign_offs
        )
        exceptions = tuple(
            replace(one, asked_by=ungranted(one.asked_by), agreed_by=one.agreed_by and ungranted(one.agreed_by)) for one in leg.exceptions
        )
        leg = replace(leg, exceptions=exceptions)  # noqa: PLW2901 - the leg as both load it
        legs.append(replace(leg, quorum=replace(leg.quorum, people=(), sign_offs=sign_offs, mandates=(), before=None)))
    return replace(facts, legs=tuple(legs))


def answers(facts: Facts) -> list[object]:
    """The quorum of each leg, as who agreed to what."""
    return [
        [(one.rule.key, one.state, one.missing, sorted(person.id for person in one.by)) for one in quorum(leg.quorum).rules]
        for leg in facts.legs
    ]


@pytest.mark.parametrize("seed", range(12))
def test_one_statement_and_plain_queries_agree(seed):
    world = World(seed)

    for question in world.questions():
        fast, slow = gather(question, now=NOW).facts, gather_plainly(question, now=NOW)

        assert bare(fast) == bare(slow)
        assert answers(fast) == answers(slow)
        assert judge(fast).codes == judge(slow).codes


def test_generated_worlds_reach_every_answer():
    verdicts: set[str] = set()
    for seed in range(12):
        before = transaction.savepoint()
        verdicts |= {judge(gather(question, now=NOW).facts).verdict.value for question in World(seed).questions()}
        transaction.savepoint_rollback(before)
        if len(verdicts) == 3:
            break

    assert verdicts == {"ALLOW", "PENDING", "DENY"}


@pytest.mark.parametrize(
    ("outcome", "hours", "identities", "counts"),
    [
        ("FAILED", 1, [COMMIT], False),
        ("LEFT", 1, [COMMIT], False),
        ("FAILED", -1, [COMMIT], True),
        ("FAILED", 1, [OTHER_COMMIT], True),
        ("ROLLED_BACK", 1, [COMMIT], True),
    ],
)
def test_an_arrival_counts_until_the_same_version_went_bad_there(outcome, hours, identities, counts):
    target = make_place()
    below = make_target(target.service, EnvironmentFactory(rank=target.environment.rank - 1))
    ArrivalFactory(target=below, identities=[COMMIT], at=NOW)
    ArrivalFactory(target=below, identities=identities, outcome=outcome, at=NOW + hours * HOUR)
    question = Question(target.service.slug, target.environment.slug, (COMMIT,))

    fast, slow = gather(question, now=NOW).facts, gather_plainly(question, now=NOW)

    assert fast.rungs == slow.rungs
    assert bool(fast.rungs[0].arrivals) is counts


def test_sign_off_by_somebody_merged_is_read_as_theirs_who_stays():
    target = make_place()
    change = make_change(State.IN_REVIEW, targets=(target,))
    owner = Ownership.objects.get(service=target.service).person
    approve_change(change_id=change.pk, revision_digest=Change.objects.get(pk=change.pk).revision.digest, by=owner.actor, now=NOW)
    keep = make_person()
    Person.objects.filter(pk=owner.pk).update(is_active=False, deactivated_at=NOW, merged_into=keep)

    facts = gather(Question(target.service.slug, target.environment.slug, (COMMIT,)), now=NOW).facts

    (sign_off,) = facts.legs[0].quorum.sign_offs
    assert (sign_off.person.id, sign_off.person.canonical_id, sign_off.person.is_active) == (owner.public_id, keep.public_id, False)
    assert sign_off.signature_ok is True
    assert judge(facts).verdict == "PENDING"
