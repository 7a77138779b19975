"""How strict an environment is, tried on the answers of the past before it is proposed or confirmed."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from apps.accounts.roles import Role
from apps.catalog.models import Service
from apps.changes.states import State
from apps.gate.actions import propose_relaxation
from apps.gate.models import RuleMode
from tests.factories.accounts import make_person
from tests.factories.approvals import make_change, make_place
from tests.factories.catalog import EnvironmentFactory
from tests.factories.gate import ask, body_for, make_gate_token
from tests.factories.schedule import HoldFactory
from tests.home.pages import HOSTILE, get, marks_of, post, text_of

pytestmark = pytest.mark.django_db
BUDGET = 16


@pytest.fixture
def ada():
    return make_person(Role.ADMINISTRATOR, name="Ada")


@pytest.fixture
def target():
    """A place that is held, and was asked about three times; another one in between."""
    target, secret = make_place(), make_gate_token()[1]
    make_change(State.APPROVED, targets=(target,))
    HoldFactory(scope=5_000_000_000 + target.pk)
    for _ in range(3):
        ask(secret, body_for(target))
    ask(secret, body_for(make_place()))
    return target


def tried(client, person, target, what, after):
    return get(client, person, "home:environment_strictness", target.environment.slug, what=what, after=after)


def test_a_mode_is_tried_on_the_answers_of_the_past(client, ada, target):
    page = tried(client, ada, target, "hold", "WARN_ONLY")

    said = text_of(page)
    assert "3 of the last 3 questions" in said
    assert "3 No Yes" in said
    assert len(page.context["tried"].examples) == 3
    assert not RuleMode.objects.exists()


def test_a_mode_that_changes_nothing_says_so(client, ada, target):
    assert "None of the last 3 questions" in text_of(tried(client, ada, target, "freeze", "OFF"))


def test_what_a_change_needs_is_tried_too(client, ada, target):
    assert "None of the last 3 questions" in text_of(tried(client, ada, target, "", "NO"))


def test_what_the_record_does_not_say_is_counted_and_not_guessed(client, ada):
    place, secret = make_place(), make_gate_token()[1]
    make_change(State.APPROVED, targets=(place,))
    RuleMode.objects.create(environment=place.environment, rule="hold", mode="OFF", set_at=timezone.now(), set_by="SYSTEM:test")
    HoldFactory(scope=5_000_000_000 + place.pk)
    ask(secret, body_for(place))

    assert "1 cannot be told" in text_of(tried(client, ada, place, "hold", "ENFORCED"))


def test_nobody_asked_yet(client, ada):
    assert "Nobody has asked about this environment lately" in text_of(tried(client, ada, make_place(), "hold", "OFF"))


def test_whoever_confirms_sees_what_it_would_have_done(client, ada, target):
    ben = make_person(Role.ADMINISTRATOR, name="Ben")
    propose_relaxation(environment_id=target.environment_id, rule="hold", after="OFF", by=ada.actor)

    said = text_of(get(client, ben, "home:environment_strictness", target.environment.slug))

    assert "3 of the last 3 questions" in said


def test_examples_of_restricted_services_are_not_shown(client, ada, target):
    Service.objects.filter(pk=target.service_id).update(is_restricted=True)

    page = tried(client, ada, target, "hold", "OFF")

    assert "3 of the last 3 questions" in text_of(page)
    assert page.context["tried"].examples == []
    assert target.service.name not in marks_of(page)


@pytest.mark.parametrize(("what", "after"), [("hold", "NO"), ("", "OFF"), ("approval", "OFF"), ("x", "OFF"), ("hold", ""), ("hold", "x")])
def test_what_does_not_fit_is_told_on_its_field(client, ada, target, what, after):
    page = tried(client, ada, target, what, after)

    assert page.status_code == 200
    assert page.context["tried"] is None
    assert page.context["trial"].errors


@pytest.mark.parametrize("kind", sorted(HOSTILE))
def test_whatever_is_tried_is_answered(client, ada, target, kind):
    assert tried(client, ada, target, HOSTILE[kind][:2_000], HOSTILE[kind][:2_000]).status_code == 200


def test_the_statements_do_not_grow_with_what_is_tried(client, ada, target):
    client.force_login(ada)
    address, counts = reverse("home:environment_strictness", args=[target.environment.slug]), []
    for rule in ("hold", "freeze", "window"):
        propose_relaxation(environment_id=target.environment_id, rule=rule, after="OFF", by=ada.actor)
        with CaptureQueriesContext(connection) as seen:
            client.get(address, {"what": "hold", "after": "WARN_ONLY"})
        counts.append(len(seen))

    assert counts[-1] <= BUDGET + 2 * len(counts)  # each proposal is looked at for who may confirm it


def test_another_environment_is_not_looked_at(client, ada, target):
    other = EnvironmentFactory()

    assert "Nobody has asked" in text_of(get(client, ada, "home:environment_strictness", other.slug, what="hold", after="OFF"))


def test_what_was_tried_is_set_or_proposed_in_the_next_step(client, ada, target):
    alone = text_of(tried(client, ada, target, "hold", "OFF"))
    make_person(Role.ADMINISTRATOR, name="Ben")
    weaker, same = (text_of(tried(client, ada, target, "hold", after)) for after in ("OFF", "ENFORCED"))
    RuleMode.objects.create(environment=target.environment, rule="hold", mode="OFF", set_at=timezone.now(), set_by="SYSTEM:test")
    stricter = text_of(tried(client, ada, target, "hold", "WARN_ONLY"))

    assert "Hold: enforced → off" in alone
    assert "Set it" in alone
    assert "Propose it" in weaker
    assert "It is so already" in same
    assert "Hold: off → warns only" in stricter
    assert "Set it" in stricter


def test_where_a_rule_is_chosen_only_what_fits_it_is_offered(client, ada, target):
    address = reverse("home:environment_strictness", args=[target.environment.slug])
    client.force_login(ada)
    offered = {what: client.get(address, {"what": what}).content.decode() for what in ("hold", "", "approval", "x")}

    assert ('value="WARN_ONLY"' in offered["hold"], 'value="RECORDED"' in offered["hold"]) == (True, False)
    assert ('value="WARN_ONLY"' in offered[""], 'value="RECORDED"' in offered[""]) == (False, True)
    for what in ("approval", "x"):  # not for anybody to choose: everything is offered
        assert ('value="WARN_ONLY"' in offered[what], 'value="RECORDED"' in offered[what]) == (True, True)


def test_a_reason_that_is_too_long_is_told_beside_what_was_tried(client, ada, target):
    page = post(client, ada, "home:environment_strictness", target.environment.slug, what="hold", after="OFF", reason="x" * 301)

    assert page.status_code == 422
    assert page.context["form"].errors.keys() == {"reason"}
    assert "3 of the last 3 questions" in text_of(page)
    assert not RuleMode.objects.exists()


def test_what_needs_nobody_is_not_called_optional(client, ada, target):
    page = get(client, ada, "home:environment_strictness", target.environment.slug)

    said = text_of(page)
    assert "What optional" not in said
    assert "Why optional" in said
