"""Badges: what they say of a place, that they are never green where nobody knows, and who may show them to whom."""

from dataclasses import replace
from datetime import timedelta
from xml.etree import ElementTree as ET

import pytest
from django.db import OperationalError
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.accounts.roles import Role
from apps.audit.sentences import sentence
from apps.audit.stream import latest
from apps.audit.vocabulary import Event
from apps.catalog.actions import retire_service
from apps.catalog.models import Service
from apps.core.ids import new_id
from apps.core.refusals import Refused
from apps.gate import views
from apps.gate.badge import COLOURS, id_in, key_of, live_link, picture
from apps.gate.badge_actions import end_badge, share_badge
from apps.gate.models import BadgeLink
from apps.gate.rates import Buckets
from apps.gate.rules import RULES
from apps.gate.rules.standing import OPEN, PLACE_RULES, SAID, Standing, standing
from tests.factories.accounts import MembershipFactory, make_person
from tests.factories.approvals import make_place
from tests.factories.gate import ALLOWED, BadgeLinkFactory, RuleModeFactory, facts_with
from tests.factories.schedule import CalendarRuleFactory, HoldFactory
from tests.gate.test_ways import facts_of
from tests.home.pages import get, marks_of, post

pytestmark = pytest.mark.django_db
NAMESPACE = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def ada():
    return make_person(Role.ADMINISTRATOR, name="Ada")


@pytest.fixture
def target():
    return make_place()


def fetched(link, **headers):
    """The badge as a stranger gets it."""
    return Client().get(reverse("gate_pages:badge", args=[key_of(link)]), headers=headers)


def said_in(answer):
    return ET.fromstring(answer.content).find(f"{NAMESPACE}title").text


def scope(target):
    return 5_000_000_000 + target.pk


# What is said of a place.


@pytest.mark.parametrize(
    ("ills", "word"),
    [
        (set(), "open"),
        ({"frozen"}, "frozen"),
        ({"endless"}, "frozen"),
        ({"window"}, "outside its window"),
        ({"nowindow"}, "outside its window"),
        ({"hold"}, "on hold"),
        ({"locked"}, "locked"),
        ({"occupied"}, "deploying"),
        ({"reserved"}, "way back open"),
        ({"behind"}, "could not tell"),
        ({"behind", "hold"}, "could not tell"),
        ({"hold", "frozen", "occupied"}, "on hold"),
        ({"rung"}, "open"),
    ],
)
def test_a_place_is_said_by_what_is_most_pressing(ills, word):
    assert standing(facts_of(ills, [set()])).word == word


def test_what_stands_there_is_judged_as_the_environment_applies_it():
    held = facts_of({"hold"}, [set()])

    assert standing(replace(held, modes={"hold": "WARN_ONLY"})) == standing(replace(held, modes={"hold": "OFF"})) == OPEN


def test_a_place_that_is_not_known_is_not_green():
    for facts in (replace(ALLOWED, service=None), replace(ALLOWED, target=None), facts_with(environment={"is_retired": True})):
        assert standing(facts).tone in {"unknown", "mute"}


def test_every_code_of_the_rules_of_a_place_has_its_word():
    codes = {code for rule in PLACE_RULES for code in rule.codes}

    assert codes == set(SAID)
    assert len(PLACE_RULES) == len({rule.name for rule in PLACE_RULES} & {rule.name for rule in RULES}) == 6
    assert [code for code, (_, tone) in SAID.items() if tone == "go"] == []


@pytest.mark.parametrize("tone", sorted(COLOURS))
@pytest.mark.parametrize("place", ["a b", '<script>alert(1)</script>"&', "x" * 200, "\u202eright"])
def test_a_picture_is_well_formed_and_names_itself(place, tone):
    root = ET.fromstring(picture(place, Standing("word & more", tone)))

    assert root.find(f"{NAMESPACE}title").text.endswith(": word & more")
    assert not root.findall(f".//{NAMESPACE}script")
    assert [one.tag for one in root.iter() if one.tag.removeprefix(NAMESPACE) not in {"svg", "title", "rect", "g", "text"}] == []


# For strangers, by its address.


def test_a_stranger_with_the_address_sees_the_place_now(target):
    link = BadgeLinkFactory(target=target)
    assert said_in(fetched(link)) == f"{target.service.slug} {target.environment.slug}: open"

    HoldFactory(scope=scope(target))

    assert said_in(fetched(link)).endswith(": on hold")


def test_a_freeze_and_an_occupied_place_are_not_green(target):
    link, now = BadgeLinkFactory(target=target), timezone.now()
    target.occupied_by, target.occupied_since = new_id(), now
    target.save()
    assert said_in(fetched(link)).endswith(": deploying")

    CalendarRuleFactory(scope=scope(target), starts_at=now - timedelta(hours=1), ends_at=now + timedelta(hours=1))

    assert said_in(fetched(link)).endswith(": frozen")


def test_nobody_on_the_way_keeps_it_and_the_same_is_not_sent_twice(target):
    link = BadgeLinkFactory(target=target)
    first = fetched(link)

    again = fetched(link, if_none_match=first["ETag"])
    HoldFactory(scope=scope(target))
    other = fetched(link, if_none_match=first["ETag"])

    assert first["Cache-Control"] == again["Cache-Control"] == "no-cache, max-age=0, must-revalidate"
    assert (again.status_code, again.content, other.status_code) == (304, b"", 200)
    assert first["Content-Type"].startswith("image/svg+xml")
    assert first["X-Content-Type-Options"] == "nosniff"


def test_a_rule_that_is_off_does_not_show(target):
    HoldFactory(scope=scope(target))
    RuleModeFactory(environment=target.environment, rule="hold", mode="OFF")

    assert said_in(fetched(BadgeLinkFactory(target=target))).endswith(": open")


