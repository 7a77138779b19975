"""What each term finds, whom it hides what from, and that names nobody may see are as unknown as made-up ones."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.utils import timezone

from apps.accounts.roles import Role
from apps.catalog.models import Service, scope_number
from apps.changes.access import changes_for
from apps.changes.actions import comment_on_change
from apps.changes.models import Change, Watch
from apps.changes.states import Kind, State
from apps.home.facts.listing import found_by
from apps.home.search.matching import CONDITIONS
from apps.home.search.terms import SPECS
from apps.schedule.models import HoldSource, RuleKind
from tests.conftest import NOW
from tests.factories.accounts import make_person
from tests.factories.approvals import make_change, make_place
from tests.factories.catalog import EnvironmentFactory, OwnershipFactory
from tests.factories.changes import make_content, make_item
from tests.factories.schedule import CalendarRuleFactory, HoldFactory, SlotFactory

pytestmark = pytest.mark.django_db


def refs(person, text, now=NOW):
    wanted, _, _, problems = found_by(person, text, sort="newest", now=now)
    assert not problems, problems
    return set(wanted.values_list("pk", flat=True))


def problems(person, text):
    return [(one.term, one.message) for one in found_by(person, text, sort="newest", now=NOW)[3]]


def test_every_term_has_a_condition():
    assert set(CONDITIONS) == {"", *SPECS}


@pytest.fixture
def two():
    """A change that every term below finds, and one that none of them does."""
    owner = make_person(name="Bo Owner")
    place = make_place(business=owner, environment=EnvironmentFactory(slug="production", name="Production"))
    Service.objects.filter(pk=place.service_id).update(slug="payments", name="Payments gateway")
    place.service.refresh_from_db()
    author = make_person(Role.REQUESTER, name="Ana Author", email="ana@example.org")
    found = make_change(State.IN_REVIEW, targets=(place,), requester=author, title="Warmer seats")
    Change.objects.filter(pk=found.pk).update(risk=20, kind=Kind.EMERGENCY)
    other = make_change(State.WITHDRAWN, title="Colder drinks", story=make_content(title="Colder drinks").story)
    Change.objects.filter(pk=other.pk).update(
        created_at=NOW - timedelta(days=40), labels=["bar"], aspects=["DATA"], words="colder drinks", risk=5
    )
    other.items.update(label="9.9.9", identities=["git:" + "0" * 40])
    for leg in other.legs.all():
        leg.identities.update(identity="git:" + "0" * 40)
    return owner, author, found, other


@pytest.mark.parametrize(
    "text",
    [
        "state:in_review", "state:open", "service:payments", 'service:"payments GATEWAY"', "env:production", "env:Production",
        "kind:emergency", "risk:>=20", "risk:>19", "risk:20", "aspect:code", "label:checkout", "version:3.18.1",
        "commit:4a92c6e", "after:30d", "-before:30d", "requester:ana@example.org", 'requester:"ana author"', "warm", "SEATS", '"warmer seats"',
        "3.18.1", "payments", "-label:bar", "-drinks", "-outcome:not_deployed", "-state:ended", "service:payments,payments state:open warm",
    ],
)  # fmt: skip
def test_term_finds_its_change_alone(two, text):
    _, author, found, _ = two

    assert refs(author, text) == {found.pk}


@pytest.mark.parametrize("text", ["seats warmer", "colder", "risk:<20", "state:ended", "risk:<=5 -warm", "before:30d", "label:bar"])
def test_terms_are_all_asked_for(two, text):
    _, author, found, other = two

    assert refs(author, text) == ({found.pk} if text == "seats warmer" else {other.pk})


def test_me_is_whoever_asks(two):
    owner, author, found, _ = two

    assert refs(author, "requester:@me") == refs(author, "is:mine") == {found.pk}
    assert refs(owner, "owner:@me") == refs(author, 'owner:"Bo Owner"') == {found.pk}
    assert refs(owner, "requester:@me") == set()


def test_people_are_found_as_a_mention_names_them_and_by_a_part_of_their_name(two):
    _, author, found, _ = two

    for text in ("requester:@ana", "requester:ana", "requester:AUTHOR", "requester:@ana@example.org", "owner:bo", "owner:owner,@ana"):
        assert refs(author, text) == {found.pk}, text
    assert problems(author, "requester:@an") == [("requester:@an", "Nobody is called “@an”.")]


def test_who_was_merged_is_found_as_the_one_they_are_now(two):
    _, author, found, _ = two
    stays = make_person(name="Cy Clerk")
    author.merged_into, author.is_active, author.deactivated_at = stays, False, NOW
    author.save()

    assert refs(stays, "is:mine") == refs(stays, "requester:ana@example.org") == refs(stays, 'requester:"Cy Clerk"') == {found.pk}


def test_reference_finds_its_change_and_another_nothing(two):
    _, author, found, _ = two

    assert refs(author, found.ref.lower()) == {found.pk}
    assert refs(author, "CHG-999999999999999999") == set()


def test_watched_is_what_one_watches(two):
    owner, author, found, _ = two
    Watch.objects.create(change=found, person=author, since_at=NOW)

    assert refs(author, "is:watched") == {found.pk}
    assert refs(owner, "is:watched") == set()


@pytest.mark.parametrize("kind", ["EVERYTHING", "ENVIRONMENT", "TIER", "TEAM", "SERVICE", "TARGET"])
def test_frozen_and_held_are_open_changes_behind_a_wall_of_now(two, kind):
    _, author, found, _ = two
    leg = found.legs.get()
    pk = {
        "ENVIRONMENT": leg.environment_id,
        "TIER": leg.service.tier,
        "TEAM": leg.service.team_id,
        "SERVICE": leg.service_id,
        "TARGET": leg.target_id,
    }.get(kind, 0)

    assert refs(author, "is:frozen") == refs(author, "is:held") == set()
    CalendarRuleFactory(kind=RuleKind.FREEZE, scope=scope_number(kind, pk))
    HoldFactory(source=HoldSource.PERSON, scope=scope_number(kind, pk))
    during = CalendarRuleFactory._meta.model.objects.get().covers[0].starts_at + timedelta(seconds=1)

    assert refs(author, "is:frozen", now=during) == refs(author, "is:held") == {found.pk}


def test_overdue_is_what_missed_its_slot_or_its_period(two):
    _, author, found, _ = two
    SlotFactory(leg=found.legs.get(), starts_at=NOW - timedelta(hours=2), ends_at=NOW - timedelta(hours=1))

    assert refs(author, "is:overdue") == {found.pk}
    assert refs(author, "is:overdue", now=NOW - timedelta(hours=3)) == set()
    assert refs(author, "is:overdue", now=found.not_after + timedelta(days=1)) == {found.pk}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("service:nowhere", "No service is called “nowhere”."),
        ("env:moon", "No environment is called “moon”."),
        ("team:nobody", "No team is called “nobody”."),
        ("owner:nobody", "Nobody is called “nobody”."),
        ("-requester:nobody@example.org", "Nobody is called “nobody@example.org”."),
    ],
)
def test_name_that_stands_for_nothing_is_told(two, text, message):
    assert problems(two[1], text) == [(text, message)]


def test_restricted_service_is_as_unknown_as_a_made_up_one(two):
    _, _, found, _ = two
    leg = found.legs.get()
    Service.objects.filter(pk=leg.service_id).update(is_restricted=True)
    stranger, auditor = make_person(Role.REQUESTER), make_person(Role.AUDITOR)

    assert problems(stranger, "service:payments") == [("service:payments", "No service is called “payments”.")]
    for text in (
        "",
        "warm",
        "version:3.18.1",
        "commit:4a92c6e",
        "env:production",
        'owner:"Bo Owner"',
        "label:checkout",
        found.ref,
        f"team:{leg.service.team.slug}",
    ):
        assert found.pk not in refs(stranger, text), text
        assert found.pk in refs(auditor, text), text


def test_draft_of_another_is_never_found(two):
    draft = make_change(State.DRAFT, title="Secret plan")
    stranger = make_person(Role.AUDITOR)

    for text in ("", "secret", draft.ref, "state:draft", "-state:open"):
        assert draft.pk not in refs(stranger, text), text
    assert draft.pk in refs(draft.requester, "secret")


def test_words_are_found_in_any_writing_and_no_word_breaks_the_search(two):
    place = make_place()
    change = make_change(State.IN_REVIEW, targets=(place,), title="Größere Fähre für 北海 v2.0 – naïve")

    for text in ("GRÖSSERE", "größ", "fähre", "北海", "2.0", "naïve", "v2", '"fähre für"'):
        assert refs(change.requester, text) == {change.pk}, text
    for text in ("a'b", "it's:*", "x&y", "!z", "a|b", "(((q", "\\a", "a<->b", "%a", "é" * 400):
        assert refs(change.requester, text) <= {change.pk, two[2].pk}, text


def test_words_follow_the_newest_revision():
    change = make_change(State.IN_REVIEW, title="Warmer seats")
    item = make_item(label="4.0.0")

    assert "warmer seats" in Change.objects.get(pk=change.pk).words
    assert "3 18 1" in Change.objects.get(pk=change.pk).words
    assert item.label == "4.0.0"


def test_what_may_be_seen_is_the_same_set_as_service_by_service():
    place, secret = make_place(), make_place()
    changes = [make_change(State.IN_REVIEW, targets=targets) for targets in ((place,), (secret,), (place, secret))]
    Service.objects.filter(pk=secret.service_id).update(is_restricted=True)
    member = make_person(team=secret.service.team)
    owner = make_person()
    OwnershipFactory(service=secret.service, person=owner)
    everybody = {change.pk for change in changes}

    seen = {
        person: set(changes_for(person).values_list("pk", flat=True))
        for person in (member, owner, make_person(Role.AUDITOR), make_person())
    }

    assert [*seen.values()] == [everybody, everybody, everybody, {changes[0].pk}]
    assert timezone.is_aware(changes[0].created_at)


def test_words_of_every_text_and_of_comments_are_found_and_by_nobody_who_may_not_see_them(two):
    _, author, found, _ = two
    comment_on_change(change_id=found.pk, text="Mind the heron nest.", by=author.actor)

    assert refs(author, "abandoned checkouts") == {found.pk}  # its trigger
    assert refs(author, '"heron nest"') == {found.pk}
    assert refs(author, "heron -heron") == set()
    draft = make_change(State.DRAFT, story=replace(make_content().story, description="A hidden quail."))
    assert refs(author, "quail") == set()
    assert refs(draft.requester, "quail") == {draft.pk}
