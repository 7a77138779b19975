"""Two at once, one winner."""

from apps.accounts.roles import Role
from apps.catalog import actions
from apps.catalog.access import get_service
from apps.catalog.models import Service, TargetSettings
from apps.core.locks import CALENDAR_GUARD
from apps.core.refusals import BadContent
from tests.factories.accounts import TeamFactory, make_person
from tests.factories.catalog import SETTINGS, ServiceFactory, make_target


def told(call) -> str:
    try:
        call()
    except BadContent as bad:
        return next(iter(bad.errors))
    return "done"


def test_a_rename_and_a_new_service_that_want_one_short_name_give_it_to_one(own_database, racer, wait_until_blocked):
    admin, service, team = make_person(Role.ADMINISTRATOR), ServiceFactory(slug="old"), TeamFactory()

    with own_database.connect() as holder:
        holder.execute("select pg_advisory_lock(%s)", [CALENDAR_GUARD])
        racers = [
            racer(lambda: told(lambda: actions.change_service(service.pk, slug="shop", by=admin.actor))),
            racer(lambda: told(lambda: actions.create_service(slug="shop", name="Shop", team_id=team.pk, by=admin.actor))),
        ]
        wait_until_blocked(holder.info.backend_pid, 2)
        holder.execute("select pg_advisory_unlock(%s)", [CALENDAR_GUARD])
        outcomes = sorted(str(each.result()) for each in racers)

    assert outcomes == ["done", "slug"]
    assert Service.objects.filter(slug="shop").count() == 1
    assert get_service(admin, "old") == service


def test_two_new_settings_at_once_become_two_versions(own_database, racer, wait_until_blocked):
    admin, target = make_person(Role.ADMINISTRATOR), make_target()

    with own_database.connect() as holder:
        holder.execute("begin")
        holder.execute("select 1 from catalog_target where id = %s for update", [target.pk])
        racers = [
            racer(lambda bake=bake: actions.write_target_settings(target.pk, settings={**SETTINGS, "bake_seconds": bake}, by=admin.actor))
            for bake in (1, 2)
        ]
        wait_until_blocked(holder.info.backend_pid, 1)
        holder.execute("rollback")
        made = [each.result() for each in racers]

    target.refresh_from_db()
    assert sorted(row.number for row in made) == [2, 3]
    assert target.settings == TargetSettings.objects.get(target=target, number=3)
