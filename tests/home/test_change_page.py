"""The change page: what it tells each reader, its verbs and their refusals, its slots, and that looking writes nothing."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from apps.accounts.roles import Role
from apps.approvals.actions import revise_change
from apps.catalog.models import Service, Target
from apps.changes.content import Plan, Step, Story
from apps.changes.facts import content_of
from apps.changes.models import Change
from apps.changes.states import State
from apps.deployments.steps import place_order
from apps.schedule.models import Slot
from tests.factories.accounts import make_person
from tests.factories.approvals import a_rule, approve, make_change, make_place, make_policy, newest
from tests.factories.catalog import EnvironmentFactory, make_target
from tests.home.pages import HOSTILE, get, marks_of, nothing_written, post, text_of

pytestmark = pytest.mark.django_db

# What each verb is called, and where its form leads.
VERBS = {
    "Withdraw": "home:withdrawal",
    "Send back": "home:return",
    "Finish here": "home:completion",
    "Close with this review": "home:closure",
}
BY_STATE = {
    State.DRAFT: {"Withdraw"},
    State.IN_REVIEW: {"Withdraw", "Send back"},
    State.APPROVED: {"Withdraw"},
    State.IN_PROGRESS: set(),  # refused: a deployment is on its way
    State.POST_REVIEW: {"Close with this review"},
}


def revise(change, **parts):
    """Save an edit as its requester."""
    content = replace(content_of(newest(change)), **parts)
    return revise_change(change_id=change.pk, content=content, by=change.requester.actor)


def two_rules():
    """A place that asks its owner and a release manager, who cover different parts."""
    owner, manager = make_person(name="Bo Owner"), make_person(Role.RELEASE_MANAGER, name="Rea Manager")
    place = EnvironmentFactory(name="Production")
    make_policy(
        place,
        a_rule("business", parts=["scope", "rollback"]),
        a_rule("release", group={"kind": "ROLE", "role": "RELEASE_MANAGER"}, parts=["scope", "plan"]),
    )
    return owner, manager, make_place(business=owner, environment=place)


@pytest.mark.parametrize("state", State)
def test_change_page_shows_state_content_and_what_can_be_done(client, state):
    change = make_change(state)

    response = get(client, change.requester, "home:change", change.ref)

    text = text_of(response)
    assert response.status_code == 200
    for part in ("Scope", "Plan", "Rollback", "Period", "Story"):
        assert part in text
    assert change.title in text
    assert "Back to the previous release" in text
    assert {label for label, route in VERBS.items() if reverse(route, args=[change.ref]) in marks_of(response)} == (
        BY_STATE.get(state, set()) - {"Send back"}
    )


@pytest.mark.parametrize("role", Role)
def test_change_page_shows_each_role_its_refusals(client, role):
    change, reader = make_change(State.IN_REVIEW), make_person(role)

    text = text_of(get(client, reader, "home:change", change.ref))

    edits, withdraws, returns = role is Role.REQUESTER, role is Role.RELEASE_MANAGER, role is Role.RELEASE_MANAGER
    assert (f"{change.ref} is not yours to change this way." in text) is not (edits and withdraws)
    assert ("Ask the requester or somebody else who may request changes of its services to do it." in text) is not edits
    assert ("Ask the requester or a release manager to do it." in text) is not withdraws
    assert (f"No rule asks you about {change.ref}." in text) is not returns
    assert ("You are no operator or release manager of this service." in text) is (role not in {Role.OPERATOR, Role.RELEASE_MANAGER})


def test_change_page_is_not_there_for_whom_it_is_hidden_from(client):
    draft = make_change(State.DRAFT)

    assert get(client, make_person(), "home:change", draft.ref).status_code == 404
    assert get(client, draft.requester, "home:change", "CHG-0").status_code == 404
    assert get(client, draft.requester, "home:change", "no such thing").status_code == 404


@pytest.mark.parametrize("state", State)
def test_looking_at_a_change_writes_nothing(client, state):
    change = make_change(state)
    client.force_login(change.requester)

    with nothing_written():
        client.get(reverse("home:change", args=[change.ref]))
        client.get(reverse("home:change", args=[change.ref]), headers={"HX-Request": "true"})


def test_change_page_tells_the_verdict_with_its_cure(client):
    owner = make_person(name="Bo Owner")
    change = make_change(State.IN_REVIEW, targets=(make_place(business=owner),))

    text = text_of(get(client, change.requester, "home:change", change.ref))

    assert "Not yet" in text
    assert f"Sign revision 1 of {change.ref}." in text
    assert "Bo Owner can" in text


def test_change_page_says_yes_once_everybody_agreed(client):
    change = make_change(State.APPROVED)

    text = text_of(get(client, change.requester, "home:change", change.ref))

    assert "Yes Nothing is in the way." in text
    assert "Agreed" in text


def test_change_page_tells_what_an_edit_lapsed_and_what_it_left(client):
    owner, manager, place = two_rules()
    change = make_change(State.APPROVED, targets=(place,))
    revise(change, plan=Plan(steps=(Step("Roll out to half of the hosts"),)))

    text = text_of(get(client, manager, "home:change", change.ref))

    assert "Lapsed by this edit: Rea Manager, who covered plan and scope." in text
    assert "Untouched: Bo Owner, who covered rollback and scope." in text
    assert "Roll out to half of the hosts" in text
    assert "An edit changed what was covered." in text
    assert "Your sign-off of revision 1 lapsed." in text
    assert owner.name in text


def test_change_page_marks_an_edit_of_what_nobody_signs(client):
    change = make_change(State.APPROVED)
    revise(change, story=Story("Offer the return ferry first", ("checkout",), ("Harbour office",)))

    text = text_of(get(client, change.requester, "home:change", change.ref))

    assert "Not signed by anybody." in text
    assert "Lapsed by this edit" not in text


def test_change_page_compares_with_the_revision_asked_for(client):
    change = make_change(State.IN_REVIEW)
    for what in ("First wording", "Second wording"):
        revise(change, plan=Plan(steps=(Step(what),)))

    compared = text_of(get(client, change.requester, "home:change", change.ref, **{"from": 1}))
    newest_pair = text_of(get(client, change.requester, "home:change", change.ref, **{"from": "x"}))

    assert "Comparing 1 with 3" in compared
    assert "Comparing 2 with 3" in newest_pair
    assert "First wording" not in compared


def test_change_page_asks_a_bounded_number_of_statements(client):
    change = make_change(State.IN_REVIEW)
    for number in range(4):
        revise(change, plan=Plan(steps=(Step(f"Wording {number}"),)))
    for _ in range(40):
        post(client, change.requester, "home:comments", change.ref, text="Seen.")

    with CaptureQueriesContext(connection) as seen:
        client.get(reverse("home:change", args=[change.ref]))

    assert len(seen) <= 9


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("page", ["home:change", "home:sign_off"])
def test_pages_of_a_change_ask_nine_statements_at_most_in_every_state(client, page, state):
    change = make_change(state)
    client.force_login(change.requester)

    with CaptureQueriesContext(connection) as seen:
        assert client.get(reverse(page, args=[change.ref])).status_code == 200

    assert len(seen) <= 9


def test_gate_is_asked_once_about_each_leg_and_what_legs_share_is_read_once(client):
    counts = []
    for more in (0, 2):
        first = make_place()
        others = [make_target(first.service, EnvironmentFactory()) for _ in range(more)]
        Target.objects.filter(service=first.service).update(running_label="3.17.0", running_identities=first.running_identities)
        for target in others:
            make_policy(target.environment)
        change = make_change(State.IN_REVIEW, targets=(first, *others))
        client.force_login(change.requester)
        with CaptureQueriesContext(connection) as seen:
            client.get(reverse("home:change", args=[change.ref]), headers={"HX-Request": "true"})
        counts.append(len(seen))

    assert counts[1] - counts[0] == 2  # the gate's one statement for each leg more


def test_item_that_was_revised_away_stays_as_hidden_as_it_was(client):
    secret, other = make_place(), make_place()
    Service.objects.filter(pk=secret.service_id).update(is_restricted=True)
    member, stranger = make_person(Role.REQUESTER, team=secret.service.team), make_person(Role.RELEASE_MANAGER)
    change = make_change(State.IN_REVIEW, targets=(secret, other), requester=member)
    scope = content_of(newest(change)).scope
    revise(change, scope=replace(scope, items=tuple(item for item in scope.items if item.service_id == other.service.public_id)))

    assert secret.service.name in text_of(get(client, member, "home:change", change.ref, **{"from": 1}))
    assert get(client, stranger, "home:change", change.ref, **{"from": 1}).status_code == 404


def test_button_orders_the_leg_and_says_that_a_pending_one_waits(client, monkeypatch):
    monkeypatch.setattr("apps.home.facts.ladder.order_refusals", lambda verdicts, **_: {})
    change = make_change(State.IN_REVIEW)
    leg = change.legs.get()

    source = marks_of(get(client, change.requester, "home:change", change.ref))

    assert f'action="{reverse("deployments:order", args=[leg.public_id])}"' in source
    assert f'form="order-{leg.public_id.hex}"' in source
    assert "It waits in the queue until the gate says yes." in source


def test_order_on_its_way_is_shown_in_place_of_the_button(client):
    change = make_change(State.APPROVED)
    leg = change.legs.get()
    order = place_order(leg, leg.target, by=change.requester.actor, at=timezone.now())

    source = marks_of(get(client, change.requester, "home:change", change.ref))

    assert reverse("deployments:deployment", args=[order.pk]) in source
    assert "brings 3.18.1 there." in text_of(get(client, change.requester, "home:change", change.ref))
    assert f'form="order-{leg.public_id.hex}"' not in source


@pytest.mark.parametrize(
    ("state", "verb", "data", "goal"),
    [
        (State.DRAFT, "home:withdrawal", {"reason": ""}, State.WITHDRAWN),
        (State.IN_REVIEW, "home:withdrawal", {"reason": "Not needed any more."}, State.WITHDRAWN),
        (State.IN_PROGRESS, "home:completion", {"reason": "x"}, None),
        (State.POST_REVIEW, "home:closure", {"review": "All well."}, State.CLOSED),
        (State.POST_REVIEW, "home:closure", {"review": ""}, State.CLOSED),
    ],
)
def test_verb_of_the_requester_moves_the_change_or_is_refused_with_its_cure(client, state, verb, data, goal):
    change = make_change(state)

    response = post(client, change.requester, verb, change.ref, **data)

    change.refresh_from_db()
    if goal is None:
        assert response.status_code == 409
        assert "is being deployed. Wait until it ends, or abort the deployment." in text_of(response)
        assert change.state == state
    else:
        assert response.status_code == 302
        assert change.state == goal


def test_send_back_needs_a_reason_and_makes_it_a_draft(client):
    owner = make_person()
    change = make_change(State.IN_REVIEW, targets=(make_place(business=owner),))

    empty = post(client, owner, "home:return", change.ref, reason="   ")
    told = post(client, owner, "home:return", change.ref, reason="Say who is told.")

    change.refresh_from_db()
    assert empty.status_code == 422
    assert "This is empty. Write it." in text_of(empty)
    assert told.status_code == 302
    assert change.state == State.DRAFT
    text = text_of(get(client, change.requester, "home:change", change.ref))
    assert f"Sent back by {owner.name}" in text
    assert "“Say who is told.” Its requester edits it and submits it again" in text
    assert "Sent back: “Say who is told.” Edit it, then submit it again." in text_of(get(client, change.requester, "home:home"))


def test_draft_that_was_never_sent_is_not_said_to_be_sent_back(client):
    change = make_change(State.DRAFT, targets=(make_place(),))

    assert "Sent back" not in text_of(get(client, change.requester, "home:change", change.ref))
    assert "Nobody else decides on it" in text_of(get(client, change.requester, "home:home"))


def test_withdrawing_a_sign_off_opens_the_review_again(client):
    owner = make_person()
    change = make_change(State.IN_REVIEW, targets=(make_place(business=owner),))
    approve(change, owner)

    shown = text_of(get(client, owner, "home:change", change.ref))
    response = post(client, owner, "home:sign_off_withdrawal", change.ref, reason="I misread the plan.")

    change.refresh_from_db()
    assert "You signed revision 1; it stands." in shown
    assert response.status_code == 302
    assert change.state == State.IN_REVIEW
    assert post(client, owner, "home:sign_off_withdrawal", change.ref).status_code == 404


def test_withdrawing_a_sign_off_is_refused_once_its_deployment_began(client):
    owner = make_person()
    change = make_change(State.IN_PROGRESS, targets=(make_place(business=owner),))

    text = text_of(get(client, owner, "home:change", change.ref))
    response = post(client, owner, "home:sign_off_withdrawal", change.ref, reason="")

    assert "The deployment that this sign-off allowed has begun." in text
    assert response.status_code == 409
    assert "The deployment that this sign-off allowed has begun." in text_of(response)


def test_comment_is_kept_as_an_entry_with_its_markup_shown(client):
    change, reader = make_change(State.IN_REVIEW), make_person()

    response = post(client, reader, "home:comments", change.ref, text="Is <b>this</b> safe\u202e?")
    source = get(client, reader, "home:change", change.ref).content.decode()

    assert response.status_code == 302
    assert "Is &lt;b&gt;this&lt;/b&gt; safe" in source
    assert "U+202E" in source
    assert "\u202e" not in source


def slot_times(*, hours):
    start = timezone.now() + timedelta(hours=hours)
    return {"starts_at": f"{start:%Y-%m-%dT%H:%M}", "ends_at": f"{start + timedelta(hours=1):%Y-%m-%dT%H:%M}"}


def test_slot_is_planned_moved_and_given_up_without_a_lapse(client):
    change = make_change(State.APPROVED)
    leg, by = change.legs.get(), change.requester

    planned = post(client, by, "home:slot", change.ref, leg.public_id, **slot_times(hours=2))
    moved = post(client, by, "home:slot", change.ref, leg.public_id, **slot_times(hours=5))
    text = text_of(get(client, by, "home:change", change.ref))
    released = post(client, by, "home:slot", change.ref, leg.public_id, do="release")

    change.refresh_from_db()
    assert [planned.status_code, moved.status_code, released.status_code] == [302, 302, 302]
    assert change.state == State.APPROVED
    assert "is planned for" in text
    assert "Lapsed" not in text
    assert not Slot.objects.exists()


@pytest.mark.parametrize(
    ("times", "said"),
    [
        ({"starts_at": "2030-01-01T10:00", "ends_at": "2030-01-01T09:00"}, "The end is not after the start."),
        ({"starts_at": "2199-01-01T10:00", "ends_at": "2199-01-01T11:00"}, "The slot ends after the period does."),
        ({"starts_at": "2001-01-01T10:00", "ends_at": "2001-01-01T11:00"}, "This slot is over."),
        ({"starts_at": "0001-01-01T00:00", "ends_at": "9999-12-31T23:59"}, "Choose a moment between 2000 and 2199."),
        ({"starts_at": "tomorrow", "ends_at": "2030-01-01T11:00"}, "Write a date and a time"),
        ({"ends_at": "2030-01-01T11:00"}, "This field is required."),
    ],
)
def test_slot_outside_what_is_possible_is_told_on_its_field(client, times, said):
    change = make_change(State.APPROVED)

    response = post(client, change.requester, "home:slot", change.ref, change.legs.get().public_id, **times)

    assert response.status_code == 422
    assert said in text_of(response)
    assert not Slot.objects.exists()


def test_slot_of_another_change_is_not_there(client):
    change, other = make_change(State.APPROVED), make_change(State.APPROVED)

    response = post(client, change.requester, "home:slot", change.ref, other.legs.get().public_id, **slot_times(hours=2))

    assert response.status_code == 404


def test_slot_is_refused_to_a_stranger(client):
    change = make_change(State.APPROVED)

    response = post(client, make_person(), "home:slot", change.ref, change.legs.get().public_id, **slot_times(hours=2))

    assert response.status_code == 403
    assert f"{change.ref} is not yours to plan." in text_of(response)


FIELDS = [
    ("home:comments", State.IN_REVIEW, "text"),
    ("home:withdrawal", State.IN_REVIEW, "reason"),
    ("home:return", State.IN_REVIEW, "reason"),
    ("home:completion", State.IN_PROGRESS, "reason"),
    ("home:closure", State.POST_REVIEW, "review"),
]


@pytest.mark.parametrize(("route", "state", "field"), FIELDS)
def test_every_field_takes_or_refuses_hostile_text_in_words(client, route, state, field):
    owner = make_person(Role.RELEASE_MANAGER)
    change = make_change(state, targets=(make_place(business=owner),))
    controls, longest = "The text holds a control character.", "The text has 1000000 characters."
    said = {"nul": controls, "control": controls, "long": longest}

    for name, text in HOSTILE.items():
        response = post(client, owner, route, change.ref, **{field: text})

        assert response.status_code in {302, 409, 422}, name
        assert b"<script>alert" not in response.content, name
        if response.status_code == 422:
            assert said.get(name, "This is empty. Write it.") in text_of(response), name
        after = get(client, owner, "home:change", change.ref)
        assert after.status_code == 200, name
        assert b"<script>alert" not in after.content, name


@pytest.mark.parametrize("field", ["starts_at", "ends_at", "do"])
def test_slot_takes_or_refuses_hostile_text_in_words(client, field):
    change = make_change(State.APPROVED)
    leg = change.legs.get()

    for text in HOSTILE.values():
        response = post(client, change.requester, "home:slot", change.ref, leg.public_id, **{**slot_times(hours=2), field: text})

        assert response.status_code == (302 if field == "do" else 422)
        assert b"<script>alert" not in response.content


@pytest.mark.parametrize("route", ["withdrawal", "return", "completion", "closure"])
@pytest.mark.parametrize("state", State)
def test_verb_that_is_not_for_this_state_is_refused_however_it_is_filled_in(client, route, state):
    change = make_change(state)
    client.force_login(make_person())

    for words in ("", "Some words.", "\x00"):
        response = client.post(reverse(f"home:{route}", args=[change.ref]), {"reason": words, "review": words})

        assert response.status_code in ({403, 404, 409} if state is State.DRAFT else {403, 409, 422})
    change.refresh_from_db()
    assert change.state == state


def test_change_page_tells_the_risk_with_what_makes_it_up_and_the_number_that_chose_who_agrees(client):
    change = make_change(State.IN_REVIEW)

    shown = text_of(get(client, change.requester, "home:change", change.ref))
    assert f"Risk {change.risk}" in shown
    assert f"{change.risk} points" in shown
    assert "when this revision was submitted" not in shown

    Change.objects.update(risk=change.risk + 7)
    shown = text_of(get(client, change.requester, "home:change", change.ref))
    assert f"It was {change.risk + 7} when this revision was submitted or saved; that number chose who must agree." in shown


def test_change_that_is_over_tells_the_risk_it_had_and_counts_none_anew(client):
    change = make_change(State.EXPIRED)

    shown = text_of(get(client, change.requester, "home:change", change.ref))

    assert f"Risk {change.risk}" in shown
    assert " points" not in shown


def test_title_of_the_tab_names_what_turns_the_writing_direction(client):
    change = make_change(State.IN_REVIEW, title="pay \u202etac\u202c me")

    shown = get(client, change.requester, "home:change", change.ref).content.decode()

    assert f"<title>{change.ref} pay ⟨U+202E⟩tac⟨U+202C⟩ me · Change Control</title>" in shown
    assert "\u202e" not in shown
