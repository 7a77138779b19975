"""The request form: asking for a change, editing it, and every way it says what it cannot take."""

from dataclasses import replace

import pytest
from django.urls import reverse

from apps.accounts.roles import Role
from apps.approvals.actions import revise_change
from apps.changes.content import Plan, Step, Story
from apps.changes.facts import content_of
from apps.changes.models import Change
from apps.changes.states import State
from tests.factories.accounts import TeamFactory, give_team_role, make_person
from tests.factories.approvals import agree, make_change, make_place, newest
from tests.factories.catalog import make_service
from tests.home.pages import HOSTILE, get, marks_of, nothing_written, post, text_of

pytestmark = pytest.mark.django_db

COMMIT = "9b41c07e5d2f8a16c3e0447b91ad6f028ce5b3d7"


@pytest.fixture
def place():
    return make_place()


@pytest.fixture
def requester():
    return make_person(Role.REQUESTER)


def steps(prefix, *rows):
    """The rows of one plan as the browser sends them."""
    data = {f"{prefix}-TOTAL_FORMS": str(len(rows)), f"{prefix}-INITIAL_FORMS": "0"}
    for at, (what, seconds) in enumerate(rows):
        data |= {f"{prefix}-{at}-what": what, f"{prefix}-{at}-by": "AUTOMATION", f"{prefix}-{at}-expected_seconds": seconds}
    return data


def sheet(place, **more):
    """A form that can be submitted."""
    return {
        "items-TOTAL_FORMS": "1",
        "items-INITIAL_FORMS": "1",
        "items-0-service": place.service.slug,
        "items-0-label": "2.4.1",
        "items-0-commit": COMMIT,
        "items-0-environments": [place.environment.slug],
        "aspects": ["CODE"],
        "reason": "Banks switch off the old protocol.",
        "strategy": "PREVIOUS_RELEASE",
        "seconds_to_restore": "120",
        "zone": "Europe/Berlin",
        "title": "Card payments through the new flow",
        "do": "submit",
        **steps("plan", ("Roll out", "120")),
        **steps("rollback"),
        **more,
    }


def test_form_is_shown_with_what_is_known(client, requester, place):
    client.force_login(requester)

    with nothing_written():
        response = client.get(reverse("home:new_change"), {"service": place.service.slug})

    assert response.status_code == 200
    assert f'value="{place.service.slug}" selected' in marks_of(response)
    assert "needed" in text_of(response)


def test_submitting_six_fields_puts_the_change_in_review(client, requester, place):
    response = post(client, requester, "home:new_change", **sheet(place))

    change = Change.objects.get()
    content = content_of(change.revision)
    assert response["Location"] == reverse("home:change", args=[change.ref])
    assert change.state == State.IN_REVIEW
    assert content.scope.items[0].identities == (f"git:{COMMIT}",)
    assert content.plan.steps[0].what == "Roll out"
    assert content.period.zone == "Europe/Berlin"


def test_saving_a_draft_asks_for_less(client, requester, place):
    data = sheet(place, do="save", reason="", **{"items-0-commit": ""}, strategy="", seconds_to_restore="")

    response = post(client, requester, "home:new_change", **data)

    assert response.status_code == 302
    assert Change.objects.get().state == State.DRAFT


def test_submitting_without_a_rollback_plan_names_the_field(client, requester, place):
    response = post(client, requester, "home:new_change", **sheet(place, strategy=""))

    source = marks_of(response)
    assert response.status_code == 422
    assert 'id="id_strategy_error"' in source
    assert "There is no rollback plan. Say how to get back; a first deployment writes how it would fix forward." in source
    assert "Card payments through the new flow" in source
    assert not Change.objects.exists()


def test_a_first_deployment_is_told_that_nothing_runs_there(client, requester, place):
    place.running_label, place.running_identities, place.running_since = "", [], None
    place.save()

    response = post(client, requester, "home:new_change", **sheet(place))

    assert response.status_code == 422
    assert "A first deployment has nothing to go back to" in text_of(response)
    assert 'id="id_strategy_error"' in marks_of(response)
    assert "Banks switch off the old protocol." in text_of(response)  # what was written stands in the form
    assert not Change.objects.exists()


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("items-0-commit", "main", "A branch or tag moves."),
        ("items-0-commit", "9b41c07e", "A short commit id may mean another commit tomorrow."),
        ("items-0-commit", "", "Nothing says which version."),
        ("items-0-digests", "sha256:xyz", "only its digest says which artifact it is. Give the full SHA-256 digest"),
        ("items-0-config_digest", "123", "only its digest says which document it is. Give the full SHA-256 digest"),
        ("reason", "", "The reason is missing."),
        ("items-0-environments", [], "Nobody chose where it goes."),
        ("items-0-service", "no-such-service", "is not one of the available choices"),
        ("zone", "Mars/Olympus", "is not one of the available choices"),
        ("not_after", "2001-01-01T10:00", "The period is over. Choose a later end."),
        ("not_after", "0001-01-01T00:00", "Choose a moment between"),
        ("not_before", "9999-12-31T23:59", "Choose a moment between"),
        ("not_before", "soon", "Write a date and a time"),
        ("seconds_to_restore", "-1", "greater than or equal to 0"),
        ("seconds_to_restore", "9" * 30, ""),
        ("seconds_to_restore", "9" * 5000, ""),
        ("title", "Two\nlines", ""),
        ("aspects", ["CODE", "WEATHER"], "is not one of the available choices"),
        ("plan-0-expected_seconds", "9" * 30, ""),
        ("plan-0-by", "NOBODY", "is not one of the available choices"),
        ("plan-TOTAL_FORMS", "many", "ManagementForm data is missing"),
        ("plan-TOTAL_FORMS", "1000000", ""),
    ],
)
def test_each_mistake_is_told_where_it_was_made(client, requester, place, field, value, said):
    response = post(client, requester, "home:new_change", **{**sheet(place), field: value})

    assert response.status_code in {302, 422}
    if said:
        assert response.status_code == 422
        assert said in text_of(response)


