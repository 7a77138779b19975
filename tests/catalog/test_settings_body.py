"""Target settings: canonical bytes, defaults, and one dotted path per wrong field."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.catalog.settings_body import LONGEST, OnNoData, Source, Start, read_settings, settings_bytes, settings_from_text, settings_text
from apps.catalog.settings_fields import why_not_url
from apps.core.canonical import UnknownSchema, digest
from apps.core.refusals import BadContent

CHECK = {"name": "healthy", "url": "https://shop.example.org/healthz"}
WHOLE = {
    "driver": "release_dir",
    "options": {"path": "/srv/shop", "restart": ["systemctl", "restart", "shop"]},
    "start": "BUTTON",
    "bake_seconds": 30,
    "deploy_seconds": 120,
    "forbid_approver_start": True,
    "checks": [
        {**CHECK, "expect_status": 204, "expect_text": "{version}", "count": 5, "failure_limit": 1, "critical": False, "on_no_data": "FAIL"}
    ],
}


def wrong(given: object) -> dict[str, list[str]]:
    with pytest.raises(BadContent) as caught:
        settings_bytes(given)
    return caught.value.errors


def test_settings_are_read_back_as_they_were_written():
    body = read_settings(settings_bytes(WHOLE))

    assert (body.driver, body.start, body.bake_seconds, body.deploy_seconds, body.forbid_approver_start) == (
        "release_dir",
        Start.BUTTON,
        30,
        120,
        True,
    )
    assert body.options == WHOLE["options"]
    (check,) = body.checks
    assert (check.name, check.source, check.expect_status, check.count, check.failure_limit) == ("healthy", Source.HTTP, 204, 5, 1)
    assert (check.on_no_data, check.critical, check.seconds) == (OnNoData.FAIL, False, 25)


def test_what_is_left_out_gets_the_careful_default():
    body = read_settings(settings_bytes({"driver": "release_dir", "checks": [CHECK]}))

    assert (body.start, body.forbid_approver_start) == (Start.BUTTON, False)
    (check,) = body.checks
    assert (check.failure_limit, check.no_data_limit, check.on_no_data, check.critical) == (0, 0, OnNoData.HOLD, True)


def test_the_same_settings_in_another_order_have_the_same_digest():
    turned = json.loads(json.dumps(dict(reversed(WHOLE.items()))))

    assert digest(settings_bytes(turned)) == digest(settings_bytes(WHOLE))
    assert settings_bytes(json.loads(settings_bytes(WHOLE))) == settings_bytes(WHOLE)


def test_the_bytes_never_change_from_one_version_of_the_product_to_the_next():
    assert digest(settings_bytes(WHOLE)) == "71a5969548725a182cf6cf0418f59776fc67f070a4f99b809cbfc81867ada1ba"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"driver": None}, "driver"),
        ({"driver": "Release-Dir"}, "driver"),
        ({"driver": "x" * 41}, "driver"),
        ({"driver": "rm -rf /"}, "driver"),
        ({"options": []}, "options"),
        ({"options": {"a": 1.5}}, "options"),
        ({"options": {"a": "\x00"}}, "options"),
        ({"options": {"a": "\ud800"}}, "options"),
        ({"options": {"a": 2**53}}, "options"),
        ({"start": "NOW"}, "start"),
        ({"start": ["BUTTON"]}, "start"),
        ({"start": "AT_SLOT"}, "start"),
        ({"bake_seconds": -1}, "bake_seconds"),
        ({"bake_seconds": True}, "bake_seconds"),
        ({"deploy_seconds": 0}, "deploy_seconds"),
        ({"deploy_seconds": 1.5}, "deploy_seconds"),
        ({"forbid_approver_start": "yes"}, "forbid_approver_start"),
        ({"schema": 2}, "schema"),
        ({"command": "make deploy"}, "command"),
        ({"\u202e": 1}, "settings"),
        ({"checks": {}}, "checks"),
        ({"checks": [CHECK] * 21}, "checks"),
        ({"checks": [{**CHECK, "name": ""}]}, "checks.0.name"),
        ({"checks": [CHECK, CHECK]}, "checks.1.name"),
        ({"checks": [{**CHECK, "url": "ftp://x"}]}, "checks.0.url"),
        ({"checks": [{**CHECK, "source": "SQL"}]}, "checks.0.source"),
        ({"checks": [{**CHECK, "expect_status": 99}]}, "checks.0.expect_status"),
        ({"checks": [{**CHECK, "expect_text": "\x07"}]}, "checks.0.expect_text"),
        ({"checks": [{**CHECK, "count": 3, "failure_limit": 3}]}, "checks.0.failure_limit"),
        ({"checks": [{**CHECK, "count": 3, "no_data_limit": 4}]}, "checks.0.no_data_limit"),
        ({"checks": [{**CHECK, "on_no_data": "PASS"}]}, "checks.0.on_no_data"),
        ({"checks": [{**CHECK, "pass": True}]}, "checks.0.pass"),
        ({"options": {"a": "x" * LONGEST}}, "settings"),
    ],
)
def test_a_wrong_field_is_named_by_its_path(change, field):
    assert [*wrong({**WHOLE, **change})] == [field]


def test_everything_wrong_is_told_at_once():
    assert set(wrong({"driver": 1, "start": "NOW", "checks": [{}]})) == {"driver", "start", "checks.0.name", "checks.0.url"}


@pytest.mark.parametrize("text", ["", "{", "[]", "1", "null", '"x"', "[" * 100_000, "1" * 5000, '{"a": NaN'])
def test_text_that_is_no_object_is_told(text):
    with pytest.raises(BadContent) as caught:
        settings_from_text(text)

    assert [*caught.value.errors] == ["settings"]


def test_settings_are_edited_as_they_are_kept():
    assert settings_bytes(settings_from_text(settings_text(settings_bytes(WHOLE)))) == settings_bytes(WHOLE)


SLOW = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # the first text of a run builds tables of characters
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@given(
    st.dictionaries(
        st.sampled_from(["driver", "options", "start", "bake_seconds", "checks", "schema", "other"]),
        JSON | st.lists(st.fixed_dictionaries({"name": JSON, "url": JSON}), max_size=2),
    )
)
@SLOW
def test_anything_is_either_kept_or_told(given_settings):
    try:
        body = settings_bytes(given_settings)
    except BadContent:
        return
    assert settings_bytes(json.loads(body)) == body
    read_settings(body)


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        ("https://shop.example.org/healthz?a=1", True),
        ("http://127.0.0.1:8080/", True),
        ("http://[::1]:8080/", True),
        ("https://user:secret@shop.example.org/", False),
        ("https://user@shop.example.org/", False),
        ("file:///etc/passwd", False),
        ("//shop.example.org", False),
        ("http://", False),
        ("http://h:99999/", False),
        ("http://h:0/", False),
        ("http://[::1/", False),
        ("http://a b/", False),
        ("javascript:alert(1)", False),
    ],
)
def test_a_check_asks_plain_addresses_alone(text, taken):
    assert (why_not_url(text) is None) is taken


def test_settings_of_a_newer_schema_are_not_guessed():
    newer = settings_bytes(WHOLE).replace(b'"schema":1', b'"schema":2')

    with pytest.raises(UnknownSchema, match="Schema 2 of deployment settings is not known here; 1 is the newest"):
        read_settings(newer)
