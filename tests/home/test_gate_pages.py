"""One evaluation explained, asking for oneself, and what to paste into a pipeline: what they say, and whom they say it to."""

import hashlib
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from apps.accounts.roles import Role
from apps.catalog.models import Service
from apps.changes.states import State
from apps.core.ids import id_at, new_id
from apps.gate.answers import question_bytes
from apps.gate.client import ccgate
from apps.gate.foreseeing import foresee
from apps.gate.judgement import question_about
from apps.gate.models import Evaluation, Ticket, VerdictRow
from apps.gate.rules import Detail, Question
from apps.gate.snippets import SNIPPETS
from apps.schedule.models import Hold
from tests.approvals.world import make_world
from tests.factories.accounts import MembershipFactory, make_person
from tests.factories.approvals import make_change, make_place
from tests.factories.changes import COMMIT
from tests.factories.exceptions import agreed, leg_of, make_emergency
from tests.factories.gate import EvaluationFactory, VerdictRowFactory, ask, body_for, make_gate_token
from tests.factories.schedule import CalendarRuleFactory, HoldFactory, SlotFactory
from tests.gate.ci import make_issuer, make_trust
from tests.home.pages import HOSTILE, get, marks_of, text_of

pytestmark = pytest.mark.django_db
BUDGET = 16
RUN = {"system": "github", "id": "8841", "attempt": 2, "url": "https://ci.example.org/8841", "actor": "octocat"}


@pytest.fixture
def reader():
    return make_person(Role.REQUESTER)


@pytest.fixture
def target():
    return make_place()


@pytest.fixture
def secret():
    return make_gate_token(name="Night pipeline")[1]


def hold(target):
    return HoldFactory(scope=5_000_000_000 + target.pk)


def approved(target):
    return make_change(State.APPROVED, targets=(target,))


def page_of(client, reader, evaluation):
    return get(client, reader, "home:gate_evaluation", evaluation)


# One evaluation.


def test_an_evaluation_says_who_asked_what_and_why_not(client, reader, target, secret):
    change = approved(target)
    hold(target)
    one = ask(secret, body_for(target, run=RUN)).json()["id"]

    said = text_of(page_of(client, reader, one))

    assert "Night pipeline" in said
    assert f"May this version of {target.service.name} go to {target.environment.name}?" in said
    assert 'href="https://ci.example.org/8841"' in marks_of(page_of(client, reader, one))
    assert "attempt 2, by octocat" in said
    assert COMMIT in said
    assert change.ref in said
    assert "Clear up the reason, then lift the hold." in said
    assert "an operator or a release manager" in said
    assert "Quorum of this leg" in said
    assert "1 in the way" in said
    assert "none; only a yes gets one" in said


def test_what_had_nothing_to_look_at_is_not_told_as_passed(client, reader, target, secret):
    one = ask(secret, body_for(target)).json()["id"]
    place = {"service": target.service.slug, "environment": target.environment.slug}

    recorded = page_of(client, reader, one)
    live = get(client, reader, "home:gate_asking", **place, version=COMMIT, action="DEPLOY")
    back = get(client, reader, "home:gate_asking", **place, version=COMMIT, action="ROLLBACK")

    for page in (recorded, live):
        assert "A change names exactly this version" in text_of(page)
        assert "No hold stands here." in text_of(page)
        assert "The leg's own quorum is met" not in text_of(page)
    assert "The target is not locked." in text_of(back)
    assert "No freeze covers this moment" not in text_of(back)


def test_every_answer_stands_in_its_time_with_its_tickets(client, reader, target, secret):
    body = body_for(target)
    one = ask(secret, body, key="run-1").json()["id"]
    approved(target)
    ask(secret, body, key="run-1")

    page = page_of(client, reader, one)

    assert [answer.verdict for answer in page.context["one"].answers] == ["ALLOW", "DENY"]
    assert "the last of 2 answers" in text_of(page)
    assert "Ticket back" in text_of(page)
    assert len(page.context["one"].tickets) == Ticket.objects.count() == 2


