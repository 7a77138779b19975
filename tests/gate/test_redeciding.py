"""What recorded answers would have been under another mode: against the judge itself, asked with that mode."""

import ast
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.gate import rules
from apps.gate.answers import record_of
from apps.gate.rules import RULES, SWITCHABLE, Answer, Effect, judge
from apps.gate.rules.redeciding import enforced_effect, redecided, tried
from tests.factories.gate import ALLOWED, PRODUCTION, facts_with
from tests.gate.test_ways import LEGS, PLACE, facts_of

MODES = ("ENFORCED", "WARN_ONLY", "OFF")
BY_EFFECT = {"block": Effect.BLOCK, "wait": Effect.WAIT, "warn": Effect.WARN}
RULE_OF = {code: rule.name for rule in RULES for code in rule.codes}


def recorded(facts):
    return record_of(None, facts, judge(facts))


def made_in_source():
    """Each code that a rule's source makes with a word of its own, and by which of block, wait and warn."""
    for path in sorted(Path(rules.__file__).parent.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Call(func=ast.Name(id=name), args=[ast.Constant(value=str(code)), *_]) if name in BY_EFFECT:
                    yield code, BY_EFFECT[name]


def test_the_table_says_of_every_code_what_its_source_does():
    made = list(made_in_source())

    assert len(made) > 40
    assert {(code, effect) for code, effect in made if enforced_effect(RULE_OF[code], code) is not effect} == set()


ILLS = st.tuples(
    st.sets(st.sampled_from(sorted(PLACE)), max_size=3),
    st.sets(st.sampled_from(sorted(LEGS)), max_size=2),
    st.sampled_from(sorted(SWITCHABLE)),
)


@given(ILLS, st.sampled_from(MODES), st.sampled_from(MODES))
def test_it_says_what_the_judge_would_have_said_or_that_it_cannot_tell(ills, before, after):
    place, leg, rule = ills
    facts = facts_of(place, [leg])
    then, now = replace(facts, modes={rule: before}), replace(facts, modes={rule: after})

    said = redecided(recorded(then), rule=rule, after=after)

    assert said in {judge(now).verdict, None}
    if before != "OFF" or after != "ENFORCED":
        assert said is not None


@pytest.mark.parametrize(("before", "after"), [("APPROVED", "NO"), ("APPROVED", "RECORDED"), ("RECORDED", "NO")])
@given(ills=ILLS)
def test_a_lower_need_is_judged_as_the_judge_would(before, after, ills):
    place, leg, _ = ills
    facts = facts_of(place, [leg])
    then = replace(facts, environment=replace(PRODUCTION, change_required=before))
    now = replace(facts, environment=replace(PRODUCTION, change_required=after))

    assert redecided(recorded(then), rule="", after=after) is judge(now).verdict


def test_where_more_would_be_asked_for_only_a_no_is_known():
    allowed = recorded(replace(ALLOWED, environment=replace(PRODUCTION, change_required="RECORDED")))
    held = recorded(facts_of({"hold"}, [set()]))

    assert redecided(allowed, rule="", after="APPROVED") is None
    assert redecided(held, rule="", after="APPROVED") is Answer.DENY


def test_a_rule_that_was_off_was_not_looked_at():
    held = replace(facts_of({"hold"}, [set()]), modes={"hold": "OFF"})

    assert redecided(recorded(held), rule="hold", after="ENFORCED") is None
    assert redecided(recorded(held), rule="hold", after="WARN_ONLY") is Answer.ALLOW


def test_who_may_not_ask_may_not_ask_whatever_the_mode():
    record = recorded(facts_with(asker={"is_live": False}))

    for rule, after in product(sorted(SWITCHABLE), MODES):
        assert redecided(record, rule=rule, after=after) is Answer.DENY


def test_a_job_that_is_turned_away_is_not_judged_further():
    finding = {"rule": "identity", "effect": "BLOCK", "code": "merge_request", "message": "", "cure": "", "who": "", "until": None}
    record = {"verdict": "DENY", "findings": [finding], "passed": []}

    assert redecided(record, rule="", after="NO") is None
    assert redecided(record, rule="freeze", after="OFF") is Answer.DENY


def test_what_an_exception_passes_stays_passed_where_the_rule_is_enforced():
    finding = {"rule": "freeze", "effect": "WARN", "code": "frozen", "cure": "", "who": "", "until": None}
    lifted = {**finding, "message": "Year end is on until 12:00. EXC-1 of A and B passes it until 13:00."}
    record = {"verdict": "ALLOW", "findings": [lifted], "passed": []}

    assert redecided(record, rule="freeze", after="ENFORCED") is Answer.ALLOW
    assert redecided({**record, "findings": [{**finding, "message": "On."}]}, rule="freeze", after="ENFORCED") is Answer.PENDING


def test_a_trial_counts_from_where_to_where():
    records = [recorded(facts_of({"hold"}, [set()])), recorded(facts_of({"hold", "locked"}, [set()])), recorded(ALLOWED)]

    trial = tried(records, rule="hold", after="OFF")

    assert (trial.count, trial.changed_count, trial.unknown_count) == (3, 1, 0)
    assert trial.moves == {(Answer.DENY, Answer.ALLOW): 1}
