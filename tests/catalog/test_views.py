"""Pages of the catalogue: they open for everybody, acts work, restricted services do not exist for others."""

import json

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.accounts.roles import Role
from apps.catalog.models import Environment, Ownership, Service, Target
from tests.accounts.test_views import HOSTILE
from tests.factories.accounts import TeamFactory, make_person
from tests.factories.catalog import COMMIT, SETTINGS, EnvironmentFactory, OwnershipFactory, ServiceAliasFactory, ServiceFactory, make_target

pytestmark = pytest.mark.django_db


def address(name: str, *args: object) -> str:
    return reverse(f"catalog:{name}", args=args)


def places(target: Target) -> tuple[str, str]:
    return target.service.slug, target.environment.slug


@pytest.fixture
def everything(client):
    person = make_person(Role.ADMINISTRATOR, Role.OPERATOR)
    client.force_login(person)
    return person


def pages(target: Target) -> list[str]:
    slug, environment = places(target)
    return [
        address("services"),
        address("new_service"),
        address("service", slug),
        address("service_change", slug),
        address("target", slug, environment),
        address("environments"),
        address("new_environment"),
        address("environment", environment),
    ]


@pytest.mark.parametrize("roles", [(), (Role.ADMINISTRATOR,), (Role.OPERATOR,)])
def test_pages_open_for_everybody_signed_in(client, roles):
    target = make_target()
    OwnershipFactory(service=target.service)
    client.force_login(make_person(*roles))

    for page in pages(target):
        assert client.get(page).status_code == 200, page


def test_pages_ask_somebody_unknown_to_sign_in(client):
    for page in pages(make_target()):
        assert client.get(page).status_code == 302


def test_a_disabled_button_says_why_and_who(client):
    target = make_target()
    client.force_login(make_person())

    page = client.get(address("target", *places(target))).content

    assert b"Only an administrator changes the catalogue." in page
    assert b"Only an operator or a release manager does this." in page


def test_a_restricted_service_does_not_exist_for_others(client):
    target = make_target(ServiceFactory(is_restricted=True, name="Secret project"))
    slug, environment = places(target)
    client.force_login(make_person(Role.ADMINISTRATOR, Role.OPERATOR))

    assert b"Secret project" not in client.get(address("services")).content
    for page in (address("service", slug), address("service_change", slug), address("target", slug, environment)):
        assert client.get(page).status_code == 404
    for name in ("target_settings", "target_lock", "target_unlocking", "adoption"):
        assert client.post(address(name, slug, environment), {"reason": "x", "settings": "{}"}).status_code == 404
    for name in ("service_retirement", "owners", "targets"):
        assert client.post(address(name, slug)).status_code == 404


def test_old_addresses_keep_working(client, everything):
    service = ServiceFactory()

    assert client.get(address("service", ServiceAliasFactory(service=service).slug)).status_code == 200


def test_a_service_is_entered_changed_given_an_owner_and_retired(client, everything):
    team, environment = TeamFactory(), EnvironmentFactory()
    sheet = {"name": "Shop", "slug": "shop", "team": team.slug, "tier": "1", "time_zone": "UTC", "repository": "/srv/shop.git"}

    assert client.post(address("new_service"), sheet).url == address("service", "shop")
    assert client.post(address("service_change", "shop"), {**sheet, "slug": "store"}).url == address("service", "store")
    client.post(address("owners", "store"), {"person": str(everything.public_id), "kind": "BUSINESS"})
    client.post(address("owners", "store"), {"person": str(everything.public_id), "kind": "TECHNICAL"})
    client.post(address("business_owner_end", "store", everything.public_id))
    assert client.post(address("targets", "store"), {"environment": environment.slug}).url == address("target", "store", environment.slug)
    assert client.post(address("service_retirement", "store")).status_code == 302

    service = Service.objects.get(slug="store")
    assert service.retired_at is not None
    assert [row.kind for row in Ownership.objects.filter(ended_at=None)] == ["TECHNICAL"]
    assert client.get(address("service", "store")).status_code == 200


@pytest.mark.parametrize("sent", ["no id", "\x00", "0198aaaa-0000-7000-8000-000000000001", "<script>"])
def test_owner_who_is_nobody_is_told_in_our_words(client, everything, sent):
    target = make_target()

    response = client.post(address("owners", target.service.slug), {"person": sent, "kind": "BUSINESS"})

    assert response.status_code == 422
    assert "Nobody in the list is meant by this. Choose somebody." in response.content.decode()


def test_making_a_service_restricted_for_a_team_one_is_not_in_leads_back_to_the_list(client, everything):
    sheet = {"name": "S", "slug": "s", "team": TeamFactory().slug, "tier": "2", "time_zone": "UTC", "is_restricted": "on"}

    assert client.post(address("new_service"), sheet).url == address("services")


