"""Policy documents: what is accepted, what is refused and on which field."""

import copy
from uuid import UUID

import pytest

from apps.approvals.policy_body import default_body, policy_bytes, read_policy, strength_of, switches_of
from apps.approvals.rules import Group, Strength
from apps.core.canonical import UnknownSchema
from apps.core.refusals import BadContent

TEAM = "00000000-0000-7000-8000-000000000001"


def read(document):
    return read_policy(policy_bytes(document), policy_id=UUID(int=1), name="P", number=1, digest="d")


def with_rule(**changes):
    body = copy.deepcopy(default_body())
    body["rules"][0].update(changes)
    return body


def test_default_policy_bytes_are_these():
    assert policy_bytes(default_body()) == (
        b'{"exclude":["requester","last_editor"],"forbid_approver_start":false,"promotion":"ONE","require_digest":false,"require_passkey":false,'
        b'"require_two_factors":true,"rules":[{"group":{"kind":"OWNER","owner":"ANY"},"key":"owner","label":"Owner","meaning":"APPROVAL","needed":1,'
        b'"parts":["scope","plan","rollback","period"],"stage":1}],"schema":1,"solo":false}'
    )


def test_wording_that_asks_for_no_factors_keeps_the_bytes_it_had_before_it_could():
    older = {name: one for name, one in default_body().items() if name != "require_two_factors"}

    assert (
        policy_bytes(older)
        == policy_bytes({**older, "require_two_factors": False})
        == (
            b'{"exclude":["requester","last_editor"],"forbid_approver_start":false,"promotion":"ONE","require_digest":false,"require_passkey":false,'
            b'"rules":[{"group":{"kind":"OWNER","owner":"ANY"},"key":"owner","label":"Owner","meaning":"APPROVAL","needed":1,'
            b'"parts":["scope","plan","rollback","period"],"stage":1}],"schema":1,"solo":false}'
        )
    )


def test_wording_that_asks_for_no_report_keeps_the_bytes_it_had_before_it_could():
    assert policy_bytes({**default_body(), "require_evidence": False}) == policy_bytes(default_body())
    assert read(default_body()).require_evidence is False
    assert read({**default_body(), "require_evidence": True}).require_evidence is True


@pytest.mark.parametrize(
    ("switches", "strength"),
    [
        ({}, Strength.ANY),
        ({"require_two_factors": True}, Strength.TWO_FACTORS),
        ({"require_passkey": True}, Strength.PASSKEY),
        ({"require_passkey": True, "require_two_factors": True}, Strength.PASSKEY),
    ],
)
def test_strength_of_proof_is_what_the_switches_ask_for(switches, strength):
    document = {**default_body(), "require_two_factors": False, **switches}

    assert read(document).strength is strength_of(document) is strength
    assert read({**default_body(), **switches_of(strength)}).strength is strength


def test_passkey_is_two_factors_already():
    both = policy_bytes({**default_body(), "require_passkey": True, "require_two_factors": True})

    assert both == policy_bytes({**default_body(), "require_passkey": True, "require_two_factors": False})


def test_default_policy_reads_as_one_owner():
    policy = read(default_body())

    assert policy.rules[0].group == Group("OWNER", owner="ANY")
    assert (policy.rules[0].needed, policy.exclude, policy.solo) == (1, {"requester", "last_editor"}, False)


def test_policy_bytes_do_not_depend_on_the_order_things_are_written_in():
    other = with_rule(parts=["period", "rollback", "plan", "scope", "scope"])
    other["exclude"] = ["last_editor", "requester"]

    assert policy_bytes(other) == policy_bytes(default_body())


@pytest.mark.parametrize(
    ("group", "expected"),
    [
        ({"kind": "ROLE", "role": "RELEASE_MANAGER"}, Group("ROLE", role="RELEASE_MANAGER")),
        ({"kind": "TEAM", "team": TEAM}, Group("TEAM", team=UUID(TEAM))),
        ({"kind": "PERSONS", "persons": [TEAM.upper(), TEAM]}, Group("PERSONS", persons=frozenset({UUID(TEAM)}))),
    ],
)
def test_each_kind_of_group_is_read_back(group, expected):
    assert read(with_rule(group=group)).rules[0].group == expected