def test_what_was_recorded_stands_beside_what_is_judged_now(client, reader, target, secret):
    change = approved(target)
    stop = hold(target)
    one = ask(secret, body_for(target)).json()["id"]
    assert "The facts say the same as then." in text_of(page_of(client, reader, one))
    Hold.objects.filter(pk=stop.pk).update(lifted_at=timezone.now(), lifted_by="SYSTEM:test")

    page = page_of(client, reader, one)

    assert (page.context["one"].last.verdict, page.context["one"].now.verdict.verdict) == ("DENY", "ALLOW")
    assert page.context["one"].gone_codes == ["held"]
    assert "Nothing has to change" in text_of(page)
    assert change.ref in text_of(page)


def test_the_steps_to_a_yes_are_told_with_the_moment(client, reader, target, secret):
    change = make_change(State.IN_REVIEW, targets=(target,))
    now = timezone.now()
    SlotFactory(leg=change.legs.get(), starts_at=now + timedelta(hours=2), ends_at=now + timedelta(hours=4))
    one = ask(secret, body_for(target)).json()["id"]

    page = page_of(client, reader, one)

    assert [step.codes for step in page.context["one"].now.way.steps] == [("sign_off_missing",), ("before_slot",)]
    assert "Could be yes" in text_of(page)
    assert "If the other step is done by then." in text_of(page)


def test_looking_records_nothing_and_hands_out_nothing(client, reader, target, secret):
    approved(target)
    one = ask(secret, body_for(target)).json()["id"]
    before = Evaluation.objects.count(), VerdictRow.objects.count(), Ticket.objects.count()

    page_of(client, reader, one)
    get(
        client,
        reader,
        "home:gate_asking",
        service=target.service.slug,
        environment=target.environment.slug,
        version=COMMIT,
        action="DEPLOY",
    )

    assert (Evaluation.objects.count(), VerdictRow.objects.count(), Ticket.objects.count()) == before


def test_an_answer_leads_to_its_page(client, reader, target, secret):
    said = ask(secret, body_for(target)).json()
    codes = ask(make_gate_token(detail=Detail.CODES)[1], body_for(target)).json()

    for one in (said, codes):
        assert one["url"].endswith(f"/gate/{one['id']}/")
        assert page_of(client, reader, one["id"]).status_code == 200


def test_an_evaluation_that_is_not_there_is_not_found(client, reader):
    for one in (new_id(), "00000000-0000-4000-8000-000000000000", "ffffffff-ffff-7fff-bfff-ffffffffffff"):
        assert page_of(client, reader, one).status_code == 404


def test_an_evaluation_of_a_restricted_service_is_not_there(client, reader, target, secret):
    here = ask(secret, body_for(target)).json()["id"]
    nowhere = ask(secret, {**body_for(target), "environment": "nowhere"}).json()["id"]
    Service.objects.filter(pk=target.service_id).update(is_restricted=True)
    insider = make_person()
    MembershipFactory(person=insider, team=target.service.team)

    for one in (here, nowhere):
        assert page_of(client, reader, one).status_code == 404
        assert page_of(client, insider, one).status_code == 200


def test_the_change_is_named_to_those_who_see_it_alone(client, reader, target, secret):
    other = make_place()
    change = make_change(State.APPROVED, targets=(target, other))
    one = ask(secret, body_for(target)).json()["id"]
    address = reverse("home:change", args=[change.ref])
    assert address in marks_of(page_of(client, reader, one))

    Service.objects.filter(pk=other.service_id).update(is_restricted=True)

    assert address not in marks_of(page_of(client, reader, one))


def test_the_statements_of_an_evaluation_are_few(client, reader, target, secret):
    approved(target)
    hold(target)
    body = body_for(target)
    one = ask(secret, body, key="run-1").json()["id"]
    client.force_login(reader)

    with CaptureQueriesContext(connection) as seen:
        client.get(reverse("home:gate_evaluation", args=[one]))

    assert len(seen) <= BUDGET


# Ahead.


def test_the_moment_ahead_is_judged_too(target):
    make_change(State.APPROVED, targets=(target,))
    now = timezone.now()
    for number in (1, 2):  # the second begins when the first ends
        starts, ends = now + timedelta(hours=number - 2), now + timedelta(hours=number)
        CalendarRuleFactory(scope=5_000_000_000 + target.pk, starts_at=starts, ends_at=ends, title=f"Freeze {number}")

    said = foresee(Question(target.service.slug, target.environment.slug, (COMMIT,)))

    assert abs(said.earliest - (now + timedelta(hours=2))) < timedelta(seconds=1)
    assert said.way_then.steps == ()


