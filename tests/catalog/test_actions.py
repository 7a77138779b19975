"""Every verb of the catalogue: it works, each refusal, and nothing stays when the record fails."""

import pytest

from apps.accounts.roles import Role
from apps.audit.stream import entries_about
from apps.audit.vocabulary import Event
from apps.catalog import actions
from apps.catalog.access import get_environment, get_service
from apps.catalog.models import (
    Arrival,
    ChangeRequired,
    Environment,
    EnvironmentAlias,
    Outcome,
    OwnerKind,
    Ownership,
    Service,
    ServiceAlias,
    Target,
    TargetSettings,
)
from apps.catalog.settings_body import read_settings
from apps.catalog.versions import Version
from apps.core.ids import new_id
from apps.core.refusals import BadContent, Refused
from tests.factories.accounts import TeamFactory, make_person
from tests.factories.catalog import (
    COMMIT,
    SETTINGS,
    EnvironmentAliasFactory,
    EnvironmentFactory,
    OwnershipFactory,
    ServiceAliasFactory,
    ServiceFactory,
    TargetFactory,
    make_target,
)

pytestmark = pytest.mark.django_db
VERSION = Version("1.0.0", (COMMIT,))


@pytest.fixture
def admin():
    return make_person(Role.ADMINISTRATOR)


@pytest.fixture
def operator():
    return make_person(Role.OPERATOR)


def events(thing) -> list[Event]:
    return [entry.event for entry in entries_about(thing.reference, limit=50)]


def refusal(call, *args, **kwargs) -> str:
    with pytest.raises(Refused) as caught:
        call(*args, **kwargs)
    return caught.value.refusal.code


def wrong(call, *args, **kwargs) -> list[str]:
    with pytest.raises(BadContent) as caught:
        call(*args, **kwargs)
    return [*caught.value.errors]


def occupy(target: Target, now) -> None:
    target.occupied_by, target.occupied_since = new_id(), now
    target.save()


# services


def test_create_service_gives_a_repository_an_id_of_its_own(admin):
    team = TeamFactory()

    service = actions.create_service(
        slug="shop", name=" The Shop ", team_id=team.pk, repository="https://git.example.org/shop.git", tier=1, by=admin.actor
    )

    assert (service.name, service.tier, service.team) == ("The Shop", 1, team)
    assert len(service.repository_id) == 36
    assert events(service) == [Event.SERVICE_CREATED]
    assert events(team) == [Event.SERVICE_CREATED]


def test_create_service_keeps_the_id_it_is_given_and_none_without_a_repository(admin):
    team = TeamFactory()

    given = actions.create_service(slug="a", name="A", team_id=team.pk, repository="/srv/a.git", repository_id="42", by=admin.actor)
    none = actions.create_service(slug="b", name="B", team_id=team.pk, by=admin.actor)

    assert (given.repository_id, none.repository_id) == ("42", "")


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"slug": "Shop"}, "slug"),
        ({"slug": "new"}, "slug"),
        ({"slug": "shop\x00"}, "slug"),
        ({"name": ""}, "name"),
        ({"name": "\u2066shop"}, "name"),
        ({"name": "sh\u200bop"}, "name"),
        ({"tier": 0}, "tier"),
        ({"tier": 5}, "tier"),
        ({"tier": True}, "tier"),
        ({"time_zone": "localtime"}, "time_zone"),
        ({"description": "\x00"}, "description"),
        ({"description": "x" * 4001}, "description"),
        ({"repository": "--upload-pack=touch /tmp/x"}, "repository"),
        ({"repository": "ext::sh -c touch% /tmp/x"}, "repository"),
        ({"repository": "relative/path"}, "repository"),
        ({"repository": "https://user:secret@git.example.org/x"}, "repository"),
        ({"repository": "x" * 401}, "repository"),
        ({"repository_id": "\x1b"}, "repository_id"),
        ({"team_id": 0}, "team_id"),
    ],
)
def test_create_service_with_a_wrong_field_names_it(admin, given, field):
    assert wrong(actions.create_service, **{"slug": "shop", "name": "Shop", "team_id": TeamFactory().pk, "by": admin.actor, **given}) == [
        field
    ]


@pytest.mark.parametrize(
    "text",
    [
        "/srv/git/shop.git",
        "ssh://git@git.example.org/shop.git",
        "git@git.example.org:team/shop.git",
        "file:///srv/shop",
        "https://git.example.org/shop",
    ],
)
def test_create_service_takes_what_git_understands(admin, text):
    assert actions.create_service(slug="shop", name="S", team_id=TeamFactory().pk, repository=text, by=admin.actor).repository == text