def test_an_address_that_was_made_up_shows_nothing(target):
    link = BadgeLinkFactory(target=target)
    key = key_of(link)
    made_up = [
        link.public_id.hex,
        f"{link.public_id.hex}~",
        f"{new_id().hex}~{key.partition('~')[2]}",
        key[:-1],
        key + "x",
        "~",
        "x" * 300,
        "é~x",
    ]

    for one in made_up:
        answer = Client().get(f"/badges/{one}.svg")
        assert (answer.status_code, said_in(answer)) == (404, "badge: no such badge")
    assert live_link(id_in(key)) == link


def test_an_ended_address_and_one_of_a_restricted_service_show_nothing(target, ada):
    link = BadgeLinkFactory(target=target)
    Service.objects.filter(pk=target.service_id).update(is_restricted=True)
    assert fetched(link).status_code == 404

    Service.objects.filter(pk=target.service_id).update(is_restricted=False)
    end_badge(target.pk, by=ada.actor)

    assert fetched(link).status_code == 404


def test_a_retired_place_says_so(target, ada):
    link = BadgeLinkFactory(target=target)
    retire_service(target.service_id, by=ada.actor)

    assert said_in(fetched(link)).endswith(": retired")


def test_what_cannot_be_read_is_said_to_be_unknown_and_kept_by_nobody(target, monkeypatch, caplog):
    link = BadgeLinkFactory(target=target)
    first = fetched(link)

    def broken(_):
        raise OperationalError("the server is away")

    monkeypatch.setattr(views, "standing_of", broken)
    answer = fetched(link, if_none_match=first["ETag"])

    assert (answer.status_code, said_in(answer), answer["Cache-Control"]) == (503, "badge: could not tell", "no-store")
    assert "a badge could not be told" in caplog.text


def test_one_address_is_not_asked_without_end(target, settings, monkeypatch):
    settings.GATE_UNKNOWN_RATE = 1
    monkeypatch.setattr(views, "badges", Buckets(clock=lambda: 0.0))
    link, other = BadgeLinkFactory(target=target), BadgeLinkFactory(target=make_place())

    answers = [fetched(link) for _ in range(11)]

    assert [one.status_code for one in answers] == [200] * 10 + [429]
    assert (answers[-1]["Retry-After"], said_in(answers[-1])) == ("1", "badge: could not tell")
    assert fetched(other).status_code == 200


# Who shares it.


def test_an_administrator_shares_and_ends_a_badge_and_both_are_told(target, ada):
    link = share_badge(target.pk, by=ada.actor)
    assert fetched(link).status_code == 200

    end_badge(target.pk, by=ada.actor)
    again = share_badge(target.pk, by=ada.actor)

    assert (fetched(link).status_code, fetched(again).status_code) == (404, 200)
    told = [entry for entry in latest(limit=10) if entry.event in {Event.BADGE_SHARED, Event.BADGE_ENDED}]
    assert [entry.event for entry in told] == [Event.BADGE_SHARED, Event.BADGE_ENDED, Event.BADGE_SHARED]
    assert "shared the badge" in sentence(told[0], lambda reference: reference.partition(":")[0]).text


def code(act):
    with pytest.raises(Refused) as refused:
        act()
    return refused.value.refusal.code


def test_whoever_is_no_administrator_shares_nothing(target):
    for role in set(Role) - {Role.ADMINISTRATOR}:
        by = make_person(role).actor
        assert code(lambda by=by: share_badge(target.pk, by=by)) == "not_administrator"
        assert code(lambda by=by: end_badge(target.pk, by=by)) == "not_administrator"


def test_a_badge_is_shared_once_and_never_of_what_is_restricted_or_retired(target, ada):
    assert code(lambda: end_badge(target.pk, by=ada.actor)) == "not_shared"
    share_badge(target.pk, by=ada.actor)
    assert code(lambda: share_badge(target.pk, by=ada.actor)) == "already_shared"

    other = make_place()
    Service.objects.filter(pk=other.service_id).update(is_restricted=True)
    assert code(lambda: share_badge(other.pk, by=ada.actor)) == "restricted"

    gone = make_place()
    retire_service(gone.service_id, by=ada.actor)
    assert code(lambda: share_badge(gone.pk, by=ada.actor)) == "retired"


# Its pages.


def test_who_is_signed_in_sees_the_badge_of_what_they_may_see(client, target):
    reader = make_person()
    where = ("home:gate_badge", target.service.slug, target.environment.slug)
    assert client.get(reverse(where[0], args=where[1:])).status_code == 302
    assert said_in(get(client, reader, *where)).endswith(": open")

    Service.objects.filter(pk=target.service_id).update(is_restricted=True)
    assert get(client, reader, *where).status_code == 404

    MembershipFactory(person=reader, team=target.service.team)
    assert get(client, reader, *where).status_code == 200


def test_the_page_shares_it_and_shows_where(client, target, ada):
    where = (target.service.slug, target.environment.slug)
    post(client, ada, "home:badge_sharing", *where)
    link = BadgeLink.objects.get()

    page = get(client, make_person(), "home:gate_pipeline", *where)
    assert f"/badges/{key_of(link)}.svg" in marks_of(page)
    assert "Only an administrator" in marks_of(page)

    post(client, ada, "home:badge_end", *where)
    assert "/badges/" not in marks_of(get(client, ada, "home:gate_pipeline", *where))


def test_a_stranger_to_the_role_is_refused_by_the_page(client, target):
    answer = post(client, make_person(Role.OPERATOR), "home:badge_sharing", target.service.slug, target.environment.slug)

    assert answer.status_code == 403
    assert not BadgeLink.objects.exists()
