"""Every report in every state: what it does, and which is refused. And what may settle a deployment of CI."""

from dataclasses import replace

import pytest

from apps.accounts.roles import Role
from apps.core.refusals import Refused
from apps.deployments.actions import abort_deployment, roll_back_deployment, settle_deployment
from apps.deployments.models import Deployment
from apps.deployments.pipelines import note_silent
from apps.deployments.rules.orders import Truth
from apps.deployments.rules.reporting import (
    LARGEST_SEQUENCE,
    LONGEST_LEAP,
    MOST_REPORTS,
    Effect,
    Kind,
    ReportFacts,
    effect_of,
    why_not_report,
)
from apps.deployments.states import MOVES_OF_CI, State
from apps.deployments.transitions import IllegalMove, move
from tests.conftest import NOW
from tests.deployments.test_pipelines import leg_of, silence
from tests.factories.accounts import make_person
from tests.factories.deployments import DeploymentFactory
from tests.factories.pipelines import Job

OPEN = (State.RUNNING, State.UNKNOWN)
HEARD, NONE = Effect.HEARD, Effect.NONE
# What each kind does in each state; a code where it is refused.
TABLE: dict[tuple[State, Kind], Effect | str] = {
    **{(state, kind): HEARD for state in OPEN for kind in (Kind.STARTED, Kind.PROGRESS)},
    **{(state, Kind.SUCCEEDED): Effect.SUCCEEDED for state in OPEN},
    **{(state, Kind.FAILED): Effect.FAILED for state in OPEN},
    **{(state, Kind.ROLLED_BACK): Effect.WENT_BACK for state in OPEN},
    **{(state, kind): NONE for state in (State.NEEDS_HUMAN, State.SUCCEEDED, State.FAILED) for kind in (Kind.STARTED, Kind.PROGRESS)},
    (State.NEEDS_HUMAN, Kind.SUCCEEDED): "contradicts",
    (State.NEEDS_HUMAN, Kind.FAILED): NONE,
    (State.NEEDS_HUMAN, Kind.ROLLED_BACK): Effect.WENT_BACK,
    (State.SUCCEEDED, Kind.SUCCEEDED): NONE,
    (State.SUCCEEDED, Kind.FAILED): "contradicts",
    (State.SUCCEEDED, Kind.ROLLED_BACK): "contradicts",
    (State.FAILED, Kind.SUCCEEDED): "contradicts",
    (State.FAILED, Kind.FAILED): NONE,
    (State.FAILED, Kind.ROLLED_BACK): NONE,
}


def answered(facts: ReportFacts) -> Effect | str:
    refusal = why_not_report(facts)
    return refusal.code if refusal else effect_of(facts)


def test_table_knows_every_state_of_ci_and_every_kind():
    assert set(TABLE) == {(state, kind) for state in MOVES_OF_CI if state is not State.QUEUED for kind in Kind}


@pytest.mark.parametrize(("state", "kind"), sorted(TABLE))
def test_report_in_every_state(state, kind):
    assert answered(ReportFacts("DEP-1", state, kind, 2, newest=1, taken=1)) == TABLE[state, kind]


@pytest.mark.parametrize(("state", "kind"), sorted(TABLE))
def test_late_report_never_changes_anything(state, kind):
    assert answered(ReportFacts("DEP-1", state, kind, 1, newest=2, taken=1)) in {NONE, "contradicts", "out_of_order"}


@pytest.mark.parametrize("state", OPEN)
@pytest.mark.parametrize("facts", [{"has_switched": True}, {"is_way_back": True}])
def test_failure_that_leaves_doubt_needs_a_person(state, facts):
    assert answered(ReportFacts("DEP-1", state, Kind.FAILED, 2, newest=1, **facts)) is Effect.NEEDS_HUMAN


@pytest.mark.parametrize("state", OPEN)
def test_success_of_a_start_without_us_that_was_overtaken_needs_a_person(state):
    facts = {"newest": 1, "is_overtaken": True}
    assert answered(ReportFacts("DEP-1", state, Kind.SUCCEEDED, 2, **facts)) is Effect.NEEDS_HUMAN
    assert answered(ReportFacts("DEP-1", state, Kind.FAILED, 2, **facts)) is Effect.FAILED


def test_progress_has_an_end_and_the_end_is_taken_even_then():
    many = {"newest": 5, "taken": MOST_REPORTS}
    assert answered(ReportFacts("DEP-1", State.RUNNING, Kind.PROGRESS, 6, **many)) == "too_many_reports"
    assert answered(ReportFacts("DEP-1", State.RUNNING, Kind.SUCCEEDED, 6, **many)) is Effect.SUCCEEDED
    assert answered(ReportFacts("DEP-1", State.NEEDS_HUMAN, Kind.ROLLED_BACK, 6, **many)) is Effect.WENT_BACK


@pytest.mark.parametrize(
    ("state", "kind"), [(State.SUCCEEDED, Kind.SUCCEEDED), (State.FAILED, Kind.FAILED), (State.NEEDS_HUMAN, Kind.FAILED)]
)
def test_what_says_only_what_is_known_has_an_end_too(state, kind):
    assert answered(ReportFacts("DEP-1", state, kind, 9, newest=5, taken=MOST_REPORTS)) == "too_many_reports"


@pytest.mark.parametrize(("state", "kind"), sorted(TABLE))
def test_number_that_leaps_is_refused_in_every_state(state, kind):
    far = ReportFacts("DEP-1", state, kind, 7 + LONGEST_LEAP, newest=7, taken=1)

    assert answered(far) == TABLE[state, kind]
    assert answered(replace(far, sequence=8 + LONGEST_LEAP)) == "leaps"
    assert answered(replace(far, sequence=LARGEST_SEQUENCE)) == "leaps"


