"""Tokens and rule modes: who may, what is refused, what is recorded."""

import hashlib
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction

from apps.accounts.roles import Role
from apps.audit.stream import entries_about
from apps.changes.states import State
from apps.core.actors import system
from apps.core.locks import database_now
from apps.core.refusals import BadContent, Refused
from apps.gate.actions import issue_gate_token, revoke_gate_token, set_rule_mode
from apps.gate.models import GateToken, RuleMode
from apps.gate.rules import KEPT, SWITCHABLE, Action, Mode
from tests.factories.accounts import make_person
from tests.factories.approvals import make_change, make_place
from tests.factories.catalog import EnvironmentFactory
from tests.factories.changes import COMMIT
from tests.factories.gate import GateTokenFactory, RuleModeFactory, ask, body_for, make_gate_token
from tests.factories.schedule import HOUR, CalendarRuleFactory

pytestmark = pytest.mark.django_db

OTHERS = [role for role in Role if role is not Role.ADMINISTRATOR]


@pytest.fixture
def administrator():
    return make_person(Role.ADMINISTRATOR)


def issue(by, **more):
    return issue_gate_token(**{"name": "Pipeline", "actions": [Action.DEPLOY], "days": 30, "by": by.actor, **more})


def test_issue_keeps_only_the_hash_and_a_prefix(administrator):
    issued = issue(administrator)

    token = issued.token
    assert issued.secret.startswith("ccg_")
    assert len(issued.secret) == 47
    assert bytes(token.hash) == hashlib.sha256(issued.secret.encode()).digest()
    assert token.prefix == issued.secret[:12]
    assert token.expires_at - token.issued_at == timedelta(days=30)
    assert issued.secret not in str(GateToken.objects.filter(pk=token.pk).values())
    assert [entry.event for entry in entries_about(token.reference, limit=5)] == ["gate_token.issued"]


@pytest.mark.parametrize("role", OTHERS)
def test_issue_by_another_role_is_refused_and_recorded(role):
    person = make_person(role)

    with pytest.raises(Refused) as told:
        issue(person)

    assert told.value.refusal.code == "not_administrator"
    assert "gate_token.refused" in [entry.event for entry in entries_about(person.reference, limit=5)]
    assert not GateToken.objects.exists()


@pytest.mark.parametrize(
    ("bad", "field"),
    [({"days": 0}, "days"), ({"days": 401}, "days"), ({"actions": []}, "actions"), ({"actions": ["ERASE"]}, "actions"), ({"services": []}, "services"),
     ({"environments": []}, "environments"), ({"name": ""}, "name"), ({"name": "a\x00b"}, "name"), ({"name": "x" * 121}, "name")],
)  # fmt: skip
def test_issue_with_bad_content_names_the_field(administrator, bad, field):
    with pytest.raises(BadContent) as told:
        issue(administrator, **bad)

    assert list(told.value.errors) == [field]
    assert not GateToken.objects.exists()


def test_issue_without_its_record_is_nothing(administrator, monkeypatch):
    def broken(*args, **more):
        raise RuntimeError("no record")

    monkeypatch.setattr("apps.gate.actions.record", broken)

    with pytest.raises(RuntimeError):
        issue(administrator)

    assert not GateToken.objects.exists()


def test_revoke_ends_a_token_once(administrator):
    token, _ = make_gate_token()

    revoke_gate_token(token.pk, by=administrator.actor, reason="The pipeline is gone.")
    with pytest.raises(Refused) as told:
        revoke_gate_token(token.pk, by=administrator.actor)

    assert told.value.refusal.code == "already_revoked"
    assert [entry.event for entry in entries_about(token.reference, limit=5)] == [
        "gate_token.refused",
        "gate_token.revoked",
        "gate_token.issued",
    ]


@pytest.mark.parametrize("role", OTHERS)
def test_revoke_by_another_role_is_refused(role):
    token, _ = make_gate_token()

    with pytest.raises(Refused):
        revoke_gate_token(token.pk, by=make_person(role).actor)

    token.refresh_from_db()
    assert token.is_live(database_now())


@pytest.mark.parametrize("broken", [{"expires_at": "issued_at"}, {"actions": []}, {"revoked_by": "SYSTEM:test"}])
def test_token_constraints_repeat_the_rules(broken):
    values = {key: (database_now() - timedelta(days=999) if value == "issued_at" else value) for key, value in broken.items()}

    with pytest.raises(IntegrityError), transaction.atomic():
        GateTokenFactory(**values)


@pytest.mark.parametrize("rule", sorted(SWITCHABLE))
@pytest.mark.parametrize("mode", [Mode.OFF, Mode.WARN_ONLY])
def test_mode_of_every_other_rule_can_be_set(administrator, rule, mode):
    environment = EnvironmentFactory()

    row = set_rule_mode(environment_id=environment.pk, rule=rule, mode=mode, by=administrator.actor, reason="A pilot.")
    again = set_rule_mode(environment_id=environment.pk, rule=rule, mode=mode, by=administrator.actor)

    assert (row.mode, again) == (mode, None)
    (entry,) = [one for one in entries_about(environment.reference, limit=5) if one.event == "rule_mode.changed"]
    assert entry.data == {"rule": rule, "mode": mode.value, "before": "ENFORCED", "single_handed": True}
    set_rule_mode(environment_id=environment.pk, rule=rule, mode=Mode.ENFORCED, by=administrator.actor)
    assert RuleMode.objects.get().mode == "ENFORCED"