def test_mistake_in_a_step_is_told_on_its_row(client, requester, place):
    rows = steps("rollback", ("", ""), ("Switch back\x07", "10"))

    response = post(client, requester, "home:new_change", **sheet(place, **rows))

    assert response.status_code == 422
    assert 'id="id_rollback-1-what_error"' in marks_of(response)


@pytest.mark.parametrize("role", [*sorted(set(Role) - {Role.REQUESTER}), None])
def test_who_is_no_requester_is_refused(client, role, place):
    person = make_person(*([role] if role else []))

    response = post(client, person, "home:new_change", **sheet(place))

    assert response.status_code == 403
    assert "Asking for a change takes the role of requester for each of its services. An administrator grants that role." in text_of(
        response
    )
    assert not Change.objects.exists()


@pytest.mark.parametrize("role", [*sorted(set(Role) - {Role.REQUESTER}), None])
def test_who_is_no_requester_is_told_before_writing_anything(client, role):
    response = get(client, make_person(*([role] if role else [])), "home:new_change")

    assert "Asking for a change takes the role of requester for each of its services. An administrator grants that role." in text_of(
        response
    )
    assert 'name="title"' not in marks_of(response)
    assert 'aria-describedby="write-why"' in marks_of(response)


def test_requester_of_one_team_is_offered_the_form(client):
    team = TeamFactory()
    person = make_person(team=team)
    give_team_role(person, Role.REQUESTER, team)

    assert 'name="title"' in marks_of(get(client, person, "home:new_change"))


def test_who_may_not_edit_is_told_on_the_button(client, place):
    change = make_change(State.IN_REVIEW, targets=(place,))

    stranger, requester = (marks_of(get(client, person, "home:edit_change", change.ref)) for person in (make_person(), change.requester))

    assert "is not yours to change this way." in stranger
    assert 'name="do"' not in stranger
    assert 'name="do"' in requester


def test_services_nobody_may_see_are_not_offered(client, requester):
    hidden = make_service(is_restricted=True)

    assert hidden.name not in text_of(get(client, requester, "home:new_change"))


def test_edit_form_holds_what_was_written_and_saving_it_changes_nothing(client, place):
    change = make_change(State.IN_REVIEW, targets=(place,))
    form = get(client, change.requester, "home:edit_change", change.ref)
    sent = fields_of(form)

    response = client.post(reverse("home:edit_change", args=[change.ref]), sent)

    assert response.status_code == 302
    assert newest(change).number == 1


def fields_of(response):
    """What the browser would send back unchanged."""
    context = response.context
    sent = {"revision_digest": context["change"].revision.digest, "do": "save"}
    for form in (context["form"], *(form for name in ("items", "plan", "rollback") for form in all_of(context[name]))):
        sent |= {field.html_name: value for field in form if (value := field.value()) is not None}
    return sent


def all_of(rows):
    """The counts of a table and its rows."""
    return (rows.management_form, *rows)


def test_edit_makes_a_revision_and_lapses_what_it_touches(client, place):
    change = make_change(State.APPROVED, targets=(place,))
    sent = fields_of(get(client, change.requester, "home:edit_change", change.ref))

    response = client.post(reverse("home:edit_change", args=[change.ref]), {**sent, "reason": "The bank moved its date."})

    revision = newest(change)
    assert response.status_code == 302
    assert revision.number == 2
    assert change.state == State.IN_REVIEW


def test_edit_on_an_older_revision_is_answered_with_what_came_between(client, place):
    change, other = make_change(State.IN_REVIEW, targets=(place,)), make_person(Role.REQUESTER, name="Edith")
    sent = fields_of(get(client, change.requester, "home:edit_change", change.ref))
    content = replace(content_of(newest(change)), plan=Plan(steps=(Step("Otherwise"),)))
    revise_change(change_id=change.pk, content=content, by=other.actor)

    late = client.post(reverse("home:edit_change", args=[change.ref]), {**sent, "reason": "Mine."})
    again = client.post(
        reverse("home:edit_change", args=[change.ref]), {**sent, "reason": "Mine.", "revision_digest": newest(change).digest}
    )

    assert late.status_code == 409
    assert "Edith saved revision 2 while you wrote." in text_of(late)
    assert "Mine." in text_of(late)
    assert newest(change).digest != sent["revision_digest"]
    assert again.status_code == 302
    assert newest(change).number == 3


