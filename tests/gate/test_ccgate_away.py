"""`ccgate begin --offline`: without the installation only where a verified ticket permits it, and told afterwards, whole and in order."""

import json
from base64 import b64decode, b64encode
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from apps.gate.client import ccgate
from apps.gate.key_set import key_set
from apps.gate.rules import Action
from tests.gate.test_ccgate import COMMIT, KEY, OTHER, WRONG_KEY, answered, drip, drip_headers, in_turn, run, yes
from tests.gate.test_ccgate import serving as asking
from tests.gate.test_ccgate_deploying import ABOUT, FAST, ID, PROBLEM, begun, echo, envelope, problem, said, serving, taken

AWAY = "http://127.0.0.1:1"


@pytest.fixture
def entitled(tmp_path):
    """Tickets that permit a start without the installation, and the keys of that time."""
    path = tmp_path / "ticket.json"
    keys = key_set([("k1", KEY.public, None)])
    back = envelope(Action.ROLLBACK, offline=86400, identities=("git:" + OTHER,))
    path.write_text(json.dumps({"ticket": envelope(offline=600), "rollback_ticket": back, "keys": keys}))
    return path


def begin_away(kept, *more, about=ABOUT):
    return run("begin", "--offline", "--ticket-file", str(kept), *about, *FAST, *more, url=AWAY)


def test_a_ticket_with_grace_begins_without_the_installation_and_is_told_later(entitled):
    result = begin_away(entitled)

    assert result.returncode == 0, result.stderr
    assert "without the installation" in result.stdout
    assert run("report", "progress", "--ticket-file", str(entitled), *FAST, url=AWAY).returncode == 3
    with serving(begin=answered(begun(), 201), reports=echo("SUCCEEDED")) as (server, url):
        assert run("report", "succeeded", "--ticket-file", str(entitled), *FAST, url=url).returncode == 0
    paths = [path for path, _, _ in server.asked]
    assert paths == ["/api/v1/deployments", *[f"/api/v1/deployments/{ID}/reports"] * 2]
    assert server.asked[0][1]["offline_at"].endswith("Z")
    assert [body["kind"] for _, body, _ in server.asked[1:]] == ["progress", "succeeded"]


def test_the_way_back_begins_without_the_installation_and_both_are_told(entitled):
    assert begin_away(entitled).returncode == 0
    back = ("--service", "payments", "--environment", "production", "--commit", OTHER)

    result = run("rollback", "--offline", "--ticket-file", str(entitled), *back, *FAST, url=AWAY)

    assert result.returncode == 0, result.stderr
    answers = [answered(begun(), 201), answered(begun("rollback", id=str(UUID(int=78)), identities=["git:" + OTHER]), 201)]
    done = answered(taken(deployment={"id": str(UUID(int=78)), "state": "SUCCEEDED"}))
    with serving(begin=in_turn(*answers), reports=done) as (server, url):
        assert run("report", "succeeded", "--ticket-file", str(entitled), *FAST, url=url).returncode == 0
    assert [body["ticket"] for _, body, _ in server.asked[:2]] == [said(entitled)["ticket"], said(entitled)["rollback_ticket"]]
    assert said(entitled)["earlier"] == []


def test_a_ticket_begins_once_without_the_installation_too(entitled):
    assert begin_away(entitled).returncode == 0
    kept = said(entitled)

    again = begin_away(entitled)

    assert (again.returncode, said(entitled)) == (3, kept)
    assert "begun a deployment already" in again.stderr + again.stdout


def test_a_ticket_that_began_with_the_installation_begins_nothing_without_it(entitled):
    with serving(begin=answered(begun(), 201)) as (_, url):
        assert run("begin", "--ticket-file", str(entitled), *FAST, url=url).returncode == 0

    assert begin_away(entitled).returncode == 3


BAD_TICKETS = {
    "no grace": envelope,
    "grace that is over": lambda: envelope(offline=60, not_before=datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=2)),
    "expired": lambda: envelope(offline=600, expires_at=datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=1)),
    "another key": lambda: envelope(offline=600, key=WRONG_KEY),
    "another version": lambda: envelope(offline=600, identities=("git:" + OTHER,)),
    "another service": lambda: envelope(offline=600, service="ledger", asked=("ledger", "production")),
    "another environment": lambda: envelope(offline=600, environment="staging", asked=("payments", "staging")),
    "grace written in afterwards": lambda: forged(envelope()),
    "no ticket": lambda: None,
}


def forged(ticket):
    statement = json.loads(b64decode(ticket["payload"]))
    statement["predicate"]["offlineSeconds"] = 3600
    return ticket | {"payload": b64encode(json.dumps(statement).encode()).decode()}