@pytest.mark.parametrize(
    ("field", "document"),
    [
        ("rules", []),
        ("rules", "x"),
        ("rules", {}),
        ("rules", {"rules": []}),
        ("rules", {"rules": [{}] * 21}),
        ("rules.0", {"rules": ["x"]}),
        ("schema", {**default_body(), "schema": 2}),
        ("more", {**default_body(), "more": 1}),
        ("exclude", {**default_body(), "exclude": ["author"]}),
        ("exclude", {**default_body(), "exclude": "requester"}),
        ("exclude", {**default_body(), "exclude": ["last_editor"]}),
        ("promotion", {**default_body(), "promotion": "SOME"}),
        ("solo", {**default_body(), "solo": "yes"}),
        ("solo", {**default_body(), "solo": 1}),
        ("require_two_factors", {**default_body(), "require_two_factors": "yes"}),
        ("rules.0.key", with_rule(key="Owner")),
        ("rules.0.key", with_rule(key=None)),
        ("rules.0.label", with_rule(label="")),
        ("rules.0.label", with_rule(label=3)),
        ("rules.0.label", with_rule(label="x" * 81)),
        ("rules.0.label", with_rule(label="a\x00b")),
        ("rules.0.label", with_rule(label="a\u202eb")),
        ("rules.0.needed", with_rule(needed=-1)),
        ("rules.0.needed", with_rule(needed=True)),
        ("rules.0.needed", with_rule(needed=21)),
        ("rules.0.needed", with_rule(needed=1.5)),
        ("rules.0.stage", with_rule(stage=0)),
        ("rules.0.meaning", with_rule(meaning="OK")),
        ("rules.0.meaning", with_rule(meaning=[])),
        ("rules.0.parts", with_rule(parts=[])),
        ("rules.0.parts", with_rule(parts=["everything"])),
        ("rules.0.parts", with_rule(parts="scope")),
        ("rules.0.more", with_rule(more=1)),
        ("rules.0.group.kind", with_rule(group={})),
        ("rules.0.group.kind", with_rule(group="OWNER")),
        ("rules.0.group.kind", with_rule(group={"kind": ["OWNER"]})),
        ("rules.0.group.owner", with_rule(group={"kind": "OWNER", "owner": "BOTH"})),
        ("rules.0.group.role", with_rule(group={"kind": "OWNER", "owner": "ANY", "role": "OPERATOR"})),
        ("rules.0.group.role", with_rule(group={"kind": "ROLE", "role": "KING"})),
        ("rules.0.group.team", with_rule(group={"kind": "TEAM", "team": "payments"})),
        ("rules.0.group.persons", with_rule(group={"kind": "PERSONS", "persons": []})),
        ("rules.0.group.persons.0", with_rule(group={"kind": "PERSONS", "persons": ["ada"]})),
        ("rules.1.key", {"rules": [default_body()["rules"][0]] * 2}),
    ],
)
def test_policy_is_refused_on_the_field(field, document):
    with pytest.raises(BadContent) as refused:
        policy_bytes(document)

    assert field in refused.value.errors


def test_without_the_requester_excluded_solo_is_needed():
    assert read({**default_body(), "exclude": ["last_editor"], "solo": True}).solo


def test_a_policy_of_a_newer_schema_is_not_guessed():
    newer = policy_bytes(default_body()).replace(b'"schema":1', b'"schema":2')

    with pytest.raises(UnknownSchema, match="Schema 2 of a policy is not known here; 1 is the newest"):
        read_policy(newer, policy_id=UUID(int=1), name="P", number=1, digest="d")


def test_waits_are_kept_where_they_are_given_and_change_nothing_where_not():
    waiting = read({**default_body(), "remind_after_hours": 4, "expire_after_hours": 24})

    assert (waiting.remind_after_hours, waiting.escalate_after_hours, waiting.expire_after_hours) == (4, None, 24)
    assert policy_bytes({**default_body(), "remind_after_hours": None}) == policy_bytes(default_body())


@pytest.mark.parametrize(
    ("field", "more"),
    [
        ("remind_after_hours", {"remind_after_hours": 0}),
        ("escalate_after_hours", {"escalate_after_hours": 2161}),
        ("expire_after_hours", {"expire_after_hours": "8"}),
        ("escalate_after_hours", {"remind_after_hours": 8, "escalate_after_hours": 8}),
        ("expire_after_hours", {"remind_after_hours": 8, "expire_after_hours": 4}),
    ],
)
def test_waits_come_one_after_the_other(field, more):
    with pytest.raises(BadContent) as refused:
        policy_bytes({**default_body(), **more})

    assert [*refused.value.errors] == [field]