def test_create_service_with_a_retired_team_names_the_field(admin, now):
    assert wrong(actions.create_service, slug="shop", name="S", team_id=TeamFactory(retired_at=now).pk, by=admin.actor) == ["team_id"]


def test_change_service_keeps_the_old_short_name_working(admin):
    service = ServiceFactory(slug="shop")

    actions.change_service(service.pk, slug="store", by=admin.actor)

    assert get_service(admin, "shop") == get_service(admin, "store") == service
    (entry,) = entries_about(service.reference, limit=5)
    assert entry.data == {"fields": ["slug"], "slug_before": "shop", "slug_now": "store"}


def test_change_service_back_to_its_own_old_short_name_works(admin):
    service = ServiceFactory(slug="shop")
    for slug in ("store", "shop", "market", "store"):
        actions.change_service(service.pk, slug=slug, by=admin.actor)

    for slug in ("shop", "store", "market"):
        assert get_service(admin, slug) == service
    assert {alias.slug for alias in ServiceAlias.objects.all()} == {"shop", "market"}


def test_a_short_name_that_was_another_service_s_is_never_given_again(admin):
    old = ServiceAliasFactory(slug="shop").service
    other = ServiceFactory(slug="other")

    assert wrong(actions.change_service, other.pk, slug="shop", by=admin.actor) == ["slug"]
    assert wrong(actions.change_service, other.pk, slug=old.slug, by=admin.actor) == ["slug"]
    assert wrong(actions.create_service, slug="shop", name="S", team_id=TeamFactory().pk, by=admin.actor) == ["slug"]


def test_change_service_writes_what_differs_and_keeps_texts_out_of_the_entry_bytes(admin):
    service = ServiceFactory(name="Shop")
    team_before, team_now = service.team, TeamFactory()

    actions.change_service(service.pk, name="Store", tier=1, is_restricted=True, team_id=team_now.pk, by=admin.actor)
    actions.change_service(service.pk, name="Store", tier=1, by=admin.actor)

    (entry,) = entries_about(service.reference, limit=5)
    assert entry.data["fields"] == ["is_restricted", "name", "team_id", "tier"]
    assert "Store" not in str(entry.data)
    assert entry.details["name_before"] == "Shop"
    assert {team_before.reference, team_now.reference} <= set(entry.refs)


def test_retire_service_waits_for_deployments_and_ends_everything(admin, now):
    target = make_target()
    occupy(target, now)
    assert refusal(actions.retire_service, target.service.pk, by=admin.actor) == "occupied"
    Target.objects.update(occupied_by=None, occupied_since=None)

    actions.retire_service(target.service.pk, by=admin.actor)

    for call in (
        lambda: actions.retire_service(target.service.pk, by=admin.actor),
        lambda: actions.change_service(target.service.pk, name="X", by=admin.actor),
        lambda: actions.create_target(target.service.pk, EnvironmentFactory().pk, by=admin.actor),
        lambda: actions.write_target_settings(target.pk, settings=SETTINGS, by=admin.actor),
        lambda: actions.start_ownership(target.service.pk, admin.pk, kind=OwnerKind.BUSINESS, by=admin.actor),
    ):
        assert refusal(call) == "retired"


# ownership


def test_ownership_starts_and_ends_once_per_kind(admin):
    service, person = ServiceFactory(), make_person()

    actions.start_ownership(service.pk, person.pk, kind=OwnerKind.BUSINESS, by=admin.actor)
    actions.start_ownership(service.pk, person.pk, kind=OwnerKind.TECHNICAL, by=admin.actor)

    assert refusal(actions.start_ownership, service.pk, person.pk, kind=OwnerKind.BUSINESS, by=admin.actor) == "already_owner"
    actions.end_ownership(service.pk, person.pk, kind=OwnerKind.BUSINESS, by=admin.actor)
    assert refusal(actions.end_ownership, service.pk, person.pk, kind=OwnerKind.BUSINESS, by=admin.actor) == "not_owner"
    assert Ownership.objects.get(ended_at=None).kind == OwnerKind.TECHNICAL
    assert events(person) == [Event.OWNERSHIP_ENDED, Event.OWNERSHIP_STARTED, Event.OWNERSHIP_STARTED]


