"""Where a person acts on a finding: an address that there is, for every code, and none that tells what the asker may not know."""

from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.urls import Resolver404, resolve

from apps.gate.links import PAGES, link_of
from apps.gate.rules import RULES, Detail
from tests.factories.approvals import make_change, make_place
from tests.factories.changes import COMMIT
from tests.factories.gate import ask, body_for, make_gate_token
from tests.factories.schedule import HoldFactory

CODES = sorted(code for rule in RULES for code in rule.codes)
BOUND = {"change": "CHG-7", "service": "payments", "environment": "production"}
ANSWER = "https://changes.example.org/gate/1/"


@pytest.mark.parametrize("code", CODES)
def test_every_code_leads_to_a_page_of_this_installation(code):
    link = link_of(code, BOUND, answer=ANSWER)

    assert link.startswith(f"{settings.PUBLIC_URL}/")
    try:
        found = resolve(urlsplit(link).path)
    except Resolver404:
        pytest.fail(f"{link} is no page")
    assert found.app_name in {"home", "schedule", "catalog", "approvals"}


def test_pages_are_of_codes_that_there_are():
    assert set(PAGES) <= set(CODES)


@pytest.mark.parametrize("code", CODES)
def test_what_is_not_named_is_not_led_to(code):
    link = link_of(code, dict.fromkeys(BOUND), answer=ANSWER)

    assert link == f"{ANSWER}#code-{code}" or link == settings.PUBLIC_URL + PAGES[code]


def test_answer_tells_where_to_act_and_codes_only_tell_the_answer(db):
    target = make_place()
    change = make_change(targets=(target,))
    HoldFactory(scope=5_000_000_000 + target.pk)

    full, bare = (ask(make_gate_token(detail=detail)[1], body_for(target, COMMIT)).json() for detail in (Detail.FULL, Detail.CODES))

    assert [one["url"] for one in full["findings"]] == [f"{settings.PUBLIC_URL}/calendar/"]
    assert [one["url"] for one in bare["findings"]] == [f"{bare['url']}#code-held"]
    assert change.ref not in str(bare)
