"""What is written from the code is as fresh as the code."""

import json
from io import StringIO
from pathlib import Path

import pytest
import yaml
from django.conf import settings
from django.core.management import call_command

from apps.gate.answers import told
from apps.gate.documents import rules_page
from apps.gate.rules import NOT_YET, RULES, Detail
from apps.gate.schema import SCHEMAS
from tests.factories.approvals import make_place
from tests.factories.changes import COMMIT
from tests.factories.gate import ask, body_for, make_gate_token

DOCS = Path(settings.BASE_DIR) / "docs"


def openapi() -> str:
    out = StringIO()
    call_command("spectacular", validate=True, fail_on_warn=True, stdout=out, stderr=StringIO())
    return out.getvalue()


def test_rules_page_is_fresh():
    assert (DOCS / "gate-rules.md").read_text() == rules_page(), "run manage.py write_gate_rules"


def test_command_writes_the_rules_page(tmp_path, settings):
    (tmp_path / "docs").mkdir()
    settings.BASE_DIR = tmp_path

    call_command("write_gate_rules", stdout=StringIO())

    assert (tmp_path / "docs" / "gate-rules.md").read_text() == rules_page()


def test_rules_page_names_every_rule_and_code():
    page = rules_page()

    assert all(f"`{rule.name}`" in page and all(f"`{code}`" in page for code in rule.codes) for rule in RULES)
    assert all(name in page for name in NOT_YET)


def test_openapi_document_is_fresh_valid_and_free_of_warnings():
    assert (DOCS / "openapi.yaml").read_text() == openapi(), "run make schema"


def test_openapi_document_holds_the_gate():
    document = yaml.safe_load(openapi())

    assert {"/api/v1/gate/evaluations", "/api/v1/gate/evaluations/{evaluation_id}"} <= set(document["paths"])
    assert document["components"]["securitySchemes"]["gateToken"]["scheme"] == "bearer"


@pytest.mark.django_db
def test_answer_has_exactly_the_documented_members():
    _, secret = make_gate_token()

    body = ask(secret, body_for(make_place(), COMMIT)).json()

    assert set(body) == set(SCHEMAS["GateAnswer"]["properties"])
    assert set(body["findings"][0]) == set(SCHEMAS["GateFinding"]["properties"])


def test_codes_only_is_less_than_full():
    record = {
        "verdict": "DENY", "final": False, "at": "x", "earliest": None, "bound": {"change": "CHG-7"},
        "findings": [{"rule": "hold", "effect": "BLOCK", "code": "held", "message": "Secret.", "cure": "Lift.", "who": "x", "until": None}],
    }  # fmt: skip

    assert "Secret" in json.dumps(told(record, evaluation=None, detail=Detail.FULL))
    assert "Secret" not in json.dumps(told(record, evaluation=None, detail=Detail.CODES))