def test_end_has_a_number_however_far_every_report_before_it_leaps():
    facts = ReportFacts("DEP-1", State.RUNNING, Kind.PROGRESS, 0)
    while answered(replace(facts, sequence=facts.newest + LONGEST_LEAP)) is Effect.HEARD:
        facts = replace(facts, newest=facts.newest + LONGEST_LEAP, taken=facts.taken + 1)
    doubted = replace(facts, kind=Kind.FAILED, has_switched=True, sequence=facts.newest + LONGEST_LEAP)
    ended = replace(doubted, kind=Kind.ROLLED_BACK, state=State.NEEDS_HUMAN, newest=doubted.sequence, sequence=doubted.sequence + 1)

    assert facts.taken == MOST_REPORTS
    assert (answered(doubted), answered(ended)) == (Effect.NEEDS_HUMAN, Effect.WENT_BACK)
    assert ended.sequence < LARGEST_SEQUENCE


def test_numbers_that_are_moments_are_no_leaps():
    first = ReportFacts("DEP-1", State.RUNNING, Kind.STARTED, int(NOW.timestamp() * 1000))
    assert answered(first) is HEARD


def test_report_that_leaps_is_told_its_number_and_the_end_is_taken(db):
    job = Job()
    job.begin()
    job.report("started")

    far = job.report("progress", sequence=LARGEST_SEQUENCE)

    said = far.json()
    assert (far.status_code, said["code"], said["cure"]) == (409, "leaps", "Send it with the number 2, and count on from there.")
    assert job.report("succeeded").json()["deployment"]["state"] == "SUCCEEDED"


@pytest.mark.django_db
@pytest.mark.parametrize(("start", "goal"), sorted((start, goal) for start in State for goal in State))
def test_ci_moves_by_its_own_table(start, goal):
    order = DeploymentFactory(executor="EXTERNAL", settings=None)
    order.state = start
    order.turn, order.begun_at = 1, NOW

    if goal in MOVES_OF_CI.get(start, frozenset()):
        Deployment.objects.filter(pk=order.pk).update(state=start, turn=1, begun_at=NOW)
        move(order, goal, by=make_person().actor, at=NOW)
        assert order.state == goal
    else:
        with pytest.raises(IllegalMove):
            move(order, goal, by=make_person().actor, at=NOW)


@pytest.fixture
def silent(db) -> Job:
    job = Job()
    order = job.begin()
    silence(order)
    note_silent(order.pk)
    return job


def operator():
    return make_person(Role.OPERATOR).actor


def code_of(act) -> str:
    with pytest.raises(Refused) as told:
        act()
    return told.value.refusal.code


def test_operator_says_that_the_new_version_runs(silent):
    settle_deployment(silent.order.pk, truth=Truth.NEW_RUNS, by=operator(), reason="I looked at it.")

    silent.target.refresh_from_db()
    assert (silent.order.state, silent.order.is_reported, leg_of(silent).state) == ("SUCCEEDED", False, "DONE")
    assert silent.target.occupied_by is None


def test_operator_says_that_the_old_version_runs(silent):
    settle_deployment(silent.order.pk, truth=Truth.OLD_RUNS, by=operator(), reason="I looked at it.")

    silent.target.refresh_from_db()
    assert (silent.order.state, leg_of(silent).state, silent.target.occupied_by) == ("FAILED", "FAILED", None)


def test_nobody_can_ask_again_stop_or_undo_what_ci_does(silent):
    by = operator()
    assert code_of(lambda: settle_deployment(silent.order.pk, truth=Truth.ASK_AGAIN, by=by, reason="Ask.")) == "external"
    assert code_of(lambda: abort_deployment(silent.order.pk, by=by)) == "external"
    settle_deployment(silent.order.pk, truth=Truth.NEW_RUNS, by=by, reason="I looked at it.")
    assert code_of(lambda: roll_back_deployment(silent.order.pk, by=by, reason="It is slow.")) == "external"


def test_running_deployment_of_ci_is_not_settled_by_a_person(db):
    job = Job()
    job.begin()
    assert code_of(lambda: settle_deployment(job.order.pk, truth=Truth.NEW_RUNS, by=operator(), reason="x")) == "not_waiting_for_you"


def test_page_of_a_silent_deployment_asks_what_is_true(silent, client):
    client.force_login(make_person(Role.OPERATOR))
    silent.report("started", sequence=1)
    silence(silent.order)
    note_silent(silent.order.pk)

    page = client.get(f"/deployments/{silent.order.pk}/").content.decode()

    assert "What is true there?" in page
    assert "ask the target again" not in page
    assert "Number 1" in page
    assert client.post(f"/deployments/{silent.order.pk}/settlement/", {"truth": "ASK_AGAIN", "reason": "x"}).status_code == 422
    done = client.post(f"/deployments/{silent.order.pk}/settlement/", {"truth": "NEW_RUNS", "reason": "I looked."})
    assert done.status_code == 302
    assert silent.order.state == "SUCCEEDED"


def test_page_of_a_reported_success_says_so(db, client):
    job = Job()
    job.begin(run={"system": "gitlab", "id": "77", "url": "https://ci.example/77"})
    job.report("succeeded", message="All pods are ready.")
    client.force_login(make_person())

    page = client.get(f"/deployments/{job.order.pk}/").content.decode()

    assert "reported by CI, not seen by us yet" in page
    assert "All pods are ready." in page
    assert "gitlab 77" in page
