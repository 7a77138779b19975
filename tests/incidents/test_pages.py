"""The pages of incidents: the timeline out of the stream, notes, corrections, and bad input told on its field."""

from datetime import UTC, datetime, timedelta

import pytest
from django.urls import reverse

from apps.accounts.roles import Role
from apps.changes.models import Item
from apps.changes.states import State as ChangeState
from apps.deployments.models import Deployment
from apps.incidents.actions import note_on_timeline, open_incident
from apps.incidents.models import Incident, TimelineEntry
from apps.incidents.states import State
from apps.schedule.models import Hold
from tests.factories.accounts import make_person
from tests.factories.approvals import make_change
from tests.factories.catalog import COMMIT, make_service, make_target
from tests.factories.deployments import FAILS_SWITCHED, FAKE, make_order, make_site, step
from tests.factories.incidents import IncidentFactory, make_incident

pytestmark = pytest.mark.django_db


@pytest.fixture
def operator(client):
    person = make_person(Role.OPERATOR, name="Ada Operator")
    client.force_login(person)
    return person


def url_of(incident: Incident, name: str = "incident", *more: object) -> str:
    return reverse(f"incidents:{name}", args=[incident.pk, *more])


@pytest.mark.parametrize("state", State)
def test_an_incident_is_shown_in_every_state(client, operator, state):
    incident = make_incident(state)

    page = client.get(url_of(incident)).content.decode()

    assert incident.ref in page
    assert ("data-poll" in page) == (state is not State.RESOLVED)
    assert "opened" in page


def test_the_timeline_runs_from_request_to_recovery(client, operator):
    FAKE.reset()
    order = step(make_order(make_site()))
    FAKE.answers.append(FAILS_SWITCHED)
    step(order)
    incident = open_incident(order.target_id, title="Maps are empty", by=operator.actor, hold=False)
    step(step(Deployment.objects.get(undoes=order)))
    note_on_timeline(incident.pk, text="Both terminals.", by=operator.actor, occurred_at=datetime.now(UTC) - timedelta(minutes=30))

    page = client.get(url_of(incident)).content.decode()
    everything = client.get(url_of(incident), {"show": "all"}).content.decode()

    told = ["Both terminals.", "ordered</b> DEP-", "failed</b>", "ordered the way back", "opened</b>", "succeeded</b>"]
    positions = [page.find(text) for text in told]
    assert -1 not in positions
    assert positions == sorted(positions)
    assert "recorded" in page
    assert "occupied" not in page.lower().partition('id="timeline"')[2].partition("</section>")[0]
    assert len(everything) > len(page)


def test_the_timeline_is_a_fragment_and_reloads_when_the_state_has_passed(client, operator):
    incident = make_incident()

    fragment = client.get(url_of(incident), {"seen": "OPEN"}, headers={"HX-Request": "true"})
    passed = client.get(url_of(incident), {"seen": "RECOVERED"}, headers={"HX-Request": "true"})

    assert fragment.content.decode().lstrip().startswith("<section")
    assert passed["HX-Refresh"] == "true"


def test_what_arrived_before_it_is_shown_newest_first(client, operator):
    FAKE.reset()
    order = step(step(step(make_order(make_site()))))
    incident = open_incident(order.target_id, title="Maps are empty", by=operator.actor)

    assert "Arrived before it" in client.get(url_of(incident)).content.decode()
    assert "3.18.1" in client.get(url_of(incident)).content.decode()


def test_a_note_is_written_and_corrected(client, operator):
    incident = make_incident()

    assert client.post(url_of(incident, "note"), {"text": "Partner tickets only.", "occurred_at": ""}).status_code == 302
    note = TimelineEntry.objects.get()
    url = url_of(incident, "correction", note.public_id)
    assert "Partner tickets only." in client.get(url).content.decode()
    assert client.post(url, {"text": "", "occurred_at": ""}).status_code == 422
    assert client.post(url, {"text": "All tickets.", "occurred_at": "2999-01-01T00:00"}).status_code == 422
    assert client.post(url, {"text": "All tickets.", "occurred_at": ""}).status_code == 302

    page = client.get(url_of(incident)).content.decode()
    assert "<del>Partner tickets only.</del>" in page
    assert "All tickets." in page


@pytest.mark.parametrize(
    "given",
    [
        {"text": ""},
        {"text": "nul\x00"},
        {"text": "x" * 4001},
        {"text": "ok", "occurred_at": "yesterday"},
        {"text": "ok", "occurred_at": "2999-01-01T00:00"},
        {"text": "ok", "occurred_at": "0001-01-01T00:00"},
    ],
)
def test_a_bad_note_is_told_on_its_field(client, operator, given):
    incident = make_incident()

    answer = client.post(url_of(incident, "note"), given)

    assert answer.status_code == 422
    assert "field-wrong" in answer.content.decode()
    assert not TimelineEntry.objects.exists()