def test_saving_what_differs_in_nothing_says_that_there_is_no_new_revision(client, place):
    change = make_change(State.IN_REVIEW, targets=(place,))
    sent = fields_of(get(client, change.requester, "home:edit_change", change.ref))

    same = client.post(reverse("home:edit_change", args=[change.ref]), sent, follow=True)
    other = client.post(reverse("home:edit_change", args=[change.ref]), sent | {"impact": "Nobody notices."}, follow=True)

    assert "Nothing differs from revision 1, so there is no new one" in text_of(same)
    assert "Nothing differs" not in text_of(other)
    assert newest(change).number == 2


def test_who_saved_in_another_window_is_told_so(client, place):
    change = make_change(State.IN_REVIEW, targets=(place,))
    sent = fields_of(get(client, change.requester, "home:edit_change", change.ref))
    address = reverse("home:edit_change", args=[change.ref])
    client.post(address, sent | {"impact": "Nobody notices."})

    late = client.post(address, sent | {"reason": "Mine."})

    assert late.status_code == 409
    assert "You saved revision 2 in another window while you wrote here." in text_of(late)


@pytest.mark.parametrize("state", sorted(set(State) - {State.DRAFT, State.IN_REVIEW, State.APPROVED, State.IN_PROGRESS}))
def test_edit_of_a_change_that_is_over_is_refused(client, state, place):
    change = make_change(state, targets=(place,))
    sent = fields_of(get(client, change.requester, "home:edit_change", change.ref))

    response = client.post(reverse("home:edit_change", args=[change.ref]), {**sent, "not_after": "2100-01-01T10:00"})

    assert response.status_code == 409
    assert "Copy it to ask again." in text_of(response)


def test_submission_puts_a_draft_in_review(client, place):
    change = make_change(State.DRAFT, targets=(place,))

    response = post(client, change.requester, "home:submission", change.ref)

    change.refresh_from_db()
    assert response.status_code == 302
    assert change.state == State.IN_REVIEW


def test_submission_of_an_incomplete_draft_names_what_is_missing(client, requester, place):
    post(client, requester, "home:new_change", **sheet(place, do="save", strategy="", reason=""))
    change = Change.objects.get()

    response = post(client, requester, "home:submission", change.ref)

    assert response.status_code == 422
    assert 'id="id_strategy_error"' in marks_of(response)
    assert "The reason is missing." in text_of(response)
    assert "Card payments through the new flow" in marks_of(response)


def test_submission_of_a_submitted_change_is_refused(client, place):
    change = make_change(State.IN_REVIEW, targets=(place,))

    response = post(client, change.requester, "home:submission", change.ref)

    assert response.status_code == 409
    assert f"{change.ref} is submitted already." in text_of(response)


def test_edit_of_the_story_alone_lapses_nothing(client, place):
    change = make_change(State.IN_REVIEW, targets=(place,))
    agree(change)
    content = replace(content_of(newest(change)), story=Story("Another title"))
    revise_change(change_id=change.pk, content=content, by=change.requester.actor)

    change.refresh_from_db()
    assert change.state == State.APPROVED
    assert "Another title" in text_of(get(client, change.requester, "home:edit_change", change.ref))


ALL_FIELDS = [
    *(
        "items-0-service",
        "label",
        "commit",
        "digests",
        "config_digest",
        "environments",
        "aspects",
        "reason",
        "impact",
        "strategy",
        "trigger",
    ),
    *("seconds_to_restore", "irreversible", "data_strategy", "rollback_reason", "not_before", "not_after", "zone", "title", "told"),
    *("labels", "description", "do", "plan-0-what", "plan-0-by", "plan-0-expected_seconds", "plan-0-verify", "plan-TOTAL_FORMS"),
    *("plan-INITIAL_FORMS", "revision_digest"),
]


@pytest.mark.parametrize("field", ALL_FIELDS)
def test_every_field_takes_or_refuses_hostile_text_in_words(client, requester, place, field):
    client.force_login(requester)
    for name, text in HOSTILE.items():
        response = client.post(reverse("home:new_change"), {**sheet(place), field: text})

        assert response.status_code in {302, 422} or (field == "do" and response.status_code == 200), name
        assert b"<script>alert" not in response.content, name


WRITTEN = ("reason", "impact", "trigger", "irreversible", "data_strategy", "rollback_reason", "description", "plan-0-what", "plan-0-verify")


@pytest.mark.parametrize("name", ["markup", "turning", "unseen"])
def test_hostile_text_that_is_kept_is_shown_harmless_on_every_page(client, requester, place, name):
    text = HOSTILE[name]
    post(client, requester, "home:new_change", **sheet(place, **dict.fromkeys(WRITTEN, text)))
    change = Change.objects.get()

    for page in ("home:change", "home:sign_off", "home:edit_change"):
        source = get(client, requester, page, change.ref).content.decode()

        assert "<script>alert" not in source
        if page != "home:edit_change":
            assert not {"\u202e", "\u200b"} & set(source)