@pytest.mark.parametrize("case", list(BAD_TICKETS))
def test_without_the_installation_nothing_begins_that_no_ticket_permits(entitled, case):
    entitled.write_text(json.dumps({**said(entitled), "ticket": BAD_TICKETS[case]()}))

    result = begin_away(entitled)

    assert result.returncode == 3, result.stdout
    assert "begun" not in said(entitled)


@pytest.mark.parametrize("about", [(), ABOUT[:4], ABOUT[2:], ABOUT[:2] + ABOUT[4:]])
def test_without_the_installation_the_job_says_what_it_deploys(entitled, about):
    assert begin_away(entitled, about=about).returncode == 3


@pytest.mark.parametrize("keys", ["nothing", "another"])
def test_without_the_installation_the_keys_are_those_that_were_kept(entitled, tmp_path, keys):
    document = said(entitled)
    del document["keys"]
    entitled.write_text(json.dumps(document))
    other = tmp_path / "keys.json"
    other.write_text(json.dumps(key_set([("k1", WRONG_KEY.public, None)])))

    result = begin_away(entitled, *(("--keys", str(other)) if keys == "another" else ()))

    assert result.returncode == 3


@pytest.mark.parametrize("answer", ["refused", "unknown token", "a busy door", "a redirect", "a slow body", "slow headers"])
def test_an_installation_that_answers_is_not_away(entitled, answer):
    said_so = {
        "refused": problem(409),
        "unknown token": answered({"detail": "No."}, 401, PROBLEM),
        "a busy door": problem(429, "too_many_requests", Retry_After="9"),
        "a redirect": answered(b"", 302, Location="https://elsewhere.example/"),
        "a slow body": drip,
        "slow headers": drip_headers,
    }[answer]
    with serving(begin=said_so) as (_, url):
        result = run("begin", "--offline", "--ticket-file", str(entitled), *ABOUT, *FAST, url=url)

    assert result.returncode in {1, 3}
    assert "begun" not in said(entitled)


def test_a_later_check_forgets_nothing_that_is_owed(entitled):
    begin_away(entitled)
    old = said(entitled)["ticket"]
    with asking(answered(yes())) as installation:
        assert run("check", *ABOUT, "--ticket-file", str(entitled), *FAST, url=installation.url).returncode == 0

    with serving(begin=answered(begun(), 201)) as (server, url):
        result = run("begin", "--ticket-file", str(entitled), *FAST, url=url)

    assert result.returncode == 0, result.stdout + result.stderr
    assert [body["ticket"] for _, body, _ in server.asked] == [old, said(entitled)["ticket"]]
    assert ["offline_at" in body for _, body, _ in server.asked] == [True, False]


def test_a_start_whose_answer_was_lost_is_found_again(entitled):
    begin_away(entitled)

    with serving(begin=in_turn(problem(409, "ticket_spent"), answered(begun(), 201)), reports=echo("SUCCEEDED")) as (server, url):
        result = run("report", "succeeded", "--ticket-file", str(entitled), *FAST, url=url)

    assert result.returncode == 0, result.stdout + result.stderr
    first, second = (body for _, body, _ in server.asked[:2])
    assert ("offline_at" in first, "offline_at" in second) == (True, False)


def test_what_a_start_without_the_installation_is_refused_for_stays_told(entitled):
    begin_away(entitled)

    with serving(begin=problem(403, "offline_not_permitted")) as (_, url):
        result = run("report", "succeeded", "--ticket-file", str(entitled), *FAST, url=url)

    assert result.returncode == 1
    assert "REFUSED" in result.stdout


# What was refused for now


@pytest.fixture
def both_ways(entitled):
    """A file of a start and of the way back, neither of which the installation knows."""
    assert begin_away(entitled).returncode == 0
    back = run("rollback", "--offline", "--ticket-file", str(entitled), *ABOUT[:-1], OTHER, *FAST, url=AWAY)
    assert back.returncode == 0, back.stderr
    return entitled


@pytest.mark.parametrize("code", ["occupied", "already_ordered"])
def test_what_is_refused_for_now_is_told_by_the_next_run_before_what_came_later(both_ways, code):
    with serving(begin=problem(409, code), reports=echo()) as (server, url):
        refused = run("report", "succeeded", "--ticket-file", str(both_ways), *FAST, url=url)

    assert (refused.returncode, len(server.asked)) == (1, 1), refused.stdout
    assert refused.stdout.count("REFUSED") == 1
    answers = [answered(begun(), 201), answered(begun("rollback", id=str(UUID(int=78)), identities=["git:" + OTHER]), 201)]
    done = answered(taken(deployment={"id": str(UUID(int=78)), "state": "SUCCEEDED"}))
    with serving(begin=in_turn(*answers), reports=done) as (server, url):
        run("report", "started", "--ticket-file", str(both_ways), *FAST, url=url)
    tickets = [said(both_ways)["ticket"], said(both_ways)["rollback_ticket"]]
    assert [body["ticket"] for _, body, _ in server.asked[:2]] == tickets
    assert [body["kind"] for _, body, _ in server.asked[2:]] == ["succeeded", "started"]
    assert said(both_ways)["earlier"] == []