def test_environments_are_entered_changed_and_retired(client, everything):
    sheet = {"name": "Stage", "slug": "stage", "rank": "20", "change_required": "RECORDED", "time_zone": "UTC"}

    client.post(address("new_environment"), sheet)
    client.post(address("environment", "stage"), {**sheet, "slug": "staging"})
    client.post(address("environment_retirement", "staging"))

    environment = Environment.objects.get(slug="staging")
    assert environment.retired_at is not None
    assert client.get(address("environment", "stage")).status_code == 200


def test_an_environment_that_asks_for_approval_says_that_it_needs_a_policy(client, everything):
    sheet = {"name": "Live", "slug": "live", "rank": "30", "change_required": "APPROVED", "time_zone": "UTC"}

    after = client.post(address("new_environment"), sheet, follow=True)

    assert "Nothing goes to Live until a policy says who must agree there" in after.content.decode()
    for page in (after, client.get(address("environment", "live"))):
        assert reverse("approvals:policies") in page.content.decode()


def test_a_target_is_configured_locked_and_adopted(client, everything):
    target = make_target()
    slugs = places(target)

    client.post(address("target_settings", *slugs), {"settings": json.dumps({**SETTINGS, "bake_seconds": 5})})
    client.post(address("target_lock", *slugs), {"reason": "Disk swap"})
    assert b"Disk swap" in client.get(address("target", *slugs)).content
    client.post(address("target_unlocking", *slugs))
    client.post(address("adoption", *slugs), {"label": "1.0.0", "identities": COMMIT.removeprefix("git:"), "reason": "runs since 2019"})

    target.refresh_from_db()
    assert (target.settings.number, target.locked_at, target.running_identities) == (2, None, [COMMIT])
    assert COMMIT.encode() in client.get(address("target", *slugs)).content


def test_wrong_settings_are_shown_with_their_path_and_what_was_typed(client, everything):
    target = make_target()
    typed = json.dumps({"driver": "release_dir", "checks": [{"name": "up", "url": "ftp://x"}]})

    answer = client.post(address("target_settings", *places(target)), {"settings": typed})

    assert answer.status_code == 422
    assert b"checks.0.url: This is no address" in answer.content
    assert b"ftp://x" in answer.content


def test_a_refused_act_is_a_page_that_says_why(client, now):
    target = make_target()
    client.force_login(make_person())

    answer = client.post(address("target_lock", *places(target)), {"reason": "x"})

    assert answer.status_code == 403
    assert b"Only an operator or a release manager does this." in answer.content


def test_lists_take_as_many_queries_for_many_rows_as_for_few(client, everything):
    make_target()
    few = [queries(client, page) for page in (address("services"), address("environments"))]

    for _ in range(10):
        make_target()

    assert [queries(client, page) for page in (address("services"), address("environments"))] == few


def queries(client, page: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        client.get(page)
    return len(captured)


SERVICE = {"name": "S", "slug": "s", "tier": "2", "time_zone": "UTC", "description": "", "repository": "", "repository_id": "", "team": ""}
FORMS = {
    "new_service": (lambda target: address("new_service"), SERVICE),
    "service_change": (lambda target: address("service_change", target.service.slug), SERVICE),
    "owners": (lambda target: address("owners", target.service.slug), {"person": "", "kind": "BUSINESS"}),
    "targets": (lambda target: address("targets", target.service.slug), {"environment": ""}),
    "new_environment": (
        lambda target: address("new_environment"),
        {"name": "E", "slug": "e", "rank": "1", "change_required": "NO", "time_zone": "UTC"},
    ),
    "target_settings": (lambda target: address("target_settings", *places(target)), {"settings": "{}"}),
    "target_lock": (lambda target: address("target_lock", *places(target)), {"reason": "x"}),
    "adoption": (lambda target: address("adoption", *places(target)), {"label": "1", "identities": COMMIT, "reason": "x"}),
}


@pytest.mark.parametrize(("form", "field"), [(form, field) for form, (_, fields) in FORMS.items() for field in fields])
def test_hostile_text_in_any_field_is_told_or_kept_and_never_a_500(client, everything, form, field):
    target = make_target()
    act, good = FORMS[form]
    good = {**good, **({"team": target.service.team.slug} if "team" in good else {})}

    texts = [*HOSTILE, '{"driver": "\\ud800"}', "[" * 3000] if form == "target_settings" else HOSTILE
    for text in texts:
        target.refresh_from_db()
        target.service.refresh_from_db()
        answer = client.post(act(target), {**good, field: text})
        assert answer.status_code in {200, 302, 409, 422}, (text, answer.status_code)
        assert b"<script>alert" not in answer.content
    assert client.get(address("service", target.service.slug)).status_code == 200
    assert client.get(address("target", *places(target))).status_code == 200
