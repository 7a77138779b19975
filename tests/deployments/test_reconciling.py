"""What never gets on ends with a person, and no text from outside keeps what it says from being acted on."""

import pytest

from apps.accounts.roles import Role
from apps.audit.stream import entries_about
from apps.audit.vocabulary import Event
from apps.deployments.actions import abort_deployment, settle_deployment
from apps.deployments.beat import expired_ids
from apps.deployments.drivers.base import CannotTell, Observation, Phase, Progress
from apps.deployments.facts import log_text
from apps.deployments.lease import claim, note_lost
from apps.deployments.models import ClockTimestamp, Deployment
from apps.deployments.probes import Reading
from apps.deployments.rules.orders import Truth
from apps.deployments.rules.stepping import RECONCILE_TRIES
from apps.deployments.rules.verdicts import Sample
from apps.deployments.runner import run_step, verifying
from apps.deployments.states import State
from apps.incidents.models import Incident
from apps.incidents.opening import react
from tests.factories.accounts import make_person
from tests.factories.changes import OTHER_COMMIT
from tests.factories.deployments import WORKS, a_check, lose, make_order, make_site, step

pytestmark = pytest.mark.django_db

AWAY = CannotTell("The disk is away.")
UNSTORABLE = "died: \x00\x1b[31mred\x1b[0m \ud800"


def running(*checks: dict[str, object]) -> Deployment:
    return step(make_order(make_site(*checks)))


def steps_until_a_person(order: Deployment, *, most: int = 3 * RECONCILE_TRIES) -> int:
    for number in range(1, most):
        if step(order).state == State.NEEDS_HUMAN:
            return number
    raise AssertionError(f"still {order.state}")


def test_a_target_that_never_answers_needs_a_person(fake):
    order = running()
    fake.answers.extend([AWAY] * 100)

    assert steps_until_a_person(order) <= RECONCILE_TRIES
    assert "The disk is away." in order.failure
    order.target.refresh_from_db()
    assert order.target.occupied_by == order.public_id


def test_a_target_that_answers_and_then_does_not_work_needs_a_person(fake):
    order = running()
    known = Observation(is_known=True)
    fake.answers.extend([AWAY, known] * 50)

    assert steps_until_a_person(order) <= RECONCILE_TRIES


def test_a_stop_that_the_target_never_confirms_needs_a_person(fake):
    order = running()
    abort_deployment(order.pk, by=make_person(Role.OPERATOR).actor)
    fake.answers.extend([AWAY, Observation(is_known=True)] * 50)

    assert steps_until_a_person(order) <= RECONCILE_TRIES


def test_a_way_back_that_never_gets_on_needs_a_person(fake):
    order = running()
    fake.answers.append(Progress(Phase.FAILED, has_switched=True, failure="It did not answer."))
    step(order)
    fake.answers.extend([AWAY] * 100)

    assert steps_until_a_person(Deployment.objects.get(undoes=order)) <= RECONCILE_TRIES


def test_every_worker_that_takes_it_up_dies_until_a_person_looks(fake):
    order = running()
    for _ in range(RECONCILE_TRIES):
        lose(order)

    step(order)

    assert order.state == State.NEEDS_HUMAN
    assert fake.calls == []  # asking may be what kills them


def test_an_exception_nobody_foresaw_ends_with_a_person_and_an_incident(fake):
    order = running()
    fake.answers.extend([ZeroDivisionError("nobody thought of this")] * 100)

    for _ in range(RECONCILE_TRIES):
        with pytest.raises(ZeroDivisionError):
            step(order)
        Deployment.objects.update(lease_expires_at=ClockTimestamp())
        assert expired_ids() == [order.pk]
        note_lost(order.pk)
    step(order)

    assert order.state == State.NEEDS_HUMAN
    entry = entries_about(order.reference, limit=1)[0]
    assert entry.event is Event.DEPLOYMENT_NEEDS_HUMAN
    react(entry)
    assert Incident.objects.get().title.startswith(f"{order.ref} of")


def test_silences_are_further_and_further_apart(fake):
    order = running()
    fake.answers.extend([AWAY] * 8)
    pauses = []
    for _ in range(8):
        Deployment.objects.update(wake_at=order.ordered_at)
        run_step(order.pk)
        order.refresh_from_db()
        ended = order.attempts.order_by("-number").first().ended_at
        pauses.append((order.wake_at - ended).total_seconds())

    assert pauses == [2, 4, 8, 16, 30, 30, 30, 30]


def test_real_progress_begins_the_count_anew_and_going_on_does_not(fake, samples):
    order = running(a_check(count=2))
    fake.answers.extend([AWAY, Observation(is_known=True), WORKS])
    step(step(step(order)))
    assert order.cursor["tries"] == 2

    step(order)
    assert (order.state, order.cursor["tries"]) == (State.VERIFYING, 0)

    fake.runs = OTHER_COMMIT
    step(lose(order))
    assert (order.state, order.cursor["tries"]) == (State.VERIFYING, 2)
    step(order)
    assert order.cursor["tries"] == 0


def test_a_person_who_lets_it_be_asked_again_begins_the_count_anew(fake):
    order = running()
    fake.answers.extend([AWAY] * RECONCILE_TRIES)
    steps_until_a_person(order)

    settle_deployment(order.pk, truth=Truth.ASK_AGAIN, reason="The disk is back.", by=make_person(Role.OPERATOR).actor)
    fake.answers.clear()

    assert step(order).state == State.RUNNING


def test_last_words_that_cannot_be_stored_do_not_keep_a_bad_version_in_place(fake):
    order = running()
    fake.answers.append(Progress(Phase.FAILED, has_switched=True, failure=UNSTORABLE))

    step(order)

    assert (order.state, order.failure) == (State.FAILED, "died: red ")
    assert Deployment.objects.get(undoes=order).state == State.RUNNING


def test_an_answer_that_cannot_be_stored_is_stored_readably(fake):
    order = running()
    seen = Observation(is_known=True, runs=f"git:{UNSTORABLE}", points_to=UNSTORABLE, said=UNSTORABLE)
    fake.answers.extend([CannotTell(UNSTORABLE), Observation(is_known=False, said=UNSTORABLE), seen])

    step(step(step(order)))

    assert order.state == State.NEEDS_HUMAN
    assert "runs git:died: red" in order.failure
    assert "\x1b" not in log_text(order)


def test_a_measurement_that_cannot_be_stored_is_stored_readably(fake, monkeypatch):
    monkeypatch.setattr(verifying, "measure", lambda check, version: Reading(Sample.FAIL, UNSTORABLE, UNSTORABLE))
    order = step(running(a_check()))

    step(order)

    assert order.state == State.FAILED
    assert order.measurements.get().said == "died: red "


def test_a_lease_lost_while_noting_a_silence_is_left_to_the_next_worker(fake, monkeypatch):
    order = running()

    def overtaken(told):
        Deployment.objects.update(lease_expires_at=ClockTimestamp())
        assert note_lost(order.pk)
        assert claim(order.pk, holder="worker-2")
        raise CannotTell("away")

    monkeypatch.setattr(fake, "start", overtaken)

    assert run_step(order.pk) is False
    order.refresh_from_db()
    assert order.holder == "worker-2"


def test_a_stop_whose_settings_lost_their_meaning_needs_a_person(fake, monkeypatch):
    order = running()
    abort_deployment(order.pk, by=make_person(Role.OPERATOR).actor)
    monkeypatch.setattr("apps.deployments.runner.driving.driver_named", lambda name: None)

    step(step(order))

    assert order.state == State.NEEDS_HUMAN
    assert "No driver is called fake." in order.failure
