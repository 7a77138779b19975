"""The API does what its document says, whatever it is sent: every operation and every link between them, by every check of schemathesis."""

import hashlib
from pathlib import Path

import pytest
import schemathesis
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.stateful import run_state_machine_as_test

from apps.accounts.roles import Role
from apps.gate import wire
from apps.gate.rules import Action
from changecontrol.wsgi import application
from tests.factories.accounts import PersonalTokenFactory, make_person
from tests.factories.approvals import make_change, make_place
from tests.factories.gate import make_gate_token

DOCUMENT = yaml.safe_load((Path(__file__).resolve().parents[1] / "docs" / "openapi.yaml").read_text())
OPERATIONS = sorted((path, method) for path, operations in DOCUMENT["paths"].items() for method in operations)
PERSONAL = "ccp_" + "schemathesis-" * 3
BOUNDED = {"deadline": None, "database": None, "derandomize": True, "suppress_health_check": list(HealthCheck)}
# A schema says form; 422 names what only the product knows: no such service, a cursor of another search, a plan without steps.
CONFIG = {"checks": {"positive_data_acceptance": {"expected-statuses": ["2xx", "401", "403", "404", "409", "422", "503"]}}}
EXAMPLES, WALKS, STEPS = 25, 6, 6
FOR_PIPELINES = ("/api/v1/gate/", "/api/v1/deployments")


@pytest.fixture
def schema():
    """The document, answered by the product itself."""
    found = schemathesis.openapi.from_dict(DOCUMENT, config=schemathesis.Config.from_dict(CONFIG))
    found.app = application
    return found


@pytest.fixture
def headers(own_database):
    """Who asks: a person for changes, a pipeline for the gate and deployments. Both may do what the operation is for."""
    place = make_place()
    requester = make_person(Role.REQUESTER)
    make_change(targets=(place,), requester=requester)
    PersonalTokenFactory(person=requester, hash=hashlib.sha256(PERSONAL.encode()).digest())
    secret = make_gate_token(actions=tuple(Action))[1]
    yield lambda path: {"Authorization": f"Bearer {secret if path.startswith(FOR_PIPELINES) else PERSONAL}"}
    wire.close()


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_every_error_is_a_problem(path, method):
    told = DOCUMENT["paths"][path][method]["responses"]

    assert {kind for status, answer in told.items() if status >= "400" for kind in answer["content"]} <= {"application/problem+json"}


@pytest.mark.slow
@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_operation_answers_as_its_document_says(path, method, schema, headers):
    @settings(max_examples=EXAMPLES, phases=[Phase.explicit, Phase.generate], **BOUNDED)
    @given(case=schema[path][method.upper()].as_strategy())
    def asked(case):
        case.call_and_validate(headers=headers(path))

    asked()


@pytest.mark.slow
def test_operations_one_after_another_answer_as_their_document_says(schema, headers):
    class Walk(schema.as_state_machine()):
        def get_call_kwargs(self, case):
            return {"headers": headers(case.operation.path)}

    run_state_machine_as_test(Walk, settings=settings(max_examples=WALKS, stateful_step_count=STEPS, **BOUNDED))
