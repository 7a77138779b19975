"""The pages of deployments: what they show, what their buttons do, and that bad input is told on its field."""

import pytest
from django.urls import reverse

from apps.accounts.roles import Role
from apps.core.refusals import Refusal
from apps.deployments.models import Deployment
from apps.deployments.states import State
from tests.factories.accounts import make_person
from tests.factories.catalog import ServiceFactory
from tests.factories.changes import ItemFactory
from tests.factories.deployments import FAILS_SWITCHED, DeploymentFactory, a_check, make_deployment, make_leg, make_order, make_site, step

pytestmark = pytest.mark.django_db
BAD_LINES = ["", "x" * 301, "nul\x00", "two\nlines", "turned \u202e"]


@pytest.fixture
def operator(client):
    person = make_person(Role.OPERATOR)
    client.force_login(person)
    return person


def url_of(order: Deployment, name: str = "deployment") -> str:
    return reverse(f"deployments:{name}", args=[order.pk])


@pytest.mark.parametrize("state", State)
def test_a_deployment_is_shown_in_every_state(client, operator, fake, samples, state):
    order = make_deployment(state, target=make_site(a_check()) if state in {State.VERIFYING, State.SUCCEEDED} else None)

    page = client.get(url_of(order)).content.decode()

    assert order.ref in page
    assert "3.18.1" in page
    assert ("data-poll" in page) == (state not in {State.SUCCEEDED, State.FAILED, State.ABORTED, State.NEEDS_HUMAN})
    assert ("What is true there?" in page) == (state is State.NEEDS_HUMAN)


def test_the_live_part_is_a_fragment_that_answers_304_when_nothing_changed(client, operator, fake):
    order = make_deployment(State.RUNNING)
    url = f"{url_of(order)}?seen=RUNNING"

    first = client.get(url, headers={"HX-Request": "true"})
    second = client.get(url, headers={"HX-Request": "true", "If-None-Match": first["ETag"]})

    assert first.content.decode().lstrip().startswith("<div")
    assert second.status_code == 304


def test_the_page_of_a_bad_version_follows_its_way_back_to_the_end(client, operator, fake):
    order = step(make_order())
    fake.answers.append(FAILS_SWITCHED)
    bad = step(order)
    back = Deployment.objects.get(undoes=bad)

    while_it_goes = client.get(url_of(bad)).content.decode()
    step(step(back))
    afterwards = client.get(url_of(bad)).content.decode()

    assert "data-poll" in while_it_goes
    assert "Users saw" not in while_it_goes
    assert "data-poll" not in afterwards
    assert "Users saw 3.18.1 for" in afterwards


def test_the_page_is_loaded_again_when_the_state_has_passed(client, operator, fake):
    order = make_deployment(State.RUNNING)

    answer = client.get(f"{url_of(order)}?seen=QUEUED", headers={"HX-Request": "true"})

    assert answer["HX-Refresh"] == "true"


def test_the_list_shows_what_is_on_its_way(client, operator, fake):
    done, waiting = make_deployment(), make_order()
    url = reverse("deployments:deployments")

    everything, on_the_way = client.get(url).content.decode(), client.get(f"{url}?view=open").content.decode()

    assert done.ref in everything
    assert waiting.ref in everything
    assert f">{done.ref}<" not in on_the_way
    assert f">{waiting.ref}<" in on_the_way


def test_an_empty_list_says_what_it_is_for(client, operator):
    assert "Nothing was deployed yet" in client.get(reverse("deployments:deployments")).content.decode()
    assert "Nothing is on its way" in client.get(reverse("deployments:deployments"), {"view": "open"}).content.decode()


@pytest.mark.parametrize("before", ["", "x", "-1", "9" * 30, "١", "\x00"])
def test_an_odd_place_in_the_list_is_no_error(client, operator, before):
    assert client.get(reverse("deployments:deployments"), {"before": before}).status_code == 200


def test_the_list_asks_a_fixed_number_of_questions(client, operator, django_assert_max_num_queries):
    target = make_site()
    url = reverse("deployments:deployments")
    client.get(url)
    for _ in range(60):
        DeploymentFactory(target=target, settings=target.settings)

    with django_assert_max_num_queries(16):
        page = client.get(url).content.decode()

    assert "Older" in page
    assert client.get(url, {"before": Deployment.objects.latest("pk").pk}).status_code == 200


def test_a_restricted_service_is_not_there_for_others(client, operator, fake):
    order = make_deployment()
    service = order.target.service
    service.is_restricted = True
    service.save()

    assert client.get(url_of(order)).status_code == 404
    assert client.post(url_of(order, "stop")).status_code == 404
    assert order.ref not in client.get(reverse("deployments:deployments")).content.decode()