def test_a_period_that_is_over_by_then_is_a_step(client, reader, target):
    change = make_change(State.APPROVED, targets=(target,))
    now = timezone.now()
    CalendarRuleFactory(scope=5_000_000_000 + target.pk, starts_at=now - timedelta(hours=1), ends_at=now + timedelta(days=4000))

    said = foresee(Question(target.service.slug, target.environment.slug, (COMMIT,)))

    assert [step.codes for step in said.way.steps] == [("period_over",), ("frozen",)]
    assert "Revise the period and have it signed again. The period of" in text_of(asked_by_page(client, reader, target, change))


def test_what_an_exception_passes_no_more_by_then_needs_an_act(client, reader, db):
    world, now = make_world(), timezone.now()
    change = make_emergency(world.target, world.requester, now=now)
    agreed(change, world.requester, world.manager, "EMERGENCY", minutes=30, now=now)
    scope = 5_000_000_000 + world.target.pk
    CalendarRuleFactory(scope=scope, starts_at=now - timedelta(hours=1), ends_at=now + timedelta(hours=2))

    said = foresee(question_about(leg_of(change)), now=now)

    assert [step.codes for step in said.way.steps] == [("frozen",)]
    assert said.way.is_whole is False
    assert [step.codes for step in said.later_acts] == [("sign_off_missing",)]
    assert "By then something else is in the way too: “" in text_of(asked_by_page(client, reader, world.target, change))


def asked_by_page(client, reader, target, change):
    return get(
        client,
        reader,
        "home:gate_asking",
        service=target.service.slug,
        environment=target.environment.slug,
        change=change.ref,
        action="DEPLOY",
    )


def test_nobody_knows_when_a_deployment_ends(target):
    make_change(State.APPROVED, targets=(target,))
    target.occupied_by, target.occupied_since = new_id(), timezone.now()
    target.save()

    said = foresee(Question(target.service.slug, target.environment.slug, (COMMIT,)))

    assert (said.earliest, said.way_then, said.way.wait.until) == (None, None, None)


# Asking for oneself.


def asks(client, person, target, **more):
    given = {"service": target.service.slug, "environment": target.environment.slug, "action": "DEPLOY", **more}
    return get(client, person, "home:gate_asking", **given)


def test_the_form_is_there_before_anything_is_asked(client, reader):
    page = get(client, reader, "home:gate_asking")

    assert page.status_code == 200
    assert "Nothing asked yet" in text_of(page)


def test_a_person_asks_by_change_and_by_version(client, reader, target):
    change = approved(target)

    by_change, by_version = asks(client, reader, target, change=change.ref), asks(client, reader, target, version=COMMIT)
    by_digits = asks(client, reader, target, version=COMMIT.removeprefix("git:").upper())

    for page in (by_change, by_version, by_digits):
        assert (page.status_code, page.context["asked"].foresight.verdict.verdict) == (200, "ALLOW")
        assert change.ref in text_of(page) or page.context["now_url"]


def test_a_person_is_told_the_cure(client, reader, target):
    page = asks(client, reader, target, version=COMMIT)

    assert "Request a change for it." in text_of(page)
    assert "More may be asked for once this is done" in text_of(page)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "Name a change, or the identities of the version."),
        ({"version": "main"}, "A branch or tag moves."),
        ({"version": "abc1234"}, "A short commit id may mean another commit tomorrow."),
        ({"version": "sha256:12ab"}, "A short digest may mean another artifact tomorrow. Give the full SHA-256 digest"),
        ({"version": "\n".join(f"sha256:{number:064x}" for number in range(25))}, "A version has at most 20 identities."),
        ({"change": "CHG-999999"}, "There is no such change that you may see."),
        ({"change": "nonsense"}, "There is no such change that you may see."),
        ({"version": COMMIT, "action": "EXPLODE"}, "Select a valid choice"),
        ({"version": COMMIT, "service": "nowhere"}, "Select a valid choice"),
        ({"version": COMMIT, "service": ""}, "required"),
        ({"version": COMMIT + "\x00"}, "Null characters"),
    ],
)
def test_a_question_that_cannot_be_read_says_so_on_its_field(client, reader, target, given, said):
    page = asks(client, reader, target, **given)

    assert page.status_code == 422
    assert said in text_of(page)


def test_a_change_that_names_no_version_there_is_told(client, reader, target):
    change = approved(make_place())

    assert f"{change.ref} names no version for this place." in text_of(asks(client, reader, target, change=change.ref))


