"""Canonical bytes of content: pinned, stable, read back; and what a rollback plan says of itself."""

import json
import random
import unicodedata
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.changes.content import (
    PARTS,
    SCHEMAS,
    Aspect,
    Bound,
    EnvironmentRef,
    Evidence,
    ModelRef,
    Period,
    Plan,
    Rollback,
    Scope,
    Step,
    StepBy,
    Strategy,
    content_from_bytes,
    default_period,
    kept_bytes,
    normal,
    part_bytes,
    part_digests,
    part_from_bytes,
    revision_digest,
    why_not_content,
)
from apps.core.canonical import UnknownSchema, canonical_bytes, digest
from tests.changes.contents import STEADY, contents
from tests.factories.changes import COMMIT, make_content, make_item

GOLDEN = Path(__file__).with_name("golden_content.json")
BOUND = Bound(
    change_id=UUID("01936a00-0000-7000-8000-00000000c001"),
    kind="NORMAL",
    requester_id=UUID("01936a00-0000-7000-8000-00000000c002"),
    number=3,
    author_id=UUID("01936a00-0000-7000-8000-00000000c003"),
)


def golden_content():
    """Every field filled, with text in need of every normalisation."""
    item = make_item(identities=("sha256:" + "ab" * 32, COMMIT))
    return make_content(
        scope=Scope(
            items=(replace(item, environments=(EnvironmentRef(UUID(int=2), "Staging"), EnvironmentRef(UUID(int=1), "Production"))),),
            aspects=frozenset({Aspect.DATA, Aspect.CODE}),
            reason="Cafe\u0301 \r\nsecond line  \n\n",
            impact="",
        ),
        plan=Plan(
            steps=(Step("Migrate", StepBy.PERSON, 60, "Rows are equal"), Step("Roll out", StepBy.AUTOMATION)),
            evidence=(Evidence("Tests", "f" * 64, "junit"), Evidence("Scan", "0" * 64)),
        ),
        rollback=Rollback(
            strategy=Strategy.RESTORE_BACKUP,
            steps=(Step("Restore", StepBy.PERSON, 900, "Rows are equal"),),
            trigger="any error",
            seconds_to_restore=1200,
            irreversible=("mails that were sent",),
            data_strategy="Restore the snapshot taken in step 1.",
            reason="The schema changes.",
            point_of_no_return=1,
        ),
        period=Period(
            datetime(2026, 11, 20, 15, 0, 0, 999999, tzinfo=timezone(timedelta(hours=1))),
            datetime(2026, 12, 4, tzinfo=UTC),
            "Europe/Berlin",
        ),
    )


def test_canonical_bytes_are_the_golden_ones_for_ever():
    written = {part: body.decode() for part, body in part_bytes(golden_content()).items()}
    golden = json.loads(GOLDEN.read_text())

    assert written == golden["parts"]
    assert revision_digest(BOUND, part_digests=part_digests(part_bytes(golden_content()))) == golden["revision"]


def test_stored_bytes_of_schema_1_are_read_back_as_they_were():
    golden = json.loads(GOLDEN.read_text())["parts"]
    stored = {part: body.encode() for part, body in golden.items()}

    assert content_from_bytes(stored) == normal(golden_content())
    assert {part: json.loads(body)["schema"] for part, body in stored.items()} == dict.fromkeys(PARTS, 1)


@STEADY
@given(contents())
def test_content_survives_the_way_to_bytes_and_back(content):
    stored = part_bytes(content)

    assert why_not_content(content) == {}
    assert content_from_bytes(stored) == normal(content)
    assert part_bytes(content_from_bytes(stored)) == stored


@STEADY
@given(contents(), st.randoms(use_true_random=False))
def test_order_of_sets_form_of_letters_and_line_ends_do_not_matter(content, order: random.Random):
    def mixed(values):
        return tuple(order.sample(values, len(values)))

    def decomposed(text):
        return unicodedata.normalize("NFD", text).replace("\n", "\r\n") + "\n"

    items = tuple(
        replace(
            item, identities=mixed(item.identities), environments=mixed(item.environments), label=unicodedata.normalize("NFD", item.label)
        )
        for item in content.scope.items
    )
    other = replace(
        content,
        scope=replace(content.scope, items=items, reason=decomposed(content.scope.reason)),
        plan=replace(content.plan, evidence=mixed(content.plan.evidence)),
        period=replace(content.period, not_after=content.period.not_after.astimezone(timezone(timedelta(hours=-7)))),
        story=replace(
            content.story,
            labels=mixed(content.story.labels),
            told=mixed(content.story.told),
            description=decomposed(content.story.description),
        ),
    )

    assert part_bytes(other) == part_bytes(content)