def test_a_change_with_a_service_that_is_hidden_is_not_named(client, operator, fake):
    order = make_order()
    change, url = order.leg.change, reverse("deployments:deployments")
    assert change.ref in client.get(url_of(order)).content.decode()
    assert change.ref in client.get(url).content.decode()

    ItemFactory(change=change, service=ServiceFactory(is_restricted=True))

    assert change.ref not in client.get(url_of(order)).content.decode()
    assert change.ref not in client.get(url).content.decode()


def test_nobody_sees_anything_before_signing_in(client, fake):
    order = DeploymentFactory()

    for name in ("deployment", "log"):
        assert client.get(url_of(order, name)).status_code == 302


def test_pressing_deploy_orders_and_leads_to_the_page(client, operator, fake):
    leg = make_leg()

    answer = client.post(reverse("deployments:order", args=[leg.public_id]))

    assert answer.url == url_of(Deployment.objects.get())


def test_a_refused_order_is_a_page_with_its_reason(client, fake):
    client.force_login(make_person())

    answer = client.post(reverse("deployments:order", args=[make_leg().public_id]))

    assert answer.status_code == 403
    assert "You are no operator or release manager" in answer.content.decode()


def test_stopping_by_the_button(client, operator, fake):
    order = make_order()

    assert client.post(url_of(order, "stop"), {"reason": "Wrong day."}).status_code == 302
    order.refresh_from_db()
    assert order.state == State.ABORTED


def test_rolling_back_by_the_button_leads_to_the_way_back(client, operator, fake):
    order = make_deployment()

    answer = client.post(url_of(order, "roll_back"), {"reason": "The map is empty."})

    assert answer.url == url_of(Deployment.objects.get(undoes=order))


@pytest.mark.parametrize("reason", BAD_LINES)
def test_a_bad_reason_is_told_on_its_field(client, operator, fake, reason):
    order = make_deployment()

    answer = client.post(url_of(order, "roll_back"), {"reason": reason})

    assert answer.status_code == 422
    assert "field-wrong" in answer.content.decode()
    assert not Deployment.objects.filter(undoes=order).exists()


def test_settling_by_the_form(client, operator, fake):
    order = make_deployment(State.NEEDS_HUMAN)

    assert client.post(url_of(order, "settle"), {"truth": "MAYBE", "reason": "I looked."}).status_code == 422
    assert client.post(url_of(order, "settle"), {"truth": "OLD_RUNS", "reason": "I looked."}).status_code == 302
    order.refresh_from_db()
    assert order.state == State.FAILED


@pytest.mark.parametrize("name", ["stop", "roll_back", "settle"])
def test_verbs_are_posted(client, operator, fake, name):
    assert client.get(url_of(make_order(), name)).status_code == 405


def test_the_button_that_cannot_be_pressed_says_why(client, fake):
    client.force_login(make_person())
    order = make_deployment()

    page = client.get(url_of(order)).content.decode()

    assert 'aria-disabled="true"' in page
    assert str(Refusal("", "You are no operator or release manager of this service.")) in page


def test_the_whole_log_is_plain_text(client, operator, fake):
    order = make_deployment()

    answer = client.get(url_of(order, "log"))

    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    assert "switched" in answer.content.decode()


def test_texts_from_outside_are_escaped(client, operator, fake):
    order = step(make_order(label="<script>alert(1)</script>"))

    assert "<script>alert(1)" not in client.get(url_of(order)).content.decode()


def test_the_list_is_narrowed_to_a_service_and_an_environment(client, operator):
    here, there = (DeploymentFactory(target=target, settings=target.settings) for target in (make_site(), make_site()))
    url = reverse("deployments:deployments")
    place = {"service": here.target.service.slug, "environment": here.target.environment.slug}

    narrowed, other = client.get(url, place), client.get(url, {**place, "environment": there.target.environment.slug})

    assert [row[0] for row in narrowed.context["rows"]] == [here]
    assert f"service={place['service']}" in narrowed.context["views"][1][1]  # the other view is of the same place
    assert "No deployment here" in other.content.decode()


def test_a_place_that_is_not_there_is_told_on_its_field_and_shows_nothing(client, operator):
    hidden = make_site()
    hidden.service.is_restricted = True
    hidden.service.save()
    DeploymentFactory(target=hidden, settings=hidden.settings)

    for slug in ("nowhere", hidden.service.slug, "\x00", "x" * 5_000):
        answer = client.get(reverse("deployments:deployments"), {"service": slug})
        assert (answer.status_code, answer.context["rows"]) == (422, [])
        assert "There is no such service." in answer.content.decode()


def test_the_next_page_is_of_the_same_place(client, operator):
    target = make_site()
    for _ in range(51):
        DeploymentFactory(target=target, settings=target.settings)
    url = reverse("deployments:deployments")

    first = client.get(url, {"service": target.service.slug, "view": "open"})
    second = client.get(f"{url}{first.context['older_url']}")

    assert len(first.context["rows"]) == 50
    assert [row[0].pk for row in second.context["rows"]] == [Deployment.objects.earliest("pk").pk]
    assert f"service={target.service.slug}" in second.context["newest_url"]
