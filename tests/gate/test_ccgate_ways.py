"""What `ccgate` says of the way to a yes: in the log, in the summaries of GitHub and GitLab, and never as a command to whoever reads it."""

import json

import pytest

from tests.gate.test_ccgate import answered, asked_of, envelope, finding, no, yes

CONTROL = [*range(0x20), *range(0x7F, 0xA0), *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x206A), 0xFEFF]
EARLIEST = "2026-11-23T08:00:00Z"
STEPS = [
    {"act": "DO", "codes": ["not_agreed"], "until": None, "cure": "Ask a release manager to agree.", "who": "Rea, Ben"},
    {"act": "WAIT", "codes": ["frozen"], "until": EARLIEST, "cure": "", "who": ""},
]
BARE = [{"act": "DO", "codes": ["not_agreed", "not_signed"], "until": None}, {"act": "WAIT", "codes": ["occupied"], "until": None}]


def way(*steps, complete=True):
    return {"complete": complete, "steps": [*steps]}


def said(*more, env=None, **changes):
    return asked_of(answered(no(**changes)), *more, env=env)[0]


@pytest.mark.parametrize("verdict", ["DENY", "PENDING"])
def test_the_steps_stand_in_order_with_who_can_and_the_earliest_start(verdict):
    result = said(verdict=verdict, way=way(*STEPS), earliest=EARLIEST)

    lines = [line.strip() for line in result.stdout.splitlines()]
    begin = lines.index("What would make it a yes:")
    assert lines[begin + 1 : begin + 4] == [
        "1. Ask a release manager to agree. · Rea, Ben",
        f"2. Wait until {EARLIEST}. It ends by itself.",
        f"Earliest: {EARLIEST}",
    ]
    assert result.returncode == {"DENY": 1, "PENDING": 2}[verdict]


def test_it_says_where_more_may_follow_and_where_nothing_helps():
    assert "More may be asked for once this is done." in said(way=way(*STEPS, complete=False)).stdout
    assert "More may be asked for" not in said(way=way(*STEPS)).stdout
    assert "Asking this again cannot help." in said(final=True).stdout


def test_a_token_that_is_told_codes_alone_gets_them():
    out = said(way=way(*BARE)).stdout

    assert "1. Clear not_agreed, not_signed; the link says how." in out
    assert "2. Wait for occupied to end by itself." in out


@pytest.mark.parametrize(
    "broken", [None, 5, "DENY", [], {}, {"steps": None}, {"steps": "x"}, {"steps": [5, None]}, {"steps": {"act": "DO"}}, {"steps": []}]
)
def test_a_way_that_cannot_be_read_is_left_out(broken):
    result = said(way=broken)

    assert result.returncode == 1
    assert "What would make it a yes" not in result.stdout
    assert "A freeze holds until Monday." in result.stdout


def test_steps_of_odd_kinds_do_no_harm():
    out = said(way=way({"act": 5, "codes": 7}, {"act": "WAIT", "until": {"a": 1}}, {"cure": ["x"], "who": 3}, complete="yes")).stdout

    assert "1. Clear ; the link says how." in out
    assert "3. ['x'] · 3" in out


def test_endless_steps_are_counted():
    out = said(way=way(*(STEPS[0] | {"cure": f"Do {number}."} for number in range(50)))).stdout

    assert "20. Do 19." in out
    assert "Do 20." not in out
    assert "and 30 more" in out


def test_a_yes_shows_no_way():
    result, _ = asked_of(answered(yes(way=way(*STEPS))))

    assert result.returncode == 0
    assert "What would make it a yes" not in result.stdout


def test_github_shows_it_in_the_summary(tmp_path):
    summary = tmp_path / "summary.md"

    said(way=way(*STEPS), earliest=EARLIEST, env={"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary)})

    text = summary.read_text()
    assert "- What would make it a yes:\n- 1. Ask a release manager to agree. · Rea, Ben\n" in text
    assert f"- Earliest: {EARLIEST}" in text


def test_gitlab_shows_each_step_beside_the_job(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    said(way=way(*STEPS), env={"GITLAB_CI": "true"})

    labels = [one["external_link"]["label"] for one in json.loads((tmp_path / "ccgate-annotations.json").read_text())["Change Control"]]
    assert labels[0].startswith("DENIED: payments")
    assert labels[1:] == ["1. Ask a release manager to agree. · Rea, Ben", f"2. Wait until {EARLIEST}. It ends by itself."]


HOSTILE = (
    "".join(map(chr, CONTROL)) + "::error::x ::::set-env name=PATH::/tmp ##[command] ##vso[task] ####teamcity[x] \n::add-path::/tmp\r::stop"
)


@pytest.mark.parametrize("field", ["cure", "who", "until", "codes"])
def test_no_step_gives_a_terminal_or_a_runner_a_command(field, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    act = "WAIT" if field in ("until", "codes") else "DO"
    step = STEPS[0] | {"act": act, "until": None} | {field: [HOSTILE] if field == "codes" else HOSTILE}
    summary, both = tmp_path / "summary.md", {"GITHUB_ACTIONS": "true", "GITLAB_CI": "true"}

    result = said(way=way(step), earliest=HOSTILE, findings=[finding("BLOCK", HOSTILE)], env=both | {"GITHUB_STEP_SUMMARY": str(summary)})

    labels = json.dumps([*json.loads((tmp_path / "ccgate-annotations.json").read_text())["Change Control"]], ensure_ascii=False)
    for shown in (result.stdout, result.stderr, summary.read_text(), labels):
        assert not {char for char in shown if ord(char) in CONTROL and char != "\n"}
        assert not any(part in shown for part in ("::", "##[", "##vso", "##teamcity"))
    assert result.returncode == 1


def test_json_of_others_gives_a_runner_no_command_and_stays_the_same():
    text = "\\##[set-output name=go]true ##vso[task.setvariable variable=go]true"

    result = said("--json", findings=[finding("BLOCK", text)])

    assert "#" not in result.stdout
    assert json.loads(result.stdout)["findings"][0]["message"] == text


def test_json_of_a_refusal_gives_a_runner_no_command(tmp_path):
    kept, text = tmp_path / "ticket.json", "##[set-output name=go]true"
    kept.write_text(json.dumps({"ticket": envelope()}))
    refused = answered({"detail": text, "code": "frozen"}, 409, "application/problem+json")

    result, _ = asked_of(refused, arguments=("begin", "--json", "--ticket-file", str(kept)))

    assert (result.returncode, json.loads(result.stdout)["detail"]) == (1, text)
    assert "#" not in result.stdout
