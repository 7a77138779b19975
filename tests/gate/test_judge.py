"""The judge as a whole: pure, and never a yes when something is missing."""

import ast
import copy
import inspect
from pathlib import Path

import pytest

from apps.changes.states import State
from apps.gate import gather as gathering
from apps.gate import rules
from apps.gate.gather import gather
from apps.gate.reading import read_facts
from apps.gate.rules import RULES, Answer, Effect, Question, judge
from apps.gate.rules.cases import Case
from apps.gate.rules.findings import Finding
from apps.gate.rules.judging import _verdict
from tests.conftest import NOW
from tests.factories.approvals import make_change, make_place
from tests.factories.catalog import ArrivalFactory, EnvironmentFactory, make_target
from tests.factories.changes import COMMIT
from tests.factories.gate import ALLOWED, RuleModeFactory, make_gate_token
from tests.factories.schedule import CalendarRuleFactory, HoldFactory, ReservationFactory, SlotFactory


@pytest.mark.parametrize("block", [0, 1, 2])
@pytest.mark.parametrize("wait", [0, 1, 2])
@pytest.mark.parametrize("warn", [0, 1, 2])
def test_verdict_follows_from_effects(block, wait, warn):
    effects = [Effect.BLOCK] * block + [Effect.WAIT] * wait + [Effect.WARN] * warn
    verdict = _verdict(Case(ALLOWED), [Finding(effect, "x", "X.") for effect in reversed(effects)], ())

    expected = Answer.DENY if block else Answer.PENDING if wait else Answer.ALLOW
    assert verdict.verdict is expected
    assert [finding.effect for finding in verdict.findings] == effects


@pytest.mark.parametrize("effect", [*Effect])
def test_final_comes_from_blocks_alone(effect):
    assert _verdict(Case(ALLOWED), [Finding(effect, "x", "X.", final=True)], ()).final is (effect is Effect.BLOCK)


def test_same_facts_give_the_same_verdict():
    assert judge(ALLOWED) == judge(copy.deepcopy(ALLOWED))


def test_rules_read_no_clock_and_no_database():
    folder = Path(inspect.getfile(rules)).parent
    for path in folder.glob("*.py"):
        tree = ast.parse(path.read_text())
        named = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)} | {
            node.id for node in ast.walk(tree) if isinstance(node, ast.Name)
        }
        assert not named & {"utcnow", "today", "time", "monotonic", "random", "connection", "open", "environ"}, path.name


def test_every_rule_has_a_title_a_sentence_and_codes():
    for rule in RULES:
        assert rule.title
        assert rule.check.__doc__
        assert rule.codes
    assert len({rule.name for rule in RULES}) == len(RULES)


def every_key(body, path=()):
    """The path of every key in nested JSON."""
    items = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
    for key, value in items:
        if isinstance(body, dict):
            yield (*path, key)
        yield from every_key(value, (*path, key))


def without(body, path):
    found = copy.deepcopy(body)
    inner = found
    for key in path[:-1]:
        inner = inner[key]
    del inner[path[-1]]
    return found


@pytest.fixture
def gathered(db, monkeypatch):
    """The JSON of a yes to which everything that the statement can say is added where it does not change the answer."""
    target = make_place()
    service, place = target.service, target.environment
    below = make_target(service, EnvironmentFactory(rank=1))
    ArrivalFactory(target=below, identities=[COMMIT])
    change = make_change(State.APPROVED, targets=(target,))
    SlotFactory(leg=change.legs.get(), starts_at=NOW.replace(hour=1), ends_at=NOW.replace(hour=23))
    CalendarRuleFactory(
        kind="WINDOW", starts_at=NOW.replace(hour=1), ends_at=NOW.replace(hour=23, minute=59), expanded_until=NOW.replace(year=2030)
    )
    RuleModeFactory(environment=place, rule="hold", mode="OFF")
    RuleModeFactory(environment=place, rule="reservation", mode="OFF")
    HoldFactory()
    ReservationFactory(target=target)
    token, _ = make_gate_token(service)
    question = Question(service.slug, place.slug, (COMMIT,), credential=bytes(token.hash), key="run-1")
    seen = []
    monkeypatch.setattr(gathering, "read_facts", lambda body, asked: seen.append(body) or read_facts(body, asked))
    assert judge(gather(question, now=NOW).facts).verdict is Answer.ALLOW
    return question, seen[0]


def answer_to(body, question):
    """The verdict over a damaged answer of the statement; None where it cannot be read, which the endpoint tells as 503."""
    try:
        return judge(read_facts(body, question).facts).verdict
    except (KeyError, TypeError):
        return None


def test_a_missing_fact_is_never_a_yes(gathered):
    question, body = gathered
    paths = [*every_key(body)]

    assert len(paths) > 80
    assert [path for path in paths if answer_to(without(body, path), question) is Answer.ALLOW] == []


@pytest.mark.parametrize("part", ["token", "service", "environment", "place", "target", "named"])
def test_nothing_where_something_is_needed_is_never_a_yes(gathered, part):
    question, body = gathered

    assert answer_to({**body, part: None}, question) is not Answer.ALLOW
