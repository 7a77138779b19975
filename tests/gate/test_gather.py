"""The gate's statement: one row for any input."""

import pytest

from apps.gate.gather import gather
from apps.gate.rules import Answer, Question, judge

pytestmark = pytest.mark.django_db


def test_gather_unknown_everything_returns_facts():
    facts = gather(Question("nothing", "nowhere", ("git:" + "a" * 40,))).facts

    assert facts.service is None
    assert judge(facts).verdict is Answer.DENY
