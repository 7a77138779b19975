"""The pages: one's own notifications, the choices, and what failed for administrators; each in a bounded number of statements."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.accounts.roles import Role
from apps.catalog.models import Service
from apps.changes.actions import comment_on_change
from apps.changes.states import State as ChangeState
from apps.notifications.facts.shown import UNSEEN
from apps.notifications.kinds import TOPICS, Kind, Timing
from apps.notifications.models import Choice, Delivery
from apps.notifications.states import State
from tests.factories.accounts import make_person
from tests.factories.approvals import make_change, make_place
from tests.factories.incidents import make_incident
from tests.factories.notifications import DeliveryFactory, follow_all, told
from tests.home.pages import HOSTILE, get, post, text_of

pytestmark = pytest.mark.django_db
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
OWN_STATEMENTS = 12  # besides what the frame of every page asks


@pytest.fixture
def owner():
    return make_person(name="Olga Owner")


def asked(owner):
    change = make_change(ChangeState.IN_REVIEW, targets=(make_place(business=owner),), now=datetime.now(UTC))
    follow_all()
    return change


def choices(**more: object) -> dict[str, object]:
    return {kind.value: TOPICS[kind].usual.value for kind in Kind} | {"digest_hour": "8"} | more


def test_list_tells_what_happened_why_and_what_became_of_the_mail(client, owner):
    change = asked(owner)

    page = get(client, owner, "notifications:notifications")
    text = text_of(page)

    assert f"submitted {change.ref}" in text
    assert "because your agreement is asked for" in text
    assert "Waits" in text
    assert reverse("home:change", args=[change.ref]) in page.content.decode()


def test_list_is_ones_own(client, owner):
    asked(owner)

    assert "Nothing yet" in text_of(get(client, make_person(), "notifications:notifications"))


def test_list_has_no_words_for_what_one_may_not_see_any_more(client, owner):
    change = asked(owner)
    comment_on_change(change_id=change.pk, text="The combination is 1234.", by=make_person().actor)
    comment_on_change(change_id=change.pk, text="Answer.", by=owner.actor)
    comment_on_change(change_id=change.pk, text="The combination is 5678.", by=make_person().actor)
    follow_all()
    assert "5678" in text_of(get(client, owner, "notifications:notifications"))
    service = change.items.get().service
    Service.objects.filter(pk=service.pk).update(is_restricted=True)
    service.ownerships.update(ended_at=datetime.now(UTC), ended_by="SYSTEM:test")

    text = text_of(get(client, owner, "notifications:notifications"))

    assert UNSEEN in text
    assert "5678" not in text
    assert change.ref not in text


def test_list_goes_on_page_by_page(client, owner):
    incident = make_incident()
    for _ in range(51):
        DeliveryFactory(person=owner, subject=str(incident.reference))
    last = told(owner)[1]

    first = get(client, owner, "notifications:notifications")
    second = get(client, owner, "notifications:notifications", before=last.pk)

    assert f"?before={last.pk}" in first.content.decode()
    assert second.content.decode().count("list-what") == 1
    assert get(client, owner, "notifications:notifications", before="9" * 30).status_code == 200
    assert get(client, owner, "notifications:notifications", before="x").status_code == 200


@pytest.mark.parametrize(("name", "role"), [("notifications", None), ("failures", Role.ADMINISTRATOR)])
def test_lists_stay_within_their_statements_however_long_they_are(client, owner, name, role):
    reader = make_person(*([role] if role else []), name="Reader")
    address = f"notifications:{name}"
    with CaptureQueriesContext(connection) as bare:
        get(client, reader, "notifications:settings")
    for _ in range(30):
        person = reader if role is None else make_person()
        change = make_change(ChangeState.IN_REVIEW, targets=(make_place(business=person),), now=datetime.now(UTC))
        follow_all()
    if role is not None:
        Delivery.objects.update(state=State.FAILED, ended_at=LONG_AGO, said="550 gone")

    with CaptureQueriesContext(connection) as full:
        page = get(client, reader, address)

    assert change.ref in text_of(page)
    assert len(full) <= len(bare) + OWN_STATEMENTS


# Choosing


def test_choices_show_what_is_usual_and_save_what_is_chosen(client, owner):
    page = get(client, owner, "notifications:settings")
    assert all(topic.label in text_of(page) for topic in TOPICS.values())

    answer = post(client, owner, "notifications:settings", **choices(COMMENTED="NEVER", digest_hour="21"))

    assert answer.status_code == 302
    assert Choice.objects.get(person=owner).timing == Timing.NEVER
    assert 'value="21" selected' in get(client, owner, "notifications:settings").content.decode()


def test_never_is_not_offered_nor_taken_where_work_waits(client, owner):
    answer = post(client, owner, "notifications:settings", **choices(SIGN_OFF_ASKED="NEVER"))

    assert answer.status_code == 422
    assert "SIGN_OFF_ASKED" in answer.context["form"].errors
    assert not Choice.objects.exists()


@pytest.mark.parametrize("name", sorted(HOSTILE))
@pytest.mark.parametrize("field", ["COMMENTED", "digest_hour"])
def test_hostile_choices_are_field_errors(client, owner, name, field):
    answer = post(client, owner, "notifications:settings", **choices(**{field: HOSTILE[name]}))

    assert answer.status_code == 422
    assert field in answer.context["form"].errors


def test_looking_writes_nothing(client, owner):
    asked(owner)
    before = [*Delivery.objects.values_list("pk", "state", "attempt", "wake_at")]

    for name in ("notifications", "settings"):
        get(client, owner, f"notifications:{name}")

    assert [*Delivery.objects.values_list("pk", "state", "attempt", "wake_at")] == before
    assert not Choice.objects.exists()


# What failed


@pytest.mark.parametrize("role", [None, *sorted(Role)])
def test_failures_are_for_administrators(client, role):
    person = make_person(*([role] if role else []))
    failed = DeliveryFactory(state=State.FAILED, ended_at=LONG_AGO, said="550 no such person")
    allowed = role is Role.ADMINISTRATOR

    assert get(client, person, "notifications:failures").status_code == (200 if allowed else 403)
    assert post(client, person, "notifications:another_try", failed.public_id).status_code == (302 if allowed else 403)
    failed.refresh_from_db()
    assert failed.state == (State.QUEUED if allowed else State.FAILED)


def test_failures_say_why_and_how_mail_leaves_without_its_password(client, settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_HOST_PASSWORD = "mail.example.org", "very-secret-indeed"
    DeliveryFactory(state=State.FAILED, ended_at=LONG_AGO, said="The mail server refused the address: 550 <b>gone</b>")

    page = get(client, make_person(Role.ADMINISTRATOR), "notifications:failures")

    assert "550 <b>gone</b>" in text_of(page).replace("< b>", "<b>") or "&lt;b&gt;gone" in page.content.decode()
    assert "Mail leaves by mail.example.org" in text_of(page)
    assert "very-secret-indeed" not in page.content.decode()


@pytest.mark.parametrize(("backend", "words"), [("filebased", "files on the host"), ("console", "django.core.mail.backends.console")])
def test_failures_say_when_no_server_is_set(client, settings, backend, words):
    settings.EMAIL_BACKEND = f"django.core.mail.backends.{backend}.EmailBackend"

    assert words in text_of(get(client, make_person(Role.ADMINISTRATOR), "notifications:failures"))


@pytest.mark.parametrize("role", [None, Role.ADMINISTRATOR])
def test_mail_that_is_not_there_is_not_tried(client, role):
    assert post(client, make_person(*([role] if role else [])), "notifications:another_try", uuid4()).status_code == 404


def test_what_did_not_fail_is_not_tried_again(client):
    waiting = DeliveryFactory()

    answer = post(client, make_person(Role.ADMINISTRATOR), "notifications:another_try", waiting.public_id)

    assert answer.status_code == 409


def test_menu_leads_to_ones_notifications(client, owner):
    assert reverse("notifications:notifications") in get(client, owner, "notifications:settings").content.decode()