def test_a_place_without_a_target_is_told(client, reader, target):
    other = make_place()

    assert "The service has no target there." in text_of(asks(client, reader, target, environment=other.environment.slug, version=COMMIT))


def test_a_restricted_service_is_no_choice(client, reader, target):
    Service.objects.filter(pk=target.service_id).update(is_restricted=True)

    page = asks(client, reader, target, version=COMMIT)

    assert page.status_code == 422
    assert target.service.name not in marks_of(page)


@pytest.mark.parametrize("kind", sorted(HOSTILE))
@pytest.mark.parametrize("field", ["action", "change", "environment", "service", "version"])
def test_whatever_is_asked_is_answered(client, reader, target, field, kind):
    client.force_login(reader)
    given = {
        "service": target.service.slug,
        "environment": target.environment.slug,
        "action": "DEPLOY",
        "version": COMMIT,
        field: HOSTILE[kind][:5_000],
    }

    assert client.get(reverse("home:gate_asking"), given).status_code in {200, 422}


# What to paste.


@pytest.mark.parametrize("system", sorted(SNIPPETS))
def test_a_pipeline_page_is_filled_in_for_its_place(client, reader, target, system, settings):
    page = client.get(reverse("home:gate_pipeline", args=[target.service.slug, target.environment.slug]), {"for": system})
    assert page.status_code == 302

    page = get(client, reader, "home:gate_pipeline", target.service.slug, target.environment.slug, **{"for": system})

    assert f"--service {target.service.slug} --environment {target.environment.slug}" in marks_of(page)
    assert settings.PUBLIC_URL in marks_of(page)
    assert hashlib.sha256(Path(ccgate.__file__).read_bytes()).hexdigest() in marks_of(page)
    assert hashlib.sha256(client.get(reverse("gate_pages:client")).content).hexdigest() in marks_of(page)


def test_a_system_that_is_not_known_shows_the_first(client, reader, target):
    page = get(client, reader, "home:gate_pipeline", target.service.slug, target.environment.slug, **{"for": "../etc"})

    assert page.context["snippet"].key == "github"


def test_a_pipeline_page_of_a_restricted_service_is_not_there(client, reader, target):
    Service.objects.filter(pk=target.service_id).update(is_restricted=True)

    assert get(client, reader, "home:gate_pipeline", target.service.slug, target.environment.slug).status_code == 404


def test_the_place_leads_to_its_pipeline_page(client, reader, target):
    address = reverse("home:gate_pipeline", args=[target.service.slug, target.environment.slug])

    assert address in marks_of(get(client, reader, "catalog:target", target.service.slug, target.environment.slug))


def test_the_navigation_leads_to_the_gate(client, reader):
    assert 'href="/gate/"' in marks_of(get(client, reader, "home:matrix"))


def test_a_place_is_chosen_for_a_pipeline(client, reader, target):
    where = {"service": target.service.slug, "environment": target.environment.slug}

    assert get(client, reader, "home:gate_pipelines").status_code == 200
    assert get(client, reader, "home:gate_pipelines", **where).url == reverse("home:gate_pipeline", args=[*where.values()])
    assert "The service has no target there." in text_of(
        get(client, reader, "home:gate_pipelines", **(where | {"environment": make_place().environment.slug}))
    )
    assert get(client, reader, "home:gate_pipelines", service="x").status_code == 422


def test_a_job_that_proved_itself_is_told_as_that(client, reader, target, secret):
    one = ask(secret, body_for(target)).json()["id"]
    assert "a CI job that proved itself" not in text_of(page_of(client, reader, one))
    administrator = make_person(Role.ADMINISTRATOR)
    trust = make_trust(make_issuer("https://ci.example.org", by=administrator), target, by=administrator)
    at = timezone.now()
    made = EvaluationFactory(
        at=at, id=id_at(at), token_id=trust.grant_id, target_id=target.pk, question=question_bytes(question_of(target))
    )
    VerdictRowFactory(evaluation_id=made.id, at=at, record=b'{"findings":[],"passed":[],"bound":{"change":null}}')

    said = text_of(page_of(client, reader, made.id))

    assert "Deploy job, a CI job that proved itself" in said
    assert "what the job proved of itself is not judged again" in said


def question_of(target):
    return Question(target.service.slug, target.environment.slug, (COMMIT,))
