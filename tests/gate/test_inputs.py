"""Hostile input on every field: a sentence on the field, never an error of ours."""

import json

import pytest

from apps.gate.inputs import read_bearer
from tests.factories.approvals import make_place
from tests.factories.changes import COMMIT
from tests.factories.gate import PATH, ask, body_for, make_gate_token

pytestmark = pytest.mark.django_db

BAD = {
    "empty": "", "blank": " ", "null": None, "number": 7, "negative": -1, "fraction": 1.5, "huge": 10**40, "yes": True, "list": [], "nested list": [["x"]],
    "object": {}, "long": "x" * 10_000, "nul": "a\x00b", "control": "a\x07b", "newline": "a\nb", "bidi": "a\u202eb", "surrogate": "\ud800",
    "emoji": "🦭", "quote": "' or 1=1 --", "brace": "{a,b}", "backslash": "\\", "percent": "%s", "path": "../../etc", "wide digits": "４" * 40,
}  # fmt: skip
FIELDS = ["service", "environment", "identities", "identities.git", "identities.sha256", "identities.config", "action", "run", "run.system",
          "run.id", "run.url", "run.actor", "run.attempt", "dry_run", "extra", "run.extra"]  # fmt: skip
# What is bad in general and good here.
GOOD = {
    ("run", "null"), ("run", "object"), ("run.attempt", "number"), ("dry_run", "yes"),
    *((f"run.{name}", kind) for name in ("system", "id", "url", "actor") for kind in ("empty", "blank")),
    *((f"run.{name}", kind) for name in ("system", "id", "actor") for kind in ("emoji", "quote", "brace", "backslash", "percent", "path", "wide digits")),
}  # fmt: skip


@pytest.fixture
def target():
    return make_place()


@pytest.fixture
def secret():
    return make_gate_token()[1]


def put(body, field, value):
    name, _, inner = field.partition(".")
    if not inner:
        return {**body, name: value}
    return {**body, name: {**(body.get(name) or {}), inner: value}}


@pytest.mark.parametrize("field", FIELDS)
def test_bad_values_are_refused_on_the_field(target, secret, field):
    body = body_for(target, COMMIT, dry_run=True)
    for kind, value in BAD.items():
        response = ask(secret, json.dumps(put(body, field, value)))

        if (field, kind) in GOOD:
            assert response.status_code in {200, 201}, (field, kind, response.content)
            continue
        assert response.status_code == 422, (field, kind, response.content)
        assert response["Content-Type"] == "application/problem+json"
        errors = response.json()["errors"]
        assert {one["field"].split(".")[0] for one in errors} == {field.split(".")[0]}, (field, kind, errors)
        assert all(one["message"].endswith(".") for one in errors)


@pytest.mark.parametrize(
    ("value", "said"),
    [("3f9ac12", "A short commit id may mean another commit tomorrow."), ("main", "A branch or tag moves."), ("v1.2.3", "A branch or tag moves."),
     ("refs/heads/main", "A branch or tag moves.")],
)  # fmt: skip
def test_what_moves_is_refused_with_the_cure(target, secret, value, said):
    response = ask(secret, {**body_for(target), "identities": {"git": value}})

    (error,) = response.json()["errors"]
    assert error["message"] == f"{said} Give the full commit id: 40 or 64 hexadecimal digits."


WHOLE = "Give the full SHA-256 digest: 64 hexadecimal digits."


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        ("sha256", "9a4f71ce", f"A short digest may mean another artifact tomorrow. {WHOLE}"),
        ("sha256", ["latest"], f"A name or tag moves, and only its digest says which artifact it is. {WHOLE}"),
        ("sha256", "registry.example.org/shop:1.2", f"A name or tag moves, and only its digest says which artifact it is. {WHOLE}"),
        ("config", "9a4f71ce", f"A short digest may mean another document tomorrow. {WHOLE}"),
        ("config", "main", f"A name or tag moves, and only its digest says which document it is. {WHOLE}"),
        ("branch", "main", "A branch or tag moves. Give the full commit id as git, or an artifact's digest as sha256."),
        ("tag", "v1.2.3", "A branch or tag moves. Give the full commit id as git, or an artifact's digest as sha256."),
        ("svn", "r1042", "An identity is git, sha256 or config, followed by its digits."),
    ],
)
def test_every_kind_of_identity_is_refused_with_the_cure(target, secret, kind, value, said):
    response = ask(secret, {**body_for(target), "identities": {kind: value}})

    (error,) = response.json()["errors"]
    assert (response.status_code, error["field"], error["message"]) == (422, "identities", said)