def test_start_ownership_of_oneself_is_told_and_of_somebody_absent_refused(admin):
    service = ServiceFactory()

    actions.start_ownership(service.pk, admin.pk, kind=OwnerKind.BUSINESS, by=admin.actor)

    assert entries_about(service.reference, limit=1)[0].data["given_to_self"] is True
    absent = make_person(is_active=False)
    assert refusal(actions.start_ownership, service.pk, absent.pk, kind=OwnerKind.BUSINESS, by=admin.actor) == "person_inactive"


def test_end_ownership_reaches_what_was_given_to_a_merged_row(admin):
    keep = make_person()
    row = OwnershipFactory(person=make_person(is_active=False, merged_into=keep))

    actions.end_ownership(row.service.pk, keep.pk, kind=OwnerKind.BUSINESS, by=admin.actor)

    row.refresh_from_db()
    assert row.ended_at is not None


# environments


def test_environments_are_made_strict_renamed_and_retired(admin, now):
    made = actions.create_environment(slug="prod", name="Production", rank=30, by=admin.actor)
    assert made.change_required == ChangeRequired.APPROVED

    actions.change_environment(made.pk, slug="production", change_required="RECORDED", by=admin.actor)
    assert get_environment("prod") == get_environment("production") == made

    occupied = make_target(environment=made)
    occupy(occupied, now)
    assert refusal(actions.retire_environment, made.pk, by=admin.actor) == "occupied"
    Target.objects.update(occupied_by=None, occupied_since=None)
    actions.retire_environment(made.pk, by=admin.actor)
    assert refusal(actions.change_environment, made.pk, name="X", by=admin.actor) == "retired"
    assert refusal(actions.write_target_settings, occupied.pk, settings=SETTINGS, by=admin.actor) == "retired"
    assert [event for event in events(made) if "environment" in event] == [
        Event.ENVIRONMENT_RETIRED,
        Event.ENVIRONMENT_CHANGED,
        Event.ENVIRONMENT_CREATED,
    ]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"slug": "old-prod"}, "slug"),
        ({"slug": "a b"}, "slug"),
        ({"rank": -1}, "rank"),
        ({"rank": 40_000}, "rank"),
        ({"rank": "3"}, "rank"),
        ({"change_required": "MAYBE"}, "change_required"),
        ({"name": "\n"}, "name"),
        ({"time_zone": ""}, "time_zone"),
    ],
)
def test_create_environment_with_a_wrong_field_names_it(admin, given, field):
    EnvironmentAliasFactory(slug="old-prod")

    assert wrong(actions.create_environment, **{"slug": "prod", "name": "P", "rank": 1, "by": admin.actor, **given}) == [field]


def test_everything_wrong_is_told_at_once(admin):
    assert set(wrong(actions.create_environment, slug="A", name="", rank=-1, by=admin.actor)) == {"slug", "name", "rank"}


# targets


def test_create_target_once_per_service_and_environment(admin, now):
    service, environment = ServiceFactory(), EnvironmentFactory()

    target = actions.create_target(service.pk, environment.pk, by=admin.actor)

    assert (target.settings, target.running_label) == (None, "")
    assert events(service) == events(environment) == [Event.TARGET_CREATED]
    assert refusal(actions.create_target, service.pk, environment.pk, by=admin.actor) == "target_exists"
    assert refusal(actions.create_target, service.pk, EnvironmentFactory(retired_at=now).pk, by=admin.actor) == "retired"


def test_write_target_settings_makes_a_new_version_and_keeps_the_old(admin):
    target = actions.create_target(ServiceFactory().pk, EnvironmentFactory().pk, by=admin.actor)

    first = actions.write_target_settings(target.pk, settings=SETTINGS, by=admin.actor)
    again = actions.write_target_settings(target.pk, settings={**SETTINGS, "start": "BUTTON"}, by=admin.actor)
    second = actions.write_target_settings(target.pk, settings={**SETTINGS, "bake_seconds": 60}, by=admin.actor)

    target.refresh_from_db()
    assert again == first
    assert (first.number, second.number, target.settings) == (1, 2, second)
    assert read_settings(first.body).bake_seconds == 0
    entry = entries_about(target.reference, limit=1)[0]
    assert (entry.data["number"], entry.data["digest"], entry.data["digest_before"]) == (2, second.digest, first.digest)


def test_write_target_settings_that_cannot_be_kept_leaves_the_old_ones(admin):
    target = make_target()

    assert wrong(actions.write_target_settings, target.pk, settings={"driver": "release_dir", "x": 1}, by=admin.actor) == ["x"]
    target.refresh_from_db()
    assert target.settings.number == 1