@pytest.mark.parametrize(("rule", "code"), [*((rule, "rule_is_kept") for rule in sorted(KEPT)), ("nothing", "unknown_rule")])
def test_what_the_gate_is_cannot_be_switched_off(administrator, rule, code):
    environment = EnvironmentFactory()

    with pytest.raises(Refused) as told:
        set_rule_mode(environment_id=environment.pk, rule=rule, mode=Mode.OFF, by=administrator.actor)

    assert told.value.refusal.code == code
    if rule in KEPT:
        with pytest.raises(IntegrityError), transaction.atomic():
            RuleModeFactory(environment=environment, rule=rule)


def test_the_five_are_kept():
    assert {"identity", "version", "approval", "signature", "used_up"} <= KEPT
    assert KEPT - {"identity", "version", "approval", "signature", "used_up"} == {"known_target"}


@pytest.mark.parametrize("role", OTHERS)
def test_mode_by_another_role_is_refused(role):
    with pytest.raises(Refused):
        set_rule_mode(environment_id=EnvironmentFactory().pk, rule="freeze", mode=Mode.OFF, by=make_person(role).actor)


@pytest.mark.parametrize(
    ("mode", "verdict", "effects"), [("ENFORCED", "PENDING", ["WAIT"]), ("WARN_ONLY", "ALLOW", ["WARN"]), ("OFF", "ALLOW", [])]
)
def test_mode_changes_the_answer_of_its_environment_alone(administrator, mode, verdict, effects):
    target, other = make_place(), make_place()
    now = database_now()
    CalendarRuleFactory(starts_at=now - HOUR, ends_at=now + HOUR)
    for place in (target, other):
        make_change(State.APPROVED, targets=(place,))
    set_rule_mode(environment_id=target.environment_id, rule="freeze", mode=Mode(mode), by=administrator.actor)
    _, secret = make_gate_token()

    body = ask(secret, body_for(target, COMMIT)).json()

    assert (body["verdict"], [finding["effect"] for finding in body["findings"]]) == (verdict, effects)
    assert ask(secret, body_for(other, COMMIT)).json()["verdict"] == "PENDING"


def test_command_prints_the_secret_and_nothing_else():
    target = make_place()
    out = StringIO()

    call_command(
        "issue_gate_token",
        name="Demo",
        service=[target.service.slug],
        environment=[target.environment.slug],
        days=90,
        stdout=out,
        stderr=StringIO(),
    )

    token = GateToken.objects.get()
    assert hashlib.sha256(out.getvalue().strip().encode()).digest() == bytes(token.hash)
    assert (token.service_ids, token.environment_ids, token.issued_by) == ([target.service_id], [target.environment_id], "SYSTEM:host")


@pytest.mark.parametrize("bad", [{"service": ["nothing"]}, {"environment": ["nowhere"]}, {"days": 0}, {"name": ""}])
def test_command_says_what_is_missing(bad):
    with pytest.raises(CommandError):
        call_command("issue_gate_token", **{"name": "Demo", **bad}, stdout=StringIO(), stderr=StringIO())


def test_system_without_the_host_issues_nothing():
    with pytest.raises(Refused):
        issue_gate_token(name="Pipeline", actions=[Action.DEPLOY], days=1, by=system("runner"))


def said(command: str, *words: str, **options: object) -> str:
    out = StringIO()
    call_command(command, *words, stdout=out, stderr=StringIO(), **options)
    return out.getvalue()


def test_leaked_token_is_found_and_revoked_on_the_host():
    secret = said("issue_gate_token", name="Leaky pipeline", days=30).strip()
    said("issue_gate_token", name="Other pipeline", days=30)
    assert "Leaky pipeline" in said("gate_tokens")

    told = said("revoke_gate_token", secret, reason="It stood in a public log.")

    leaked = GateToken.objects.get(name="Leaky pipeline")
    assert f"Revoked Leaky pipeline ({leaked.prefix})" in told
    assert (leaked.revoked_by, GateToken.objects.get(name="Other pipeline").revoked_at) == ("SYSTEM:host", None)
    *_, last = said("gate_tokens").splitlines()
    assert "revoked" in last
    assert "Leaky pipeline" in last
    with pytest.raises(CommandError, match="revoked"):
        said("revoke_gate_token", leaked.prefix)


def test_revoking_a_token_nobody_issued_says_so():
    with pytest.raises(CommandError, match="No gate token begins with ccg_nothing"):
        said("revoke_gate_token", "ccg_nothing")


def test_rule_mode_is_set_on_the_host():
    environment = EnvironmentFactory()

    assert "is WARN_ONLY from now on" in said("set_rule_mode", environment.slug, "promotion", "WARN_ONLY", reason="Trial.")
    assert "so already" in said("set_rule_mode", environment.slug, "promotion", "WARN_ONLY")

    assert RuleMode.objects.get().mode == "WARN_ONLY"
    with pytest.raises(CommandError, match="cannot be switched off"):
        said("set_rule_mode", environment.slug, min(KEPT), "OFF")
    with pytest.raises(CommandError, match="no environment"):
        said("set_rule_mode", "nowhere", "promotion", "OFF")