@pytest.mark.parametrize("part", PARTS)
def test_a_different_part_changes_its_own_bytes_alone(part):
    before = make_content()
    after = {
        "scope": replace(before, scope=replace(before.scope, impact="Mails arrive later.")),
        "plan": replace(before, plan=Plan()),
        "rollback": replace(before, rollback=replace(before.rollback, trigger="")),
        "period": replace(before, period=replace(before.period, zone="UTC")),
        "story": replace(before, story=replace(before.story, title="Another")),
    }[part]

    changed = {name for name in PARTS if part_bytes(before)[name] != part_bytes(after)[name]}

    assert changed == {part}


def test_absent_and_empty_are_different_bytes():
    content = make_content()

    absent = replace(content, rollback=replace(content.rollback, seconds_to_restore=None))
    zero = replace(content, rollback=replace(content.rollback, seconds_to_restore=0))

    assert b"seconds_to_restore" not in part_bytes(absent)["rollback"]
    assert b'"seconds_to_restore":0' in part_bytes(zero)["rollback"]
    assert b'"impact":""' in part_bytes(content)["scope"]


def test_twins_in_a_set_are_one():
    content = make_content()
    story = replace(content.story, labels=("\u00e9t\u00e9", "e\u0301te\u0301", "a "))

    assert normal(replace(content, story=story)).story.labels == ("a", "\u00e9t\u00e9")


def test_digests_are_of_the_stored_bytes():
    parts = part_bytes(make_content())

    assert part_digests(parts) == {part: digest(body) for part, body in parts.items()}
    assert part_digests({"plan": memoryview(b"as it was")}) == {"plan": digest(b"as it was")}


def test_revision_digest_binds_change_kind_people_number_and_every_part():
    digests = part_digests(part_bytes(make_content()))
    another = {"change_id": UUID(int=1), "kind": "EMERGENCY", "requester_id": UUID(int=1), "number": 4, "author_id": UUID(int=1)}
    another["model"] = ModelRef(UUID(int=1), 2, "0" * 64)
    first = revision_digest(BOUND, part_digests=digests)

    others = {
        *(revision_digest(replace(BOUND, **{field: value}), part_digests=digests) for field, value in another.items()),
        *(revision_digest(BOUND, part_digests=digests | {part: "0" * 64}) for part in PARTS),
    }

    assert first not in others
    assert len(others) == len(another) + len(PARTS)


def test_revision_digest_binds_every_member_of_the_model():
    digests, model = part_digests(part_bytes(make_content())), ModelRef(UUID(int=1), 2, "0" * 64)
    others = [model, replace(model, id=UUID(int=2)), replace(model, number=3), replace(model, digest="1" * 64)]

    assert len({revision_digest(replace(BOUND, model=one), part_digests=digests) for one in others}) == len(others)


def test_a_newer_form_of_a_part_leaves_the_bytes_of_what_was_not_edited(monkeypatch):
    """An edit of the story after an upgrade must not lapse the sign-offs of the plan."""
    content = make_content()
    stored = part_bytes(content)
    monkeypatch.setitem(SCHEMAS, "plan", 2)

    edited = replace(content, story=replace(content.story, title="Another"))
    kept = kept_bytes(edited, stored=stored, read=content_from_bytes(stored))

    assert part_bytes(content)["plan"] != stored["plan"]
    assert {part for part in PARTS if kept[part] != stored[part]} == {"story"}
    again = kept_bytes(replace(content, plan=Plan()), stored=stored, read=content)
    assert json.loads(again["plan"])["schema"] == 2


def test_each_part_has_a_schema_of_its_own():
    with pytest.raises(UnknownSchema, match="Schema 2 of plan is not known here; 1 is the newest"):
        content_from_bytes(part_bytes(make_content()) | {"plan": canonical_bytes({"schema": 2})})


def test_a_newer_schema_is_named_not_guessed():
    with pytest.raises(UnknownSchema, match="Schema 2 of story is not known here; 1 is the newest"):
        part_from_bytes("story", b'{"schema":2,"title":"later"}')


def test_default_period_is_fourteen_days_from_now(now):
    assert default_period(now=now, zone="Europe/Berlin") == Period(None, now + timedelta(days=14), "Europe/Berlin")


@pytest.mark.parametrize(
    ("rollback", "alone", "seconds"),
    [
        (Rollback(strategy=Strategy.PREVIOUS_RELEASE, seconds_to_restore=5), True, 5),
        (Rollback(strategy=Strategy.TRAFFIC_SWITCH, steps=(Step("a", expected_seconds=3), Step("b"))), True, 3),
        (Rollback(strategy=Strategy.PREVIOUS_RELEASE, irreversible=("mails",)), False, 0),
        (Rollback(strategy=Strategy.PREVIOUS_RELEASE, point_of_no_return=1), False, 0),
        (Rollback(strategy=Strategy.FIX_FORWARD, seconds_to_restore=900), False, 0),
        (Rollback(strategy=Strategy.REVERT_COMMIT, seconds_to_restore=0), False, 0),
        (Rollback(), False, 0),
    ],
)
def test_rollback_runs_by_itself_only_where_everything_can_be_undone(rollback, alone, seconds):
    assert (rollback.runs_by_itself, rollback.way_back_seconds) == (alone, seconds)