def test_locks_are_placed_once_with_a_reason_and_taken_away(operator):
    target = make_target()

    actions.lock_target(target.pk, reason="Disk swap until noon", by=operator.actor)

    target.refresh_from_db()
    assert (target.lock_reason, target.locked_by) == ("Disk swap until noon", f"PERSON:{operator.public_id}")
    assert refusal(actions.lock_target, target.pk, reason="again", by=operator.actor) == "already_locked"
    actions.unlock_target(target.pk, by=operator.actor)
    target.refresh_from_db()
    assert target.locked_at is None
    assert refusal(actions.unlock_target, target.pk, by=operator.actor) == "not_locked"
    assert wrong(actions.lock_target, target.pk, reason=" ", by=operator.actor) == ["reason"]


def test_adopt_version_writes_an_arrival_without_a_change(operator):
    target = make_target()

    arrival = actions.adopt_version(target.pk, version=VERSION, reason="runs since 2019", by=operator.actor)

    target.refresh_from_db()
    entry = entries_about(target.reference, limit=1)[0]
    assert (arrival.outcome, arrival.caused_by) == (Outcome.ADOPTED, f"adoption:{entry.id}")
    assert (target.running_label, target.running_identities) == ("1.0.0", [COMMIT])
    assert entry.details["reason"] == "runs since 2019"


def test_adopt_version_refuses_while_a_deployment_runs_and_what_is_no_version(operator, now):
    target = make_target()

    assert wrong(actions.adopt_version, target.pk, version=Version("1", ("git:main",)), reason="x", by=operator.actor) == ["identities"]
    assert wrong(actions.adopt_version, target.pk, version=Version("1", ()), reason="x", by=operator.actor) == ["identities"]
    assert wrong(actions.adopt_version, target.pk, version=Version("", (COMMIT,)), reason="x", by=operator.actor) == ["label"]
    assert wrong(actions.adopt_version, target.pk, version=VERSION, reason="", by=operator.actor) == ["reason"]
    occupy(target, now)
    assert refusal(actions.adopt_version, target.pk, version=VERSION, reason="x", by=operator.actor) == "occupied"


# whole or nothing

BROKEN = {
    "create_service": lambda: {"slug": "shop", "name": "S", "team_id": TeamFactory().pk},
    "change_service": lambda: {"service_id": ServiceFactory().pk, "slug": "store"},
    "retire_service": lambda: {"service_id": ServiceFactory().pk},
    "start_ownership": lambda: {"service_id": ServiceFactory().pk, "person_id": make_person().pk, "kind": OwnerKind.BUSINESS},
    "end_ownership": lambda: {"service_id": (row := OwnershipFactory()).service_id, "person_id": row.person_id, "kind": OwnerKind.BUSINESS},
    "create_environment": lambda: {"slug": "prod", "name": "P", "rank": 1},
    "change_environment": lambda: {"environment_id": EnvironmentFactory().pk, "slug": "prod"},
    "retire_environment": lambda: {"environment_id": EnvironmentFactory().pk},
    "create_target": lambda: {"service_id": ServiceFactory().pk, "environment_id": EnvironmentFactory().pk},
    "write_target_settings": lambda: {"target_id": TargetFactory().pk, "settings": SETTINGS},
    "lock_target": lambda: {"target_id": TargetFactory().pk, "reason": "x"},
    "adopt_version": lambda: {"target_id": TargetFactory().pk, "version": VERSION, "reason": "x"},
}
TABLES = (Service, ServiceAlias, Ownership, Environment, EnvironmentAlias, Target, TargetSettings, Arrival)


@pytest.mark.parametrize("name", BROKEN)
def test_a_verb_whose_record_fails_leaves_nothing_behind(name, monkeypatch):
    given = BROKEN[name]()
    by = make_person(Role.ADMINISTRATOR, Role.OPERATOR).actor
    before = [[*table.objects.order_by("pk").values()] for table in TABLES]

    def broken(*args, **kwargs):
        raise OSError("the stream is full")

    for module in ("steps", "actions.service", "actions.environments", "actions.targets"):
        monkeypatch.setattr(f"apps.catalog.{module}.record", broken)
    with pytest.raises(OSError, match="full"):
        getattr(actions, name)(**given, by=by)

    assert [[*table.objects.order_by("pk").values()] for table in TABLES] == before
