"""Gate tokens, facts for the judge, and rows for tests of queries alone."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import factory
from django.test import Client
from factory.django import DjangoModelFactory

from apps.approvals.policy_body import default_body, policy_bytes, read_policy
from apps.approvals.rules import PersonFacts, QuorumFacts, SignOffFacts, editor_of
from apps.catalog.models import Environment, Service, Target
from apps.changes.content import Period, Rollback, Strategy
from apps.core.actors import system
from apps.core.canonical import digest
from apps.core.ids import id_at, new_id
from apps.gate.actions import HOST, issue_gate_token
from apps.gate.models import (
    BadgeLink,
    Evaluation,
    EvaluationKey,
    GateToken,
    Issuer,
    Relaxation,
    RuleMode,
    SpentTicket,
    Ticket,
    Trust,
    UnknownTokens,
    VerdictRow,
)
from apps.gate.rules import (
    Action,
    AskerFacts,
    AskerKind,
    Detail,
    EnvironmentFacts,
    Facts,
    LegFacts,
    Mode,
    Question,
    ServiceFacts,
    TargetFacts,
)
from apps.gate.rules.workloads import IssuerKind
from tests.conftest import NOW
from tests.factories.accounts import make_person
from tests.factories.catalog import EnvironmentFactory, make_target

COMMIT = "git:" + "4a92c6e8" * 5
OTHER_COMMIT = "git:" + "d07be3f1" * 5
ARTIFACT = "sha256:" + "02d76bb1" * 8
OTHER_ARTIFACT = "sha256:" + "9a4f71ce" * 8
PATH = "/api/v1/gate/evaluations"
IDS = [UUID(int=number) for number in range(1, 40)]
PARTS = ("scope", "plan", "rollback", "period")
DIGESTS = {part: digest(part.encode()) for part in (*PARTS, "story")}


class RelaxationFactory(DjangoModelFactory):
    """A proposal that waits."""

    class Meta:
        model = Relaxation

    environment = factory.SubFactory(EnvironmentFactory)
    before = "APPROVED"
    after = "RECORDED"
    proposed_at = NOW
    proposed_by = factory.LazyFunction(make_person)


class GateTokenFactory(DjangoModelFactory):
    """A bare row nobody has the secret of."""

    class Meta:
        model = GateToken

    name = factory.Sequence(lambda n: f"Pipeline {n}")
    prefix = "ccg_12345678"
    hash = factory.Sequence(lambda n: n.to_bytes(32, "big"))
    actions = factory.LazyFunction(lambda: ["DEPLOY"])
    issued_at = NOW
    issued_by = "SYSTEM:test"
    expires_at = NOW.replace(year=NOW.year + 1)


class IssuerFactory(DjangoModelFactory):
    """A bare row whose keys nobody can read."""

    class Meta:
        model = Issuer

    name = factory.Sequence(lambda n: f"CI {n}")
    url = factory.Sequence(lambda n: f"https://ci-{n}.example.org")
    kind = IssuerKind.GITHUB
    project_claim = "repository_id"
    added_at = NOW
    added_by = "SYSTEM:test"


class TrustFactory(DjangoModelFactory):
    """A trust in force."""

    class Meta:
        model = Trust

    grant = factory.SubFactory(GateTokenFactory)
    issuer = factory.SubFactory(IssuerFactory)
    audience = "https://change-control.example"
    project = factory.Sequence(lambda n: str(1000 + n))
    environment = "production"
    proposed_by = factory.LazyFunction(make_person)
    in_force_at = NOW


class RuleModeFactory(DjangoModelFactory):
    class Meta:
        model = RuleMode

    environment = factory.SubFactory(EnvironmentFactory)
    rule = "slot"
    mode = Mode.OFF
    set_at = NOW
    set_by = "SYSTEM:test"


class EvaluationFactory(DjangoModelFactory):
    class Meta:
        model = Evaluation

    at = factory.LazyFunction(lambda: datetime.now(UTC))
    id = factory.LazyAttribute(lambda made: id_at(made.at))
    token_id = 1
    key = ""
    question = b"{}"


class VerdictRowFactory(DjangoModelFactory):
    class Meta:
        model = VerdictRow

    at = factory.LazyFunction(lambda: datetime.now(UTC))
    evaluation_id = factory.LazyFunction(new_id)
    verdict = "DENY"
    is_final = False
    codes = factory.LazyFunction(lambda: ["no_change"])
    record = b"{}"
    judge = 1


class EvaluationKeyFactory(DjangoModelFactory):
    class Meta:
        model = EvaluationKey

    token = factory.SubFactory(GateTokenFactory)
    key = factory.Sequence(lambda n: f"run-{n}")
    body_hash = b"\x00" * 32
    evaluation_id = factory.LazyFunction(new_id)
    at = NOW


class TicketFactory(DjangoModelFactory):
    class Meta:
        model = Ticket

    evaluation_id = factory.LazyFunction(new_id)
    action = Action.DEPLOY
    binds = "0" * 64
    payload = b"{}"
    key_id = "ed25519-0"
    signature = b"\x00" * 64
    issued_at = NOW
    expires_at = NOW + timedelta(minutes=60)


class SpentTicketFactory(DjangoModelFactory):
    class Meta:
        model = SpentTicket

    ticket = factory.SubFactory(TicketFactory)
    spent_at = NOW
    spent_by = "SYSTEM:test"
    spent_for = "deployment:01980000-0000-7000-8000-000000000000"


class BadgeLinkFactory(DjangoModelFactory):
    """The badge of a target, shared with whoever has its address."""

    class Meta:
        model = BadgeLink

    target = factory.LazyFunction(make_target)
    made_at = NOW
    made_by = "SYSTEM:test"


class UnknownTokensFactory(DjangoModelFactory):
    class Meta:
        model = UnknownTokens

    day = factory.Sequence(lambda n: date(2026, 1, 1) + timedelta(days=n))
    count = 1


def make_gate_token(
    *services: Service, environments: tuple[Environment, ...] | None = None, actions: tuple[Action, ...] = (Action.DEPLOY,), **more: Any
) -> tuple[GateToken, str]:
    """A token issued by the real action, and its secret; for all services unless some are named."""
    issued = issue_gate_token(
        name=more.pop("name", "Pipeline"),
        actions=actions,
        days=more.pop("days", 90),
        services=services or None,
        environments=environments,
        by=system(HOST),
        **more,
    )
    return issued.token, issued.secret


def body_for(target: Target, *identities: str, **more: Any) -> dict[str, Any]:
    """A question as a pipeline sends it."""
    kinds: dict[str, list[str]] = {}
    for identity in identities or (COMMIT,):
        kind, _, value = identity.partition(":")
        kinds.setdefault(kind, []).append(value)
    named = {kind: values[0] if len(values) == 1 else values for kind, values in kinds.items()}
    return {"service": target.service.slug, "environment": target.environment.slug, "identities": named, **more}


def ask(secret: str, body: object, *, key: str = "", path: str = PATH) -> Any:
    """POST a question; the response."""
    headers = {"Authorization": f"Bearer {secret}", **({"Idempotency-Key": key} if key else {})}
    data = body if isinstance(body, (str, bytes)) else json.dumps(body)
    return Client().post(path, data=data, content_type="application/json", headers=headers)


def look(secret: str, evaluation: str) -> Any:
    """GET an evaluation; the response."""
    return Client().get(f"{PATH}/{evaluation}", headers={"Authorization": f"Bearer {secret}"})


# Facts for the judge, made without a database: everything is well and the answer is ALLOW.

POLICY = read_policy(policy_bytes(default_body()), policy_id=IDS[0], name="Production", number=1, digest="p" * 64)
OWNER = PersonFacts(
    id=IDS[1], name="Rosa", is_active=True, roles=frozenset(), team_ids=frozenset(), owner_of=frozenset({"BUSINESS"}), canonical_id=IDS[1]
)
SERVICE = ServiceFacts(1, IDS[10], "checkout", "Checkout", is_restricted=False, is_retired=False)
PRODUCTION = EnvironmentFacts(1, IDS[11], "production", "Production", 30, "APPROVED", "UTC", is_retired=False)
TARGET = TargetFacts(
    pk=1, id=IDS[12], running=(OTHER_COMMIT,), running_label="1.0", previous=(ARTIFACT,), previous_label="0.9", occupied_by=None,
    occupied_since=None, locked_at=None, lock_reason="", settings_digest="s" * 64, deploy_seconds=60, bake_seconds=60, is_retired=False,
)  # fmt: skip
SIGN_OFF = SignOffFacts(
    id=IDS[13], person=OWNER, decision="APPROVE", meaning="APPROVAL", covered={part: DIGESTS[part] for part in PARTS},
    groups=frozenset({(f"owner:ANY:{IDS[10]}", str(IDS[12]))}), given_at=NOW, signature_ok=True, settings={str(IDS[12]): "s" * 64}, revision=1,
    proof="password_and_code",
)  # fmt: skip
QUORUM = QuorumFacts(
    leg_id=IDS[14], target_id=IDS[12], service_id=IDS[10], service="Checkout", environment="Production", required="APPROVED", policy=POLICY, digests=DIGESTS,
    sign_offs=(SIGN_OFF,), hands={"requester": frozenset({IDS[15]}), **{editor_of(part): frozenset({IDS[15]}) for part in DIGESTS}},
)  # fmt: skip
LEG = LegFacts(
    pk=1, id=IDS[14], change_id=IDS[16], ref="CHG-7", change_state="APPROVED", state="WAITING", failures=0, revision=1,
    revision_digest="r" * 64, is_intact=True, identities=(COMMIT, ARTIFACT), label="1.1", period=Period(None, NOW + timedelta(days=14)),
    rollback=Rollback(strategy=Strategy.PREVIOUS_RELEASE, seconds_to_restore=60), slot=None, quorum=QUORUM,
)  # fmt: skip
QUESTION = Question("checkout", "production", (COMMIT, ARTIFACT), credential=b"\x01" * 32)
TOKEN = AskerFacts(AskerKind.TOKEN, 1, IDS[17], "Pipeline", detail=Detail.FULL)
ALLOWED = Facts(now=NOW, question=QUESTION, asker=TOKEN, service=SERVICE, environment=PRODUCTION, target=TARGET, legs=(LEG,))


def facts_with(*, leg: dict[str, Any] | None = None, **more: Any) -> Facts:
    """The facts of a yes, changed; `leg` changes the one leg, and a dict for another part changes that part."""
    parts = {name: replace(getattr(ALLOWED, name), **value) if _is_part(name, value) else value for name, value in more.items()}
    legs = {"legs": (replace(LEG, **leg),)} if leg is not None else {}
    return replace(ALLOWED, **legs, **parts)


def _is_part(name: str, value: object) -> bool:
    return isinstance(value, dict) and name in {"question", "asker", "service", "environment", "target"}


def post(secret: str, path: str, body: object, *, key: str = "") -> Any:
    """POST JSON with a token; the response."""
    return ask(secret, body, key=key, path=path)
