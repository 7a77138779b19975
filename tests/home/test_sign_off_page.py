"""The sign-off page: what an approver reads, the statement that is put before them, every refusal, and a decision that came too late."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from apps.accounts.roles import Role
from apps.approvals.actions import revise_change
from apps.approvals.models import Look, SignOff
from apps.audit.models import Entry
from apps.catalog.models import Outcome
from apps.changes.content import Plan, Rollback, Step, StepBy, Strategy
from apps.changes.facts import content_of
from apps.changes.states import State
from apps.schedule.actions import declare_freeze
from tests.factories.accounts import make_person
from tests.factories.approvals import a_rule, approve, make_change, make_place, make_policy, newest
from tests.factories.catalog import ArrivalFactory, EnvironmentFactory, OwnershipFactory
from tests.home.pages import HOSTILE, get, marks_of, nothing_written, post, text_of
from tests.home.signing import choose, decide

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.fixture
def owner():
    return make_person(name="Bo Owner")


@pytest.fixture
def change(owner):
    """In review, asked of one owner."""
    return make_change(State.IN_REVIEW, targets=(make_place(business=owner),), requester=make_person(Role.REQUESTER, name="Dana Developer"))


def revise(change, *, by=None, **parts):
    content = replace(content_of(newest(change)), **parts)
    return revise_change(change_id=change.pk, content=content, by=(by or change.requester).actor)


@pytest.mark.parametrize("state", State)
def test_sign_off_page_in_every_state_is_shown_and_writes_nothing(client, state):
    change = make_change(state)
    client.force_login(change.requester)

    with nothing_written():
        response = client.get(reverse("home:sign_off", args=[change.ref]))

    assert response.status_code == 200
    assert not SignOff.objects.filter(person=change.requester).exists()


def test_sign_off_page_shows_the_move_the_parts_and_what_is_covered(client, owner, change):
    response = get(client, owner, "home:sign_off", change.ref)

    text = text_of(response)
    assert "3.17.0 3.18.1" in text
    assert "Visitors give up when the outward ferry is full." in text
    assert "scope covered; plan covered; rollback covered; period covered; story not covered" in marks_of(response)
    assert "Nothing" in text


def test_page_begins_with_what_changed_since_the_last_look(client, owner, change):
    assert "Changed since you last looked" not in text_of(get(client, owner, "home:sign_off", change.ref))
    read = newest(change).digest
    noted = post(client, owner, "home:looks", change.ref, revision_digest=read)
    revise(change, plan=Plan(steps=(Step("Roll out to half of the hosts"),)))

    text = text_of(get(client, owner, "home:sign_off", change.ref))

    assert noted.status_code == 302
    assert "Changed since you last looked" in text
    assert "Roll out to half of the hosts" in text


def test_page_that_sends_its_look_by_itself_leaves_no_word_for_the_next_page(client, owner, change):
    read = newest(change).digest

    sent = post(client, owner, "home:looks", change.ref, revision_digest=read, by_itself="yes")

    assert (sent.status_code, Look.objects.count()) == (204, 1)
    assert "it begins with what changed" not in text_of(get(client, owner, "home:inbox"))
    post(client, owner, "home:looks", change.ref, revision_digest=read)
    assert "it begins with what changed from now on" in text_of(get(client, owner, "home:inbox"))


def test_looking_never_goes_back(client, owner, change):
    first = newest(change).digest
    revise(change, plan=Plan(steps=(Step("Otherwise"),)))

    for read in (newest(change).digest, first, "0" * 64):
        post(client, owner, "home:looks", change.ref, revision_digest=read)

    assert Look.objects.get().revision.number == 2
    assert post(client, owner, "home:looks", change.ref, revision_digest="what?").status_code == 422


def test_diff_is_linked_where_the_repository_is_a_page(client, owner, change):
    leg = change.legs.get()
    leg.service.repository = "https://git.example.org/ferries/board.git"
    leg.service.save()
    leg.target.running_identities = ["git:" + "a" * 40]
    leg.target.save()

    source = marks_of(get(client, owner, "home:sign_off", change.ref))

    assert f'href="https://git.example.org/ferries/board/compare/{"a" * 40}...' in source


def test_neither_choice_is_made_for_anybody(client, owner, change):
    source = get(client, owner, "home:sign_off", change.ref).content.decode()

    assert 'value="APPROVE"' in source
    assert 'value="REJECT"' in source
    assert " checked" not in source


def test_approving_signs_and_goes_back_to_the_change(client, owner, change):
    response = decide(client, owner, change, reason="Rehearsed on Friday.")

    change.refresh_from_db()
    assert response.status_code == 302
    assert response["Location"] == reverse("home:change", args=[change.ref])
    assert change.state == State.APPROVED
    assert '"reason":"Rehearsed on Friday."' in bytes(SignOff.objects.get().statement).decode()


def test_page_says_when_others_agreed_to_all_that_asks_its_reader(client):
    first, second, environment = make_person(), make_person(), EnvironmentFactory()
    make_policy(environment, a_rule("owner"), a_rule("release", group={"kind": "ROLE", "role": "RELEASE_MANAGER"}))
    change = make_change(State.IN_REVIEW, targets=(make_place(business=first, technical=second, environment=environment),))
    said = "Others have agreed to all that asks you"

    before = text_of(get(client, second, "home:sign_off", change.ref))
    approve(change, first)

    assert said not in before
    assert said in text_of(get(client, second, "home:sign_off", change.ref))
    assert said not in text_of(get(client, first, "home:sign_off", change.ref))


def test_rejecting_asks_for_a_reason_and_ends_the_change(client, owner, change):
    empty = decide(client, owner, change, "REJECT", reason="  ")
    told = decide(client, owner, change, "REJECT", reason="The bank is not ready.")

    change.refresh_from_db()
    assert empty.status_code == 422
    assert "Say why, so that the requester knows what to do differently." in text_of(empty)
    assert 'value="REJECT" checked' in marks_of(empty)
    assert told.status_code == 302
    assert change.state == State.REJECTED


@pytest.mark.parametrize(
    ("decision", "says", "keeps_silent"),
    [
        ("APPROVE", "You can withdraw until the deployment begins.", "ends the change"),
        ("REJECT", "cannot be taken back", "You can withdraw"),
    ],
)
def test_statement_says_what_follows_from_signing_it(client, owner, change, decision, says, keeps_silent):
    text = text_of(choose(client, owner, change, decision, reason="The bank is not ready."))

    assert says in text
    assert keeps_silent not in text


@pytest.mark.parametrize("decision", ["", "MAYBE", "approve", "<script>alert(1)</script>", "\x00"])
def test_no_decision_is_asked_for_in_words(client, owner, change, decision):
    response = decide(client, owner, change, decision, reason="kept as it was")

    assert response.status_code == 422
    assert "Choose approve or reject." in text_of(response)
    assert "kept as it was" in text_of(response)
    assert not SignOff.objects.exists()


def test_requester_reads_why_they_cannot_sign_on_the_button(client, owner, change):
    refusal = "You asked for this change, so you cannot sign it. Bo Owner can."

    shown = get(client, change.requester, "home:sign_off", change.ref)
    sent = decide(client, change.requester, change)

    assert refusal in text_of(shown)
    assert 'aria-disabled="true"' in marks_of(shown)
    assert 'name="decision"' not in marks_of(shown)
    assert sent.status_code == 403
    assert refusal in text_of(sent)
    assert Entry.objects.filter(event="sign_off.refused").count() == 1


@pytest.mark.parametrize("role", Role)
def test_somebody_whom_no_rule_asks_reads_who_can(client, role, owner, change):
    reader = make_person(role)

    shown = get(client, reader, "home:sign_off", change.ref)
    sent = decide(client, reader, change)

    assert f"No rule asks you about {change.ref}. Bo Owner can." in text_of(shown)
    assert sent.status_code == 403
    assert not SignOff.objects.exists()


@pytest.mark.parametrize("state", sorted(set(State) - {State.IN_REVIEW, State.APPROVED, State.IN_PROGRESS}))
def test_nothing_is_decided_on_a_change_that_is_not_open(client, owner, state):
    change = make_change(state, targets=(make_place(business=owner),), requester=make_person(Role.REQUESTER))
    expected = 404 if state is State.DRAFT else 409

    assert decide(client, owner, change).status_code == expected


def test_editor_reads_that_they_may_only_reject(client, owner, change):
    editor = make_person(Role.REQUESTER, name="Edith")
    revise(change, by=editor, plan=Plan(steps=(Step("Otherwise"),)))
    make_owner_of(change, editor)

    source = marks_of(get(client, editor, "home:sign_off", change.ref))

    assert "You made the last edit of what you would sign, so you cannot sign it." in source
    assert 'value="APPROVE" disabled' in source
    assert 'value="REJECT"><' in source


def make_owner_of(change, person):
    OwnershipFactory(service=change.legs.get(is_current=True).service, person=person, kind="TECHNICAL")


def test_decision_on_an_older_revision_is_answered_with_the_difference(client, owner, change):
    seen = newest(change).digest
    revise(change, plan=Plan(steps=(Step("Roll out to half of the hosts", StepBy.AUTOMATION, 60),)))

    response = decide(client, owner, change, seen=seen, reason="I rehearsed this.")

    text = text_of(response)
    assert response.status_code == 409
    assert f"Dana Developer edited {change.ref} on" in text
    assert "Read the difference" in text
    assert "Changed while you read" in text
    assert "Roll out to half of the hosts" in text
    assert "I rehearsed this." in text
    assert newest(change).digest in marks_of(response)
    assert " checked" not in marks_of(response)
    assert not SignOff.objects.exists()


@pytest.mark.parametrize(("seen", "status"), [("0" * 64, 409), ("not a digest", 422), ("<script>alert(1)</script>", 422), ("0" * 65, 422)])
def test_decision_on_a_revision_of_nothing_is_refused(client, owner, change, seen, status):
    response = choose(client, owner, change, seen=seen)

    assert response.status_code == status
    assert b"<script>alert" not in response.content
    assert status == 409 or "What this form was about cannot be read any more. Open the page again, then decide." in text_of(response)
    assert not SignOff.objects.exists()


def test_lapsed_sign_off_is_reaffirmed_with_the_difference_on_top(client, owner, change):
    approve(change, owner)
    revise(change, rollback=Rollback(Strategy.PREVIOUS_RELEASE, trigger="abandoned checkouts over 20 %", seconds_to_restore=90))

    shown = get(client, owner, "home:sign_off", change.ref)
    sent = decide(client, owner, change)

    change.refresh_from_db()
    text = text_of(shown)
    assert "Re-affirm" in text
    assert "Changed since you signed" in text
    assert "2 min 20 s" in text
    assert "1 min 30 s" in text
    assert "Scope, plan, period and story are byte for byte the same." in text
    assert sent.status_code == 302
    assert change.state == State.APPROVED


def test_whoever_agreed_reads_that_nothing_is_left_to_do(client, owner, change):
    approve(change, owner)

    text = text_of(get(client, owner, "home:sign_off", change.ref))

    assert "nothing you covered has changed since." in text
    assert "Changed since you signed" not in text


def test_sign_off_page_names_freezes_failures_and_the_way_back(client, owner, change):
    leg = change.legs.get()
    manager = make_person(Role.RELEASE_MANAGER)
    now = timezone.now()
    declare_freeze(title="Evening departures", starts_at=now - HOUR, ends_at=now + HOUR, time_zone="UTC", by=manager.actor)
    ArrivalFactory(target=leg.target, label="3.16.0", outcome=Outcome.FAILED)
    revise(
        change,
        rollback=Rollback(Strategy.PREVIOUS_RELEASE, (Step("Switch back", StepBy.AUTOMATION, 10, "probe says old"),), "declines", 40),
    )

    text = text_of(get(client, owner, "home:sign_off", change.ref))

    assert "Evening departures is on until" in text
    assert "Failed 3.16.0" in text
    assert "probe says old" in text
    assert "waits for" not in text.partition("What else stands in the way")[2].partition("Last failures")[0]


def test_sign_off_page_covers_only_what_the_persons_rules_name(client, owner):
    place = EnvironmentFactory(name="Production")
    make_policy(place, a_rule("business", parts=["scope", "period"]))
    change = make_change(State.IN_REVIEW, targets=(make_place(business=owner, environment=place),))

    text = text_of(choose(client, owner, change))

    assert "I had its scope and period before me." in text


def test_sign_off_page_asks_a_bounded_number_of_statements(client, owner, change):
    for number in range(4):
        revise(change, plan=Plan(steps=(Step(f"Wording {number}"),)))
    client.force_login(owner)

    with CaptureQueriesContext(connection) as seen:
        client.get(reverse("home:sign_off", args=[change.ref]))

    assert len(seen) <= 9


@pytest.mark.parametrize("field", ["decision", "reason", "revision_digest"])
def test_every_field_takes_or_refuses_hostile_text_in_words(client, owner, change, field):
    for name, text in HOSTILE.items():
        given = {"decision": "APPROVE", "reason": "", "revision_digest": newest(change).digest}

        response = post(client, owner, "home:sign_off_statement", change.ref, **{**given, field: text})

        assert response.status_code in {200, 409, 422}, name
        assert b"<script>alert" not in response.content, name
        if (field, name) == ("reason", "long"):
            assert "The text has 1000000 characters. 300 fit." in text_of(response)
        if (field, name) in {("reason", "nul"), ("reason", "control")}:
            assert "The text holds a control character." in text_of(response)


def test_hidden_characters_are_marked_wherever_they_are_signed(client, owner):
    place = make_place(business=owner)
    change = make_change(State.IN_REVIEW, targets=(place,), plan=Plan(steps=(Step("Pay \u202etac\u202c me"),)))

    source = get(client, owner, "home:sign_off", change.ref).content.decode()

    assert "U+202E" in source
    assert "\u202e" not in source
