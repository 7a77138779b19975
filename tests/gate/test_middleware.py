"""The gate in front of Django's handler: the same answers as behind it, and everything else is handed on."""

import io
import json
import logging
from wsgiref.util import setup_testing_defaults

import pytest
from django.db import connection

from apps.gate.middleware import gate_before
from tests.factories.approvals import make_change, make_place
from tests.factories.changes import COMMIT
from tests.factories.gate import PATH, ask, body_for, look, make_gate_token

pytestmark = pytest.mark.usefixtures("own_gate")  # in a test's own transaction Django's connection is one that is to be closed
VARIES = {"id", "at", "earliest", "url", "ticket", "rollback_ticket", "retry_after"}


class Served:
    """What a server was handed."""

    def __init__(self, path: str, *, method: str = "GET", body: bytes = b"", secret: str = "", application=None) -> None:
        environ = {
            "REQUEST_METHOD": method, "PATH_INFO": path, "CONTENT_TYPE": "application/json", "CONTENT_LENGTH": str(len(body)),
            "HTTP_AUTHORIZATION": f"Bearer {secret}", "wsgi.input": io.BytesIO(body),
        }  # fmt: skip
        setup_testing_defaults(environ)
        self.body = b"".join((application or gate_before(django))(environ, self.start))

    def start(self, status: str, headers: list[tuple[str, str]]) -> None:
        self.status, self.headers = int(status.split(maxsplit=1)[0]), dict(headers)

    def json(self) -> dict:
        return json.loads(self.body)


def django(environ, start_response):
    start_response("200 OK", [("From", "django")])
    return [environ["PATH_INFO"].encode()]


@pytest.fixture
def target(own_gate):
    target = make_place()
    make_change(targets=(target,))
    return target


@pytest.fixture
def secret(target):
    return make_gate_token(target.service)[1]


def told(body: dict) -> dict:
    return {key: value for key, value in body.items() if key not in VARIES}


@pytest.mark.parametrize("identity", [COMMIT, "git:" + "0" * 40], ids=["allow", "deny"])
def test_question_is_answered_as_it_is_behind_django(identity, target, secret):
    body = body_for(target, identity)

    behind, before = ask(secret, body), Served(PATH, method="POST", body=json.dumps(body).encode(), secret=secret)

    assert (before.status, told(before.json())) == (behind.status_code, told(behind.json()))
    assert before.headers.keys() == behind.headers.keys()
    assert before.headers["Content-Length"] == str(len(before.body))
    again = Served(f"{PATH}/{before.json()['id']}", secret=secret)
    assert (again.status, told(again.json())) == (200, told(look(secret, before.json()["id"]).json()))


@pytest.mark.parametrize("path", ["/", "/api/v1/deployments", "/api/v1/gate", "/gate/ask/"])
def test_other_addresses_are_handed_on_as_they_came(path):
    served = Served(path)

    assert (served.headers, served.body) == ({"From": "django"}, path.encode())


@pytest.mark.parametrize("path", ["/api/v1/gate/", "/api/v1/gate/nothing", f"{PATH}/", f"{PATH}/no-id", "/api/v1/gate/\xff\xfe"])
def test_address_that_the_gate_has_not_is_a_problem(path):
    served = Served(path)

    assert (served.status, served.json()["code"]) == (404, "not_found")


def test_refusal_is_told_in_the_log(caplog):
    with caplog.at_level(logging.WARNING, logger="django.request"):
        assert Served(PATH, method="POST", body=b"{}").status == 401

    assert f"Unauthorized: {PATH}" in caplog.messages


def test_connection_of_djangos_own_that_broke_is_not_kept(monkeypatch):
    connection.ensure_connection()
    monkeypatch.setattr(connection, "errors_occurred", True)
    monkeypatch.setattr(connection, "is_usable", lambda: False)

    Served(PATH, method="POST", body=b"{}")

    assert connection.connection is None