@pytest.mark.parametrize("field", ["service", "environment", "identities"])
def test_missing_field_is_named(target, secret, field):
    body = body_for(target, COMMIT)
    del body[field]

    response = ask(secret, body)

    assert [error["field"] for error in response.json()["errors"]] == [field]


@pytest.mark.parametrize("url", ["ftp://x", "javascript:alert(1)", "//x", "https://", "http://[::1"])
def test_address_of_a_run_is_a_web_address(target, secret, url):
    response = ask(secret, body_for(target, COMMIT, run={"url": url}))

    assert [error["field"] for error in response.json()["errors"]] == ["run.url"]


def test_two_commits_are_refused(target, secret):
    response = ask(secret, {**body_for(target), "identities": {"git": ["a" * 40, "b" * 40]}})

    assert response.json()["errors"][0]["field"] == "identities"


def test_too_many_identities_are_refused(target, secret):
    response = ask(secret, {**body_for(target), "identities": {"sha256": [f"{number:064x}" for number in range(21)]}})

    assert response.json()["errors"][0]["message"] == "A version has at most 20 identities."


@pytest.mark.parametrize(
    "data",
    [b"{", b"[]", b'"x"', b"null", b"\xff\xfe{\x00}\x00", b"\xef\xbb\xbf{}", b"{}" * 9000, b'{"a":1,"a":2}', b'{"a":NaN}', b"[" * 5000,
     b'{"a":' * 5000, "{}".encode("utf-16")],
    ids=range(12),
)  # fmt: skip
def test_body_that_is_no_object_is_refused(secret, data):
    response = ask(secret, data)

    assert (response.status_code, response.json()["code"]) == (400, "not_readable")


@pytest.mark.parametrize("key", ["a" * 201, "a b", "\u202e", "a\x7f", "é"])
def test_bad_key_is_refused(target, secret, key, client):
    headers = {"Authorization": f"Bearer {secret}", "Idempotency-Key": key}

    response = client.post(PATH, json.dumps(body_for(target, COMMIT)), content_type="application/json", headers=headers)

    assert response.json()["errors"][0]["field"] == "Idempotency-Key"


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Basic eA==", "Bearer x", "Bearer ccg_", "Bearer ccg_" + "x" * 500, "Bearer ccg_é" + "x" * 40]
)
def test_header_without_a_token_of_ours_is_401(target, client, header):
    response = client.post(PATH, json.dumps(body_for(target, COMMIT)), content_type="application/json", headers={"Authorization": header})

    assert (response.status_code, response.json()["code"]) == (401, "no_token")
    assert read_bearer(header) is None


def test_other_methods_types_and_addresses(secret, client):
    headers = {"Authorization": f"Bearer {secret}"}

    assert client.get(PATH, headers=headers).status_code == 405
    assert client.get(PATH, headers=headers)["Allow"] == "POST"
    assert client.delete(f"{PATH}/01980000-0000-7000-8000-000000000000", headers=headers).status_code == 405
    assert client.post(PATH, "a=b", content_type="application/x-www-form-urlencoded", headers=headers).status_code == 415
    assert client.get("/api/v1/gate/nothing", headers=headers).status_code == 404
    assert client.get(f"{PATH}/not-an-id", headers=headers)["Content-Type"] == "application/problem+json"


def test_long_body_is_refused_before_it_is_read(secret, client):
    headers = {"Authorization": f"Bearer {secret}", "Content-Length": "99999"}

    response = client.post(PATH, b"x" * 99_999, content_type="application/json", headers=headers)

    assert (response.status_code, response.json()["code"]) == (400, "not_readable")


def test_other_addresses_are_handed_on(client):
    assert client.get("/livez").headers.get("Content-Type") != "application/problem+json"


def test_gate_answers_before_sessions_and_needs_no_csrf(target, secret):
    from django.test import Client

    response = Client(enforce_csrf_checks=True).post(
        PATH, json.dumps(body_for(target, COMMIT)), content_type="application/json", headers={"Authorization": f"Bearer {secret}"}
    )

    assert response.status_code == 201
    assert "Set-Cookie" not in response
    assert response["Cache-Control"] == "no-store"
