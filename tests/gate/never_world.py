"""A small installation for generated histories: three rungs, two services, five changes, and everybody who has a hand in them."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from django.conf import settings
from django.db import transaction

from apps.accounts.models import Person
from apps.accounts.roles import Role
from apps.approvals.actions import ask_for_change
from apps.catalog.models import Outcome, Service, Target
from apps.catalog.repositories.passage import Commit, Hand, Passage, as_body
from apps.catalog.steps import note_arrival
from apps.catalog.versions import Version
from apps.changes.models import Change, VersionReading
from apps.core.actors import system
from apps.gate.actions import HOST
from apps.gate.rules import Action
from tests.conftest import NOW
from tests.factories.accounts import RoleGrantFactory, make_person
from tests.factories.approvals import DelegationFactory, a_rule, make_change, make_policy
from tests.factories.catalog import EnvironmentFactory, OwnershipFactory, make_service, make_target
from tests.factories.changes import COMMIT, OTHER_COMMIT, as_modelled, make_content, make_item, make_standard_model
from tests.factories.exceptions import make_emergency
from tests.factories.gate import ARTIFACT, make_gate_token
from tests.gate.ci import make_issuer, make_trust
from tests.gate.never_hands import Hands
from tests.gate.never_jobs import issuer_key
from tests.gate.second_judge_rows import sha

BY, HOSTED = system("test"), system(HOST)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
OLD, OLDER = Version("3.17.0", ("git:" + "17" * 20,)), Version("3.16.0", ("git:" + "16" * 20,))
VERSIONS = {"one": (COMMIT,), "two": (COMMIT, ARTIFACT), "three": (OTHER_COMMIT,)}
PEOPLE = ("rita", "ruth", "bea", "ben", "tom", "max", "mia", "ola", "sam")
ROLES = {
    "rita": "REQUESTER",
    "ruth": "REQUESTER",
    "bea": "REQUESTER",
    "max": "RELEASE_MANAGER",
    "mia": "RELEASE_MANAGER",
    "ola": "OPERATOR",
}
POLICIES = (
    [a_rule()],
    [a_rule("business", group={"kind": "OWNER", "owner": "BUSINESS"}), a_rule("release", group={"kind": "ROLE", "role": "RELEASE_MANAGER"}, stage=2)],
    [a_rule(needed=2)],
    [a_rule("everyone", group={"kind": "OWNER", "owner": "ANY"}, needed=0)],
    [a_rule("what", parts=["scope"]), a_rule("how", group={"kind": "ROLE", "role": "RELEASE_MANAGER"}, parts=["plan", "rollback"])],
)  # fmt: skip


@dataclass
class World:
    """Who and what there is, by name; rows are read anew where they may have changed."""

    start: datetime
    people: dict[str, int]
    targets: dict[str, int]
    environments: dict[str, int]
    services: dict[str, int]
    changes: list[int]
    tokens: list[tuple[int, bytes]]
    merging: int
    hands: Hands
    issuer: str

    def actor(self, name: str):
        return Person.objects.get(pk=self.people[name]).actor

    def target(self, name: str) -> Target:
        return Target.objects.select_related("service__team", "environment", "settings").get(pk=self.targets[name])

    def change(self, number: int) -> Change:
        return Change.objects.get(pk=self.changes[number])


def make_world(issuer: str) -> World:
    """ISSUER is the address of a running issuer of CI tokens."""
    # Verdicts lie in partitions by month of the clock on the wall, so the world begins now.
    start = max(NOW, datetime.now(UTC).replace(microsecond=0))
    people = {name: make_person(name=name.capitalize()) for name in PEOPLE}
    for name, role in ROLES.items():
        RoleGrantFactory(person=people[name], role=Role(role))
    people["ada"] = make_person(Role.ADMINISTRATOR, name="Ada")
    rungs = {
        name: EnvironmentFactory(slug=name, rank=rank, change_required=need)
        for name, rank, need in (("dev", 1, "NO"), ("stage", 2, "RECORDED"), ("live", 3, "APPROVED"))
    }
    web, api = make_service(business=people["bea"], technical=people["tom"]), make_service(business=people["bea"])
    OwnershipFactory(service=web, person=people["ben"])
    OwnershipFactory(service=api, person=people["tom"], kind="TECHNICAL")
    make_policy(rungs["live"], require_two_factors=False)
    targets = {
        f"{name}/{rung}": make_target(service, rungs[rung])
        for name, rung, service in (("web", "dev", web), ("web", "stage", web), ("web", "live", web), ("api", "live", api))
    }
    for target in targets.values():
        for version in (OLDER, OLD):
            note_arrival(target, version, Outcome.ADOPTED, by=BY, at=NOW)
    for name in ("web/dev", "web/stage"):
        note_arrival(targets[name], Version("3.18.1", (COMMIT,)), Outcome.SUCCEEDED, by=BY, at=NOW)
    DelegationFactory(person=people["bea"], delegate=people["sam"], starts_at=start - DAY, ends_at=start + 2 * DAY)
    tokens = [make_gate_token(actions=tuple(Action)), make_gate_token(web, environments=(rungs["live"],)), make_gate_token(days=1)]
    hands = Hands()
    for name in ("tom", "mia"):
        hands.enrol(people[name], NOW)
    changes = _changes(targets, people, start)
    for change in changes[:4]:
        hands.agree(change, people["tom"], start)
    _jobs(issuer, targets, people["ada"])
    _read(web, people)
    return World(
        start=start,
        people={name: one.pk for name, one in people.items()},
        targets={name: one.pk for name, one in targets.items()},
        environments={name: one.pk for name, one in rungs.items()},
        services={"web": web.pk, "api": api.pk},
        changes=[one.pk for one in changes],
        tokens=[(token.pk, bytes(token.hash)) for token, _ in tokens],
        merging=make_person(name="Benjamin").pk,
        hands=hands,
        issuer=issuer,
    )


def _jobs(url: str, targets: dict[str, Target], chief: Person) -> None:
    """Jobs of one project may deploy web to live for a month, and anything anywhere for three days."""
    issuer = make_issuer(url, by=chief)
    make_trust(issuer, targets["web/live"], by=chief)
    make_trust(issuer, by=chief, days=3, actions=tuple(Action))


def _read(service: Service, people: dict[str, Person]) -> None:
    """What is asked for was made by Ruth and put in by Rita, and Tom made the other version."""
    (base,) = (one.removeprefix("git:") for one in OLD.identities)
    for identity, author, committer in ((COMMIT, "ruth", "rita"), (OTHER_COMMIT, "tom", "tom")):
        commit = identity.removeprefix("git:")
        hands = [Hand(people[name].name, people[name].email) for name in (author, committer)]
        passage = Passage(base, commit, (Commit(commit, NOW, "Return ferry first", (hands[0],), hands[1]),))
        VersionReading.objects.create(service=service, base=base, commit=commit, body=as_body(passage), read_at=NOW)


def _changes(targets: dict[str, Target], people: dict[str, Person], start: datetime) -> list[Change]:
    web, stage, api = (Target.objects.get(pk=targets[name].pk) for name in ("web/live", "web/stage", "api/live"))
    both = make_content(targets=(web,), not_after=start + 6 * DAY)
    both = replace(both, scope=replace(both.scope, items=(make_item(web.service, (web.environment,), identities=VERSIONS["two"]),)))
    model = make_standard_model(api, author=people["ada"])
    modelled = as_modelled(model, api)
    modelled = replace(
        modelled, scope=replace(modelled.scope, items=(make_item(api.service, (api.environment,), identities=VERSIONS["three"]),))
    )
    urgent = make_content(targets=(web,))
    urgent = replace(urgent.scope, items=(make_item(web.service, (web.environment,), identities=VERSIONS["three"]),))
    return [
        make_change(targets=(stage, web), requester=people["rita"], state="IN_REVIEW", now=start, not_after=start + 2 * DAY),
        make_change(targets=(web,), requester=people["ruth"], state="IN_REVIEW", now=start, scope=both.scope, period=both.period),
        make_emergency(web, people["rita"], now=start, scope=urgent),
        make_change(targets=(api,), requester=people["bea"], state="IN_REVIEW", now=start),
        ask_for_change(content=modelled, by=people["ruth"].actor, is_submitted=True, made_from=model.version_id, now=start),
    ]


def trusted_keys(issuer: str) -> dict[str, bytes]:
    """The host's key, from its file, and the issuer's."""
    private = load_pem_private_key(settings.SIGNING_KEY_FILE.read_bytes(), password=None)
    public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return {f"ed25519-{sha(public)[:32]}": public, issuer: issuer_key()}


def rolled_back() -> transaction.Atomic:
    """A savepoint in which verbs may be durable, as Django's own test case says it."""
    atomic = transaction.atomic()
    atomic._from_testcase = True
    return atomic