def test_what_is_refused_for_good_is_not_told_again(both_ways):
    back = answered(begun("rollback", identities=["git:" + OTHER]), 201)
    with serving(begin=in_turn(problem(403, "offline_not_permitted"), back), reports=echo("SUCCEEDED")) as (_, url):
        result = run("report", "succeeded", "--ticket-file", str(both_ways), *FAST, url=url)

    assert result.returncode == 0, result.stderr
    assert "REFUSED" in result.stdout
    assert said(both_ways)["earlier"] == []


def test_nothing_new_begins_before_what_was_refused_for_now(entitled):
    begin_away(entitled)
    with asking(answered(yes())) as installation:
        run("check", *ABOUT, "--ticket-file", str(entitled), *FAST, url=installation.url)

    with serving(begin=in_turn(problem(409, "occupied"), answered(begun(), 201))) as (server, url):
        result = run("begin", "--ticket-file", str(entitled), *FAST, url=url)

    assert (result.returncode, len(server.asked)) == (1, 1), result.stdout
    assert "REFUSED: A freeze holds." in result.stdout
    assert len(said(entitled)["earlier"]) == 1


# Tickets that have begun something


def test_a_later_check_does_not_forget_which_tickets_have_begun(entitled):
    begin_away(entitled)
    with asking(answered(yes(said(entitled)["ticket"]))) as installation:
        assert run("check", *ABOUT, "--ticket-file", str(entitled), *FAST, url=installation.url).returncode == 0

    again = begin_away(entitled)

    assert again.returncode == 3, again.stdout
    assert "begun a deployment already" in again.stderr


def test_a_file_remembers_the_newest_tickets_each_once(entitled):
    kept = ccgate.Kept(str(entitled))
    for number in range(ccgate.MOST_USED + 9):
        kept.begin(envelope={"payload": number // 2 * 2})
    for _ in range(2):
        kept.begin(envelope={"payload": 12})

    numbers = [one["payload"] for one in said(entitled)["used"]]
    assert len(numbers) == len(set(numbers)) <= ccgate.MOST_USED
    assert numbers[-2:] == [58, 12]
    for number in range(100, 100 + 2 * ccgate.MOST_USED):
        kept.begin(envelope={"payload": number})
    assert len(ccgate.Kept(str(entitled)).used) == ccgate.MOST_USED


# The way back that was asked for


@pytest.fixture
def way_back(entitled):
    """What check --action rollback keeps: its ticket, and no other."""
    asked = said(entitled)["rollback_ticket"]
    entitled.write_text(json.dumps({**said(entitled), "ticket": asked, "rollback_ticket": None}))
    return entitled


def test_the_way_back_that_was_asked_for_begins_without_the_installation(way_back):
    result = begin_away(way_back, about=(*ABOUT[:-1], OTHER))

    assert result.returncode == 0, result.stderr
    assert begin_away(way_back, about=(*ABOUT[:-1], OTHER)).returncode == 3


@pytest.mark.parametrize("about", [ABOUT, ("--service", "ledger", *ABOUT[2:-1], OTHER), ABOUT[:4]])
def test_the_way_back_that_was_asked_for_begins_nothing_else(way_back, about):
    assert begin_away(way_back, about=about).returncode == 3
    assert "begun" not in said(way_back)


@pytest.mark.parametrize("kept_as", ["rollback_ticket", "ticket", "the file"])
def test_verify_finds_the_way_back_wherever_it_is_kept(entitled, tmp_path, kept_as):
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps(said(entitled)["keys"]))
    back = said(entitled)["rollback_ticket"]
    forms = {"rollback_ticket": said(entitled), "ticket": {"ticket": back, "rollback_ticket": None}, "the file": back}
    entitled.write_text(json.dumps(forms[kept_as]))
    about = ("--ticket-file", str(entitled), "--keys", str(keys), *ABOUT[:-1])

    codes = [run("verify", "--action", action, *about, commit).returncode for action, commit in WAYS]

    assert codes == [0, 3, 3, 0 if kept_as == "rollback_ticket" else 3]


WAYS = [("rollback", OTHER), ("rollback", COMMIT), ("deploy", OTHER), ("deploy", COMMIT)]