def test_opening_by_the_form(client, operator):
    target = make_target()
    url = reverse("incidents:new")
    assert client.get(url).status_code == 200

    assert client.post(url, {"target": "x", "title": "", "started_at": ""}).status_code == 422
    answer = client.post(url, {"target": str(target.public_id), "title": "Slow maps", "started_at": "", "hold": "on"})

    assert answer.url == url_of(Incident.objects.get())
    assert client.post(url, {"target": str(target.public_id), "title": "Again"}).status_code == 409
    assert client.post(url, {"target": "01980000-0000-7000-8000-000000000000", "title": "Elsewhere"}).status_code in {404, 422}
    other = make_target()
    assert client.post(url, {"target": str(other.public_id), "title": "a\x00b"}).status_code == 422
    assert client.post(url, {"target": str(other.public_id), "title": "Slow", "started_at": "2001-01-01T00:00"}).status_code == 422


def test_who_may_stop_nothing_is_not_asked_whether_to_stop(client):
    client.force_login(make_person())
    target, url = make_target(), reverse("incidents:new")

    assert 'name="hold"' not in client.get(url).content.decode()
    client.post(url, {"target": str(target.public_id), "title": "Slow maps", "hold": "on"})

    assert Incident.objects.get().title == "Slow maps"
    assert not Hold.objects.exists()


def told_of(client, target) -> str:
    incident = make_incident(target=target)
    return client.get(url_of(incident), {"show": "all"}).content.decode().partition('id="timeline"')[2]


def test_the_timeline_keeps_quiet_about_the_drafts_of_others(client, operator):
    target = make_site()
    draft = make_change(ChangeState.DRAFT, targets=(target,), now=datetime.now(UTC))

    assert draft.ref not in told_of(client, target)
    client.force_login(draft.requester)
    assert draft.ref in client.get(url_of(Incident.objects.get(target=target)), {"show": "all"}).content.decode()


def test_the_timeline_keeps_quiet_about_changes_that_touch_what_the_reader_does_not_see(client, operator):
    target, other = make_site(), make_site()
    change = make_change(ChangeState.APPROVED, targets=(target, other), now=datetime.now(UTC))
    assert change.ref in told_of(client, target)
    other.service.is_restricted = True
    other.service.save()

    page = client.get(url_of(Incident.objects.get()), {"show": "all"}).content.decode()

    assert change.ref not in page
    assert other.service.name not in page


def test_a_deployment_of_the_service_is_told_without_the_name_of_a_change_the_reader_does_not_see(client, operator):
    FAKE.reset()
    order = make_order(make_site())
    hidden = make_service(is_restricted=True)
    Item.objects.create(change=order.leg.change, position=1, service=hidden, label="1", identities=[COMMIT])

    page = told_of(client, order.target)

    assert order.ref in page
    assert order.leg.change.ref not in page


def test_recovering_and_resolving_by_the_buttons(client, operator):
    incident = make_incident()

    assert client.post(url_of(incident, "recover"), {"reason": ""}).status_code == 302
    assert client.post(url_of(incident, "resolve"), {"reason": ""}).status_code == 422
    assert client.post(url_of(incident, "resolve"), {"reason": "Keys were rotated."}).status_code == 302
    incident.refresh_from_db()
    assert incident.state == State.RESOLVED


def test_the_list_shows_open_ones_first_and_all_on_demand(client, operator):
    done, burning = make_incident(State.RESOLVED, title="Old fire"), make_incident(title="New fire")
    url = reverse("incidents:incidents")

    standing, everything = client.get(url).content.decode(), client.get(url, {"view": "all", "before": "x"}).content.decode()

    assert "New fire" in standing
    assert "Old fire" not in standing
    assert "Old fire" in everything
    assert {done.state, burning.state} == {State.RESOLVED, State.OPEN}


def test_an_empty_list_says_what_it_is_for(client, operator):
    assert "Nothing burns" in client.get(reverse("incidents:incidents")).content.decode()
    assert "No incident yet" in client.get(reverse("incidents:incidents"), {"view": "all"}).content.decode()


def test_the_list_asks_a_fixed_number_of_questions(client, operator, django_assert_max_num_queries):
    url = reverse("incidents:incidents")
    client.get(url)
    target = make_target()
    for _ in range(55):
        IncidentFactory(target=target, state=State.RESOLVED, resolved_at=datetime.now(UTC))

    with django_assert_max_num_queries(12):
        page = client.get(url, {"view": "all"}).content.decode()

    assert "Older" in page


def test_an_incident_of_a_restricted_service_is_not_there_for_others(client, operator):
    incident = make_incident()
    service = incident.target.service
    service.is_restricted = True
    service.save()

    assert client.get(url_of(incident)).status_code == 404
    assert client.post(url_of(incident, "note"), {"text": "x"}).status_code == 404
    assert client.get(url_of(incident, "correction", "01980000-0000-7000-8000-000000000000")).status_code == 404


def test_a_note_that_is_not_of_this_incident_is_not_there(client, operator):
    note = note_on_timeline(make_incident().pk, text="Here.", by=operator.actor)

    assert client.get(url_of(make_incident(), "correction", note.public_id)).status_code == 404


def test_texts_from_outside_are_escaped(client, operator):
    incident = make_incident(title="<script>alert(1)</script>")
    note_on_timeline(incident.pk, text="<img src=x onerror=alert(2)>", by=operator.actor)

    page = client.get(url_of(incident)).content.decode()

    assert "<script>alert(1)" not in page
    assert "<img src=x" not in page
