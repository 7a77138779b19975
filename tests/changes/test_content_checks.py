"""Which content is refused, and that every refusal names its field."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from apps.changes.content import (
    Aspect,
    EnvironmentRef,
    Evidence,
    Period,
    Plan,
    Rollback,
    Scope,
    Step,
    Story,
    Strategy,
    part_bytes,
    warnings_about,
    why_not_complete,
    why_not_content,
)
from tests.factories.changes import COMMIT, FIX_FORWARD, make_content, make_item

GOOD = make_content()
NIGHT = datetime(2026, 11, 20, 23, 0, tzinfo=UTC)


def with_item(**fields):
    return make_content(scope=replace(GOOD.scope, items=(replace(make_item(), **fields),)))


def with_rollback(**fields):
    return make_content(rollback=replace(GOOD.rollback, **fields))


REFUSED = {
    "title empty": (make_content(story=Story(" \n ")), "story.title"),
    "title too long": (make_content(story=Story("x" * 201)), "story.title"),
    "title of two lines": (make_content(story=Story("a\nb")), "story.title"),
    "title with NUL": (make_content(story=Story("a\x00b")), "story.title"),
    "title with a control character": (make_content(story=Story("a\x1b[31m")), "story.title"),
    "title with half a character": (make_content(story=Story("a\ud800")), "story.title"),
    "description too long": (make_content(story=Story("t", description="x" * 10_001)), "story.description"),
    "label empty": (make_content(story=Story("t", labels=("a", " "))), "story.labels.1"),
    "too many labels": (make_content(story=Story("t", labels=tuple(map(str, range(21))))), "story.labels"),
    "label that holds what nobody sees": (make_content(story=Story("t", labels=("a\u200bb",))), "story.labels.0"),
    "told too long": (make_content(story=Story("t", told=("x" * 255,))), "story.told.0"),
    "too many told": (make_content(story=Story("t", told=tuple(map(str, range(51))))), "story.told"),
    "reason with NUL": (make_content(scope=replace(GOOD.scope, reason="\x00")), "scope.reason"),
    "impact too long": (make_content(scope=replace(GOOD.scope, impact="x" * 10_001)), "scope.impact"),
    "service twice": (make_content(scope=replace(GOOD.scope, items=(make_item(), make_item()))), "scope.items.1.service"),
    "too many services": (
        make_content(scope=replace(GOOD.scope, items=tuple(replace(make_item(), service_id=UUID(int=at)) for at in range(21)))),
        "scope.items",
    ),
    "version name too long": (with_item(label="x" * 121), "scope.items.0.label"),
    "version name that is turned": (with_item(label="3.18.1\u202e"), "scope.items.0.label"),
    "service name of two lines": (with_item(service_name="a\nb"), "scope.items.0.service"),
    "repository too long": (with_item(repository="x" * 401), "scope.items.0.repository"),
    "environment name with NUL": (with_item(environments=(EnvironmentRef(UUID(int=1), "\x00"),)), "scope.items.0.environments"),
    "branch": (with_item(identities=("git:main",)), "scope.items.0.identities"),
    "short commit": (with_item(identities=("git:4a92c6e",)), "scope.items.0.identities"),
    "two commits": (with_item(identities=(COMMIT, "git:" + "0" * 40)), "scope.items.0.identities"),
    "capital letters": (with_item(identities=(COMMIT.upper().replace("GIT", "git"),)), "scope.items.0.identities"),
    "unknown kind": (with_item(identities=("tag:v1",)), "scope.items.0.identities"),
    "step without text": (make_content(plan=Plan((Step("a"), Step(" ")))), "plan.steps.1.what"),
    "proof with a control character": (make_content(plan=Plan((Step("a", verify="\x07"),))), "plan.steps.0.verify"),
    "step of negative length": (make_content(plan=Plan((Step("a", expected_seconds=-1),))), "plan.steps.0.expected_seconds"),
    "step of a year": (make_content(plan=Plan((Step("a", expected_seconds=32 * 86400),))), "plan.steps.0.expected_seconds"),
    "too many steps": (make_content(plan=Plan((Step("a"),) * 51)), "plan.steps"),
    "evidence without name": (make_content(plan=Plan(evidence=(Evidence("", "0" * 64),))), "plan.evidence.0.name"),
    "evidence whose name is turned": (make_content(plan=Plan(evidence=(Evidence("a\u2066b", "0" * 64),))), "plan.evidence.0.name"),
    "evidence without digest": (make_content(plan=Plan(evidence=(Evidence("a", "0" * 63),))), "plan.evidence.0.sha256"),
    "evidence kind too long": (make_content(plan=Plan(evidence=(Evidence("a", "0" * 64, "x" * 121),))), "plan.evidence.0.kind"),
    "rollback step without text": (with_rollback(steps=(Step(""),)), "rollback.steps.0.what"),
    "trigger with NUL": (with_rollback(trigger="\x00"), "rollback.trigger"),
    "data strategy too long": (with_rollback(data_strategy="x" * 10_001), "rollback.data_strategy"),
    "rollback reason with NUL": (with_rollback(reason="\x00"), "rollback.reason"),
    "negative way back": (with_rollback(seconds_to_restore=-1), "rollback.seconds_to_restore"),
    "irreversible says nothing": (with_rollback(irreversible=(" ",)), "rollback.irreversible.0"),
    "point of no return outside the plan": (with_rollback(point_of_no_return=2), "rollback.point_of_no_return"),
    "unknown zone": (make_content(period=Period(None, NIGHT, "Europe/Atlantis")), "period.zone"),
    "zone that is a path": (make_content(period=Period(None, NIGHT, "../../etc/passwd")), "period.zone"),
    "naive moment": (make_content(period=Period(None, NIGHT.replace(tzinfo=None))), "period.not_after"),
    "year nobody sees": (make_content(period=Period(None, NIGHT.replace(year=9999))), "period.not_after"),
    "naive begin": (make_content(period=Period(NIGHT.replace(tzinfo=None), NIGHT)), "period.not_before"),
    "period backwards": (make_content(period=Period(NIGHT, NIGHT)), "period.not_after"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_content_that_cannot_be_kept_is_refused_by_field(case):
    content, field = REFUSED[case]

    found = why_not_content(content)

    assert [*found] == [field]
    assert all(sentence.endswith((".", "UTC.")) for sentence in found[field])


@pytest.mark.parametrize(
    "content",
    [
        GOOD,
        make_content(story=Story("x" * 200, description="x" * 10_000)),
        make_content(story=Story("e\u0301" * 200)),  # counted as stored: 200 letters
        make_content(story=Story("left \u202eright", description="tab\tline\r\nline")),
        make_content(scope=Scope(), rollback=Rollback()),
        make_content(plan=Plan((Step("a"),) * 50)),
    ],
)
def test_content_within_the_limits_is_kept(content):
    assert why_not_content(content) == {}
    assert part_bytes(content)


MISSING = {
    "no rollback plan": (make_content(rollback=Rollback()), ["rollback.strategy"]),
    "no time to restore": (with_rollback(seconds_to_restore=None), ["rollback.seconds_to_restore"]),
    "data without strategy": (
        make_content(scope=replace(GOOD.scope, aspects=frozenset({Aspect.DATA}))),
        ["rollback.data_strategy"],
    ),
    "people's strategy without steps and reason": (with_rollback(strategy=Strategy.REVERT_COMMIT), ["rollback.steps", "rollback.reason"]),
    "fix forward without reason": (make_content(rollback=replace(FIX_FORWARD, reason=" ")), ["rollback.reason"]),
    "no service": (make_content(scope=replace(GOOD.scope, items=())), ["scope.items"]),
    "no reason": (make_content(scope=replace(GOOD.scope, reason=" \n")), ["scope.reason"]),
    "no version name": (with_item(label=""), ["scope.items.0.label"]),
    "no identity": (with_item(identities=()), ["scope.items.0.identities"]),
    "no environment": (with_item(environments=()), ["scope.items.0.environments"]),
    "period is over": (make_content(period=Period(None, NIGHT - timedelta(days=400))), ["period.not_after"]),
}


@pytest.mark.parametrize("case", MISSING)
def test_incomplete_content_may_be_a_draft_but_not_submitted(case, now):
    content, fields = MISSING[case]

    assert why_not_content(content) == {}
    assert [*why_not_complete(content, now=now)] == fields


@pytest.mark.parametrize("content", [GOOD, make_content(rollback=FIX_FORWARD)])
def test_complete_content_may_be_submitted(content, now):
    assert why_not_complete(content, now=now) == {}


@pytest.mark.parametrize(
    ("content", "fields"),
    [
        (GOOD, []),
        (make_content(period=Period(NIGHT, NIGHT + timedelta(seconds=139))), ["rollback.seconds_to_restore"]),
        (with_rollback(irreversible=("mails that were sent",)), ["rollback.irreversible"]),
        (make_content(story=Story("left \u202eright")), ["story.title"]),
        (make_content(plan=Plan((Step("ok"), Step("\u2066turned\u2069")))), ["plan.steps.1.what"]),
    ],
)
def test_what_stops_nobody_is_a_warning(content, fields):
    assert [*warnings_about(content)] == fields
